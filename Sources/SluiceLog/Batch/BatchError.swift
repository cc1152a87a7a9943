// What can be wrong with the bytes of a batch. The layer above adds file and position.

/// Why some bytes are not a valid record batch.
///
/// `truncated` means that more bytes may make it valid; everything else stays wrong however much follows.
public enum BatchError: Error, Hashable, Sendable {
    /// Fewer bytes than the batch, or its header, needs.
    case truncated(needed: Int, available: Int)
    /// A format version other than 2.
    case magic(Int8)
    /// A `batch_length` below the 49 bytes of the header behind it.
    case length(Int32)
    /// A negative base offset or last offset delta, or a next offset beyond 64 bits.
    case offsets(base: Int64, lastDelta: Int32)
    /// A negative record count, or one that the offsets, or the bytes, of the batch cannot hold.
    case count(Int32)
    /// The checksum stored in the batch is not that of its bytes.
    case crc(stored: UInt32, computed: UInt32)
    /// A codec number that Kafka does not define.
    case codec(Int)
    /// The record at `index`, counted from 0, breaks the format.
    case malformedRecord(index: Int, reason: RecordFault)
    /// Bytes follow the last record.
    case trailingBytes(Int)
    /// The compressed records cannot be decompressed.
    case decompression(Codec, reason: String)
    /// The records take more than the caller allows when decompressed. `bytes` is nil when only that is
    /// known.
    case tooLarge(bytes: Int?, limit: Int)
}

/// What is wrong with a record.
public enum RecordFault: String, Hashable, Sendable {
    /// The length is missing, negative, or runs beyond the batch.
    case length
    /// The record's fields do not end where its length says.
    case end
    /// The attributes are not zero.
    case attributes
    /// The timestamp delta does not end within the record, or does not fit 64 bits.
    case timestampDelta
    /// The offset delta is not readable, not above the one before, or above the batch's last.
    case offsetDelta
    /// The key's length is below -1 or runs beyond the record.
    case key
    /// The value's length is below -1 or runs beyond the record.
    case value
    /// A header count or length is out of its range, or runs beyond the record.
    case headers
}

extension BatchError: CustomStringConvertible {
    /// What happened, in one sentence.
    public var description: String {
        switch self {
        case .truncated(let needed, let available):
            "the batch is cut short: \(needed) bytes are needed, \(available) are there"
        case .magic(let magic): "format version \(magic) instead of 2"
        case .length(let length): "batch length \(length) is below \(BatchLayout.minBatchLength)"
        case .offsets(let base, let delta):
            "base offset \(base) with last offset delta \(delta) is not a range"
        case .count(let count): "record count \(count) does not fit the batch"
        case .crc(let stored, let computed):
            "the checksum is 0x\(String(stored, radix: 16)), the bytes have 0x\(String(computed, radix: 16))"
        case .codec(let number): "codec \(number) does not exist"
        case .malformedRecord(let index, let reason):
            "record \(index) of the batch has a bad \(reason.rawValue)"
        case .trailingBytes(let count): "\(count) bytes follow the last record of the batch"
        case .decompression(let codec, let reason): "the records cannot be decompressed (\(codec)): \(reason)"
        case .tooLarge(let bytes?, let limit):
            "the records take \(bytes) bytes, more than the limit of \(limit)"
        case .tooLarge(nil, let limit): "the records take more than the limit of \(limit) bytes"
        }
    }
}
