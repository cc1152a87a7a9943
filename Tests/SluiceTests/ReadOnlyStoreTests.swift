// A store beside its writer: what is seen, when, and that nothing is left behind.

import Foundation
import Testing

@testable import Sluice

@Suite struct ReadOnlyStoreTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    /// A writer and a reader of one store with topic `t`.
    private func withPair(
        durability: Durability = .durable, includingUnsynced: Bool = false, segmentBytes: Int = 128 << 20,
        _ body: (StreamStore, ReadOnlyStore) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let writer = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await writer.admin.createTopic(
            "t",
            configuration: .init {
                $0.durability = durability
                $0.compression = .uncompressed
                $0.segmentBytes = segmentBytes
            })
        let reader = try await StreamStore.openReadOnly(
            at: directory("store"), includingUnsynced: includingUnsynced, configuration: quiet())
        try await body(writer, reader)
        reader.close()
        try await writer.close()
    }

    @Test(arguments: [Durability.durable, .written])
    func `what is acknowledged is seen at once`(durability: Durability) async throws {
        try await withPair(durability: durability) { writer, reader in
            for round in 0..<20 {
                let producer = try await writer.producer(for: "t")
                _ = try await producer.send(value: "value \(round)")
                let offsets = try await reader.offsets(of: t0)
                #expect(offsets == 0..<Offset(Int64(round + 1)))
            }
            #expect(try await reader.entries("t") == (0..<20).map { Entry($0, "value \($0)") })
            #expect(try await reader.topics() == writer.admin.topics())
            #expect(try await reader.describeTopic("t") == writer.admin.describeTopic("t"))
        }
    }

    @Test(arguments: [Durability.durable, .written])
    func `a consumer follows the end, through rolls, while the writer appends`(durability: Durability)
        async throws
    {
        try await withPair(durability: durability, segmentBytes: 1 << 20) { writer, reader in
            let count = 40_000
            let consumer = try await reader.consumer(of: "t")
            let reading = Task {
                var next: Int64 = 0
                for try await batch in consumer {
                    for record in batch {
                        #expect(record.offset.rawValue == next)
                        #expect(record.valueString?.hasPrefix("value \(next) ") == true)
                        next += 1
                    }
                    if next == Int64(count) { break }
                }
                return next
            }
            var lane = try await writer.producer(for: "t").appender()
            let filler = String(repeating: "x", count: 100)
            for number in 0..<count {
                try await lane.append(value: "value \(number) \(filler)")
                if number % 500 == 0 { try await lane.flush() }
            }
            try await lane.close()
            #expect(try await reading.value == Int64(count))
        }
    }

    @Test func `an atomic write over two topics is seen whole or not at all`() async throws {
        try await withPair { writer, reader in
            try await writer.admin.createTopic("u")
            let writing = Task {
                for number in 0..<200 {
                    try await writer.atomically { write in
                        try write.append(to: "t", value: "\(number)")
                        try write.append(to: "u", value: "\(number)")
                    }
                }
            }
            var seen: Int64 = 0
            while seen < 200 {
                let ends = try await reader.topics().map { $0.partitions[0].upperBound.rawValue }
                #expect(ends.allSatisfy { $0 >= seen })
                seen = ends.min() ?? 0
            }
            try await writing.value
            #expect(try await reader.entries("t").map(\.value) == reader.entries("u").map(\.value))
        }
    }

    @Test func `batches beyond the durable end are shown when asked for, and say so`() async throws {
        try await withPair(durability: .written, includingUnsynced: true) { writer, reader in
            let producer = try await writer.producer(
                for: "t", configuration: .init { $0.acknowledgement = .written })
            _ = try await producer.send(value: "a")
            let consumer = try await reader.consumer(of: "t", until: .end)
            var flags: [Bool] = []
            for try await batch in consumer { flags.append(batch.isDurable) }
            #expect(flags.count == 1)
        }
    }

    @Test func `topics that come and go are seen, and a deleted one says that it is gone`() async throws {
        try await withPair { writer, reader in
            try await writer.admin.createTopic("new", partitions: 3)
            #expect(try await reader.topics().map(\.name) == ["new", "t"])
            let consumer = try await reader.consumer(of: "t")
            let reading = Task { for try await _ in consumer {} }
            try await writer.admin.deleteTopic("t")
            let failure = await error { try await reading.value }
            #expect(failure == .unknownTopic("t"))
            #expect(try await reader.topics().map(\.name) == ["new"])
            #expect(await error { _ = try await reader.describeTopic("t") } == .unknownTopic("t"))
        }
    }

    @Test func `records that are deleted under a reader are out of range, and the rest is read`() async throws
    {
        try await withPair(segmentBytes: 1 << 20) { writer, reader in
            let value = String(repeating: "x", count: 1000)
            for _ in 0..<4 { try await writer.append([Array(repeating: value, count: 600)], to: "t") }
            let consumer = try await reader.consumer(of: [t0], from: .offset(100))
            try await writer.admin.deleteRecords(before: 2000, of: t0)
            // The files go after that.
            let directory = reader.path + "/topics/t-0"
            let isGone = await turns {
                !FileManager.default.fileExists(atPath: directory + "/00000000000000000000.log")
            }
            #expect(isGone)
            let failure = await error { for try await _ in consumer {} }
            guard case .offsetOutOfRange(t0, requested: 100, valid: 2000..<2400) = failure else {
                return unexpected(failure)
            }
            try await consumer.seek(t0, to: .earliest)
            #expect(try consumer.position(of: t0) == 2000)
        }
    }

    @Test func `time finds the same record as in the writer`() async throws {
        try await withPair { writer, reader in
            var lane = try await writer.producer(for: "t").appender()
            for number in 0..<2000 {
                try await lane.append(
                    value: "\(number)", timestamp: Timestamp(millisecondsSince1970: Int64(number)))
                if number % 10 == 9 { lane.submit() }
            }
            try await lane.close()
            for time in [0, 1, 777, 1999, 2000] as [Int64] {
                let moment = Timestamp(millisecondsSince1970: time)
                let (found, expected) = (
                    try await reader.offset(of: t0, at: moment),
                    try await writer.admin.offset(of: t0, at: moment)
                )
                #expect(found == expected)
            }
        }
    }

    @Test func `a store that was closed, or was left behind, is read as it would be opened`() async throws {
        let directory = try TemporaryDirectory()
        let writer = try await StreamStore.open(at: directory("store"), configuration: quiet())
        for (name, durability) in [("d", Durability.durable), ("w", .written)] {
            try await writer.admin.createTopic(name, configuration: .init { $0.durability = durability })
            try await writer.append([["one", "two"], ["three"]], to: name)
        }
        // As kill -9 leaves it.
        try directory.copy("store", to: "left")
        try await writer.close()
        for name in ["left", "store"] {
            let before = try directory.listing(name)
            let reader = try await StreamStore.openReadOnly(at: directory(name), configuration: quiet())
            for topic in ["d", "w"] {
                #expect(try await reader.entries(topic).map(\.value) == ["one", "two", "three"])
            }
            reader.close()
            #expect(try directory.listing(name) == before)
        }
    }

    @Test func `the end of a crash is shown, what a torn write left is not`() async throws {
        let directory = try TemporaryDirectory()
        let writer = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await writer.admin.createTopic("t")
        try await writer.append([["one"], ["two"]], to: "t")
        try directory.copy("store", to: "left")
        try await writer.close()
        let log = "left/topics/t-0/00000000000000000000.log"
        let whole = try directory.read(log)
        try Data(whole + whole.prefix(40)).write(to: URL(fileURLWithPath: directory(log)))
        let reader = try await StreamStore.openReadOnly(at: directory("left"), configuration: quiet())
        #expect(try await reader.entries("t").map(\.value) == ["one", "two"])
        // A writer opens it, cuts the end off, and goes on; the reader goes with it.
        let second = try await StreamStore.open(at: directory("left"), configuration: quiet())
        try await second.append([["three"]], to: "t")
        #expect(try await reader.entries("t").map(\.value) == ["one", "two", "three"])
        try await second.close()
        #expect(try await reader.offsets(of: t0) == 0..<3)
    }

    @Test func `a writer may close and another open while a consumer waits`() async throws {
        let directory = try TemporaryDirectory()
        var writer = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await writer.admin.createTopic("t")
        let reader = try await StreamStore.openReadOnly(at: directory("store"), configuration: quiet())
        let consumer = try await reader.consumer(of: "t")
        let reading = Task {
            var values: [String?] = []
            for try await batch in consumer {
                values += batch.map(\.valueString)
                if values.count == 30 { break }
            }
            return values
        }
        for round in 0..<10 {
            try await writer.append([["\(round)a"], ["\(round)b", "\(round)c"]], to: "t")
            try await writer.close()
            writer = try await StreamStore.open(at: directory("store"), configuration: quiet())
        }
        let expected = (0..<10).flatMap { ["\($0)a", "\($0)b", "\($0)c"] }
        #expect(try await reading.value == expected)
        try await writer.close()
    }

    @Test func `what is no store is not made into one`() async throws {
        let directory = try TemporaryDirectory()
        for name in ["missing", "empty"] {
            if name == "empty" { try directory.make(name) }
            let failure = await error {
                _ = try await StreamStore.openReadOnly(at: directory(name), configuration: quiet())
            }
            guard case .notAStore = failure else { return unexpected(failure) }
        }
        #expect(try directory.names(in: "") == ["empty"])
        #expect(try directory.names(in: "empty") == [])
    }

    @Test func `after close nothing is read`() async throws {
        try await withPair { _, reader in
            let consumer = try await reader.consumer(of: "t")
            reader.close()
            for try await _ in consumer { Issue.record("a record of an empty topic") }
            #expect(await error { _ = try await reader.topics() } == .closed)
        }
    }
}

extension ReadOnlyStore {
    /// Everything that a partition shows now.
    func entries(_ topic: String, _ partition: Int = 0) async throws -> [Entry] {
        var found: [Entry] = []
        let consumer = try await consumer(
            of: [TopicPartition(topic: topic, partition: partition)], until: .end)
        for try await batch in consumer { found += batch.map(Entry.init) }
        return found
    }
}

extension TemporaryDirectory {
    /// Every file below a directory with its bytes.
    func listing(_ name: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        let walk = FileManager.default.enumerator(atPath: self(name))
        while let file = walk?.nextObject() as? String {
            files[file] = try? Data(contentsOf: URL(fileURLWithPath: self("\(name)/\(file)")))
        }
        return files
    }
}
