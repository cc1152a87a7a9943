// Compacted topics through the library: keys are asked for, and readers do not notice a compaction.

@testable import Sluice
import Testing

@Suite struct CompactedTopicTests {
    @Test func `a record without a key is refused`() async throws {
        try await withStore { store in
            try await store.admin.ensureTopic(
                "t", partitions: 2, configuration: .init { $0.cleanupPolicy = .compact })
            let producer = try await store.producer(for: "t")
            try await producer.send(key: "k", value: "v")
            await #expect(throws: StreamError.missingKey(topic: "t")) { try await producer.send(value: "v") }
            await #expect(throws: StreamError.missingKey(topic: "t")) {
                try await producer.send(value: "v", partition: 1)
            }
            await #expect(throws: StreamError.missingKey(topic: "t")) {
                try await store.atomically { try $0.append(to: "t", value: "v") }
            }
        }
    }

    @Test func `until-consumed retention without a group is refused`() async throws {
        try await withStore { store in
            await #expect(throws: StreamError.self) {
                try await store.admin.ensureTopic(
                    "t", partitions: 1, configuration: .init { $0.retention = .untilConsumed(by: []) })
            }
            try await store.admin.ensureTopic(
                "t", partitions: 1, configuration: .init { $0.retention = .untilConsumed(by: ["g"]) })
        }
    }

    @Test func `a consumer goes on while what it reads is compacted`() async throws {
        try await withStore { store in
            try await store.admin.ensureTopic(
                "t", partitions: 1,
                configuration: .init {
                    $0.cleanupPolicy = .compact
                    $0.segmentBytes = 4096
                    $0.minCleanableDirtyRatio = 0.1
                })
            let count = 6000
            async let seen = Self.follow(store, to: "\(count - 1)")
            let producer = try await store.producer(for: "t")
            for number in 0..<count {
                try await producer.append(key: "k\(number % 10)", value: "\(number)")
                if number % 50 == 49 { try await producer.flush() }
            }
            try await producer.flush()
            let offsets = try await seen
            #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 })
            #expect(offsets.last == Int64(count - 1))
            // From the start again: fewer records, and the last of each key.
            var last: [String: String] = [:]
            for try await batch in try await store.consumer(of: "t", until: .end) {
                for record in batch { last[record.keyString ?? ""] = record.valueString }
            }
            for key in 0..<10 { #expect(last["k\(key)"] == "\(count - 10 + key)") }
        }
    }

    private static func follow(_ store: StreamStore, to end: String) async throws -> [Int64] {
        var offsets: [Int64] = []
        for try await batch in try await store.consumer(of: "t") {
            for record in batch {
                offsets.append(record.offset.rawValue)
                if record.valueString == end { return offsets }
            }
        }
        return offsets
    }
}
