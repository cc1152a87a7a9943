// A small disk: refused at the budget, relieved by retention and by groups, and never above it.

import Foundation
import Sluice
import Testing

@Suite struct DiskPressureTests {
    private static let value = [UInt8](repeating: 9, count: 4_000)

    /// A store that may use 32 MiB, in a directory that can be measured.
    private func withSmallStore(
        _ body: (StreamStore, TemporaryDirectory) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(
            at: directory("store"), configuration: quiet { $0.diskBytes = Self.budget })
        do {
            try await body(store, directory)
            try await store.close()
        } catch {
            try? await store.close()
            throw error
        }
    }

    private static let budget: Int64 = 32 << 20

    /// Blocks of all files below the directory, bytes.
    private func used(_ directory: TemporaryDirectory) -> Int64 {
        guard let files = FileManager.default.enumerator(atPath: directory.path) else { return 0 }
        var sum: Int64 = 0
        for case let name as String in files {
            var status = stat()
            if lstat(directory(name), &status) == 0, status.st_mode & S_IFMT == S_IFREG {
                sum += Int64(status.st_blocks) * 512
            }
        }
        return sum
    }

    /// Sends until the store says no.
    private func fill(_ producer: Producer) async -> StreamError? {
        await error {
            for _ in 0..<20_000 { try await producer.append(value: Self.value) }
            try await producer.flush()
        }
    }

    private static func plain(_ change: @escaping (inout TopicConfiguration) -> Void) -> TopicConfiguration {
        TopicConfiguration {
            $0.compression = .uncompressed
            change(&$0)
        }
    }

    @Test func `a full store refuses, still reads and commits, and goes on when records are deleted`()
        async throws
    {
        try await withSmallStore { store, directory in
            try await store.admin.createTopic("t", configuration: Self.plain { $0.backPressure = .reject })
            let producer = try await store.producer(for: "t")
            let answer = await fill(producer)
            guard case .busy(let busy)? = answer, case .disk(let used, let limit) = busy.reason else {
                return unexpected(answer)
            }
            #expect(limit <= Self.budget)
            #expect(used <= limit)
            #expect(self.used(directory) <= Self.budget)
            // What was begun may be refused too: what else the store wrote meanwhile has taken its blocks.
            switch await error({ try await producer.flush() }) {
            case nil, .busy: break
            case let late: return unexpected(late)
            }

            // The exempt lane.
            let consumer = try await store.consumer(
                group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
            for try await batch in consumer {
                try await consumer.commit(batch)
                break
            }
            try await consumer.close()
            #expect(try await store.admin.describeGroup("g").partitions.first?.committed != nil)

            let place = TopicPartition(topic: "t", partition: 0)
            let end = try await store.admin.offsets(of: place).upperBound
            try await store.admin.deleteRecords(before: end, of: place)
            // Without a reopening, as soon as the files are gone.
            let patient = try await store.producer(
                for: "t", configuration: .init { $0.backPressure = .throttle })
            for _ in 0..<1_000 { try await patient.append(value: Self.value) }
            try await patient.flush()
            #expect(self.used(directory) <= Self.budget)
        }
    }

    @Test func `more than the disk holds passes through, at the pace of its reader, and nothing is lost`()
        async throws
    {
        try await withSmallStore { store, directory in
            try await store.admin.createTopic(
                "t", configuration: Self.plain { $0.retention = .untilConsumed(by: ["g"]) })
            let count = 30_000
            let reading = Task {
                var next: Int64 = 0
                for try await batch in try await store.consumer(group: "g", topics: ["t"]) {
                    for record in batch {
                        #expect(record.offset.rawValue == next)
                        next += 1
                    }
                    if next == Int64(count) { return next }
                }
                return next
            }
            let producer = try await store.producer(for: "t")
            var greatest: Int64 = 0
            for number in 0..<count {
                try await producer.append(value: Self.value)
                if number % 500 == 0 { greatest = max(greatest, used(directory)) }
            }
            try await producer.flush()
            #expect(try await reading.value == Int64(count))
            #expect(greatest <= Self.budget)
        }
    }

    @Test func `drop-oldest makes room down to its promise, and every record is accounted for`() async throws
    {
        try await withSmallStore { store, directory in
            try await store.admin.createTopic(
                "t",
                configuration: Self.plain {
                    $0.backPressure = .dropOldest
                    $0.retentionPromise = .zero
                })
            var events = store.events.makeAsyncIterator()
            let producer = try await store.producer(for: "t")
            let count = 20_000
            for _ in 0..<count { try await producer.append(value: Self.value) }
            try await producer.flush()
            #expect(used(directory) <= Self.budget)
            let offsets = try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0))
            #expect(offsets.upperBound == Offset(Int64(count)))
            #expect(offsets.lowerBound > 0)
            var dropped: Int64 = 0
            while dropped < offsets.lowerBound.rawValue, let event = await events.next() {
                if case .recordsDropped(_, let records, _) = event { dropped += records }
            }
            #expect(dropped == offsets.lowerBound.rawValue)
        }
    }

    @Test func `drop-oldest without a promise is refused, and with one that outlasts retention`() async throws
    {
        try await withStore { store in
            for promise in [nil, Duration.seconds(8 * 86_400)] {
                let answer = await error {
                    try await store.admin.createTopic(
                        "t",
                        configuration: .init {
                            $0.backPressure = .dropOldest
                            $0.retentionPromise = promise
                        })
                }
                guard case .illegalConfiguration(key: "sluice.retention.min.ms", _, _)? = answer else {
                    return unexpected(answer)
                }
            }
        }
    }

    @Test func `a group that had caught up still holds producers up after a restart`() async throws {
        let directory = try TemporaryDirectory()
        let configuration = quiet { $0.diskBytes = Self.budget }
        var store = try await StreamStore.open(at: directory("store"), configuration: configuration)
        try await store.admin.createTopic(
            "t",
            configuration: Self.plain {
                $0.gatingGroups = .named(["g"])
                $0.lagTarget = .milliseconds(1)
            })
        try await store.append([["first"]], to: "t")
        let consumer = try await store.consumer(
            group: "g", topics: ["t"], configuration: .init { $0.commit = .manual })
        for try await batch in consumer {
            try await consumer.commit(batch)
            break
        }
        #expect(try await store.pressure(on: "t").groups.map(\.role) == [.gates])
        try await consumer.close()
        // More than it may be behind.
        try await store.append(
            [[String](repeating: String(repeating: "x", count: 1_000), count: 60)], to: "t")
        for _ in 0..<4 {
            try await store.append(
                [[String](repeating: String(repeating: "x", count: 1_000), count: 60)], to: "t")
        }
        try await store.close()

        store = try await StreamStore.open(at: directory("store"), configuration: configuration)
        #expect(try await store.pressure(on: "t").groups.map(\.role) == [.gates])
        try await store.close()
    }
}
