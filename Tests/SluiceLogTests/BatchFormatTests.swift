// The format itself: header, golden bytes, damage.

import Testing

@testable import SluiceLog

@Suite struct BatchFormatTests {
    @Test func `our plain batch equals kafka-python's byte for byte`() throws {
        #expect(seal(Golden.records).bytes.array == Golden.plain)
    }

    @Test(arguments: [
        (Codec.none, Golden.plain), (.gzip, Golden.gzip), (.snappy, Golden.snappy), (.lz4, Golden.lz4),
        (.zstd, Golden.zstd),
    ])
    func `batches of kafka-python decode`(codec: Codec, bytes: [UInt8]) throws {
        let decoded = try decode(bytes)
        #expect(decoded.header.codec == codec)
        #expect(decoded.all == Golden.records)
    }

    @Test func `every header field is read`() throws {
        let header = try header(Golden.plain)
        #expect(header.baseOffset == 0 && header.batchLength == 665 && header.partitionLeaderEpoch == 0)
        #expect(header.magic == 2 && header.crc == 0xBCE8_24D6 && header.attributes == 0)
        #expect(header.lastOffsetDelta == 11 && header.recordCount == 12)
        #expect(header.baseTimestamp == 1_700_000_000_000 && header.maxTimestamp == 1_700_000_011_000)
        #expect(header.producerID == -1 && header.producerEpoch == -1 && header.baseSequence == -1)
        #expect(header.totalBytes == Golden.plain.count && header.lastOffset == 11 && header.nextOffset == 12)
        #expect(!header.isControl && !header.isTransactional && header.timestampType == .createTime)
    }

    @Test func `a header needs 61 bytes and no more`() throws {
        let whole = try header(Golden.plain)
        #expect(try header(Array(Golden.plain.prefix(61))) == whole)
        let short = Array(Golden.plain.prefix(60))
        #expect(throws: BatchError.truncated(needed: 61, available: 60)) { try header(short) }
        #expect(throws: BatchError.truncated(needed: 61, available: 0)) { try header([]) }
        #expect(!crcMatches([]) && !crcMatches(short) && crcMatches(Golden.plain))
    }

    @Test func `senseless header fields are refused by name`() throws {
        func error(_ change: (ByteBuffer) -> Void) -> BatchError? {
            let buffer = ByteBuffer(Golden.plain)
            change(buffer)
            do throws(BatchError) {
                _ = try BatchHeader(buffer.bytes)
                return nil
            } catch { return error }
        }
        #expect(error { $0.store(bigEndian: Int8(1), at: BatchLayout.magic) } == .magic(1))
        #expect(error { $0.store(bigEndian: Int32(48), at: BatchLayout.batchLength) } == .length(48))
        #expect(error { $0.store(bigEndian: Int32(49), at: BatchLayout.batchLength) } == nil)
        #expect(error { $0.store(bigEndian: Int32.min, at: BatchLayout.batchLength) } == .length(.min))
        #expect(error { $0.store(bigEndian: Int16(5), at: BatchLayout.attributes) } == .codec(5))
        #expect(error { $0.store(bigEndian: Int32(-1), at: BatchLayout.recordCount) } == .count(-1))
        #expect(error { $0.store(bigEndian: Int32(13), at: BatchLayout.recordCount) } == .count(13))
        #expect(error { $0.store(bigEndian: Int64(-1), at: 0) } == .offsets(base: -1, lastDelta: 11))
        #expect(error { $0.store(bigEndian: Int64.max - 12, at: 0) } == nil)
        #expect(
            error { $0.store(bigEndian: Int64.max - 11, at: 0) } == .offsets(base: .max - 11, lastDelta: 11))
    }

    @Test func `assigning offset and epoch leaves the checksum right`() throws {
        let buffer = ByteBuffer([0xAA] + Golden.lz4)
        buffer.assign(baseOffset: 1 << 40, leaderEpoch: 7, at: 1)
        let decoded = try decode(Array(buffer.array.dropFirst()))
        #expect(decoded.header.baseOffset == 1 << 40 && decoded.header.partitionLeaderEpoch == 7)
        #expect(decoded.all == Golden.records)
    }

    @Test func `log append time holds for every record`() throws {
        let buffer = ByteBuffer(Golden.zstd)
        buffer.setLogAppendTime(42, at: 0)
        let decoded = try decode(buffer.array)
        #expect(decoded.header.timestampType == .logAppendTime && decoded.header.maxTimestamp == 42)
        #expect(decoded.all.allSatisfy { $0.timestamp == 42 })
        #expect(decoded.firstRecord(atOrAfter: 42)?.offset == 0)
        #expect(decoded.firstRecord(atOrAfter: 43) == nil)
    }

    @Test(arguments: [Golden.plain, Golden.gzip, Golden.snappy, Golden.lz4, Golden.zstd])
    func `each flipped byte is found, except in offset and epoch`(bytes: [UInt8]) {
        let unchecked = Set(0..<8).union(12..<16)
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= 0x41
            let result = Result { () throws(BatchError) in try decode(damaged) }
            switch result {
            case .success: #expect(unchecked.contains(position), "byte \(position)")
            case .failure: #expect(!unchecked.contains(position) || position == 0, "byte \(position)")
            }
        }
    }

    @Test(arguments: [Golden.plain, Golden.lz4])
    func `each truncation is found`(bytes: [UInt8]) {
        for count in 0..<bytes.count {
            let needed = count < 61 ? 61 : bytes.count
            #expect(throws: BatchError.truncated(needed: needed, available: count)) {
                try decode(Array(bytes.prefix(count)))
            }
        }
        #expect(throws: BatchError.trailingBytes(1)) { try decode(bytes + [0]) }
    }

    @Test func `an empty batch is valid and has no records`() throws {
        for codec in [Codec.none, .lz4] {
            let decoded = try decode(batch(area: [], count: 0, lastOffsetDelta: 9, codec: codec))
            #expect(decoded.all.isEmpty)
            #expect(decoded.header.nextOffset == 10)
        }
        #expect(throws: BatchError.trailingBytes(1)) { try decode(batch(area: [0], count: 0)) }
    }

    @Test(arguments: [1, 2, 65_536, Int(Int32.max)])
    func `a control batch spans a gap`(gap: Int) throws {
        let sealed = ControlBatch.spanning(gap, timestamp: 99)
        let decoded = try decode(sealed.bytes.array)
        #expect(decoded.header.isControl && decoded.header.isTransactional && decoded.header.producerID == -1)
        #expect(decoded.header.nextOffset == Int64(gap) && decoded.header.recordCount == 1)
        #expect(decoded.all == [TestRecord(99, key: [0, 0, 0, 0], value: [0, 0, 0, 0, 0, 0])])
    }
}
