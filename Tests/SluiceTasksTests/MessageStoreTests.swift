// Messages across closings and kills of their store, and beside others who use the group or change the topic.

import Foundation
@testable import Sluice
@testable import SluiceTasks
import Testing

@Suite struct MessageStoreTests {
    @Test func `closed with many in flight and opened again, what was accepted is not given out`()
        async throws
    {
        let directory = try TemporaryDirectory()
        var store = try await directory.open()
        try await store.fill("t", 0..<500)
        var queue = try await MessageQueue("t", group: "g", in: store)
        var inHand: [HandedMessage] = []
        for _ in 0..<300 { inHand.append(try await queue.handed()) }
        for handed in inHand where handed.record.offset.rawValue % 2 == 1 {
            try await queue.engine.accept(handed.lease)
        }
        try await queue.engine.release(inHand[0].lease, after: 3_600_000)
        try await store.close()

        store = try await directory.open()
        queue = try await MessageQueue("t", group: "g", in: store)
        // The first is delayed. 149 had been in somebody's hand, 200 in nobody's: what was counted ahead was
        // taken back.
        let rest = try await queue.accept(349)
        let again = rest.filter { Int($0.value)! < 300 }
        #expect(Set(again) == Set(seen(stride(from: 2, to: 300, by: 2), deliveries: 2)))
        #expect(Set(rest.filter { Int($0.value)! >= 300 }) == Set(seen(300..<500)))
        let progress = try await store.progress("g", "t")
        #expect(progress.committed == 0)
        try await store.close()
    }

    /// A copy of the directory while the store is open is what a kill leaves behind.
    @Test func `after a kill what was accepted is settled, and what was in hand is there at once`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let store = try await directory.open()
        try await store.fill("t", 0..<100)
        let queue = try await MessageQueue("t", group: "g", in: store)
        let accepted = try await queue.accept(40)
        let inHand = try await queue.some()
        let copy = directory("killed")
        try FileManager.default.copyItem(atPath: directory("store"), toPath: copy)
        #expect(inHand.seen == Seen(value: "40", deliveries: 1))
        try await inHand.accept()
        try await store.close()

