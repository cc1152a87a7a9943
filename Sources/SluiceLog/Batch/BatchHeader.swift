// The first 61 bytes of a batch, decoded and checked. BatchLayout.swift has the byte table.
//
// (1) A header that exists is sane: see "valid iff" there, without CRC and records. (2) It says nothing
// about the rest of the batch: bytes behind it may be missing or damaged.

/// Which clock a batch's timestamps come from.
public enum TimestampType: Sendable, Hashable {
    /// The producer's: each record has its own.
    case createTime
    /// The log's: every record has the time of the append.
    case logAppendTime
}

/// The fields of a batch before its records.
public struct BatchHeader: Sendable, Hashable {
    /// The offset of the batch's first record, before compaction.
    public var baseOffset: Int64
    /// Bytes of the batch behind this field.
    public var batchLength: Int32
    /// The epoch of the leader that appended the batch.
    public var partitionLeaderEpoch: Int32
    /// The format version: 2.
    public var magic: Int8
    /// CRC-32C of the bytes from the attributes to the end of the batch.
    public var crc: UInt32
    /// Codec, timestamp type and flags, as stored.
    public var attributes: Int16
    /// The last offset less the base offset.
    public var lastOffsetDelta: Int32
    /// What timestamp deltas are counted from, in ms; the delete horizon when that flag is set.
    public var baseTimestamp: Int64
    /// The greatest timestamp, or the time of the append; ms; -1 when there is none.
    public var maxTimestamp: Int64
    /// The idempotent producer's id, or -1.
    public var producerID: Int64
    /// That producer's epoch, or -1.
    public var producerEpoch: Int16
    /// The sequence number of offset delta 0, or -1.
    public var baseSequence: Int32
    /// The number of records that are left in the batch.
    public var recordCount: Int32

    /// Reads and checks the first 61 bytes of `bytes`; what follows is not looked at and need not be there.
    ///
    /// Throws `truncated` with fewer bytes, else `magic`, `length`, `offsets`, `count` or `codec`.
    public init(_ bytes: RawSpan) throws(BatchError) {
        guard bytes.byteCount >= BatchLayout.headerBytes else {
            throw .truncated(needed: BatchLayout.headerBytes, available: bytes.byteCount)
        }
        baseOffset = bytes.bigEndian(at: BatchLayout.baseOffset)
        batchLength = bytes.bigEndian(at: BatchLayout.batchLength)
        partitionLeaderEpoch = bytes.bigEndian(at: BatchLayout.partitionLeaderEpoch)
        magic = bytes.bigEndian(at: BatchLayout.magic)
        crc = bytes.bigEndian(at: BatchLayout.crc)
        attributes = bytes.bigEndian(at: BatchLayout.attributes)
        lastOffsetDelta = bytes.bigEndian(at: BatchLayout.lastOffsetDelta)
        baseTimestamp = bytes.bigEndian(at: BatchLayout.baseTimestamp)
        maxTimestamp = bytes.bigEndian(at: BatchLayout.maxTimestamp)
        producerID = bytes.bigEndian(at: BatchLayout.producerID)
        producerEpoch = bytes.bigEndian(at: BatchLayout.producerEpoch)
        baseSequence = bytes.bigEndian(at: BatchLayout.baseSequence)
        recordCount = bytes.bigEndian(at: BatchLayout.recordCount)

        guard magic == BatchLayout.currentMagic else { throw .magic(magic) }
        guard batchLength >= BatchLayout.minBatchLength else { throw .length(batchLength) }
        // Below Int64.max, so that the next offset exists.
        guard baseOffset >= 0, lastOffsetDelta >= 0, baseOffset < Int64.max - Int64(lastOffsetDelta) else {
            throw .offsets(base: baseOffset, lastDelta: lastOffsetDelta)
        }
        guard recordCount >= 0, recordCount - 1 <= lastOffsetDelta else { throw .count(recordCount) }
        let number = attributes & BatchAttributes.codecMask
        guard Codec(rawValue: UInt8(number)) != nil else { throw .codec(Int(number)) }
    }

    /// Bytes of the whole batch, this header included.
    public var totalBytes: Int { Int(batchLength) + BatchLayout.lengthPrefix }

    /// The offset of the batch's last record, whether or not compaction has kept it.
    public var lastOffset: Int64 { baseOffset + Int64(lastOffsetDelta) }

    /// The offset behind the batch: where a reader goes on.
    public var nextOffset: Int64 { lastOffset + 1 }

    /// How the records are compressed.
    public var codec: Codec { Codec(rawValue: UInt8(attributes & BatchAttributes.codecMask)) ?? .none }

    /// Whether the batch holds a marker of the log itself, which applications never see.
    public var isControl: Bool { attributes & BatchAttributes.control != 0 }

    /// Whether the batch belongs to a transaction.
    public var isTransactional: Bool { attributes & BatchAttributes.transactional != 0 }

    /// Whether `baseTimestamp` is the time after which the batch's tombstones may go.
    public var hasDeleteHorizon: Bool { attributes & BatchAttributes.deleteHorizon != 0 }

    /// Which clock the timestamps come from.
    public var timestampType: TimestampType {
        attributes & BatchAttributes.logAppendTime != 0 ? .logAppendTime : .createTime
    }

    /// Whether the stored CRC is that of the bytes. `wholeBatch` begins and ends with the batch.
    ///
    /// False when there are too few bytes for a header.
    public static func crcMatches(_ wholeBatch: RawSpan) -> Bool {
        guard wholeBatch.byteCount >= BatchLayout.headerBytes else { return false }
        return wholeBatch.bigEndian(UInt32.self, at: BatchLayout.crc) == checksum(of: wholeBatch)
    }

    /// The CRC that belongs in the batch: over everything from the attributes on.
    package static func checksum(of wholeBatch: RawSpan) -> UInt32 {
        wholeBatch.withUnsafeBytes {
            CRC32C.extend(0, UnsafeRawBufferPointer(rebasing: $0[BatchLayout.attributes...]))
        }
    }
}
