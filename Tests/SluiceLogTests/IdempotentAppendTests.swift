// Batches with a producer id in the volume: once in the log, over failures, ends and openings.

import SluiceTesting
import Testing

@testable import SluiceLog

extension TestStore {
    /// A batch of an idempotent producer.
    func sequenced(
        _ values: [String], _ sequence: Int32, id: Int64 = 7, epoch: Int16 = 0, origin: UInt32 = 1
    ) -> PreparedBatch {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 16)
        var context = CodecContext()
        for value in values {
            let bytes = Array(value.utf8)
            precondition(
                builder.append(timestamp: clock.now.wallMilliseconds, key: nil, value: bytes.span.bytes))
        }
        let sealed = builder.seal(
            .none, with: &context,
            producer: ProducerSequence(producerID: id, epoch: epoch, baseSequence: sequence))
        var batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp,
            origin: BatchOrigin(producer: origin, number: nextNumber()))
        batch.isIdempotent = true
        return batch
    }

    /// Queues it, and returns the number of its answer.
    @discardableResult
    func send(
        _ values: [String], _ sequence: Int32, id: Int64 = 7, epoch: Int16 = 0, to topic: String = "t",
        acks: Acks = .durable, origin: UInt32 = 1
    ) throws -> UInt64 {
        let batch = sequenced(values, sequence, id: id, epoch: epoch, origin: origin)
        let number = try number(topic)
        try opened!.volume.submit(batch, to: number, acks)
        return batch.origin.number
    }

    /// Sends it and waits for the answer.
    @discardableResult
    func sent(
        _ values: [String], _ sequence: Int32, id: Int64 = 7, epoch: Int16 = 0, to topic: String = "t",
        acks: Acks = .durable
    ) throws -> Result<AppendedBatch, LogError>? {
        let id = try send(values, sequence, id: id, epoch: epoch, to: topic, acks: acks)
        drive { self.answers[id] != nil }
        return answers[id]
    }

    /// Producer ids, as many as asked for.
    func producerIDs(_ count: Int) throws -> [Int64] {
        var ids: [Int64] = []
        while ids.count < count {
            if let id = opened?.volume.takeProducerID() {
                ids.append(id)
            } else {
                let answer = try request { try $0.reserveProducerIDs(request: $1) }
                #expect(throws: Never.self) { try answer?.get() }
            }
        }
        return ids
    }

    var meta: String { String(decoding: files.contents("/store/meta.properties") ?? [], as: UTF8.self) }
}

extension Result where Success == AppendedBatch, Failure == LogError {
    fileprivate var isDuplicate: Bool? { (try? get())?.isDuplicate }
    fileprivate var expected: Int32? {
        if case .failure(.outOfOrderSequence(_, _, _, let expected)) = self { expected } else { nil }
    }
}

@Suite struct IdempotentAppendTests {
    private func store(
        _ configure: (inout VolumeConfiguration) -> Void = { _ in },
        _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        let store = TestStore(seed: 1, configure)
        try store.open()
        try store.createTopic("t", change)
        return store
    }

    @Test func `a batch that is sent again is there once, and told where`() throws {
        let store = try store()
        #expect(try store.sent(["a", "b"], 0)?.offset == 0)
        let again = try store.sent(["a", "b"], 0)
        #expect(again?.offset == 0 && again?.isDuplicate == true)
        #expect(try store.sent(["c"], 2)?.isDuplicate == false)
        #expect(try store.read("t") == ["a", "b", "c"])
    }

