// Copies of a live store: whole, of one moment, and nobody else's.

import Foundation
import Testing

@testable import Sluice

@Suite struct BackupTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    @Test(arguments: [Durability.durable, .written])
    func `a backup holds every record, goes on as a store, and leaves the original alone`(
        durability: Durability
    )
        async throws
    {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.admin.createTopic(
            "t", partitions: 2,
            configuration: .init {
                $0.durability = durability
                $0.segmentBytes = 1 << 20
                $0.compression = .uncompressed
            })
        let value = String(repeating: "x", count: 1000)
        for round in 0..<5 {
            for partition in 0..<2 {
                try await store.append([(0..<500).map { "\(round) \($0) \(value)" }], to: "t", partition)
            }
        }
        try await store.admin.deleteRecords(before: 300, of: t0)
        try await store.backup(to: directory("copy"))
        let expected = [try await store.entries("t"), try await store.entries("t", 1)]
        #expect(try await StreamStore.verify(at: directory("copy"), deep: true).findings == [])

        let copy = try await StreamStore.open(at: directory("copy"), configuration: quiet())
        #expect(copy.recovery.wasClosed)
        #expect(try await copy.admin.topics() == store.admin.topics())
        #expect(try await [copy.entries("t"), copy.entries("t", 1)] == expected)
        // Both go on, on their own.
        try await copy.append([["copy"]], to: "t")
        try await store.append([["store"]], to: "t")
        #expect(try await copy.entries("t").last == Entry(2500, "copy"))
        #expect(try await store.entries("t").last == Entry(2500, "store"))
        // Rolls, retention and a rebuilt index in one do nothing to the other.
        for partition in 0..<2 {
            for file in try directory.names(in: "copy/topics/t-\(partition)") where file.hasSuffix("index") {
                try directory.remove("copy/topics/t-\(partition)/\(file)")
            }
        }
        try await copy.append([Array(repeating: value, count: 3000)], to: "t")
        _ = try await copy.entries("t", from: .offset(1000))
        try await copy.admin.deleteRecords(before: 2000, of: t0)
        try await copy.close()
        try await store.close()
        #expect(try await StreamStore.verify(at: directory("store"), deep: true).findings == [])
        #expect(try await StreamStore.verify(at: directory("copy"), deep: true).findings == [])
    }

    @Test func `a backup while appends, rolls and deletions go on is of one moment`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        for name in ["a", "b"] {
            try await store.admin.createTopic(
                name,
                configuration: .init {
                    $0.segmentBytes = 1 << 20; $0.compression = .uncompressed
                })
        }
        let isDone = Shared(false)
        let writing = Task {
            let filler = String(repeating: "x", count: 20_000)
            var number = 0
            while !isDone.value {
                try await store.atomically { write in
                    try write.append(to: "a", value: "\(number) \(filler)")
                    try write.append(to: "b", value: "\(number) \(filler)")
                }
                number += 1
                if number % 40 == 0 {
                    for name in ["a", "b"] {
                        let partition = TopicPartition(topic: name, partition: 0)
                        try await store.admin.deleteRecords(before: Offset(Int64(number - 30)), of: partition)
                    }
                }
            }
        }
        for round in 0..<8 {
            let name = "copy\(round)"
            try await store.backup(to: directory(name))
            #expect(try await StreamStore.verify(at: directory(name), deep: true).findings == [])
            let copy = try await StreamStore.openReadOnly(at: directory(name), configuration: quiet())
            let ends = try await copy.topics().map { $0.partitions[0].upperBound }
            #expect(ends[0] == ends[1])
            let (a, b) = (try await copy.entries("a"), try await copy.entries("b"))
            #expect(a.last == b.last)
            copy.close()
        }
        isDone.change { $0 = true }
        try await writing.value
        try await store.close()
    }

    @Test func `a backup goes to an empty place only, and of a store that was left behind too`() async throws
    {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.admin.createTopic("t")
        try await store.append([["one"], ["two"]], to: "t")
        try directory.make("full")
        try directory.write("x", to: "full/x")
        let failure = await error { try await store.backup(to: directory("full")) }
        guard case .notAStore = failure else { return unexpected(failure) }
        #expect(try directory.names(in: "full") == ["x"])
        try directory.make("empty")
        try await store.backup(to: directory("empty"))
        #expect(await error { try await store.backup(to: directory("none/below")) } != nil)
        try directory.copy("store", to: "left")
        try await store.close()
        let reader = try await StreamStore.openReadOnly(at: directory("left"), configuration: quiet())
        try await reader.backup(to: directory("copy"))
        let copy = try await StreamStore.open(at: directory("copy"), configuration: quiet())
        #expect(try await copy.entries("t") == [Entry(0, "one"), Entry(1, "two")])
        try await copy.close()
    }
}
