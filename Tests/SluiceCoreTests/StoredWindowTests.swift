// The window of a partition as a commit's metadata.

@testable import SluiceCore
import SluiceLog
import SluiceTesting
import Testing

@Suite struct StoredWindowTests {
    typealias Entry = StoredWindow.Entry

    private func readBack(_ window: StoredWindow) -> StoredWindow {
        StoredWindow(base: window.base, metadata: window.metadata)
    }

    @Test func `an empty window is no metadata`() {
        #expect(StoredWindow(end: 7).metadata == "")
        #expect(StoredWindow(base: 7, metadata: "") == StoredWindow(end: 7))
        #expect(StoredWindow(end: 7).base == 7)
    }

    /// end − base 4 | least moment 0 | gap 0 | 2 records | 1 delivery | gap 1 | 1 record | 2 deliveries
    @Test func `the bytes are those of the format`() {
        let window = StoredWindow(
            end: 104,
            entries: [
                Entry(offset: 100, deliveries: 1), Entry(offset: 101, deliveries: 1),
                Entry(offset: 103, deliveries: 2),
            ])
        let bytes: [UInt8] = [4, 0, 0, 2, 1, 1, 0, 2]
        #expect(window.metadata == "w1:" + String(decoding: Base64.encode(bytes), as: UTF8.self))
        #expect(readBack(window) == window)
        #expect(StoredWindow.count(in: window.metadata) == 3)
    }

    /// w1: | end − base 2 | least moment 1000 (E8 07) | gap 0 | 1 record, delayed | 1 | 0 | gap 0 | … | 200 |
    @Test func `moments are told from the least of them`() {
        let window = StoredWindow(
            end: 2,
            entries: [
                Entry(offset: 0, deliveries: 1, moment: 1_000),
                Entry(offset: 1, deliveries: 1, moment: 1_200),
            ])
        let bytes: [UInt8] = [2, 0xE8, 0x07, 0, 1, 1, 0, 0, 1, 1, 0xC8, 0x01]
        #expect(window.metadata == "w1:" + String(decoding: Base64.encode(bytes), as: UTF8.self))
        #expect(readBack(window) == window)
    }

    @Test func `what is not ours is an empty window`() {
        for metadata in ["mine", "w1", "w1:", "w1:!!!!", "w1:AAA=", "w2:BAAAAgEBAAI=", "W1:BAAAAgEBAAI="] {
            #expect(StoredWindow(base: 5, metadata: metadata) == StoredWindow(end: 5), "\(metadata)")
            #expect(StoredWindow.count(in: metadata) == nil, "\(metadata)")
        }
    }

    @Test(
        arguments: [
            // A run behind the window, more records than are in flight, a first record that is settled, a
            // gap of 64 bits, a varint without an end, an item that is cut short, an offset of 64 bits.
            [1, 0, 0, 2, 1], [255, 127, 0, 0, 0xA0, 0x06, 1], [4, 0, 1, 0, 1],
            [4, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 1], [4, 0, 128, 128], [4, 0, 0, 0],
            [255, 255, 255, 255, 255, 255, 255, 255, 127, 0, 0, 0, 1],
        ] as [[UInt8]])
    func `bytes that make no sense are an empty window`(bytes: [UInt8]) {
        let metadata = "w1:" + String(decoding: Base64.encode(bytes), as: UTF8.self)
        let base: Int64 = bytes.count > 12 ? 10 : 0
        #expect(StoredWindow(base: base, metadata: metadata) == StoredWindow(end: base))
    }

    @Test func `as many records as may be in flight fit, each of its own kind`() {
        var window = StoredWindow(end: 0)
        for index in 0..<Int64(MessageLimits.inFlight) {
            let moment = 1_700_000_000_000 + (index % 2) * MessageLimits.visibilityMilliseconds
            window.entries.append(
                Entry(offset: index * 2, deliveries: Int(index % 3) + 1, moment: moment))
            window.end = index * 2 + 1
        }
        #expect(window.metadata.utf8.count <= GroupLimits.metadataBytes)
        #expect(readBack(window) == window)
    }

    @Test func `any bytes are a window or none, and what is read is written and read again`() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<20_000 {
            var bytes = (0..<random.below(24)).map { _ in
                random.chance(0.6) ? UInt8(random.below(4)) : UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(0.5), bytes.count > 3 { (bytes[1], bytes[2]) = (0, 0) }
            let metadata = "w1:" + String(decoding: Base64.encode(bytes), as: UTF8.self)
            let base = Int64(truncatingIfNeeded: random.next() >> UInt64(random.within(1...60)))
            let window = StoredWindow(base: base, metadata: metadata)
            #expect(window.base == base)
            if window.metadata.utf8.count <= GroupLimits.metadataBytes { #expect(readBack(window) == window) }
        }
    }

    @Test func `a changed character is a window or none`() {
        var random = SeededRandom(seed: 2)
        let entries = (0..<40).map { Entry(offset: $0 * 3 + $0 % 2, deliveries: Int($0 % 4), moment: nil) }
        let metadata = Array(StoredWindow(end: 200, entries: entries).metadata.utf8)
        for _ in 0..<5_000 {
            var changed = metadata
            for _ in 0..<random.within(1...3) {
                changed[random.below(changed.count)] = UInt8(random.within(32...126))
            }
            let window = StoredWindow(base: 0, metadata: String(decoding: changed, as: UTF8.self))
            #expect(window.entries.count <= MessageLimits.inFlight)
            #expect(window.entries.allSatisfy { $0.offset < window.end })
        }
    }
}
