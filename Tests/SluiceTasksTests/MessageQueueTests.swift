// Messages: a topic shared out one by one, in a store in memory.

@testable import Sluice
@testable import SluiceTasks
import Testing

@Suite struct MessageQueueTests {
    private func withMessages<R>(
        _ numbers: Range<Int> = 0..<10, partitions: Int = 1,
        _ configuration: MessageQueueConfiguration = .init(),
        _ body: (MessageQueue, StreamStore) async throws -> R
    ) async throws -> R {
        try await withStore { store in
            try await store.fill("t", partitions: partitions, numbers)
            let queue = try await MessageQueue("t", group: "g", in: store, configuration: configuration)
            return try await body(queue, store)
        }
    }

    @Test func `messages come in their order, and accepted the group has gone past them`() async throws {
        try await withMessages { queue, store in
            let all = try await queue.accept(10)
            #expect(all == seen(0..<10))
            let progress = try await store.progress("g", "t")
            #expect(progress.committed == 10 && progress.lag == 0)
        }
    }

    @Test func `whoever waits gets what is appended later`() async throws {
        try await withMessages(0..<0) { queue, store in
            async let first = queue.accept(1)
            try await store.fill("t", 7..<8)
            let one = try await first
            #expect(one == seen([7]))
        }
    }

    @Test func `two queues of one group share the messages, each is given to one`() async throws {
        try await withMessages(0..<600, partitions: 3) { one, store in
            let two = try await MessageQueue("t", group: "g", in: store)
            #expect(two.engine === one.engine)
            let values = try await withThrowingTaskGroup(of: [Seen].self) { group in
                for worker in 0..<6 {
                    group.addTask { try await (worker % 2 == 0 ? one : two).accept(100) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(values.sorted { Int($0.value)! < Int($1.value)! } == seen(0..<600))
            let group = try await store.admin.describeGroup("g")
            #expect(group.lag == 0 && group.state == .empty)
        }
    }

    @Test func `another group has its own messages, and a reader sees them all`() async throws {
        try await withMessages { queue, store in
            _ = try await queue.accept(10)
            let other = try await MessageQueue("t", group: "other", in: store)
            let all = try await other.accept(10)
            #expect(all == seen(0..<10))
            let records = try await store.records(of: "t")
            #expect(records.count == 10)
        }
    }

    @Test func `released, and dropped, a message is delivered again`() async throws {
        try await withMessages(0..<1) { queue, _ in
            let first = try await queue.some()
            try await first.release()
            do {
                let second = try await queue.some()
                #expect(second.seen == Seen(value: "0", deliveries: 2))
            }
            let third = try await queue.accept(1)
            #expect(third == seen([0], deliveries: 3))
        }
    }

    @Test func `released for later, a message comes behind the others, not before its time`() async throws {
        try await withMessages(0..<3) { queue, _ in
            let clock = ContinuousClock()
            let began = clock.now
            try await queue.some().release(after: .milliseconds(300))
            let others = try await queue.accept(2)
            #expect(others == seen(1..<3))
            let last = try await queue.accept(1)
            #expect(last == seen([0], deliveries: 2))
            #expect(began.duration(to: clock.now) >= .milliseconds(299))
        }
    }

    @Test func `when the visibility is over another gets it, and the first is fenced`() async throws {
        let configuration = MessageQueueConfiguration { $0.visibility = .seconds(3_600) }
        try await withMessages(0..<2, configuration) { queue, store in
            let first = try await queue.some()
            let other = try await queue.some()
            try await first.extend(by: .milliseconds(1))
            let second = try await queue.some()
            #expect(second.seen == Seen(value: "0", deliveries: 2))
            let failure = await first.acceptFailure()
            #expect(failure == .messageLost(TopicPartition(topic: "t", partition: 0), offset: 0))
            try await second.accept()
            // That one had an hour.
            try await other.accept()
            #expect(try await store.progress("g", "t").committed == 2)
        }
    }

    @Test func `an acceptance is not to be cancelled, waiting is`() async throws {
        try await withMessages(0..<1) { queue, store in
            let handed = try await queue.handed()
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await queue.engine.accept(handed.lease)
                return try await queue.next() == nil
            }
            let isNil = try await task.value
            #expect(isNil)
            #expect(try await store.progress("g", "t").committed == 1)
        }
    }

    // MARK: The end of waiting

    @Test func `cancelled, stopped and closed, who waits gets nothing, and nothing is lost`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open()
        try await store.fill("t", 0..<0)
        let queue = try await MessageQueue("t", group: "g", in: store)
        let cancelled = Task { try await queue.next() == nil }
        cancelled.cancel()
        #expect(try await cancelled.value)
        let other = try await MessageQueue("t", group: "g", in: store)
        let stopped = Task { try await other.next() == nil }
        other.stop()
        #expect(try await stopped.value)
        #expect(try await other.next() == nil)
        let closed = Task { try await queue.next() == nil }
        try await store.close()
        #expect(try await closed.value)
        #expect(try await queue.next() == nil)
    }

    @Test func `a message in hand when the store is closed cannot be ended any more`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open()
        try await store.fill("t", 0..<1)
        let queue = try await MessageQueue("t", group: "g", in: store)
        let message = try await queue.some()
        try await store.close()
        let failure = await message.acceptFailure()
        #expect(failure == TaskError.stream(.closed))
    }