        let killed = try TemporaryDirectory()
        try FileManager.default.moveItem(atPath: copy, toPath: killed("store"))
        let again = try await killed.open()
        let reopened = try await MessageQueue("t", group: "g", in: again)
        let rest = try await reopened.accept(60)
        #expect(accepted == seen(0..<40))
        #expect(Set(rest.map(\.value)) == Set((40..<100).map(String.init)))
        #expect(rest.contains(Seen(value: "40", deliveries: 2)))
        let progress = try await again.progress("g", "t")
        #expect(progress.committed == 100)
        try await again.close()
    }

    @Test func `a queue that is gone takes back what nobody heard of`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<20)
            do {
                let queue = try await MessageQueue("t", group: "g", in: store)
                let first = try await queue.accept(1)
                #expect(first == seen([0]))
            }
            let queue = try await MessageQueue("t", group: "g", in: store)
            let rest = try await queue.accept(19)
            #expect(Set(rest) == Set(seen(1..<20)))
        }
    }

    @Test func `beside a consumer in the group messages are refused, and given out behind it`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<3)
            let queue = try await MessageQueue("t", group: "g", in: store)
            let message = try await queue.some()
            let consumer = try await store.consumer(group: "g", topics: ["t"])
            var iterator = consumer.makeAsyncIterator()
            let batch = try await iterator.next()
            #expect(batch?.baseOffset == 0)
            let failure = await message.acceptFailure()
            #expect(failure == TaskError.groupHasConsumers("g"))
            await #expect(throws: TaskError.groupHasConsumers("g")) { _ = try await queue.next() == nil }
            await #expect(throws: TaskError.groupHasConsumers("g")) {
                _ = try await MessageQueue("t", group: "g", in: store)
            }
            try await consumer.commit(next: [TopicPartition(topic: "t", partition: 0): 2])
            try await consumer.close()
            let last = try await queue.accept(1)
            #expect(last == seen([2]))
        }
    }

    @Test func `moved by an administrator, messages are given out from there`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<5)
            let queue = try await MessageQueue("t", group: "g", in: store)
            _ = try await queue.accept(4)
            let inHand = try await queue.some()
            let waiting = Task { try await queue.accept(1) }
            try await store.admin.seekGroup("g", to: .offset(3), topics: ["t"])
            let first = try await waiting.value
            #expect(first == seen([3]))
            let lost = await inHand.acceptFailure()
            #expect(lost != nil)
            let second = try await queue.accept(1)
            #expect(second == seen([4]))
            try await store.admin.deleteGroup("g")
            let all = try await queue.accept(5)
            #expect(all == seen(0..<5))
        }
    }

    @Test func `moved and deleted under workers, every message is settled in the end`() async throws {
        try await withStore { store in
            try await store.fill("t", partitions: 2, 0..<200)
            let queue = try await MessageQueue("t", group: "g", in: store)
            let workers = (0..<4).map { _ in
                Task {
                    var count = 0
                    while let message = try await queue.next() {
                        count += await message.acceptFailure() == nil ? 1 : 0
                    }
                    return count
                }
            }
            for round in 0..<6 {
                if round % 3 == 2 {
                    try await store.admin.deleteGroup("g")
                } else {
                    try await store.admin.seekGroup("g", to: .earliest, topics: ["t"])
                }
            }
            try await eventually(in: store) {
                // Deleted, it is not there for a moment.
                let group = try? await store.admin.describeGroup("g")
                return group?.partitions.map(\.committed) == [100, 100]
            }
            queue.stop()
            var accepted = 0
            for worker in workers { accepted += try await worker.value }
            #expect(accepted >= 200)
        }
    }

    @Test func `when a commit fails everyone is told, and the next call begins with what is committed`()
        async throws
    {
        try await withStore { store in
            try await store.fill("t", 0..<2)
            let queue = try await MessageQueue("t", group: "g", in: store)
            let inHand = try await queue.some()
            let place = TopicPartition(topic: "t", partition: 0)
            let error = TaskError.stream(.indeterminate(place, reason: "a sync has failed"))
            queue.engine.fail(error)
            let failure = await inHand.acceptFailure()
            #expect(failure == .messageLost(place, offset: 0))
            // Both had been counted.
            let again = try await queue.accept(2)
            #expect(again == seen(0..<2, deliveries: 2))
            let waiting = Task { try await queue.next() == nil }
            try await eventually(in: store) { queue.engine.state.withLock { !$0.waiters.isEmpty } }
            queue.engine.fail(error)
            await #expect(throws: error) { _ = try await waiting.value }
        }
    }

    @Test func `what comes back is given out while there are fresh messages`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<400)
            let queue = try await MessageQueue("t", group: "g", in: store)
            try await queue.some().release()
            let some = try await queue.accept(100)
            #expect(some.contains(Seen(value: "0", deliveries: 2)))
        }
    }

    @Test func `a new partition is noticed, and read from its beginning`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<2)
            let configuration = MessageQueueConfiguration { $0.start = .latest }
            let queue = try await MessageQueue("t", group: "g", in: store, configuration: configuration)
            let waiting = Task { try await queue.accept(2) }
            try await store.admin.addPartitions(to: "t", total: 3)
            let producer = try await store.producer(for: "t")
            try await producer.send(value: "a", partition: 2)
            try await producer.send(value: "b", partition: 1)
            let values = try await waiting.value.map(\.value)
            #expect(Set(values) == ["a", "b"])
        }
    }

    @Test func `records that were deleted in the window are skipped`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<10)
            let queue = try await MessageQueue("t", group: "g", in: store)
            var toComeBack: [HandedMessage] = []
            for _ in 0..<3 { toComeBack.append(try await queue.handed()) }
            let inHand = try await queue.some()
            try await store.admin.deleteRecords(before: 5, of: TopicPartition(topic: "t", partition: 0))
            for handed in toComeBack { try await queue.engine.release(handed.lease, after: 0) }
            // What had been read is given out all the same.
            try await inHand.accept()
            let rest = try await queue.accept(6)
            #expect(rest == seen(4..<10))
            // What came back is looked for as soon as somebody asks.
            let last = Task { try await queue.next() == nil }
            try await eventually(in: store) { try await store.progress("g", "t").committed == 10 }
            queue.stop()
            #expect(try await last.value)
        }
    }

    @Test func `a topic that is deleted ends the queue, and a new one of its name is another`() async throws {
        try await withStore { store in
            try await store.fill("t", 0..<3)
            let queue = try await MessageQueue("t", group: "g", in: store)
            _ = try await queue.accept(3)
            let waiting = Task { try await queue.next() == nil }
            try await store.admin.deleteTopic("t")
            await #expect(throws: TaskError.stream(.unknownTopic("t"))) { _ = try await waiting.value }
            try await store.fill("t", 0..<2)
            let again = try await queue.accept(2)
            #expect(again == seen(0..<2))
        }
    }

    @Test func `a full store is drained message by message, and takes dead letters`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open { $0.diskBytes = 32 << 20 }
        try await store.admin.createTopic(
            "t", configuration: .init { ($0.compression, $0.backPressure) = (.uncompressed, .reject) })
        let producer = try await store.producer(for: "t")
        let value = [UInt8](repeating: 7, count: 100_000)
        var isFull = false
        for _ in 0..<1_000 where !isFull {
            do {
                try await producer.append(value: value)
                try await producer.flush()
            } catch StreamError.busy(let busy) {
                guard case .disk = busy.reason else { throw StreamError.busy(busy) }
                isFull = true
            }
        }
        #expect(isFull)
        let queue = try await MessageQueue("t", group: "g", in: store)
        try await queue.some().reject("no")
        _ = try await queue.accept(10)
        #expect(try await store.progress("g", "t").committed == 11)
        #expect(try await store.records(of: "t.g.dead").count == 1)
        try await store.close()
    }

    @Test func `what cannot be is refused by name`() async throws {
        try await withStore { store in
            await #expect(throws: TaskError.stream(.unknownTopic("t"))) {
                _ = try await MessageQueue("t", group: "g", in: store)
            }
            try await store.fill("t", 0..<1)
            try await store.admin.createTopic("c", configuration: .init { $0.cleanupPolicy = .compact })
            let illegal: [MessageQueueConfiguration] = [
                .init { $0.visibility = .zero }, .init { $0.visibility = .seconds(43_201) },
                .init { $0.deliveryLimit = 0 }, .init { $0.deliveryLimit = 101 },
                .init { $0.prefetch = 0 }, .init { $0.prefetch = 201 },
                .init { $0.deadLetters = .topic("t") }, .init { $0.deadLetters = .topic("a b") },
                .init { $0.deadLetters = .topic("c") },
            ]
            for configuration in illegal {
                do {
                    _ = try await MessageQueue("t", group: "g", in: store, configuration: configuration)
                    Issue.record("\(configuration) is taken")
                } catch TaskError.illegal {
                } catch {
                    Issue.record(error)
                }
            }
            await #expect(throws: TaskError.self) { _ = try await MessageQueue("t", group: "", in: store) }
            let queue = try await MessageQueue("t", group: "g", in: store)
            let message = try await queue.some()
            let tooLong = await message.extendFailure(by: .seconds(43_201))
            #expect(tooLong?.code == "illegal")
            let tooLate = await message.releaseFailure(after: .seconds(43_201))
            #expect(tooLate?.code == "illegal")
            // It was released at once.
            let again = try await queue.accept(1)
            #expect(again == seen([0], deliveries: 2))
        }
    }
}
