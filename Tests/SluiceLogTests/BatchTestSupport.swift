// What the batch and codec tests share: owned records, a seeded generator, and reading a batch back.

@testable import SluiceLog

/// A record that owns its bytes: the oracle's view of one.
struct TestRecord: Hashable {
    var timestamp: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [RecordHeader]

    init(_ timestamp: Int64, key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []) {
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }

    init(_ timestamp: Int64, _ key: String?, _ value: String?, _ headers: [RecordHeader] = []) {
        self.init(
            timestamp, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, headers: headers)
    }
}

/// SplitMix64: the same seed gives the same records everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// Bytes of a small alphabet half the time, so that codecs have something to do.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let mask: UInt8 = Bool.random(using: &self) ? 0x03 : 0xFF
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) & mask }
    }

    /// Null, empty, short, around the varint's steps, or large.
    mutating func field() -> [UInt8]? {
        switch next() % 8 {
        case 0: nil
        case 1: []
        case 2: bytes(Int(63 + next() % 3))
        case 3: bytes(Int(next() % 900))
        default: bytes(Int(next() % 40))
        }
    }

    mutating func record() -> TestRecord {
        let time =
            switch next() % 10 {
            case 0: Int64.min
            case 1: Int64.max
            default: 1_700_000_000_000 + Int64(next() % 100_000)
            }
        let headers =
            next() % 4 == 0
            ? (0..<Int(next() % 4)).map { RecordHeader(key: "ü\($0)", value: field()) } : []
        return TestRecord(time, key: field(), value: field(), headers: headers)
    }
}

extension RecordBatchBuilder {
    mutating func append(_ record: TestRecord) -> Bool {
        switch (record.key, record.value) {
        case (let key?, let value?):
            append(
                timestamp: record.timestamp, key: key.span.bytes, value: value.span.bytes,
                headers: record.headers)
        case (let key?, nil):
            append(timestamp: record.timestamp, key: key.span.bytes, value: nil, headers: record.headers)
        case (nil, let value?):
            append(timestamp: record.timestamp, key: nil, value: value.span.bytes, headers: record.headers)
        case (nil, nil): append(timestamp: record.timestamp, key: nil, value: nil, headers: record.headers)
        }
    }
}

/// The header of a batch whose bytes are `bytes`; `#expect` cannot take spans.
func header(_ bytes: [UInt8]) throws(BatchError) -> BatchHeader { try BatchHeader(bytes.span.bytes) }

/// Whether the CRC in a batch is right.
func crcMatches(_ bytes: [UInt8]) -> Bool { BatchHeader.crcMatches(bytes.span.bytes) }

/// The CRC-32C of `bytes`.
func crc32c(_ bytes: [UInt8], extending crc: UInt32 = 0) -> UInt32 { CRC32C.extend(crc, bytes.span.bytes) }

/// Seals `records`, which fit, into one batch.
func seal(_ records: [TestRecord], _ codec: Codec = .none) -> SealedBatch {
    var builder = RecordBatchBuilder(rawCapacity: 1 << 20)
    var context = CodecContext()
    for record in records { precondition(builder.append(record)) }
    return builder.seal(codec, with: &context)
}

/// Decodes a batch of at most 16 MiB.
func decode(_ bytes: [UInt8], maxBytes: Int = 16 << 20) throws(BatchError) -> DecodedBatch {
    var context = CodecContext()
    return try DecodedBatch(ByteSlice(ByteBuffer(bytes)), with: &context, maxBytes: maxBytes)
}

extension DecodedBatch {
    /// The records, copied.
    var all: [TestRecord] {
        var cursor = cursor
        var found: [TestRecord] = []
        while cursor.next() {
            let key = cursor.key.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: cursor.keyCount)) }
            let value = cursor.value.map {
                [UInt8](UnsafeRawBufferPointer(start: $0, count: cursor.valueCount))
            }
            found.append(TestRecord(cursor.timestamp, key: key, value: value, headers: cursor.headers))
        }
        return found
    }
}

/// A batch with the given records area, whatever it holds, and a right length and CRC.
func batch(
    area: [UInt8], count: Int32, lastOffsetDelta: Int32? = nil, codec: Codec = .none, attributes: Int16 = 0
) -> [UInt8] {
    let buffer = ByteBuffer(Golden.plain[..<BatchLayout.headerBytes] + area)
    buffer.store(bigEndian: Int32(BatchLayout.minBatchLength + area.count), at: BatchLayout.batchLength)
    buffer.store(bigEndian: attributes | Int16(codec.rawValue), at: BatchLayout.attributes)
    buffer.store(bigEndian: lastOffsetDelta ?? max(count - 1, 0), at: BatchLayout.lastOffsetDelta)
    buffer.store(bigEndian: count, at: BatchLayout.recordCount)
    buffer.store(bigEndian: BatchHeader.checksum(of: buffer.bytes), at: BatchLayout.crc)
    return buffer.array
}
