// The verbs for programs without async, from threads, alone and beside tasks.

import Foundation
import Sluice
import Testing

@Suite struct BlockingStoreTests {
    /// Runs `body` on threads of their own, and waits for them without blocking the cooperative pool.
    static func threads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) async throws {
        let failure = Shared<(any Error)?>(nil)
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                group.addTask {
                    await withCheckedContinuation { done in
                        let thread = Thread {
                            do { try body(index) } catch { failure.change { $0 = $0 ?? error } }
                            done.resume()
                        }
                        thread.start()
                    }
                }
            }
        }
        if let error = failure.value { throw error }
    }

    @Test func `every verb does what its asynchronous twin does`() async throws {
        let directory = try TemporaryDirectory()
        try await Self.threads(1) { _ in
            let store = try BlockingStore.open(at: directory("s"), configuration: quiet())
            try store.createTopic("t", partitions: 2)
            try store.ensureTopic("t")
            try store.ensureTopic("u")
            #expect(throws: StreamError.topicExists("t")) { try store.createTopic("T") }
            #expect(try store.topics().map(\.name).sorted() == ["t", "u"])
            let producer = try store.producer(for: "t")
            let place = TopicPartition(topic: "t", partition: 1)
            let receipt = try store.send(producer, key: "k", value: "0", partition: 1)
            #expect(receipt.topicPartition == place && receipt.offset == 0)
            for index in 1..<10 { try store.append(producer, value: "\(index)", partition: 1) }
            try store.flush(producer)
            #expect(try store.offsets(of: place) == 0..<10)
            try store.atomically { write in
                try write.append(to: "t", partition: 1, value: "10", expecting: 10)
                try write.append(to: "u", value: "x")
            }
            #expect(throws: StreamError.unexpectedEnd(place, is: 11)) {
                try store.atomically { try $0.append(to: "t", partition: 1, value: "?", expecting: 10) }
            }
            var values: [String?] = []
            var next = Position.earliest
            while let batch = try store.read(place, from: next, maxBytes: 1024) {
                values += batch.map(\.valueString)
                next = .offset(batch.nextOffset)
            }
            #expect(values == (0...10).map { "\($0)" })
            #expect(try store.read(place, from: .latest) == nil)
            #expect(throws: StreamError.offsetOutOfRange(place, requested: 12, valid: 0..<11)) {
                try store.read(place, from: .offset(12))
            }
            try store.deleteTopic("u")
            #expect(throws: StreamError.unknownTopic("u")) { try store.producer(for: "u") }
            try store.close()
            try store.close()
            #expect(throws: StreamError.closed) { try store.send(producer, value: "x") }
            #expect(throws: StreamError.closed) { try store.read(place, from: .earliest) }
            #expect(throws: StreamError.closed) { try store.topics() }
            #expect(throws: StreamError.closed) { try store.flush(producer) }
        }
    }

    @Test func `a send is answered although other threads answer at the same moment`() async throws {
        // The answer may come between the append and the wait for it, given by a thread that saw nobody
        // waiting.
        for level in [Acknowledgement.written, .durable] {
            try await withStore { store in
                try await store.admin.createTopic("t", configuration: .init { $0.durability = .written })
                let producer = try await store.producer(
                    for: "t", configuration: .init { $0.acknowledgement = level })
                let blocking = BlockingStore(store)
                try await Self.threads(4) { _ in
                    for index in 0..<300 { try blocking.send(producer, value: "\(index)") }
                }
                #expect(
                    try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)) == 0..<1200)
            }
        }
    }

    @Test func `blocked for room, a thread goes on`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.batchBytes = 1024; $0.bufferBytes = 2048
                })
            let blocking = BlockingStore(store)
            let value = String(repeating: "x", count: 700)
            try await Self.threads(4) { _ in
                for _ in 0..<50 { try blocking.append(producer, value: value) }
                try blocking.flush(producer)
            }
            #expect(try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)) == 0..<200)
        }
    }

    @Test func `sixteen threads and sixty-four tasks on one partition: order, and every ticket true`()
        async throws
    {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 2048 })
            let blocking = BlockingStore(store)
            let receipts = Shared<[Offset: String]>([:])
            let each = 12
            async let threads: Void = Self.threads(16) { thread in
                for index in 0..<each {
                    let value = "thread-\(thread) \(index)"
                    let offset = try blocking.send(producer, value: value).offset
                    #expect(receipts.change { $0.updateValue(value, forKey: offset) } == nil)
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        for index in 0..<each {
                            let value = "task-\(task) \(index)"
                            let offset: Offset
                            if (task + index) % 2 == 0 {
                                offset = try await producer.send(value: value).offset
                            } else {
                                let ticket = try await producer.append(value: value)
                                offset = try await producer.acknowledgement(of: ticket).offset
                            }
                            #expect(receipts.change { $0.updateValue(value, forKey: offset) } == nil)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await threads
            let entries = try await store.entries("t")
            #expect(entries.count == 80 * each)
            let told = receipts.value
            for entry in entries { #expect(told[Offset(entry.offset)] == entry.value) }
            var last: [Substring: Int] = [:]
            for entry in entries {
                let parts = entry.value!.split(separator: " ")
                let index = Int(parts[1])!
                #expect(last.updateValue(index, forKey: parts[0]) ?? -1 == index - 1)
            }
        }
    }
}
