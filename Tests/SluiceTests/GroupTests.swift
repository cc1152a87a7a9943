// Members of groups: who reads what, what is committed when, and what happens when they come, go and die.

import Foundation
@testable import Sluice
import SluiceLog
import Synchronization
import Testing

/// What a member was told.
private final class Changes: Sendable {
    private let changes = Mutex<[Rebalance]>([])
    func add(_ change: Rebalance) { changes.withLock { $0.append(change) } }
    var all: [Rebalance] { changes.withLock { $0 } }
}

/// Values, and how often they came.
private final class Seen: Sendable {
    private let values = Mutex<[String: Int]>([:])
    /// Returns how many different ones there are.
    func add(_ batch: RecordBatch) -> Int {
        values.withLock { values in
            for record in batch { values[record.valueString ?? "-", default: 0] += 1 }
            return values.count
        }
    }
    var count: Int { values.withLock { $0.count } }
}

@Suite struct GroupTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    /// A store with topic `t` of so many partitions, with `count` records each: "partition:number".
    private func withTopic(
        partitions: Int = 4, count: Int = 10, _ body: (StreamStore) async throws -> Void
    ) async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: partitions)
            try await fill(store, partitions, count)
            try await body(store)
        }
    }

    private func fill(_ store: StreamStore, _ partitions: Int, _ count: Int) async throws {
        guard count > 0 else { return }
        // One batch for each partition.
        var lane = try await store.producer(for: "t").appender()
        for partition in 0..<partitions {
            for number in 0..<count {
                try await lane.append(value: "\(partition):\(number)", partition: partition)
            }
            lane.submit()
        }
        try await lane.close()
    }

    /// Reads with a new member until so many records have come, then closes it.
    private func read(
        _ store: StreamStore, _ count: Int, configuration: ConsumerConfiguration = .init()
    ) async throws -> [String] {
        let consumer = try await store.consumer(group: "g", topics: ["t"], configuration: configuration)
        var values: [String] = []
        for try await batch in consumer {
            for record in batch { values.append(record.valueString ?? "-") }
            if values.count >= count { try await consumer.commit(batch); break }
        }
        try await consumer.close()
        return values
    }

    @Test func `one member reads everything, and the next goes on where it was`() async throws {
        try await withTopic { store in
            let first = try await read(store, 40)
            #expect(Set(first) == Set((0..<4).flatMap { p in (0..<10).map { "\(p):\($0)" } }))
            #expect(first.count == 40)
            try await fill(store, 4, 2)
            let second = try await read(store, 8)
            #expect(second.sorted() == (0..<4).flatMap { p in (0..<2).map { "\(p):\($0)" } }.sorted())
            let group = try await store.admin.describeGroup("g")
            #expect(group.state == .empty && group.members.isEmpty)
            #expect(group.lag == 0 && group.lagBytes == 0)
            #expect(group.partitions.map(\.committed) == [12, 12, 12, 12])
        }
    }

    @Test func `committed offsets are there after the store was closed, and after it was not`() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            if round == 0 { try await store.admin.createTopic("t") }
            try await fill(store, 1, 5)
            #expect(try await read(store, 5).count == 5)
            let group = try await store.admin.describeGroup("g")
            #expect(group.partitions.map(\.committed) == [Offset(Int64(5 * (round + 1)))])
            if round != 1 { try await store.close() }
        }
    }

    @Test func `what the body has is not processed, and comes again after a break`() async throws {
        try await withTopic(partitions: 1, count: 3) { store in
            let consumer = try await store.consumer(
                group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
            for try await batch in consumer {
                #expect(batch.baseOffset == 0)
                try await consumer.commit()
                break
            }
            #expect(try await consumer.committed() == [:])
            for try await batch in consumer {
                #expect(batch.baseOffset == 0)
                try await consumer.commit(batch)
                break
            }
            #expect(try await consumer.committed() == [t0: 3])
            try await consumer.close()
        }
    }

    @Test func `several members share the partitions, each record goes to one of them`() async throws {
        try await withTopic(partitions: 6, count: 50) { store in
            let seen = Seen()
            let total = 6 * 50
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<3 {
                    tasks.addTask {
                        let consumer = try await store.consumer(group: "g", topics: ["t"])
                        for try await batch in consumer {
                            if seen.add(batch) == total { break }
                        }
                    }
                }
                try await tasks.next()
                tasks.cancelAll()
                while (try? await tasks.next()) != nil {}
            }
            #expect(seen.count == total)
        }
    }

    @Test func `a second member takes its share, and gives it back when it goes`() async throws {
        try await withTopic(partitions: 4, count: 0) { store in
            let changes = Changes()
            @Sendable func member(_ name: String) async throws -> (Consumer, Task<Void, any Error>) {
                let consumer = try await store.consumer(
                    group: "g", topics: ["t"],
                    configuration: .init {
                        if name == "a" {
                            $0.onRebalance = { change, _ in changes.add(change) }
                        }
                    })
                return (consumer, Task { for try await _ in consumer {} })
            }
            let (a, loopA) = try await member("a")
            try await eventually { a.assignment.count == 4 }
            let (b, loopB) = try await member("b")
            try await eventually { a.assignment.count == 2 && b.assignment.count == 2 }
            #expect(Set(a.assignment).isDisjoint(with: b.assignment))
            loopB.cancel()
            try await loopB.value
            try await eventually { a.assignment.count == 4 }
            #expect(b.assignment == [])
            try await a.close()
            try await loopA.value
            let all = changes.all
            // Cooperative: only what balance demanded was taken away.
            let expected: [Int] = [4, 2, 2, 4]
            #expect(all.map { $0.partitions.count } == expected)
            guard case .assigned = all.first, case .revoked = all.last else {
                Issue.record("\(all)")
                return
            }
        }
    }

    @Test func `a member that is dropped leaves at once`() async throws {
        try await withTopic(partitions: 2, count: 3) { store in
            do {
                let consumer = try await store.consumer(group: "g", topics: ["t"])
                for try await _ in consumer { break }
                #expect(try await store.admin.describeGroup("g").members.count == 1)
            }
            try await eventually { try await store.admin.describeGroup("g").members.isEmpty }
        }
    }

    @Test func `who takes too long loses its partitions, and its commits are refused`() async throws {
        try await withTopic(partitions: 1, count: 3) { store in
            let lost = Changes()
            let consumer = try await store.consumer(
                group: "g", topics: ["t"],
                configuration: .init {
                    $0.commit = .manual
                    $0.processingTimeout = .milliseconds(50)
                    $0.onRebalance = { change, _ in lost.add(change) }
                })
            var iterator = consumer.makeAsyncIterator()
            let batch = try #require(try await iterator.next())
            try await eventually { try await store.admin.describeGroup("g").members.isEmpty }
            let refusal = await error { try await consumer.commit(batch) }
            guard case .fenced(group: "g", _) = refusal else {
                Issue.record("a member that was removed committed: \(String(describing: refusal))")
                return
            }
            // The loop joins again, and begins where the group is.
            let again = try #require(try await iterator.next())
            #expect(again.baseOffset == 0)
            try await consumer.commit(again)
            #expect(try await consumer.committed() == [t0: 3])
            #expect(lost.all == [.assigned([t0]), .lost([t0]), .assigned([t0])])
            try await consumer.close()
        }
    }

    @Test func `a static member is replaced by a newer of its name`() async throws {
        try await withTopic(partitions: 2, count: 3) { store in
            func make() async throws -> Consumer {
                try await store.consumer(
                    group: "g", topics: ["t"], configuration: .init { $0.instanceID = "one" })
            }
            let old = try await make()
            let loop = Task { () -> StreamError? in
                do { for try await _ in old {} } catch { return error as? StreamError }
                return nil
            }
            try await eventually { old.assignment.count == 2 }
            let new = try await make()
            let other = Task { for try await _ in new {} }
            guard case .fenced(group: "g", _) = await loop.value else {
                Issue.record("the old member was not fenced")
                return
            }
            try await eventually { new.assignment.count == 2 }
            try await new.close()
            try await other.value
        }
    }

    @Test func `commits beyond the end, of others' partitions and outside of groups are refused`()
        async throws
    {
        try await withTopic(partitions: 1, count: 3) { store in
            let consumer = try await store.consumer(group: "g", topics: ["t"])
            for try await _ in consumer { break }
            let beyond = await error { try await consumer.commit(next: [t0: 4]) }
            #expect(beyond == .offsetOutOfRange(t0, requested: 4, valid: 0..<3))
            let other = TopicPartition(topic: "t", partition: 7)
            guard case .fenced = await error({ try await consumer.commit(next: [other: 0]) }) else {
                Issue.record("a commit of a partition that it does not have was taken")
                return
            }
            try await consumer.close()
            let alone = try await store.consumer(of: "t")
            guard case .unsupported = await error({ try await alone.commit() }) else {
                Issue.record("a consumer without a group committed")
                return
            }
            #expect(alone.group == nil && consumer.group == "g")
        }
    }

    @Test func `a topic that is missing is refused, a pattern waits for it`() async throws {
        try await withStore { store in
            let missing = await error { _ = try await store.consumer(group: "g", topics: ["t"]) }
            #expect(missing == .unknownTopic("t"))
            guard
                case .illegalConfiguration = await error({
                    _ = try await store.consumer(group: "g", topics: .pattern("("))
                })
            else {
                Issue.record("a broken pattern was taken")
                return
            }
            let consumer = try await store.consumer(group: "g", topics: .pattern("t.*"))
            let loop = Task { for try await _ in consumer {} }
            try await store.admin.createTopic("t1", partitions: 2)
            try await store.admin.createTopic("other")
            try await eventually { consumer.assignment.count == 2 }
            try await store.admin.addPartitions(to: "t1", total: 3)
            try await eventually { consumer.assignment.count == 3 }
            try await store.admin.deleteTopic("t1")
            try await eventually { consumer.assignment.isEmpty }
            try await consumer.close()
            try await loop.value
        }
    }

    @Test func `a topic that is made again is begun at its beginning, also after a kill in between`()
        async throws
    {
        let directory = try TemporaryDirectory()
        for round in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            try await store.admin.createTopic("t")
            try await fill(store, 1, 5)
            #expect(try await read(store, 5).count == 5)
            switch round {
            case 0:
                try await store.admin.deleteTopic("t")
                try await store.close()
            case 1:
                // The topic is gone, and what the group committed is not.
                _ = try await store.admin.request { volume, id throws(LogError) in
                    try volume.deleteTopic("t", holdsName: true, request: id)
                }.value().get()
            default: try await store.close()
            }
        }
        let store = try BlockingStore.open(at: directory("store"), configuration: quiet())
        try store.deleteTopic("t")
        #expect(try await store.store.admin.describeGroup("g").partitions.isEmpty)
        try store.close()
    }

    @Test
    func `what was processed of a topic that has been deleted is not committed of the next of its name`()
        async throws
    {
        try await withTopic(partitions: 1, count: 3) { store in
            let consumer = try await store.consumer(
                group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
            var iterator = consumer.makeAsyncIterator()
            let batch = try #require(try await iterator.next())
            try await store.admin.deleteTopic("t")
            try await store.admin.createTopic("t")
            try await fill(store, 1, 5)
            #expect(await error { try await consumer.commit(batch) } != nil)
            let failure = await error {
                try await store.atomically { write in
                    try write.append(to: "t", value: "result")
                    try write.commit(batch, by: consumer)
                }
            }
            #expect(failure != nil)
            #expect(try await store.admin.describeGroup("g").partitions.compactMap(\.committed) == [])
            var values = 0
            while values < 5, let batch = try await iterator.next() { values += batch.count }
            #expect(values == 5)
        }
    }

    @Test func `lag in bytes is known without reading a file, about as describe finds it`() async throws {
        try await withTopic(partitions: 1, count: 200) { store in
            let number = try store.engine.number(of: t0)
            try await store.admin.seekGroup("g", to: .latest, topics: ["t"])
            let all = try #require(store.engine.lag(behind: Progress(offset: 0, number: number)))
            #expect(all.records == 200 && all.bytes > 0)
            for offset: Int64 in [0, 100, 199, 200, 300] {
                let lag = try #require(store.engine.lag(behind: Progress(offset: offset, number: number)))
                #expect(lag.records == max(0, 200 - offset))
                #expect(abs(lag.bytes - all.bytes * lag.records / 200) <= 1)
            }
            try await store.admin.seekGroup("g", to: .earliest)
            #expect(try await store.admin.describeGroup("g").lagBytes == all.bytes)
            #expect(store.engine.lag(behind: Progress(offset: 0, number: number + 1_000)) == nil)
        }
    }

    @Test func `results and the position that they came from are committed as one`() async throws {
        try await withTopic(partitions: 1, count: 10) { store in
            try await store.admin.createTopic("out")
            let consumer = try await store.consumer(
                group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
            for try await batch in consumer {
                try await store.atomically { write in
                    for record in batch { try write.append(to: "out", value: record.valueString ?? "-") }
                    try write.commit(batch, by: consumer)
                }
                if batch.nextOffset == 10 { break }
            }
            #expect(try await consumer.committed() == [t0: 10])
            #expect(
                try await store.entries("out", from: .earliest).map(\.value) == (0..<10).map { "0:\($0)" })
            try await consumer.close()
            // A member that has left can do it no more, and nothing is appended.
            for try await batch in try await store.consumer(of: [t0], from: .earliest, until: .end) {
                await #expect(throws: StreamError.self) {
                    try await store.atomically { write in
                        try write.append(to: "out", value: "x")
                        try write.commit(batch, by: consumer)
                    }
                }
            }
            #expect(try await store.entries("out", from: .earliest).count == 10)
        }
    }

    @Test func `a commit that was agreed to before its topic was deleted is not appended after`() async throws
    {
        try await withTopic(partitions: 1, count: 10) { store in
            try await store.admin.createTopic("out")
            let consumer = try await store.consumer(
                group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
            var iterator = consumer.makeAsyncIterator()
            let batch = try #require(try await iterator.next())
            var write = AtomicWrite(store.engine)
            try write.append(to: "out", value: "result")
            try write.commit(batch, by: consumer)
            let stores = try await write.prepareCommits()
            try await store.admin.deleteTopic("t")
            try await store.admin.createTopic("t")
            var failure: StreamError?
            do throws(StreamError) {
                _ = try write.submit(store.atomicSink, store.lease.groups, stores)
            } catch {
                failure = error
            }
            #expect(failure == .unknownTopic("t"))
            #expect(try await store.entries("out", from: .earliest).isEmpty)
            #expect(try await store.admin.describeGroup("g").partitions.compactMap(\.committed) == [])
            try await consumer.close()
        }
    }

    @Test func `a group can be moved and deleted only without members`() async throws {
        try await withTopic(partitions: 2, count: 5) { store in
            let admin = store.admin
            #expect(try await admin.groups() == [])
            #expect(await error { _ = try await admin.describeGroup("g") } == .unknownGroup("g"))
            #expect(await error { try await admin.seekGroup("g", to: .earliest) } == .unknownGroup("g"))
            let placed = try await admin.seekGroup("g", to: .offset(2), topics: ["t"])
            #expect(placed.values.sorted() == [2, 2])
            let consumer = try await store.consumer(group: "g", topics: ["t"])
            for try await batch in consumer {
                #expect(batch.baseOffset == 2)
                break
            }
            #expect(await error { try await admin.seekGroup("g", to: .earliest) } == .groupNotEmpty("g"))
            #expect(await error { try await admin.deleteGroup("g") } == .groupNotEmpty("g"))
            try await consumer.close()
            #expect(try await admin.seekGroup("g", to: .latest).values.sorted() == [5, 5])
            #expect(try await admin.groups().map(\.name) == ["g"])
            try await admin.deleteGroup("g")
            #expect(try await admin.groups() == [])
        }
    }

    @Test func `what was processed is committed by itself, in time and at the close`() async throws {
        try await withTopic(partitions: 1, count: 3) { store in
            let consumer = try await store.consumer(
                group: "g", topics: ["t"],
                configuration: .init { $0.commit = .processed(every: .milliseconds(20)) })
            let loop = Task { for try await _ in consumer {} }
            // The loop waits for more; nobody calls anything.
            try await eventually {
                (try? await store.admin.describeGroup("g"))?.partitions.first?.committed == 3
            }
            try await consumer.close()
            try await loop.value
        }
        try await withTopic(partitions: 1, count: 3) { store in
            let consumer = try await store.consumer(group: "g", topics: ["t"])
            let loop = Task { for try await _ in consumer {} }
            try await eventually { (try? consumer.position(of: t0)) == 3 }
            loop.cancel()
            try await loop.value
            #expect(try await store.admin.describeGroup("g").partitions.first?.committed == 3)
        }
    }
}
