// The volume within its budget of the disk. The seeds have the rest: VolumeSimulation+Disk.swift.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct DiskBudgetTests {
    private let long = String(repeating: "-", count: 4000)

    private func store(
        _ blocks: Int64, journal: Int = 16 << 10, _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        let store = TestStore(seed: 1) {
            $0.diskBytes = blocks * 4096
            $0.exemptBytes = 16 * 4096
            $0.journalBytes = journal
            $0.manifestBytes = 4096
        }
        try store.open()
        try store.createTopic("t") {
            $0.segmentBytes = 16_000
            change(&$0)
        }
        return store
    }

    private func use(_ store: TestStore) -> DiskUse {
        store.opened?.volume.diskUse
            ?? DiskUse(limitBytes: 0, usedBytes: 0, reservedBytes: 0, exemptReserveBytes: 0)
    }

    private func number(_ store: TestStore) throws -> Int {
        let number = try store.opened?.volume.number(topic: "t", partition: 0)
        return try #require(number)
    }

    private func state(_ store: TestStore, _ number: Int) -> PartitionDisk? {
        store.opened?.volume.diskState(number, wall: .max)
    }

    private func batch(_ bytes: Int) -> PreparedBatch {
        var builder = RecordBatchBuilder(rawCapacity: bytes + 1000)
        var codecs = CodecContext()
        let value = [UInt8](repeating: 1, count: bytes)
        _ = builder.append(timestamp: 1, key: nil, value: value.span.bytes)
        let sealed = builder.seal(.none, with: &codecs)
        return PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: 1, maxTimestamp: 1,
            origin: BatchOrigin(producer: 1, number: 1_000_000))
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

    @Test func `a full store refuses, keeps what it has, and takes appends when records have gone`() throws {
        let store = try store(100)
        let count = try fill(store)
        #expect(count > 10)
        #expect(store.files.allocatedBytes <= 100 * 4096)
        #expect(try store.read("t").count == count)
        let number = try number(store)
        try store.opened?.volume.deleteRecords(number, before: Int64(count), request: 77)
        store.drive()
        #expect(store.requests[77] == .success(Int64(count)))
        #expect(try fill(store) >= count - 1)
    }

    @Test func `what is counted is what the files take, also after an opening`() throws {
        let store = try store(1000)
        for _ in 0..<30 { try store.append([long], to: "t") }
        store.drive()
        #expect(use(store).usedBytes == store.files.allocatedBytes)
        try store.reopen()
        #expect(use(store).usedBytes == store.files.allocatedBytes)
        #expect(use(store).reservedBytes == 0)
    }

    @Test func `a reservation is taken over, and its surplus given back`() throws {
        let store = try store(100)
        let number = try number(store)
        let taken = store.opened?.volume.reserve(10_000)
        #expect(taken == true)
        #expect(use(store).reservedBytes == 10_000)
        var batch = batch(100)
        batch.reservedBytes = 10_000
        let bytes = Int64(batch.bytes.count)
        try store.opened?.volume.submit(batch, to: number, .durable)
        #expect(use(store).reservedBytes == bytes)
        store.drive()
        #expect(use(store).reservedBytes == 0)
    }

    @Test func `a submission that throws gives back what was reserved for it`() throws {
        let store = try store(100)
        _ = store.opened?.volume.reserve(10_000)
        var batch = batch(100)
        batch.reservedBytes = 10_000
        #expect(throws: LogError.self) { try store.opened?.volume.submit(batch, to: 99, .durable) }
        #expect(use(store).reservedBytes == 0)
        _ = store.opened?.volume.reserve(10_000)
        #expect(throws: LogError.self) {
            try store.opened?.volume.submit(
                atomic: [AtomicPart(partition: 99, batch: batch)], now: store.clock.now)
        }
        #expect(use(store).reservedBytes == 0)
    }

    @Test func `what is exempt goes on where appends end`() throws {
        let store = try store(100)
        try fill(store)
        let number = try number(store)
        var batch = batch(4000)
        #expect(throws: LogError.self) { try store.opened?.volume.submit(batch, to: number, .durable) }
        batch.isExempt = true
        try store.opened?.volume.submit(batch, to: number, .durable)
        store.drive()
        #expect(store.answers[1_000_000]?.offset != nil)
        #expect(store.files.allocatedBytes <= 100 * 4096)
    }

    @Test func `there are no more partitions than a full store can be opened with after a loss of power`()
        throws
    {
        // Four blocks for each, of half the budget: seven.
        let store = try store(60)
        #expect(throws: LogError.tooManyPartitions(count: 8, limit: 7)) {
            try store.createTopic("u", partitions: 7)
        }
        try store.createTopic("u", partitions: 4)
        // Also those that are on their way.
        func add(to topic: String, _ total: Int) throws {
            let request = store.nextNumber()
            try store.opened?.volume.addPartitions(to: topic, total: total, request: request)
        }
        try add(to: "t", 2)
        #expect(throws: LogError.tooManyPartitions(count: 8, limit: 7)) { try add(to: "u", 6) }
        try add(to: "u", 5)
        store.drive()
        #expect(try store.number("u", 4) == 6)
    }

    @Test func `a budget that was moved counts at once, in both directions`() throws {
        let store = try store(1000)
        try store.append([long], to: "t")
        store.opened?.volume.setDiskLimit(10 * 4096)
        #expect(throws: LogError.self) { try store.submit([long], to: "t") }
        store.opened?.volume.setDiskLimit(1000 * 4096)
        try store.append([long], to: "t")
    }

    @Test func `bytes from an offset are interpolated within a segment`() throws {
        let store = try store(1000)
        for _ in 0..<10 { try store.append([long], to: "t") }
        store.drive()
        let number = try number(store)
        let all = state(store, number)?.bytes ?? 0
        for offset in 0...10 {
            let bytes = store.opened?.volume.bytes(number, from: Int64(offset)) ?? 0
            #expect(abs(bytes - all * Int64(10 - offset) / 10) <= 1)
        }
        #expect(state(store, number)?.appendedBytes == all)
        let none = store.opened?.volume.bytes(number, from: 11)
        #expect(none == 0)
    }

    @Test func `what was consumed is freeable to the byte, and nothing before it is told`() throws {
        let store = try store(1000) { $0.isUntilConsumed = true }
        for _ in 0..<10 { try store.append([long], to: "t") }
        store.drive()
        let number = try number(store)
        #expect(state(store, number)?.freeableBytes == 0)
        try store.opened?.volume.setConsumedFloor(number, to: 1)
        let state = try #require(self.state(store, number))
        #expect(abs(state.freeableBytes - state.bytes / 10) <= 1)
        #expect(state.nextExpiry == nil)
    }

    @Test func `a measurement takes note of what was removed by hand`() throws {
        let store = try store(60)
        try fill(store)
        store.drive()
        store.opened?.volume.added(bytes: 3 * 4096)
        let before = use(store).usedBytes
        store.clock.advance(by: .seconds(61))
        let measured = store.done.count { $0 == "measure" }
        store.drive { store.done.count { $0 == "measure" } > measured }
        #expect(use(store).usedBytes == before - 3 * 4096)
    }

    @Test func `without room for a journal batches are synced one by one, atomic writes refused`()
        throws
    {
        let store = try store(30, journal: 64 << 10)
        let id = try store.submit(["a"], to: "t")
        store.drive { store.answers[id] != nil }
        #expect(store.answers[id]?.offset == 0)
        #expect(!store.done.contains { $0.hasPrefix("make journal") })
        let number = try number(store)
        try store.opened?.volume.submit(
            atomic: [AtomicPart(partition: number, batch: batch(10))], now: store.clock.now)
        store.drive { store.answers[1_000_000] != nil }
        guard case .failure(.noRoom) = store.answers[1_000_000] else {
            Issue.record("\(String(describing: store.answers[1_000_000]))")
            return
        }
        #expect(use(store).reservedBytes == 0)
    }

    @Test func `the journal's directory is counted when it is made, not when its making fails`() throws {
        let store = try store(200)
        // 5 is EIO.
        store.files.fail(.makeDirectory, errno: 5, pathContains: "journal")
        #expect(try store.append(["a"], to: "t")?.offset == 0)
        #expect(use(store).usedBytes == store.files.allocatedBytes)
        store.clock.advance(by: .seconds(61))
        store.drive { store.done.contains { $0 == "measure" } }
        #expect(try store.append(["b"], to: "t")?.offset == 1)
        store.drive { store.done.filter { $0.hasPrefix("make journal") }.count > 1 }
        #expect(store.files.contents("/store/journal/0") != nil)
        #expect(use(store).usedBytes == store.files.allocatedBytes)
    }

    @Test func `deleted topics that are back after a loss of power go before the store is open`() throws {
        let store = TestStore { $0.diskBytes = 1 << 20 }
        try store.open()
        try store.createTopic("t")
        for _ in 0..<8 { try store.append([String(repeating: "-", count: 20_000)], to: "t") }
        store.drive()
        let request = store.nextNumber()
        try store.opened?.volume.deleteTopic("t", request: request)
        while store.requests[request] == nil, let job = store.take(.background) {
            if case .remove = job { break }
            store.run(job)
        }
        store.die()
        #expect(store.files.contents(store.log("t")) != nil)
        store.configuration.diskBytes = store.files.allocatedBytes - 4096
        try store.open()
        #expect(store.files.contents(store.log("t")) == nil)
        let use = use(store)
        #expect(use.limitBytes > 0 && use.usedBytes <= use.limitBytes)
    }
}
