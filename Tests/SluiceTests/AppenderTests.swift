// An exclusive lane: what it accepts, when that leaves, and what becomes of it when nobody asks.

import Sluice
import Testing

@Suite struct AppenderTests {
    @Test func `a lane keeps its order in each partition`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 3)
            var lane = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 1024 })
                .appender()
            for index in 0..<3000 { try await lane.append(key: "k\(index % 11)", value: "\(index)") }
            try await lane.close()
            var total = 0
            for partition in 0..<3 {
                let entries = try await store.entries("t", partition)
                total += entries.count
                for (_, values) in Dictionary(grouping: entries, by: \.key) {
                    let numbers = values.compactMap { Int($0.value ?? "") }
                    #expect(numbers == numbers.sorted() && numbers.count == values.count)
                }
            }
            #expect(total == 3000)
        }
    }

    @Test func `a ticket says where the record is`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 2)
            let producer = try await store.producer(for: "t")
            var lane = producer.appender()
            var tickets: [(PendingRecord, String)] = []
            for index in 0..<100 {
                tickets.append((try lane.appendNow(value: "\(index)", partition: index % 2), "\(index)"))
                if index % 10 == 9 { lane.submit() }
            }
            try await lane.flush()
            for (ticket, value) in tickets {
                let place = try await producer.acknowledgement(of: ticket)
                let found = try await store.entries(
                    "t", place.topicPartition.partition, from: .offset(place.offset)
                ).first
                #expect(found?.value == value)
                #expect(found?.offset == place.offset.rawValue)
            }
            try await lane.close()
        }
    }

    @Test func `dropped, a lane hands over what it holds`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            do {
                var lane = producer.appender()
                try lane.appendNow(value: "held")
            }
            try await producer.flush()
            #expect(try await store.entries("t") == [Entry(0, "held")])
        }
    }

    @Test func `dropped after its topic was deleted, it fails the producer's next flush`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            do {
                var lane = producer.appender()
                try lane.appendNow(value: "held")
                try await store.admin.deleteTopic("t")
            }
            #expect(await error { try await producer.flush() } == .unknownTopic("t"))
            try await producer.flush()
        }
    }

    @Test func `a lane outlives the variable that its producer was in`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            var lane = try await store.producer(for: "t").appender()
            for index in 0..<10 { try await lane.append(value: "\(index)") }
            try await lane.close()
            #expect(try await store.entries("t").count == 10)
        }
    }

    @Test func `several lanes of a producer share its buffer and its flush`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 4)
            let producer = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 2048 })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<4 {
                    group.addTask {
                        var lane = producer.appender()
                        for index in 0..<500 { try await lane.append(value: "\(index)", partition: task) }
                    }
                }
                try await group.waitForAll()
            }
            try await producer.flush()
            for partition in 0..<4 {
                #expect(try await store.entries("t", partition).map(\.value) == (0..<500).map { "\($0)" })
            }
        }
    }

    @Test func `a record larger than a batch goes alone`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", configuration: .init { $0.compression = .uncompressed })
            var lane = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 1024 })
                .appender()
            let large = String(repeating: "x", count: 100_000)
            for value in ["a", large, "b", "c"] { try await lane.append(value: value) }
            try await lane.close()
            var counts: [Int] = []
            for try await batch in try await store.consumer(of: "t", until: .end) {
                counts.append(batch.count)
            }
            #expect(counts == [1, 1, 2])
        }
    }
}
