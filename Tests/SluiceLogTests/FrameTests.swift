// Frames: the format, and what a scan makes of files that are not whole.

import Testing

@testable import SluiceLog

@Suite struct FrameTests {
    private let store = UniqueID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)

    private func frame(_ sequence: UInt64, _ payload: [UInt8], _ kind: FrameKind = .manifest) -> [UInt8] {
        var bytes = Frame.encode(kind, sequence: sequence, storeID: store, payload: payload)
        while bytes.count % kind.alignment != 0 { bytes.append(0) }
        return bytes
    }

    private func scan(_ bytes: [UInt8], _ kind: FrameKind = .manifest) -> FrameScan {
        Frame.scan(kind, storeID: store, in: bytes)
    }

    @Test func `frames are found in order, with their payloads`() {
        let found = scan(frame(1, [7, 8]) + frame(2, []) + frame(3, [9]))
        #expect(found.frames.map(\.sequence) == [1, 2, 3])
        #expect(found.frames.map { Array($0.payload) } == [[7, 8], [], [9]])
        #expect(found.gaps.isEmpty && found.torn == 0)
    }

    @Test func `a frame cut anywhere is torn`() {
        let first = frame(1, [1, 2, 3])
        let second = frame(2, [4, 5, 6])
        for count in 0..<second.count {
            let found = scan(first + second.prefix(count))
            #expect(found.frames.map(\.sequence) == [1])
            #expect(found.gaps.isEmpty && found.end == first.count)
        }
    }

    @Test func `a flipped bit makes a frame no frame, and a gap when a whole one follows`() {
        let first = frame(1, [1, 2, 3])
        let last = frame(3, [9])
        for bit in 0..<(first.count * 8) {
            var second = frame(2, [4, 5, 6])
            second[bit / 8] ^= 1 << UInt8(bit % 8)
            let alone = scan(first + second)
            #expect(alone.frames.map(\.sequence) == [1] && alone.gaps.isEmpty)
            let between = scan(first + second + last)
            #expect(between.frames.map(\.sequence) == [1, 3])
            #expect(between.gaps == [first.count])
        }
    }

    @Test func `a length that promises more than there is allocates nothing and is torn`() {
        var bytes = frame(1, [1])
        for index in 4..<8 { bytes[index] = 0xFF }
        #expect(scan(bytes).frames.isEmpty)
    }

    @Test func `frames of another store and another log are not ours`() {
        let other = UniqueID(high: 1, low: 2)
        #expect(scan(Frame.encode(.manifest, sequence: 1, storeID: other, payload: [1])).frames.isEmpty)
        #expect(scan(frame(1, [1], .journal)).frames.isEmpty)
    }

    @Test func `what an earlier lap left behind the end is no gap`() {
        let old = frame(1, [1], .journal) + frame(2, [2], .journal) + frame(3, [3], .journal)
        let now = frame(4, [4], .journal)
        let found = scan(now + old[now.count...], .journal)
        #expect(found.frames.map(\.sequence) == [4, 2, 3])
        #expect(found.gaps.isEmpty && found.end == now.count)
    }

    @Test func `the bytes of a manifest frame`() {
        var writer = BinaryWriter()
        ManifestRecord.logStart(PartitionKey(topic: UniqueID(high: 1, low: 2), partition: 3), 258).encode(
            into: &writer)
        let bytes = Frame.encode(.manifest, sequence: 5, storeID: store, payload: writer.bytes)
        let golden: [[UInt8]] = [
            [0x53, 0x6C, 0x4D, 0x66],  // magic "SlMf"
            [0x00, 0x00, 0x00, 0x1D],  // length: 29
            [0, 0, 0, 0, 0, 0, 0, 5],  // sequence
            [1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18],  // store id
            [0x9B, 0x02, 0x7E, 0xA5],  // CRC-32C of the above and the payload
            [10],  // type: log start
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2],  // topic id
            [0, 0, 0, 3],  // partition
            [0, 0, 0, 0, 0, 0, 1, 2],  // offset 258
        ]
        #expect(bytes == golden.flatMap { $0 })
    }

    @Test func `the bytes of a journal frame`() {
        var writer = BinaryWriter()
        let entry = JournalEntry(
            key: PartitionKey(topic: UniqueID(high: 1, low: 2), partition: 3), segmentBase: 16,
            baseOffset: 17,
            nextOffset: 19, position: 64, length: 2)
        writer.put([entry]) { $1.encode(into: &$0) }
        let bytes = Frame.encode(.journal, sequence: 6, storeID: store, payload: writer.bytes + [0xAA, 0xBB])
        let golden: [[UInt8]] = [
            [0x53, 0x6C, 0x4A, 0x72],  // magic "SlJr"
            [0x00, 0x00, 0x00, 0x3E],  // length: 62
            [0, 0, 0, 0, 0, 0, 0, 6],  // sequence
            [1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18],  // store id
            [0x54, 0xFA, 0xB4, 0x48],  // CRC-32C of the above and the payload
            [0, 0, 0, 1],  // entries
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2],  // topic id
            [0, 0, 0, 3],  // partition
            [0, 0, 0, 0, 0, 0, 0, 16],  // base offset of the segment
            [0, 0, 0, 0, 0, 0, 0, 17],  // base offset
            [0, 0, 0, 0, 0, 0, 0, 19],  // next offset
            [0, 0, 0, 0, 0, 0, 0, 64],  // position in the segment
            [0, 0, 0, 2],  // length
            [0xAA, 0xBB],  // the batches
        ]
        #expect(bytes == golden.flatMap { $0 })
    }
}
