// The ends: closed, cancelled, dropped, killed. What was acknowledged is there, what was accepted is written,
// nobody hangs.

import Foundation
import Logging
import ServiceLifecycle
import Sluice
import Testing

@Suite struct CloseAndCancelTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    private func open(_ directory: TemporaryDirectory, _ name: String = "s") async throws -> StreamStore {
        try await StreamStore.open(at: directory(name), configuration: quiet())
    }

    @Test func `closing a store writes what its producers had accepted`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("t")
        let producer = try await store.producer(for: "t", configuration: .init { $0.linger = .seconds(3600) })
        for index in 0..<100 { try await producer.append(value: "\(index)") }
        try await store.close()
        let again = try await open(directory)
        #expect(again.recovery.findings.isEmpty)
        #expect(try await again.entries("t").count == 100)
        try await again.close()
    }

    @Test func `closing a producer flushes it, and ends it`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.linger = .seconds(3600) })
            let record = try await producer.append(value: "x")
            try await producer.close()
            try await producer.close()
            #expect(try await store.entries("t").count == 1)
            #expect(await error { try await producer.append(value: "y") } == .closed)
            #expect(await error { try producer.appendNow(value: "y") } == .closed)
            #expect(await error { try await producer.send(value: "y") } == .closed)
            #expect(await error { try await producer.flush() } == .closed)
            var lane = producer.appender()
            #expect(await error { try await lane.append(value: "y") } == .closed)
            // What is known stays known.
            #expect(try await producer.acknowledgement(of: record).offset == 0)
            try await lane.close()
        }
    }

    @Test func `a producer that is dropped hands over what it holds`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("t")
        do {
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.linger = .seconds(3600) })
            for index in 0..<100 { try producer.appendNow(value: "\(index)") }
        }
        try await store.close()
        let again = try await open(directory)
        #expect(try await again.entries("t").count == 100)
        try await again.close()
    }

    @Test func `a closed store refuses everything`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("t")
        let producer = try await store.producer(for: "t")
        var lane = producer.appender()
        let consumer = try await store.consumer(of: "t")
        let admin = store.admin
        try await store.close()
        try await store.close()
        #expect(await error { _ = try await store.producer(for: "t") } == .closed)
        #expect(await error { _ = try await store.consumer(of: "t") } == .closed)
        #expect(await error { _ = try await store.consumer(of: [t0]) } == .closed)
        #expect(await error { try await store.atomically { try $0.append(to: "t", value: "x") } } == .closed)
        #expect(await error { try await producer.send(value: "x") } == .closed)
        #expect(await error { try producer.appendNow(value: "x") } == .closed)
        #expect(await error { try await lane.append(value: "x") } == .closed)
        #expect(await error { try await consumer.seek(t0, to: .earliest) } == .closed)
        #expect(await error { _ = try consumer.lag() } == .closed)
        for try await _ in consumer { Issue.record("it has ended") }
        #expect(await error { try await admin.createTopic("u") } == .closed)
        #expect(await error { try await admin.ensureTopic("t") } == .closed)
        #expect(await error { _ = try await admin.topics() } == .closed)
        #expect(await error { _ = try await admin.describeTopic("t") } == .closed)
        #expect(await error { try await admin.alterTopic("t") { _ in } } == .closed)
        #expect(await error { try await admin.addPartitions(to: "t", total: 2) } == .closed)
        #expect(await error { try await admin.deleteTopic("t") } == .closed)
        #expect(await error { _ = try await admin.offsets(of: t0) } == .closed)
        #expect(await error { _ = try await admin.offset(of: t0, at: .now) } == .closed)
        #expect(await error { try await admin.deleteRecords(before: 0, of: t0) } == .closed)
        try await lane.close()
    }

    @Test func `whoever closes second waits for the first`() async throws {
        let directory = try TemporaryDirectory()
        for _ in 0..<10 {
            let store = try await open(directory)
            try await store.admin.ensureTopic("t")
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.linger = .seconds(3600) })
            for index in 0..<50 { try producer.appendNow(value: "\(index)") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await store.close()
                        // The directory is free, whoever asks.
                        let lock = try FileHandle(forUpdating: URL(fileURLWithPath: directory("s/LOCK")))
                        #expect(flock(lock.fileDescriptor, LOCK_SH | LOCK_NB) == 0)
                    }
                }
                try await group.waitForAll()
            }
        }
        let store = try await open(directory)
        #expect(try await store.entries("t").count == 500)
        try await store.close()
    }

    @Test func `closing a store ends the loops of its consumers, also those that wait`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("t")
        try await store.append([["0"]], to: "t")
        let loops = try await [Position.earliest, .latest, .earliest].asyncMap { position in
            let consumer = try await store.consumer(of: [t0], from: position)
            return Task {
                var count = 0
                for try await batch in consumer { count += batch.count }
                return count
            }
        }
        try await store.close()
        for loop in loops { #expect(try await loop.value <= 1) }
    }

    @Test func `closing a consumer ends its loop`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let consumer = try await store.consumer(of: "t")
            let loop = Task { for try await _ in consumer {} }
            try? await consumer.close()
            try await loop.value
            try? await consumer.close()
            #expect(await error { _ = try consumer.position(of: t0) } == .closed)
        }
    }

    @Test func `cancellation ends a loop without an error`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            try await store.append([["0"]], to: "t")
            let consumer = try await store.consumer(of: "t")
            let loop = Task {
                var count = 0
                for try await batch in consumer { count += batch.count }
                return count
            }
            loop.cancel()
            #expect(try await loop.value <= 1)
            // The consumer is free for another.
            try await consumer.seek(t0, to: .earliest)
            for try await batch in consumer where batch.baseOffset == 0 { break }
        }
    }

    @Test func `a store is a service: graceful shutdown ends loops, then closes`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("t")
        let producer = try await store.producer(for: "t", configuration: .init { $0.linger = .seconds(3600) })
        struct Reader: Service {
            let consumer: Consumer
            let began: AsyncStream<Void>.Continuation
            func run() async throws {
                began.finish()
                for try await _ in consumer {}
            }
        }
        let (began, continuation) = AsyncStream<Void>.makeStream()
        let reader = Reader(consumer: try await store.consumer(of: "t"), began: continuation)
        let group = ServiceGroup(
            services: [store, reader], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        for await _ in began {}
        try producer.appendNow(value: "unsent")
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(await error { _ = try await store.producer(for: "t") } == .closed)
        let again = try await open(directory)
        #expect(try await again.entries("t").count == 1)
        try await again.close()
    }

    @Test func `a store that nobody has any more gives its directory back`() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<5 {
            let producer: Producer
            do {
                let store = try await open(directory)
                #expect(try await store.admin.topics().count == min(round, 1))
                try await store.admin.ensureTopic("t")
                producer = try await store.producer(for: "t")
            }
            // The producer has the store still.
            let answer = await error({ _ = try await open(directory) })
            guard case .locked = answer else { return unexpected(answer) }
            #expect(try await producer.send(value: "\(round)").offset == Offset(Int64(round)))
        }
        let store = try await open(directory)
        #expect(try await store.entries("t").map(\.value) == (0..<5).map { "\($0)" })
        try await store.close()
    }

    @Test func `what was acknowledged is there although nobody closed`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await open(directory)
        try await store.admin.createTopic("d", partitions: 3)
        try await store.admin.createTopic("w", configuration: .init { $0.durability = .written })
        let durable = try await store.producer(for: "d", configuration: .init { $0.batchBytes = 1024 })
        let written = try await store.producer(
            for: "w", configuration: .init { $0.acknowledgement = .written })
        for round in 0..<3 {
            for index in 0..<50 { try await durable.append(key: "\(index)", value: "\(round)") }
            try await durable.flush()
            try await store.atomically { write in
                try write.append(to: "d", partition: 0, value: "both")
                try write.append(to: "w", value: "both")
            }
            for index in 0..<50 { try await written.send(value: "\(index)") }
            // As a process that is killed leaves it.
            try directory.copy("s", to: "copy-\(round)")
            let copy = try await open(directory, "copy-\(round)")
            for topic in ["d", "w"] {
                for partition in 0..<(topic == "d" ? 3 : 1) {
                    let found = try await copy.entries(topic, partition)
                    #expect(found == (try await store.entries(topic, partition)))
                }
            }
            #expect(
                try await copy.admin.offsets(of: TopicPartition(topic: "w", partition: 0)).upperBound
                    == Offset(Int64(51 * (round + 1))))
            try await copy.close()
        }
        try await store.close()
    }
}

extension Sequence where Element: Sendable {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
        var result: [T] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }
}
