// Sealed segments that are read again by and by.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct ScrubTests {
    private static let week: Int64 = 7 * 86_400_000

    /// A store with three sealed segments of a batch each and an active one.
    private func store(_ configure: (inout VolumeConfiguration) -> Void = { _ in }) throws -> TestStore {
        let store = TestStore {
            $0.scrubMilliseconds = Self.week
            configure(&$0)
        }
        try store.open()
        try store.createTopic("t") { $0.segmentBytes = 200 }
        for value in ["a", "b", "c", "d"] {
            try store.append([value + String(repeating: "-", count: 90)], to: "t")
        }
        return store
    }

    /// Does what there is to do for so long. Returns the jobs of the scrub that were done.
    @discardableResult
    private func pass(_ store: TestStore, milliseconds: Int64) -> [String] {
        let before = store.done.count
        let end = store.clock.now.monotonicNanoseconds + milliseconds * 1_000_000
        store.drain()
        for _ in 0..<10_000 {
            if let job = store.take(.append) ?? store.take(.background) {
                store.run(job)
                continue
            }
            let now = store.clock.now.monotonicNanoseconds
            let next = min(max(store.opened?.volume.nextDeadline ?? .max, now + 1), end)
            store.clock.advance(by: .nanoseconds(next - now))
            if next == end { break }
        }
        return store.done[before...].filter { $0.hasPrefix("read ") }
    }

    private func unreadable(_ store: TestStore) -> [String] {
        store.events.compactMap {
            if case .recordsUnreadable(let file, _, _) = $0 { file } else { nil }
        }
    }

    @Test func `sealed segments are read once a week`() throws {
        let store = try store()
        #expect(pass(store, milliseconds: 60_000).count == 3)
        #expect(store.events.contains(.scrubbed(segments: 3, bytes: 3 * 161, damaged: 0)))
        #expect(pass(store, milliseconds: Self.week - 120_000).isEmpty)
        #expect(pass(store, milliseconds: 120_000).count == 3)
    }

    @Test func `a store that is opened anew each day is read once a week`() throws {
        let store = try store()
        pass(store, milliseconds: 60_000)
        var read = 0
        for _ in 0..<14 {
            try store.close()
            store.clock.advance(by: .seconds(86_400))
            try store.open()
            read += pass(store, milliseconds: 1000).count
        }
        #expect(read == 6)
    }

    @Test func `a pass goes on where the last opening has left it`() throws {
        // A segment takes a minute and a half.
        let store = try store { $0.scrubBytesPerSecond = 2 }
        #expect(pass(store, milliseconds: 100_000).count == 2)
        try store.close()
        try store.open()
        let rest = pass(store, milliseconds: 400_000)
        #expect(rest.count <= 2 && rest.last?.contains("00000000000000000002.log") == true)
        #expect(store.events.contains { if case .scrubbed = $0 { true } else { false } })
    }

    @Test func `damage is told, remembered, and forgotten with the segment`() throws {
        let store = try store()
        // An offset: no batch's own checksum covers it.
        store.files.flipBit(store.log("t"), byte: 7, bit: 3)
        pass(store, milliseconds: 60_000)
        #expect(unreadable(store) == [store.log("t")])
        #expect(try store.append(["e"], to: "t")?.offset == 4)
        try store.close()
        #expect(try store.verify(deep: false).isDamaged)
        #expect(throws: LogError.self) { try store.open(strict: true) }
        try store.open()
        #expect(try store.report.isDamaged)
        let number = try store.number("t")
        _ = try store.request { try $0.deleteRecords(number, before: 1, request: $1) }
        try store.close()
        #expect(try !store.verify(deep: false).isDamaged)
    }

    @Test func `a segment that is sound after all is damaged no more`() throws {
        let store = try store()
        store.files.flipBit(store.log("t"), byte: 80, bit: 0)
        pass(store, milliseconds: 60_000)
        store.files.flipBit(store.log("t"), byte: 80, bit: 0)
        pass(store, milliseconds: Self.week)
        try store.close()
        #expect(try !store.verify(deep: false).isDamaged)
    }

    @Test func `what the medium does not give is told, and not remembered`() throws {
        let store = try store()
        store.files.fail(.read, errno: 5, pathContains: "00000000000000000001.log")
        pass(store, milliseconds: 60_000)
        #expect(unreadable(store).count == 1)
        try store.close()
        #expect(try !store.verify(deep: false).isDamaged)
    }

    @Test func `who reads a segment first has it read in full, once`() throws {
        let store = try store()
        pass(store, milliseconds: 60_000)
        try store.reopen()
        let number = try store.number("t")
        let found = try store.opened?.volume.segment(number, at: 1)
        let view = try #require(found)
        #expect(view.isUnchecked)
        store.opened?.volume.check(number, view)
        store.opened?.volume.check(number, view)
        let read = pass(store, milliseconds: 60_000)
        #expect(read.count == 1 && read.first?.contains("00000000000000000001.log") == true)
        let again = try store.opened?.volume.segment(number, at: 1)
        #expect(again?.isUnchecked == false)
    }

    @Test func `the rate is kept by deadlines`() throws {
        let store = try store { $0.scrubBytesPerSecond = 16 }
        // A segment of 160 bytes takes ten seconds.
        #expect(pass(store, milliseconds: 1000).count == 1)
        #expect(pass(store, milliseconds: 8000).isEmpty)
        #expect(pass(store, milliseconds: 2000).count == 1)
    }

    @Test func `a reader is told of a batch whose offsets are not those that are due`() throws {
        let store = try store()
        let found = try store.opened?.volume.segment(try store.number("t"), at: 1)
        let view = try #require(found)
        let bytes = try #require(store.files.contents(view.paths.log))
        let header = try BatchHeader(bytes.span.bytes)
        #expect(view.fault(of: header, at: 1) == nil)
        #expect(view.fault(of: header, at: 0) != nil)
        #expect(view.fault(of: header, at: 2) != nil)
    }
}
