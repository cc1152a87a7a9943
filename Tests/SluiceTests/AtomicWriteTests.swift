// Several appends as one: all, or none.

import Sluice
import Testing

@Suite struct AtomicWriteTests {
    private struct Stop: Error {}

    private func withTopics(_ body: (StreamStore) async throws -> Void) async throws {
        try await withStore(quiet { $0.volume.journalBytes = 8 << 20 }) { store in
            try await store.admin.createTopic("a")
            try await store.admin.createTopic("b", partitions: 3)
            try await body(store)
        }
    }

    @Test func `everything is appended, in its order, to every topic`() async throws {
        try await withTopics { store in
            let result = try await store.atomically { write in
                try write.append(to: "a", key: "k", value: "1", headers: [RecordHeader(key: "h", value: nil)])
                try write.append(to: "b", partition: 2, value: "2")
                try write.append(to: "a", value: "3")
                try write.append(to: "b", value: "4")
                return "done"
            }
            #expect(result == "done")
            #expect(try await store.entries("a") == [Entry(0, "k", "1"), Entry(1, "3")])
            #expect(try await store.entries("b", 2) == [Entry(0, "2")])
            #expect(try await store.entries("b", 0) == [Entry(0, "4")])
            #expect(try await store.records("a")[0].headers == [RecordHeader(key: "h", value: nil)])
        }
    }

    @Test func `an empty write is no write`() async throws {
        try await withTopics { store in
            let result = try await store.atomically { _ in 7 }
            #expect(result == 7)
            let entries = try await store.entries("a")
            #expect(entries == [])
        }
    }

    @Test func `what the closure throws comes out, and nothing is appended`() async throws {
        try await withTopics { store in
            await #expect(throws: Stop.self) {
                try await store.atomically { write in
                    try write.append(to: "a", value: "1")
                    throw Stop()
                }
            }
            let entries = try await store.entries("a")
            #expect(entries == [])
        }
    }

    @Test func `an unknown topic or partition ends it`() async throws {
        try await withTopics { store in
            let topic = await error {
                try await store.atomically { write in
                    try write.append(to: "a", value: "1")
                    try write.append(to: "c", value: "1")
                }
            }
            #expect(topic == .unknownTopic("c"))
            let place = TopicPartition(topic: "b", partition: 3)
            let partition = await error {
                try await store.atomically { try $0.append(to: "b", partition: 3, value: "1") }
            }
            #expect(partition == .unknownPartition(place))
            let entries = try await store.entries("a")
            #expect(entries == [])
        }
    }

    @Test func `it is appended only where the end is as expected`() async throws {
        try await withTopics { store in
            try await store.atomically { try $0.append(to: "a", value: "0", expecting: 0) }
            try await store.atomically { write in
                try write.append(to: "a", value: "1", expecting: 1)
                try write.append(to: "b", partition: 0, value: "1", expecting: 0)
            }
            let refusal = await error {
                try await store.atomically { write in
                    try write.append(to: "b", partition: 1, value: "x", expecting: 0)
                    try write.append(to: "a", value: "x", expecting: 1)
                }
            }
            #expect(refusal == .unexpectedEnd(TopicPartition(topic: "a", partition: 0), is: 2))
            #expect(try await store.entries("a").map(\.value) == ["0", "1"])
            #expect(try await store.entries("b", 1) == [])
            // A refused write is in nobody's way.
            try await store.atomically { try $0.append(to: "b", partition: 1, value: "y", expecting: 0) }
        }
    }

    @Test func `more than a MiB is too large`() async throws {
        try await withTopics { store in
            let large = (0..<600 << 10).map { _ in UInt8.random(in: .min ... .max) }
            let refusal = await error {
                try await store.atomically { write in
                    try write.append(to: "a", value: large)
                    try write.append(to: "b", partition: 1, value: large)
                }
            }
            guard case .recordTooLarge(_, limit: 1 << 20) = refusal else {
                return unexpected(refusal)
            }
            let one = await error {
                try await store.atomically { try $0.append(to: "a", value: large + large) }
            }
            guard case .recordTooLarge = one else {
                return unexpected(one)
            }
            let entries = try await store.entries("a")
            #expect(entries == [])
            try await store.atomically { try $0.append(to: "a", value: large) }
            #expect(try await store.records("a").map(\.valueCount) == [large.count])
        }
    }

    @Test func `optimistic increments by eight tasks lose none`() async throws {
        try await withTopics { store in
            let place = TopicPartition(topic: "a", partition: 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var done = 0
                        while done < 10 {
                            let end = try await store.admin.offsets(of: place).upperBound
                            let last =
                                end > 0 ? try await store.entries("a", from: .offset(end + -1)).first : nil
                            // Read before the end moved, or try again.
                            guard end == 0 || last != nil else { continue }
                            let value = Int(last?.value ?? "0")! + 1
                            do {
                                try await store.atomically { write in
                                    try write.append(to: "a", value: "\(value)", expecting: end)
                                    try write.append(to: "b", partition: 0, value: "\(value)")
                                }
                                done += 1
                            } catch StreamError.unexpectedEnd { continue }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.entries("a").map(\.value) == (1...80).map { "\($0)" })
            #expect(try await store.entries("b", 0).map(\.value) == (1...80).map { "\($0)" })
        }
    }

    @Test func `writes in opposite orders do not wait for each other`() async throws {
        try await withTopics { store in
            let producer = try await store.producer(for: "a")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<8 {
                    group.addTask {
                        for _ in 0..<20 {
                            try await store.atomically { write in
                                for partition in task % 2 == 0 ? [0, 1, 2] : [2, 1, 0] {
                                    try write.append(to: "b", partition: partition, value: "x")
                                }
                                try write.append(to: "a", value: "x")
                            }
                            try await producer.send(value: "y")
                        }
                    }
                }
                try await group.waitForAll()
            }
            for partition in 0..<3 { #expect(try await store.entries("b", partition).count == 160) }
            #expect(try await store.entries("a").count == 320)
        }
    }
}
