// Stored batches: decoded, walked through in every way there is, and held against one another.
//
//   input of `records`   codec and flags u8 (of the attributes) · record count u16 · last offset delta above
//                        the count u16 · the records area, not compressed

@testable import SluiceLog

/// A record with its bytes copied.
struct FuzzedRecord: Equatable {
    var offset: Int64
    var timestamp: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [FuzzedHeader]
}

/// A header whose name has been repaired where it is not UTF-8.
struct FuzzedHeader: Equatable {
    var name: String
    var value: [UInt8]?
}

enum BatchTargets {
    /// Bytes that records may take when decompressed.
    static let maxBytes = 4 << 20

    /// The batch with the length that it has and the CRC that it should have; none when it has no header.
    static func mended(_ bytes: [UInt8]) -> [[UInt8]] {
        guard bytes.count >= BatchLayout.headerBytes else { return [] }
        let buffer = ByteBuffer(bytes)
        buffer.store(bigEndian: BatchLayout.currentMagic, at: BatchLayout.magic)
        buffer.store(
            bigEndian: Int32(bytes.count - BatchLayout.lengthPrefix), at: BatchLayout.batchLength)
        buffer.store(bigEndian: BatchHeader.checksum(of: buffer.bytes), at: BatchLayout.crc)
        return [buffer.array]
    }

    /// A batch around the records area of an input.
    static func batch(around bytes: [UInt8]) -> [UInt8] {
        var input = FuzzInput(bytes)
        var attributes = Int16(input.byte())
        let count = Int32(input.number())
        let last = count - 1 + Int32(input.number())
        var area = input.remainder()
        let codec = Codec(rawValue: UInt8(attributes & BatchAttributes.codecMask)) ?? .none
        attributes &= ~BatchAttributes.codecMask
        var context = CodecContext()
        if let packed = area.withUnsafeBytes({ context.compress($0, codec) }).map({ [UInt8]($0) }) {
            area = packed
            attributes |= Int16(codec.rawValue)
        }
        let buffer = ByteBuffer([UInt8](repeating: 0, count: BatchLayout.headerBytes) + area)
        buffer.store(bigEndian: Int64(1_000), at: BatchLayout.baseOffset)
        buffer.store(bigEndian: attributes, at: BatchLayout.attributes)
        buffer.store(bigEndian: max(0, last), at: BatchLayout.lastOffsetDelta)
        buffer.store(bigEndian: Int64(1_700_000_000_000), at: BatchLayout.baseTimestamp)
        buffer.store(bigEndian: Int64(1_700_000_000_900), at: BatchLayout.maxTimestamp)
        buffer.store(bigEndian: Int64(-1), at: BatchLayout.producerID)
        buffer.store(bigEndian: count, at: BatchLayout.recordCount)
        return mended(buffer.array)[0]
    }

    /// Every record of a batch.
    static func decode(_ bytes: [UInt8]) throws(BatchError) -> (header: BatchHeader, records: [FuzzedRecord])
    {
        var context = CodecContext()
        let batch = try DecodedBatch(ByteSlice(ByteBuffer(bytes)), with: &context, maxBytes: maxBytes)
        return (batch.header, records(of: batch, batch.cursor))
    }

    private static func records(of batch: DecodedBatch, _ start: RecordCursor) -> [FuzzedRecord] {
        withExtendedLifetime(batch) {
            var cursor = start
            var records: [FuzzedRecord] = []
            while cursor.next() { records.append(FuzzedRecord(cursor)) }
            return records
        }
    }

    /// Decodes a batch, and looks for its records in the ways of a reader.
    static func check(_ bytes: [UInt8]) throws(FuzzFailure) {
        var context = CodecContext()
        let batch: DecodedBatch
        do throws(BatchError) {
            batch = try DecodedBatch(ByteSlice(ByteBuffer(bytes)), with: &context, maxBytes: maxBytes)
        } catch {
            // Each error must have its words.
            return try require(!error.description.isEmpty, "an error without a word")
        }
        let header = batch.header
        let all = records(of: batch, batch.cursor)
        try require(all.count == Int(header.recordCount), "\(all.count) records of \(header.recordCount)")
        try require(batch.records.count <= maxBytes, "\(batch.records.count) bytes of \(maxBytes) at most")
        var last = header.baseOffset - 1
        for record in all {
            try require(record.offset > last && record.offset <= header.lastOffset, "offset \(record.offset)")
            last = record.offset
        }
        let ends = [all.first, all.last].compactMap { $0?.offset }
        for offset in ends + [header.baseOffset, header.nextOffset] {
            let rest = records(of: batch, batch.cursor(from: offset))
            try require(rest == all.filter { $0.offset >= offset }, "a cursor from \(offset) differs")
        }
        for time in [header.baseTimestamp, header.maxTimestamp, all.last?.timestamp ?? 0] {
            let found = batch.firstRecord(atOrAfter: time)
            let expected = all.first { $0.timestamp >= time }
            try require(
                found?.offset == expected?.offset && found?.timestamp == expected?.timestamp,
                "the first record at \(time) differs")
        }
    }
}

extension FuzzedRecord {
    init(_ cursor: RecordCursor) {
        func copy(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
            start.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
        }
        self.init(
            offset: cursor.offset, timestamp: cursor.timestamp, key: copy(cursor.key, cursor.keyCount),
            value: copy(cursor.value, cursor.valueCount),
            headers: cursor.headers.map { FuzzedHeader(name: $0.key, value: $0.value) })
    }
}

/// Each codec alone.
///
///   input   u8: bits 0–1 gzip, snappy, LZ4, zstd · bit 2 a limit of 300 bytes instead of a megabyte · bytes
enum CodecTarget {
    static let codecs: [Codec] = [.gzip, .snappy, .lz4, .zstd]

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let (codec, limit, source) = parts(bytes)
        if let plain = try? decompress(source, codec, limit) {
            try require(plain.count <= limit, "\(codec): \(plain.count) bytes of \(limit)")
            // Memory that was used before changes nothing.
            let spare = ByteBuffer([UInt8](repeating: 0xA5, count: plain.count + 1))
            let again = try? decompress(source, codec, limit, reusing: spare)
            try require(again == plain, "\(codec): another result in memory that was used before")
        }
        var context = CodecContext()
        let packed = source.withUnsafeBytes { context.compress($0, codec) }.map { [UInt8]($0) }
        if let packed {
            let back = try? decompress(packed, codec, max(source.count, 1))
            try require(back == source, "\(codec): not what was compressed")
        }
    }

    static func parts(_ bytes: [UInt8]) -> (codec: Codec, limit: Int, source: [UInt8]) {
        let control = bytes.first ?? 0
        return (codecs[Int(control & 3)], control & 4 == 0 ? 1 << 20 : 300, [UInt8](bytes.dropFirst()))
    }

    static func decompress(
        _ source: [UInt8], _ codec: Codec, _ limit: Int, reusing spare: ByteBuffer? = nil
    ) throws(BatchError) -> [UInt8] {
        var context = CodecContext()
        return try context.decompress(
            ByteSlice(ByteBuffer(source)), codec, maxBytes: limit, reusing: spare
        ).array
    }
}