    @Test func `a gap, a sixth back and an old epoch are refused, and what is due goes on`() throws {
        let store = try store()
        for number in 0..<6 { try store.sent(["\(number)"], Int32(number)) }
        #expect(try store.sent(["x"], 7)?.expected == 6)
        #expect(try store.sent(["0"], 0)?.expected == 6)
        #expect(try store.sent(["1"], 1)?.isDuplicate == true)
        #expect(try store.sent(["6"], 6)?.offset == 6)
        #expect(try store.sent(["7"], 0, epoch: 1)?.offset == 7)
        #expect(
            try store.sent(["x"], 7)
                == .failure(.invalidProducerEpoch(producerID: 7, epoch: 0, current: 1)))
        #expect(try store.sent(["x"], 3, epoch: 2)?.expected == 0)
        #expect(try store.read("t") == (0..<8).map { "\($0)" })
    }

    @Test func `what is sent behind a gap before its answer is known is judged by itself`() throws {
        let store = try store()
        try store.sent(["a"], 0)
        var gap = store.sequenced(["x"], 5)
        var due = store.sequenced(["b"], 1)
        (gap.refusalsSeen, due.refusalsSeen) = (0, 0)
        let number = try store.number("t")
        try store.opened!.volume.submit(gap, to: number, .durable)
        store.drive { store.answers[gap.origin.number] != nil }
        #expect(store.answers[gap.origin.number]?.expected == 1)
        try store.opened!.volume.submit(due, to: number, .durable)
        store.drive { store.answers[due.origin.number] != nil }
        #expect(store.answers[due.origin.number]?.offset == 1)
    }

    @Test func `five that follow each other share a write`() throws {
        let store = try store()
        try store.sent(["first"], 0)
        store.done = []
        let ids = try (1...5).map { try store.send(["\($0)"], Int32($0)) }
        let other = try store.send(["other"], 40, id: 8)
        store.drive { store.answers[other] != nil }
        #expect(ids.map { store.answers[$0]?.offset } == [1, 2, 3, 4, 5])
        #expect(store.answers[other]?.offset == 6)
        #expect(store.done.count { $0.hasPrefix("write 6 batches") } == 1)
    }

    @Test func `one behind a gap in the queue is refused, one that is due behind it is not`() throws {
        let store = try store()
        try store.sent(["0"], 0)
        let gap = try store.send(["x"], 2, origin: 1)
        let due = try store.send(["1"], 1, origin: 2)
        let next = try store.send(["2"], 2, origin: 1)
        store.drive { store.answers[next] != nil }
        #expect(store.answers[gap]?.expected == 1)
        #expect(store.answers[due]?.offset == 1 && store.answers[next]?.offset == 2)
        #expect(try store.read("t") == ["0", "1", "2"])
    }

    @Test func `a duplicate in the queue waits for its original to be written and durable`() throws {
        let store = try store()
        try store.sent(["0"], 0)
        let original = try store.send(["1"], 1)
        let duplicate = try store.send(["1"], 1, origin: 2)
        let third = try store.send(["2"], 2)
        let write = try #require(store.take(.append))
        #expect("\(write)".hasPrefix("write 1 batches"))
        store.run(write)
        #expect(store.answers[original] == nil && store.answers[duplicate] == nil)
        let next = try #require(store.take(.append))
        #expect(store.answers[duplicate] == nil)
        store.run(next)
        store.drive { store.answers[third] != nil }
        #expect(store.answers[original]?.offset == 1)
        #expect(store.answers[duplicate]?.offset == 1 && store.answers[duplicate]?.isDuplicate == true)
        #expect(try store.read("t") == ["0", "1", "2"])
    }

    @Test func `on a written topic a duplicate that asks for more has it synced`() throws {
        let store = try store {
            $0.flushNanoseconds = 3_600_000_000_000
        } _: {
            $0.isDurable = false
        }
        #expect(try store.sent(["0"], 0, acks: .written)?.offset == 0)
        let syncs = store.files.callCount(.sync)
        #expect(try store.sent(["0"], 0, acks: .written)?.isDuplicate == true)
        #expect(store.files.callCount(.sync) == syncs)
        // At once, not when its time has come.
        let id = try store.send(["0"], 0, acks: .durable)
        store.drive(waits: false) { store.answers[id] != nil }
        #expect(store.answers[id]?.isDuplicate == true)
        store.losePower()
        try store.open()
        #expect(try store.read("t").first == "0")
    }

    @Test func `where a write fails nothing is remembered, and what is sent behind it waits its turn`() throws
    {
        let store = try store()
        try store.sent(["0"], 0)
        store.files.fail(.write, errno: 28, .call(1))
        let failed = try store.send(["1"], 1, origin: 1)
        store.drive(waits: false) { store.answers[failed] != nil }
        #expect(store.answers[failed]?.offset == nil)
        #expect(try store.sent(["2"], 2)?.expected == 1)
        #expect(try store.sent(["1"], 1)?.isDuplicate == false)
        #expect(try store.sent(["2"], 2)?.offset == 2)
        #expect(try store.read("t") == ["0", "1", "2"])
    }

    @Test func `with the append's time a duplicate is told that of its original`() throws {
        let store = try store { _ in
        } _: {
            $0.usesLogAppendTime = true
        }
        let first = try #require(try store.sent(["a"], 0)?.get())
        store.clock.advance(by: .seconds(5))
        let again = try #require(try store.sent(["a"], 0)?.get())
        #expect(first.appendTime != nil && again.appendTime == first.appendTime)
        try store.reopen()
        #expect(try store.sent(["a"], 0)?.get().appendTime == first.appendTime)
    }

    @Test func `a batch that does not say which it is is not taken`() throws {
        let store = try store()
        let number = try store.number("t")
        for (id, epoch, sequence) in [(-1, 0, 0), (7, -1, 0), (7, 0, -1)] as [(Int64, Int16, Int32)] {
            let batch = store.sequenced(["a"], sequence, id: id, epoch: epoch)
            #expect(throws: LogError.self) { try store.opened!.volume.submit(batch, to: number, .durable) }
        }
        var batch = store.sequenced(["a", "b"], 0)
        batch.recordCount = 1
        #expect(throws: LogError.self) { try store.opened!.volume.submit(batch, to: number, .durable) }
        #expect(try store.read("t") == [])
    }

    // MARK: Ends and openings

    private enum End: CaseIterable { case close, death, powerLoss }

    private func end(_ end: End, _ store: TestStore) throws {
        switch end {
        case .close: try store.close()
        case .death: store.die()
        case .powerLoss: store.losePower()
        }
        try store.open()
    }

    @Test(arguments: [0, 1, 2], [false, true])
    func `what was acknowledged is a duplicate after the end of the process`(kind: Int, rolls: Bool) throws {
        let store = try store { _ in
        } _: {
            if rolls { $0.segmentBytes = 200 }
        }
        for number in 0..<7 { try store.sent(["\(number)"], Int32(number)) }
        for _ in 0..<3 {
            try end(End.allCases[kind], store)
            for number in 2..<7 {
                let again = try store.sent(["\(number)"], Int32(number))
                #expect(again?.offset == Int64(number) && again?.isDuplicate == true)
            }
            #expect(try store.sent(["1"], 1)?.expected == 7)
            #expect(try store.sent(["x"], 8)?.expected == 7)
        }
        #expect(try store.sent(["7"], 7)?.offset == 7)
        #expect(try store.read("t") == (0..<8).map { "\($0)" })
    }

    @Test func `a batch that the power took is not remembered, what lies before it is`() throws {
        let store = try store { _ in
        } _: {
            $0.isDurable = false
        }
        try store.sent(["0"], 0, acks: .durable)
        try store.sent(["1"], 1, acks: .written)
        store.opened = nil
        _ = store.files.powerLoss(keeping: 0)
        try store.open()
        #expect(try store.sent(["0"], 0)?.isDuplicate == true)
        #expect(try store.sent(["2"], 2)?.expected == 1)
        #expect(try store.sent(["1"], 1)?.isDuplicate == false)
    }

    @Test func `what is written while a sync runs is not on record with its recovery point`() throws {
        let store = try store {
            $0.flushNanoseconds = 3_600_000_000_000
        } _: {
            $0.isDurable = false
        }
        try store.sent(["0"], 0, acks: .written)
        // Sent again to be durable: that asks for a sync.
        let safe = try store.send(["0"], 0, acks: .durable)
        #expect(store.take(.append) == nil)
        var sync: IOJob?
        while sync == nil, let job = store.take(.background) {
            if case .sync = job { sync = job } else { store.run(job) }
        }
        let job = try #require(sync)
        let result = try #require(store.runner?.run(job))
        let late = try store.send(["1"], 1, acks: .written)
        store.run(try #require(store.take(.append)))
        #expect(store.answers[late]?.offset == 1)
        store.opened?.volume.finished(job, result, now: store.clock.now)
        store.drain()
        #expect(store.answers[safe]?.isDuplicate == true)
        store.clock.advance(by: .seconds(1))
        while let job = store.take(.background) { store.run(job) }
        #expect(store.done.last?.contains("point 0: 1 at") == true)
        store.opened = nil
        _ = store.files.powerLoss(keeping: 0)
        try store.open()
        #expect(try store.sent(["0"], 0)?.isDuplicate == true)
        #expect(try store.sent(["1"], 1)?.isDuplicate == false)
        #expect(try store.read("t").contains("1"))
    }

    @Test func `a producer whose records are all deleted is known all the same`() throws {
        let store = try store { _ in
        } _: {
            $0.segmentBytes = 200
        }
        for number in 0..<6 { try store.sent(["\(number)"], Int32(number)) }
        let number = try store.number("t")
        _ = try store.request { try $0.deleteRecords(number, before: 6, request: $1) }
        try store.reopen()
        #expect(try store.read("t") == [])
        #expect(try store.sent(["5"], 5)?.offset == 5)
        #expect(try store.sent(["x"], 9)?.expected == 6)
        #expect(try store.sent(["6"], 6)?.offset == 6)
    }

    @Test func `who has been silent for a day is new, and leaves the manifest`() throws {
        let store = try store()
        try store.sent(["0"], 0)
        store.clock.advance(by: .seconds(86_401))
        #expect(try store.sent(["9"], 9)?.offset == 1)
        store.clock.advance(by: .seconds(86_401))
        try store.reopen()
        let number = try store.number("t")
        #expect(store.opened?.volume.producer(7, of: number) == nil)
    }

    @Test func `a manifest that is begun anew has what recovery points have brought`() throws {
        let store = try store { $0.manifestBytes = 1 }
        try store.createTopic("w") { $0.isDurable = false }
        for number in 0..<40 {
            try store.sent(["\(number)"], Int32(number), to: "w")
            try store.append(["-"], to: "t")
        }
        store.die()
        try store.open()
        for number in 35..<40 {
            #expect(try store.sent(["\(number)"], Int32(number), to: "w")?.isDuplicate == true)
        }
    }

    // MARK: The flag, ids, copies

    @Test func `the flag is set before the first record, and in no other store`() throws {
        let store = try store()
        try store.append(["a"], to: "t")
        try store.reopen()
        #expect(!store.meta.contains("producer-state"))
        // A write of meta.properties that fails is tried again, and then the record.
        store.files.fail(.rename, errno: 5, .call(1))
        try store.sent(["b"], 0)
        try store.reopen()
        #expect(store.meta.contains("incompat=producer-state\n"))
        #expect(try store.sent(["b"], 0)?.isDuplicate == true)
        #expect(try store.verify().findings.isEmpty)
    }

    @Test func `no producer id is given twice`() throws {
        let store = try store()
        var seen: Set<Int64> = []
        for kind in [0, 1, 2, 1] {
            for id in try store.producerIDs(kind == 0 ? 1001 : 3) { #expect(seen.insert(id).inserted) }
            try end(End.allCases[kind], store)
        }
        #expect(store.meta.contains("producer-state"))
    }

    @Test func `a backup and a salvaged store know the producers and give no id again`() throws {
        let store = try store { _ in
        } _: {
            $0.segmentBytes = 300
        }
        let id = try store.producerIDs(1)[0]
        for number in 0..<6 { try store.sent(["\(number)"], Int32(number), id: id) }
        var view = try ReadOnlyVolume(
            TestStore.root, store.files, interpret: { LogSettings(simulated: $0) })
        try StoreBackup.make(of: &view, at: "/copy", store.files, now: store.clock.now)
        try store.close()
        _ = try Salvage.run(
            TestStore.root, to: "/saved", store.files, now: store.clock.now, random: &store.random,
            interpret: { LogSettings(simulated: $0) }, report: { _ in })
        for root in ["/copy", "/saved"] {
            let opened = try StoreDirectory.open(
                root, store.files, configuration: store.configuration, now: store.clock.now,
                random: &store.random, interpret: { LogSettings(simulated: $0) })
            let number = try opened.volume.number(topic: "t", partition: 0)
            let state = opened.volume.producer(id, of: number)
            #expect(state?.batches.map(\.firstSequence) == [1, 2, 3, 4, 5], "\(root)")
            #expect(opened.volume.producerIDs.next > id, "\(root)")
        }
    }
}
