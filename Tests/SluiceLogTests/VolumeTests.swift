// The volume, verb by verb, on a machine that does as it is told.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct VolumeTests {
    private let long = String(repeating: "-", count: 400)

    private func store(
        _ configure: (inout VolumeConfiguration) -> Void = { _ in },
        _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        try .withTopic(configure, change)
    }

    @Test func `batches of one partition share a write, a frame and a sync`() throws {
        let store = try store()
        try store.append(["first"], to: "t")
        let syncs = store.files.callCount(.sync)
        let ids = try ["a", "b", "c"].map { try store.submit([$0], to: "t") }
        store.drive { ids.allSatisfy { store.answers[$0] != nil } }
        #expect(ids.map { store.answers[$0]?.offset } == [1, 2, 3])
        #expect(store.files.callCount(.sync) == syncs + 1)
        #expect(try store.read("t") == ["first", "a", "b", "c"])
    }

    @Test func `partitions share a frame`() throws {
        let store = try store()
        try store.createTopic("u", partitions: 20)
        try store.append(["first"], to: "t")
        let syncs = store.files.callCount(.sync)
        let ids = try (0..<20).map { try store.submit(["\($0)"], to: "u", $0) }
        store.drive { ids.allSatisfy { store.answers[$0] != nil } }
        #expect(ids.allSatisfy { store.answers[$0]?.offset == 0 })
        #expect(store.files.callCount(.sync) == syncs + 1)
    }

    @Test func `a durable topic answers after the commit, a written one after the write`() throws {
        let store = try store()
        try store.createTopic("w") { $0.isDurable = false }
        for (topic, acks, isWaiting) in [
            ("t", Acks.written, true), ("t", .durable, true), ("t", .none, false), ("w", .written, false),
            ("w", .durable, true),
        ] {
            let id = try store.submit(["x"], to: topic, acks: acks)
            while store.answers[id] == nil, let job = store.take(.append) ?? store.take(.background) {
                if case .commit = job { #expect(isWaiting, "\(topic) \(acks)") }
                store.run(job)
                if case .write = job { #expect((store.answers[id] == nil) == isWaiting, "\(topic) \(acks)") }
            }
            #expect(store.answers[id]?.offset != nil)
            store.drive()
        }
    }

    @Test func `nothing of a durable topic is visible before it is durable`() throws {
        let store = try store()
        let number = try store.number("t")
        try store.submit(["x"], to: "t")
        let write = try #require(store.take(.append))
        store.run(write)
        #expect(try store.opened!.volume.offsets(number) == 0..<0)
        store.drive()
        #expect(try store.opened!.volume.offsets(number) == 0..<1)
    }

    @Test func `large commits sync the segment, small ones go to the journal`() throws {
        let store = try store { $0.directBytes = 300 }
        try store.append(["small"], to: "t")
        #expect(store.done.last?.contains("frame") == true && store.done.last?.contains("no frame") == false)
        try store.append([long], to: "t")
        #expect(
            store.done.last?.contains("directly") == true && store.done.last?.contains("no frame") == true)
    }

    @Test func `a segment rolls before it is too large`() throws {
        let store = try store({ _ in }) { $0.segmentBytes = 1000 }
        for _ in 0..<5 { try store.append([long], to: "t") }
        #expect(store.files.contents(store.log("t", base: 2)) != nil)
        #expect(store.files.contents(store.log("t", base: 4)) != nil)
        for base: Int64 in [0, 2, 4] {
            let size = try #require(store.files.contents(store.log("t", base: base))?.count)
            #expect(size <= 1000)
        }
        #expect(try store.read("t").count == 5)
    }

    @Test func `one batch that is larger than a segment gets one of its own`() throws {
        let store = try store({ _ in }) { $0.segmentBytes = 300 }
        for _ in 0..<3 { #expect(try store.append([long], to: "t")?.offset != nil) }
        #expect(try store.read("t").count == 3)
    }

    @Test func `a segment rolls when it is old`() throws {
        let store = try store({ _ in }) { $0.segmentMilliseconds = 1000 }
        try store.append(["a"], to: "t")
        store.clock.advance(by: .milliseconds(1000))
        try store.append(["b"], to: "t")
        #expect(store.files.contents(store.log("t", base: 1)) == nil)
        store.clock.advance(by: .milliseconds(1))
        try store.append(["c"], to: "t")
        #expect(store.files.contents(store.log("t", base: 2)) != nil)
        #expect(try store.read("t") == ["a", "b", "c"])
    }

    @Test func `retention deletes whole segments, oldest first, and reading goes on`() throws {
        let store = try store({ _ in }) {
            $0.segmentBytes = 500
            $0.retentionBytes = 1000
        }
        for _ in 0..<6 { try store.append([long], to: "t") }
        store.drive()
        store.opened!.volume.enforceRetention(wall: store.clock.now.wallMilliseconds)
        store.drive()
        let range = try store.opened!.volume.offsets(try store.number("t"))
        #expect(range == 4..<6 || range == 3..<6)
        #expect(store.files.contents(store.log("t")) == nil)
        try store.reopen()
        #expect(try store.opened!.volume.offsets(try store.number("t")) == range)
    }

    // MARK: Errors

    @Test func `a full disk refuses, leaves whole batches, and takes more when there is room`() throws {
        let store = try store()
        try store.append([long], to: "t")
        store.drive()
        let used = (1 << 40) - (try store.files.availableBytes("/"))
        #expect(used == 0)
        store.files.fail(.write, errno: 28, isPermanent: true, pathContains: "/t-0/")
        let first = try store.submit([long], to: "t", producer: 1)
        let other = try store.submit(["x"], to: "t", producer: 2)
        store.drive()
        guard case .failure(.io(let error)) = store.answers[first] else {
            Issue.record("\(store.answers[first] as Any)")
            return
        }
        #expect(error.errno == 28)
        #expect(store.answers[other]?.offset == nil)
        store.files.policy = .none
        #expect(try store.append(["y"], to: "t")?.offset == 1)
        try store.close()
        #expect(try store.verify().findings.isEmpty)
    }

    @Test func `a write that is cut short keeps its whole batches and cuts the rest back`() throws {
        let store = try store()
        try store.append(["first"], to: "t")
        let before = try #require(store.files.contents(store.log("t"))?.count)
        store.files.policy.shortWriteProbability = 1
        store.files.fail(.write, errno: 28, .call(2), isPermanent: true, pathContains: "/t-0/")
        let ids = try (0..<6).map { try store.submit(["\($0)"], to: "t", producer: UInt32($0)) }
        store.drive { ids.allSatisfy { store.answers[$0] != nil } }
        store.files.policy = .none
        let kept = ids.prefix { store.answers[$0]?.offset != nil }.count
        #expect(ids[kept...].allSatisfy { store.answers[$0]?.offset == nil })
        #expect(try store.read("t").count == 1 + kept)
        let size = try #require(store.files.contents(store.log("t"))?.count)
        #expect((size - before) % 69 == 0 && (size - before) / 69 == kept)
    }

    @Test func `a failed sync stops its partition and no other, until the next opening`() throws {
        let store = try store { $0.directBytes = 100 }
        try store.createTopic("u")
        store.files.fail(.sync, errno: 5, pathContains: "/t-0/")
        #expect(try store.append([long], to: "t")?.isIndeterminate == true)
        #expect(throws: LogError.self) { try store.append(["x"], to: "t") }
        #expect(store.events.contains { if case .partitionStopped("t", 0, _) = $0 { true } else { false } })
        #expect(try store.append([long], to: "u")?.offset == 0)
        try store.close()
        // The rest is closed, and the close says what is not.
        guard case .failure(.stopped(let error))? = store.closeResult else {
            Issue.record("\(String(describing: store.closeResult))")
            return
        }
        #expect(error.path.contains("/t-0/"))
        try store.open()
        #expect(try !store.report.wasClosed)
        #expect(try store.append(["x"], to: "t")?.offset != nil)
        try store.close()
        #expect((try? store.closeResult?.get()) != nil)
    }

    @Test func `a write that ends after its partition has stopped begins nothing more`() throws {
        let store = try store { $0.directBytes = 100 }
        store.files.fail(.sync, errno: 5, pathContains: "/t-0/")
        let first = try store.submit([long], to: "t")
        store.run(try #require(store.take(.append)))
        let sync = try #require(store.take(.append))
        // Nobody waits for what is sent without acks, nor is anybody told that it is lost.
        try store.submit(["late"], to: "t", acks: .none)
        let write = try #require(store.take(.append))
        store.run(sync)
        #expect(store.answers[first]?.isIndeterminate == true)
        store.run(write)
        var jobs = 0
        while jobs < 50, let job = store.take(.append) ?? store.take(.background) {
            store.run(job)
            jobs += 1
        }
        #expect(jobs < 50)
    }

    @Test func `a failed sync of the journal stops all writing, and reading goes on`() throws {
        let store = try store()
        try store.createTopic("u")
        try store.append(["a"], to: "t")
        store.files.fail(.sync, errno: 5, pathContains: "/journal/")
        let first = try store.submit(["b"], to: "t")
        let second = try store.submit(["c"], to: "u")
        store.drive()
        #expect(
            store.answers[first]?.isIndeterminate == true && store.answers[second]?.isIndeterminate == true)
        #expect(throws: LogError.self) { try store.append(["x"], to: "u") }
        #expect(try store.read("t") == ["a"])
        try store.close()
        #expect(throws: LogError.self) { try store.closeResult?.get() }
        try store.open()
        #expect(try store.append(["x"], to: "u")?.offset != nil)
    }

    @Test func `a deletion whose record fails after the store has stopped is answered once`() throws {
        let store = try store()
        try store.createTopic("u")
        try store.append(["a"], to: "u")
        store.drive()
        let request = store.nextNumber()
        try store.opened?.volume.deleteTopic("t", request: request)
        let record = try #require(store.take(.background))
        store.files.fail(.write, errno: 5, isPermanent: true, pathContains: "/journal/")
        try store.submit(["b"], to: "u")
        while let job = store.take(.append) { store.run(job) }
        #expect(store.events.contains { if case .storeStopped = $0 { true } else { false } })
        store.files.fail(.write, errno: 5, isPermanent: true, pathContains: "/manifest/")
        store.run(record)
        guard case .failure(.stopped) = store.requests[request] else {
            Issue.record("\(store.requests[request] as Any)")
            return
        }
    }

    // MARK: Atomic writes

    @Test func `an atomic write succeeds or fails as a whole`() throws {
        let store = try store()
        try store.createTopic("u")
        try store.append(["a"], to: "t")
        for (expecting, isGood) in [(Int64(0), false), (1, true)] {
            let parts = [
                AtomicPart(
                    partition: try store.number("t"), batch: store.prepared(["t\(expecting)"]),
                    expecting: expecting),
                AtomicPart(partition: try store.number("u"), batch: store.prepared(["u\(expecting)"])),
            ]
            try store.opened!.volume.submit(atomic: parts, now: store.clock.now)
            store.drive()
            for part in parts {
                #expect((store.answers[part.batch.origin.number]?.offset != nil) == isGood)
            }
        }
        store.losePower()
        try store.open()
        #expect(try store.read("t") == ["a", "t1"])
        #expect(try store.read("u") == ["u1"])
    }

    // MARK: Bounds

    @Test func `no more segment files are open than are allowed`() throws {
        let store = try store { $0.openFiles = 4 }
        try store.createTopic("u", partitions: 100)
        var open: Set<String> = []
        var most = 0
        for round in 0..<2 {
            let ids = try (0..<100).map { try store.submit(["\(round)"], to: "u", $0) }
            store.drive { ids.allSatisfy { store.answers[$0] != nil } }
            #expect(ids.allSatisfy { store.answers[$0]?.offset == Int64(round) })
            open = Set((store.opened?.volume.openFiles ?? []).map { "\($0)" })
            most = max(most, open.count)
        }
        // And the manifest and the journal's two.
        #expect(most <= 4 + 3)
    }

    @Test func `no more is written beyond what is known to be durable than the window`() throws {
        let store = try store({ $0.windowBytes = 1000 })
        try store.createTopic("w") { $0.isDurable = false }
        for topic in ["t", "w"] {
            for _ in 0..<10 { try store.submit([long], to: topic) }
            // Writes alone, as long as there are any.
            while let job = store.take(.append) {
                guard case .write = job else {
                    store.run(job)
                    continue
                }
                store.run(job)
                let number = try store.number(topic)
                let partition = try #require(store.opened!.volume.partitions[number])
                let anchor = max(partition.recorded.position, partition.proven)
                #expect(partition.active.size - anchor <= 1000)
            }
            store.drive()
            #expect(try store.read(topic).count == 10)
        }
    }

    @Test func `a partition that stops at a roll lets its file go to those that wait for one`() throws {
        let store = try store { $0.openFiles = 1 }
        try store.createTopic("r") { $0.segmentBytes = 200 }
        try store.append(["first"], to: "r")
        store.files.fail(.sync, errno: 5, pathContains: "/r-0/")
        let stopped = try store.submit([long], to: "r")
        var roll: IOJob?
        while let job = store.take(.append) ?? store.take(.background) {
            if case .roll = job {
                roll = job
                break
            }
            store.run(job)
        }
        let waiting = try store.submit(["x"], to: "t")
        #expect(store.take(.append) == nil)
        store.run(try #require(roll))
        #expect(store.answers[stopped]?.isStopped == true)
        store.drive()
        #expect(store.answers[waiting]?.offset == 0)
    }

    @Test func `a journal that is full is used again once the segments are synced`() throws {
        let store = try store { $0.journalBytes = 16 << 10 }
        for count in 0..<200 { #expect(try store.append([long], to: "t")?.offset == Int64(count)) }
        #expect(try store.files.list("/store/journal").count <= Journal.maxFiles)
        // All of it went through them many times.
        #expect(store.opened!.volume.journal.nextSequence > 200)
        store.losePower()
        try store.open()
        #expect(try store.read("t").count == 200)
    }

    @Test func `what is too large is refused at once`() throws {
        let store = try store({ _ in }) { $0.maxMessageBytes = 100 }
        #expect(throws: LogError.tooLarge(bytes: 470, limit: 100)) { try store.submit([long], to: "t") }
    }

    @Test func `a deleted topic refuses what was queued, and its name can be used again`() throws {
        let store = try store()
        try store.append(["old"], to: "t")
        let queued = try store.submit(["x"], to: "t")
        let result = try store.request { try $0.deleteTopic("t", request: $1) }
        #expect((try? result?.get()) != nil)
        #expect(store.answers[queued]?.offset == nil && store.answers[queued] != nil)
        #expect(store.files.contents(store.log("t")) == nil)
        try store.createTopic("t")
        #expect(try store.append(["new"], to: "t")?.offset == 0)
        #expect(try store.read("t") == ["new"])
    }

    /// Asks for the deletion of `t` and for another topic of that name, and does nothing of it yet.
    private func replaceTopic(
        _ store: TestStore, holdsName: Bool = false
    ) throws -> (deletion: UInt64, creation: UInt64) {
        let (deletion, creation) = (store.nextNumber(), store.nextNumber())
        let id = UniqueID(using: &store.random)
        try store.opened?.volume.deleteTopic("t", holdsName: holdsName, request: deletion)
        try store.opened?.volume.createTopic(
            "t", id: id, partitions: 1, settings: [], log: LogSettings(), request: creation)
        #expect(throws: LogError.topicExists("t")) { try store.createTopic("t") }
        return (deletion, creation)
    }

    @Test func `a topic that is made while the one of its name is deleted waits for that`() throws {
        let store = try store()
        try store.append(["old"], to: "t")
        let (deletion, creation) = try replaceTopic(store)
        store.drive(waits: false) { store.requests[creation] != nil }
        #expect((try? store.requests[deletion]?.get()) != nil)
        #expect(try store.requests[creation]?.get() == 1)
        #expect(try store.append(["new"], to: "t")?.offset == 0)
        #expect(try store.read("t") == ["new"])
    }

    @Test func `a name that is held is free when it is released`() throws {
        let store = try store()
        let (deletion, creation) = try replaceTopic(store, holdsName: true)
        store.drive()
        #expect((try? store.requests[deletion]?.get()) != nil)
        #expect(store.requests[creation] == nil)
        _ = try store.request { try $0.releaseName("t", request: $1) }
        store.drive()
        #expect(try store.requests[creation]?.get() == 1)
        #expect(throws: LogError.unknownTopic("t")) {
            try store.request { try $0.releaseName("t", request: $1) }
        }
    }

    @Test func `a name that is held stays so when the files of its topic cannot be removed`() throws {
        let store = try store()
        try store.append(["old"], to: "t")
        // 5 is EIO.
        store.files.policy.faults = [Fault(.remove, errno: 5, isPermanent: true, pathContains: "/topics/t-")]
        let deletion = store.nextNumber()
        try store.opened?.volume.deleteTopic("t", holdsName: true, request: deletion)
        store.drive(waits: false) { store.requests[deletion] != nil }
        #expect(throws: LogError.self) { try store.requests[deletion]?.get() }
        store.files.policy = .none
        let (creation, id) = (store.nextNumber(), UniqueID(using: &store.random))
        try store.opened?.volume.createTopic(
            "t", id: id, partitions: 1, settings: [], log: LogSettings(), request: creation)
        store.drive()
        #expect(store.requests[creation] == nil)
        _ = try store.request { try $0.releaseName("t", request: $1) }
        store.drive()
        #expect(try store.requests[creation]?.get() == 1)
    }

    @Test func `the opening after a killed deletion ends it, and who makes a topic of its name waits`() throws
    {
        let store = try store()
        try store.append(["old"], to: "t")
        let request = store.nextNumber()
        try store.opened?.volume.deleteTopic("t", holdsName: true, request: request)
        store.drive()
        store.die()
        try store.open()
        // Before anything was done of it.
        #expect(try store.createTopic("t")?.get() == 1)
        #expect(try store.append(["new"], to: "t")?.offset == 0)
    }

    @Test func `who waits for a name is told when the store is closed`() throws {
        let store = try store()
        let (_, creation) = try replaceTopic(store, holdsName: true)
        store.drive()
        try store.close()
        #expect(throws: LogError.closed) { try store.requests[creation]?.get() }
        try store.open()
        #expect(try store.createTopic("t")?.get() == 1)
    }
}
