// What goes when the disk is nearly full, and how segments and journal follow the budget.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct DiskReliefTests {
    private let long = String(repeating: "-", count: 4000)

    private func store(
        _ blocks: Int64, segment: Int64 = 1 << 20, roll: Int64 = 1 << 20,
        _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        let store = TestStore(seed: 1) {
            $0.diskBytes = blocks * 4096
            $0.exemptBytes = 16 * 4096
            $0.journalBytes = 16 << 10
            $0.manifestBytes = 4096
            $0.rollBytes = roll
        }
        try store.open()
        try store.createTopic("t") {
            $0.segmentBytes = segment
            change(&$0)
        }
        return store
    }

    private func number(_ store: TestStore) throws -> Int {
        let number = try store.opened?.volume.number(topic: "t", partition: 0)
        return try #require(number)
    }

    private func state(_ store: TestStore) throws -> PartitionDisk {
        let number = try number(store)
        let state = store.opened?.volume.diskState(number, wall: store.clock.now.wallMilliseconds)
        return try #require(state)
    }

    private func relieve(_ store: TestStore) {
        let wall = store.clock.now.wallMilliseconds
        store.opened?.volume.relieve(wall: wall)
        store.drive()
    }

    /// Appends until there is no room. Returns how many batches were taken.
    @discardableResult
    private func fill(_ store: TestStore) throws -> Int {
        for count in 0..<10_000 {
            do {
                let id = try store.submit([long], to: "t")
                store.drive { store.answers[id] != nil }
                if case .failure(.noRoom) = store.answers[id] { return count }
            } catch LogError.noRoom {
                return count
            }
        }
        Issue.record("the budget has no end")
        return 0
    }

    @Test func `a full store whose consumed records lie in the active segment is freed`() throws {
        let store = try store(100) { $0.isUntilConsumed = true }
        let count = try fill(store)
        #expect(count > 10)
        relieve(store)
        #expect(try state(store).bytes > 0)
        try store.consume(to: Int64(count))
        // What is sealed first, then what a roll frees.
        for _ in 0..<2 { relieve(store) }
        #expect(try state(store).bytes == 0)
        #expect(try fill(store) >= count - 1)
    }

    @Test func `a segment is rolled when enough of it is consumed, and goes with the floor that follows`()
        throws
    {
        let store = try store(1000, roll: 8000) { $0.isUntilConsumed = true }
        for _ in 0..<10 { try store.append([long], to: "t") }
        store.drive()
        try store.consume(to: 1)
        relieve(store)
        #expect(!store.done.contains { $0.hasPrefix("roll") })
        // The hundredth part of the budget is more than what was configured.
        try store.consume(to: 11)
        for _ in 0..<5 { try store.append([long], to: "t") }
        store.drive()
        try store.consume(to: 11)
        relieve(store)
        #expect(store.done.contains { $0.hasPrefix("roll") })
        #expect(try state(store).logStart == 0)
        try store.consume(to: 15)
        store.drive()
        #expect(try state(store).logStart == 15)
    }

    @Test func `all that is older than the promise goes at once, not a tenth of it`() throws {
        let store = try store(1000, segment: 4096) { $0.promiseMilliseconds = 1000 }
        for _ in 0..<20 { try store.append([long], to: "t") }
        store.drive()
        relieve(store)
        #expect(try state(store).logStart == 0)
        store.clock.advance(by: .seconds(2))
        try store.append([long], to: "t")
        #expect(try state(store).freeableBytes == state(store).bytes - state(store).bytes / 21)
        relieve(store)
        #expect(try state(store).logStart == 20)
    }

    @Test func `by size the excess goes`() throws {
        let store = try store(1000, segment: 4096) { $0.retentionBytes = 10_000 }
        for _ in 0..<20 { try store.append([long], to: "t") }
        store.drive()
        #expect(try state(store).freeableBytes == state(store).bytes - 10_000)
        relieve(store)
        #expect(try state(store).logStart == 17)
    }

    @Test func `the oldest are dropped down to the promise, and that is told`() throws {
        let store = try store(1000, segment: 4096) {
            $0.promiseMilliseconds = 1000
            $0.isUntilConsumed = true
        }
        for _ in 0..<5 { try store.append([long], to: "t") }
        store.clock.advance(by: .seconds(2))
        for _ in 0..<5 { try store.append([long], to: "t") }
        store.drive()
        let number = try number(store)
        let wall = store.clock.now.wallMilliseconds
        let size = try state(store).bytes / 10
        #expect(store.drop(number, bytes: 1, wall: wall) == size)
        #expect(store.drop(number, bytes: size + 1, wall: wall) == 2 * size)
        #expect(store.drop(number, bytes: 100_000, wall: wall) == 2 * size)
        #expect(store.drop(number, bytes: 100_000, wall: wall) == 0)
        store.drive()
        #expect(try state(store).logStart == 5)
        let dropped = store.events.reduce(Int64(0)) { sum, event in
            if case .recordsDropped(_, _, let records, _) = event { sum + records } else { sum }
        }
        #expect(dropped == 5)
        #expect(!store.events.contains { if case .segmentsRemoved = $0 { true } else { false } })
    }

    @Test func `an active segment that is old enough is rolled and dropped`() throws {
        let store = try store(1000) { $0.promiseMilliseconds = 1000 }
        for _ in 0..<5 { try store.append([long], to: "t") }
        store.drive()
        store.clock.advance(by: .seconds(2))
        let number = try number(store)
        let bytes = try state(store).bytes
        #expect(store.drop(number, bytes: 1, wall: store.clock.now.wallMilliseconds) == bytes)
        #expect(store.drop(number, bytes: 1, wall: store.clock.now.wallMilliseconds) == 0)
        store.drive()
        #expect(try state(store).bytes == 0)
        #expect(try state(store).logStart == 5)
    }

    @Test func `without a promise nothing is dropped`() throws {
        let store = try store(1000, segment: 4096) { $0.retentionMilliseconds = 1 }
        for _ in 0..<5 { try store.append([long], to: "t") }
        store.clock.advance(by: .seconds(2))
        #expect(store.drop(try number(store), bytes: 1, wall: store.clock.now.wallMilliseconds) == 0)
    }

    @Test func `segments follow the budget unless their size was asked for`() throws {
        let store = try store(16_384)
        var settings = LogSettings()
        settings.adaptsSegments = false
        #expect(store.segmentLimit(settings) == 128 << 20)
        settings.adaptsSegments = true
        #expect(store.segmentLimit(settings) == 1 << 20)
        store.opened?.volume.setDiskLimit(1 << 20)
        #expect(store.segmentLimit(settings) == 256 << 10)
        store.opened?.volume.activeCount = 10
        #expect(store.segmentLimit(settings) == (1 << 20) / 40)
        store.opened?.volume.activeCount = 1000
        #expect(store.segmentLimit(settings) == 16 << 10)
        store.opened?.volume.setDiskLimit(.max)
        #expect(store.segmentLimit(settings) == 128 << 20)
    }

    @Test(arguments: [(Int64.max, 8 << 20, 16), (256 << 20, 8 << 20, 4), (32 << 20, 2 << 20, 2)])
    func `the journal follows the budget`(limit: Int64, bytes: Int, files: Int) {
        var configuration = VolumeConfiguration()
        configuration.diskBytes = limit
        #expect(configuration.journalFileBytes == bytes)
        #expect(configuration.journalFiles == files)
        #expect(Journal(nextSequence: 1, bytes: bytes).frameBytes == Limits.atomicBytes)
    }
}

extension TestStore {
    fileprivate func consume(to offset: Int64) throws {
        let number = try opened?.volume.number(topic: "t", partition: 0)
        try opened?.volume.setConsumedFloor(number ?? -1, to: offset)
    }

    fileprivate func drop(_ number: Int, bytes: Int64, wall: Int64) -> Int64 {
        opened?.volume.dropOldest(number, bytes: bytes, wall: wall) ?? -1
    }

    fileprivate func segmentLimit(_ settings: LogSettings) -> Int64 {
        opened?.volume.segmentLimit(settings) ?? -1
    }
}
