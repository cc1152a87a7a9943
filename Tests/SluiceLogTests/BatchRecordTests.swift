// The builder, the validator, and the ways through a decoded batch.

import Testing

@testable import SluiceLog

@Suite struct BatchRecordTests {
    @Test func `a builder takes exactly its capacity`() {
        // 93 bytes and 9 around them: lengths of record and value take two each.
        let record = TestRecord(5, key: nil, value: [UInt8](repeating: 7, count: 93))
        var builder = RecordBatchBuilder(rawCapacity: 204)
        var seen = [[builder.recordCount, builder.rawBytes]]
        for record in [record, record, TestRecord(5, key: nil, value: nil)] {
            let fits = builder.append(record)
            seen.append([fits ? 1 : 0, builder.recordCount, builder.rawBytes])
        }
        #expect(seen == [[0, 0], [1, 1, 102], [1, 2, 204], [0, 2, 204]])
    }

    @Test func `one byte over does not fit`() {
        var builder = RecordBatchBuilder(rawCapacity: 203)
        let record = TestRecord(5, key: nil, value: [UInt8](repeating: 7, count: 93))
        let fits = [builder.append(record), builder.append(record), builder.append(TestRecord(5, nil, "v"))]
        #expect(fits == [true, false, true])
    }

    @Test func `the first record fits whatever its size, and the builder shrinks again`() throws {
        var builder = RecordBatchBuilder(rawCapacity: 100)
        var context = CodecContext()
        let large = TestRecord(1, key: nil, value: [UInt8](repeating: 1, count: 300_000))
        let fits = [builder.append(large), builder.append(TestRecord(1, nil, nil))]
        #expect(fits == [true, false])
        let sealed = builder.seal(.lz4, with: &context)
        #expect(sealed.bytes.count < 2_000 && sealed.rawBytes > 300_000)
        #expect(try decode(sealed.bytes.array).all == [large])
        let (isEmpty, capacity, maxTimestamp) = (builder.isEmpty, builder.capacity, builder.maxTimestamp)
        #expect(isEmpty && capacity == 100 && maxTimestamp == -1)
    }

    @Test func `a sealed batch tells its count, time and size, and carries the producer's sequence`() throws {
        var builder = RecordBatchBuilder(rawCapacity: 1000)
        var context = CodecContext()
        for time in [Int64(9), 12, 3] { _ = builder.append(TestRecord(time, "k", "v")) }
        let sequence = ProducerSequence(producerID: 77, epoch: 3, baseSequence: 40)
        let sealed = builder.seal(.zstd, with: &context, producer: sequence)
        #expect(sealed.recordCount == 3 && sealed.maxTimestamp == 12 && sealed.rawBytes == 27)
        let header = try header(sealed.bytes.array)
        #expect(header.codec == .none, "too small to compress")
        #expect(header.producerID == 77 && header.producerEpoch == 3 && header.baseSequence == 40)
        #expect(header.baseTimestamp == 9 && header.maxTimestamp == 12)
        #expect(crcMatches(sealed.bytes.array))
    }