    // MARK: Dead letters

    @Test func `rejected, a record is with the dead, with where it was and why`() async throws {
        try await withMessages(0..<2) { queue, store in
            try await queue.some().reject("cannot be read")
            let rest = try await queue.accept(1)
            #expect(rest == seen([1]))
            let dead = try await store.records(of: "t.g.dead")
            #expect(dead.map(\.valueString) == ["0"])
            #expect(dead[0].header("sluice.dead.topic") == "t")
            #expect(dead[0].header("sluice.dead.partition") == "0")
            #expect(dead[0].header("sluice.dead.offset") == "0")
            #expect(dead[0].header("sluice.dead.group") == "g")
            #expect(dead[0].header("sluice.dead.deliveries") == "1")
            #expect(dead[0].header("sluice.dead.reason") == "cannot be read")
            #expect(try await store.progress("g", "t").lag == 0)
        }
    }

    @Test func `delivered as often as it may be, a record is with the dead`() async throws {
        let configuration = MessageQueueConfiguration {
            ($0.deliveryLimit, $0.deadLetters) = (2, .topic("graveyard"))
        }
        try await withMessages(0..<2, configuration) { queue, store in
            try await queue.some().release()
            let second = try await queue.accept(1)
            #expect(second == seen([1]))
            try await queue.some().release()
            try await eventually(in: store) { try await store.progress("g", "t").committed == 2 }
            let dead = try await store.records(of: "graveyard")
            #expect(dead.map(\.valueString) == ["0"])
            #expect(dead[0].header("sluice.dead.reason") == "it was delivered 2 times")
        }
    }

    @Test func `a topic of the dead that is deleted is made again`() async throws {
        try await withMessages(0..<2) { queue, store in
            try await queue.some().reject("one")
            try await store.admin.deleteTopic("t.g.dead")
            try await queue.some().reject("two")
            let dead = try await store.records(of: "t.g.dead")
            #expect(dead.map(\.valueString) == ["1"])
        }
    }

    @Test func `the dead can be dropped`() async throws {
        let configuration = MessageQueueConfiguration { $0.deadLetters = .drop }
        try await withMessages(0..<2, configuration) { queue, store in
            try await queue.some().reject("no")
            _ = try await queue.accept(1)
            let topics = try await store.admin.topics().map(\.name)
            #expect(!topics.contains("t.g.dead"))
            #expect(try await store.progress("g", "t").lag == 0)
        }
    }

    @Test func `a record that fits no atomic write is with the dead without its value`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            try await producer.send(key: "k", value: String(repeating: "x", count: (1 << 20) - 1_000))
            let queue = try await MessageQueue("t", group: "g", in: store)
            try await queue.some().reject("too large")
            let dead = try await store.records(of: "t.g.dead")
            #expect(dead.count == 1 && dead[0].isTombstone)
            #expect(dead[0].header("sluice.dead.omitted") == "\((1 << 20) - 1_000)")
        }
    }
}