    @Test func `what does not shrink is stored plain`() throws {
        var random = SeededGenerator(state: 1)
        let bytes = (0..<5000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let noise = TestRecord(1, key: nil, value: bytes)
        for codec in Codec.allCases {
            let sealed = seal([noise], codec)
            #expect(try decode(sealed.bytes.array).header.codec == .none)
        }
    }

    @Test(arguments: Codec.allCases, [1, 2, 3] as [UInt64])
    func `random records come back`(codec: Codec, seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let records = (0..<Int(1 + random.next() % 60)).map { _ in random.record() }
        #expect(try decode(seal(records, codec).bytes.array).all == records)
    }

    @Test func `a plain batch is not copied, a compressed one goes to the spare buffer`() throws {
        var context = CodecContext()
        let stored = ByteBuffer(Golden.plain)
        let plain = try DecodedBatch(ByteSlice(stored), with: &context, maxBytes: 1000)
        #expect(plain.records.buffer === stored && plain.records.start == 61)
        let spare = ByteBuffer(capacity: 1 << 18)
        let packed = try DecodedBatch(
            ByteSlice(ByteBuffer(Golden.lz4)), with: &context, maxBytes: 1000, reusing: spare)
        #expect(packed.records.buffer === spare)
        #expect(packed.all == Golden.records)
    }

    @Test func `lookup by offset and by time finds the first at or above`() throws {
        // Offsets 100, 103, 104; times 10, 30, 20.
        let area: [UInt8] = [
            12, 0, 0, 0, 1, 1, 0,
            12, 0, 40, 6, 1, 1, 0,
            12, 0, 20, 8, 1, 1, 0,
        ]
        let buffer = ByteBuffer(batch(area: area, count: 3, lastOffsetDelta: 9))
        buffer.assign(baseOffset: 100, leaderEpoch: 0, at: 0)
        buffer.store(bigEndian: Int64(10), at: BatchLayout.baseTimestamp)
        buffer.store(bigEndian: BatchHeader.checksum(of: buffer.bytes), at: BatchLayout.crc)
        let decoded = try decode(buffer.array)
        func offset(from: Int64) -> Int64? {
            var cursor = decoded.cursor(from: from)
            return cursor.next() ? cursor.offset : nil
        }
        let wanted: [(Int64, Int64?)] = [
            (0, 100), (100, 100), (101, 103), (103, 103), (104, 104), (105, nil), (109, nil), (.max, nil),
        ]
        for (from, found) in wanted { #expect(offset(from: from) == found, "from \(from)") }
        let times: [(Int64, Int64?)] = [(.min, 100), (10, 100), (11, 103), (30, 103), (31, nil)]
        for (time, found) in times {
            #expect(decoded.firstRecord(atOrAfter: time)?.offset == found, "at \(time)")
        }
    }

    @Test func `malformed records are refused by index and reason`() {
        func fault(_ area: [UInt8], count: Int32 = 1, last: Int32? = nil) -> BatchError? {
            do throws(BatchError) {
                _ = try decode(batch(area: area, count: count, lastOffsetDelta: last))
                return nil
            } catch { return error }
        }
        let good: [UInt8] = [12, 0, 0, 0, 1, 1, 0]
        #expect(fault(good) == nil)
        #expect(fault(good + [0]) == .trailingBytes(1))
        #expect(fault(good, count: 2) == .count(2))
        #expect(fault([14] + good[1...]) == .malformedRecord(index: 0, reason: .length))
        #expect(fault([1] + good[1...]) == .malformedRecord(index: 0, reason: .length))
        #expect(
            fault([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]) == .malformedRecord(index: 0, reason: .length))
        #expect(fault([12, 1, 0, 0, 1, 1, 0]) == .malformedRecord(index: 0, reason: .attributes))
        #expect(fault([0, 0, 0, 0, 1, 1, 0]) == .malformedRecord(index: 0, reason: .attributes))
        let long = [24, 0] + [UInt8](repeating: 0x80, count: 10) + [0]
        #expect(fault(long) == .malformedRecord(index: 0, reason: .timestampDelta))
        #expect(fault([12, 0, 0, 2, 1, 1, 0]) == .malformedRecord(index: 0, reason: .offsetDelta))
        #expect(fault([12, 0, 0, 2, 1, 1, 0], last: 1) == nil)
        #expect(fault([12, 0, 0, 1, 1, 1, 0]) == .malformedRecord(index: 0, reason: .offsetDelta))
        #expect(fault(good + good, count: 2) == .malformedRecord(index: 1, reason: .offsetDelta))
        #expect(fault([12, 0, 0, 0, 3, 1, 0]) == .malformedRecord(index: 0, reason: .key))
        #expect(fault([12, 0, 0, 0, 6, 1, 0]) == .malformedRecord(index: 0, reason: .key))
        #expect(fault([12, 0, 0, 0, 1, 3, 0]) == .malformedRecord(index: 0, reason: .value))
        #expect(fault([12, 0, 0, 0, 1, 4, 0]) == .malformedRecord(index: 0, reason: .value))
        #expect(fault([12, 0, 0, 0, 1, 2, 0]) == .malformedRecord(index: 0, reason: .headers))
        #expect(fault([12, 0, 0, 0, 1, 1, 2]) == .malformedRecord(index: 0, reason: .headers))
        #expect(fault([14, 0, 0, 0, 1, 1, 0, 0]) == .malformedRecord(index: 0, reason: .end))
        #expect(fault([16, 0, 0, 0, 1, 1, 2, 0, 1]) == nil)
        #expect(fault([16, 0, 0, 0, 1, 1, 2, 1, 1]) == .malformedRecord(index: 0, reason: .headers))
        #expect(fault([16, 0, 0, 0, 1, 1, 2, 0, 2]) == .malformedRecord(index: 0, reason: .headers))
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `damaged records with a right checksum never trap`(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        let area = Array(seal((0..<6).map { _ in random.record() }).bytes.array[61...])
        for _ in 0..<400 {
            var damaged = area
            for _ in 0...random.next() % 3 {
                damaged[Int(random.next() % UInt64(area.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            // Whatever still decodes can be walked to its end.
            if let decoded = try? decode(batch(area: damaged, count: 6)) { #expect(decoded.all.count == 6) }
        }
    }
}
