// What groups keep from being deleted, and what becomes of a damaged offsets topic.

import Foundation
@testable import Sluice
import Testing

@Suite struct GroupUpkeepTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    /// A store with a topic of small segments that keeps what `groups` have not consumed, and forty batches.
    private func withKept(_ groups: [String], _ body: (StreamStore) async throws -> Void) async throws {
        try await withStore { store in
            try await store.admin.createTopic(
                "t",
                configuration: .init {
                    $0.segmentBytes = 4096
                    $0.compression = .uncompressed
                    $0.retentionTime = .zero
                    $0.retention = .untilConsumed(by: groups)
                })
            var lane = try await store.producer(for: "t").appender()
            for number in 0..<40 {
                try await lane.append(value: String(repeating: "x", count: 1000), partition: 0)
                if number % 2 == 1 { lane.submit() }
            }
            try await lane.close()
            try await body(store)
        }
    }

    private func consume(_ store: StreamStore, _ group: String, through end: Offset) async throws {
        let consumer = try await store.consumer(
            group: group, topics: ["t"], configuration: .init { $0.commit = .manual })
        for try await batch in consumer {
            try await consumer.commit(batch)
            if batch.nextOffset >= end { break }
        }
        try await consumer.close()
    }

    @Test func `segments go when every group has consumed them, and not before`() async throws {
        try await withKept(["a", "b"]) { store in
            try await consume(store, "a", through: 40)
            #expect(try await store.admin.offsets(of: t0) == 0..<40)
            try await consume(store, "b", through: 20)
            try await eventually { try await store.admin.offsets(of: t0).lowerBound > 10 }
            #expect(try await store.admin.offsets(of: t0).lowerBound <= 20)
            try await consume(store, "b", through: 40)
            try await eventually { try await store.admin.offsets(of: t0).lowerBound > 30 }
            // Nothing of it is lost to anybody.
            for await event in store.events {
                if case .lostUnread = event { Issue.record("\(event)") }
                if case .segmentsDeleted = event { break }
            }
        }
    }

    @Test func `a group that is silent for too long keeps nothing, and what it loses is counted`()
        async throws
    {
        try await withKept(["a", "b"]) { store in
            // It was here, and is gone.
            try await consume(store, "b", through: 4)
            try await store.admin.alterTopic("t") { $0.abandonTime = .zero }
            try await consume(store, "a", through: 40)
            // With members it counts; without any, nobody does.
            let member = try await store.consumer(group: "a", topics: ["t"])
            let reading = Task { for try await _ in member {} }
            try await eventually { try await store.admin.describeGroup("a").members.count == 1 }
            try await store.admin.alterTopic("t") { $0.abandonTime = .milliseconds(1) }
            try await eventually { try await store.admin.offsets(of: t0).lowerBound > 30 }
            var lost: Int64 = 0
            var abandoned: Set<String> = []
            let start = try await store.admin.offsets(of: t0).lowerBound.rawValue
            // Told at the next look.
            try await store.admin.alterTopic("t") { $0.abandonTime = .milliseconds(2) }
            for await event in store.events {
                if case .groupAbandoned(let group, "t") = event { abandoned.insert(group) }
                if case .lostUnread(let group, let place, let records) = event {
                    #expect(group == "b" && place == t0)
                    lost += records
                }
                if lost >= start - 4 { break }
            }
            #expect(lost == start - 4 && abandoned.contains("b"))
            reading.cancel()
            _ = await reading.result
        }
    }

    @Test func `what groups have consumed is known after the store was opened again`() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<2 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            if round == 0 {
                try await store.admin.createTopic(
                    "t",
                    configuration: .init {
                        $0.segmentBytes = 4096
                        $0.compression = .uncompressed
                        $0.retention = .untilConsumed(by: ["a"])
                    })
                // Ahead of the records, so that no commit sets off a look afterwards.
                try await store.admin.seekGroup("a", to: .latest, topics: ["t"])
                for _ in 0..<20 {
                    _ = try await store.producer(for: "t").send(value: String(repeating: "x", count: 1000))
                }
                #expect(try await store.admin.offsets(of: t0) == 0..<20)
                try await store.admin.seekGroup("a", to: .offset(15))
            } else {
                try await eventually { try await store.admin.offsets(of: t0).lowerBound > 8 }
                #expect(try await store.admin.offsets(of: t0).lowerBound <= 15)
            }
            try await store.close()
        }
    }

    @Test func `a damaged offsets topic is written anew with all that is good of it`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.admin.createTopic("t", partitions: 3)
        var lane = try await store.producer(for: "t").appender()
        for number in 0..<300 { try await lane.append(value: "\(number)", partition: number % 3) }
        try await lane.close()
        for (group, offset) in [("a", 11), ("b", 22), ("c", 33)] {
            try await store.admin.seekGroup(group, to: .offset(Offset(Int64(offset))), topics: ["t"])
        }
        try await store.close()

        let log = directory("store/topics/__consumer_offsets-0/00000000000000000000.log")
        var bytes = try Data(contentsOf: URL(filePath: log))
        bytes[bytes.count / 2] ^= 0xFF
        try bytes.write(to: URL(filePath: log))

        for round in 0..<2 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            let groups = try await store.admin.groups()
            #expect(groups.map(\.name) == ["a", "c"], "round \(round)")
            #expect(groups.first?.partitions.map(\.committed) == [11, 11, 11])
            #expect(groups.last?.partitions.map(\.committed) == [33, 33, 33])
            if round == 0 {
                for await event in store.events {
                    if case .committedOffsetsLost(let file, _, _) = event {
                        #expect(file == log)
                        break
                    }
                }
                let saved = try FileManager.default.contentsOfDirectory(atPath: directory("store/quarantine"))
                #expect(saved.contains { $0.hasPrefix("__consumer_offsets-0-") })
            }
            // The group goes on.
            try await store.admin.seekGroup("b", to: .offset(44), topics: ["t"])
            #expect(try await store.admin.describeGroup("b").partitions.map(\.committed) == [44, 44, 44])
            try await store.admin.deleteGroup("b")
            try await store.close()
        }
    }

    /// A store with what three groups have committed, in three batches. Returns the offsets topic's log.
    private func commitThree(_ path: String, isClosed: Bool) async throws -> String {
        let store = try await StreamStore.open(at: path, configuration: quiet())
        try await store.admin.createTopic("t")
        for _ in 0..<50 { _ = try await store.producer(for: "t").send(value: "x") }
        for (group, offset) in [("a", 11), ("b", 22), ("c", 33)] {
            try await store.admin.seekGroup(group, to: .offset(Offset(Int64(offset))), topics: ["t"])
        }
        if isClosed { try await store.close() }
        return path + "/topics/__consumer_offsets-0/00000000000000000000.log"
    }

    /// A store with what three groups have committed, in three batches; the middle one is damaged, and so
    /// close behind the last recovery point that the topic takes nothing more. Returns the topic's log.
    private func damageEnd(_ directory: TemporaryDirectory) async throws -> String {
        let path = directory("store")
        let log = try await commitThree(path, isClosed: false)
        StoreEngine.leaving.wait()
        // Nothing of it in the journal.
        for file in try FileManager.default.contentsOfDirectory(atPath: path + "/journal") {
            try FileManager.default.removeItem(atPath: path + "/journal/" + file)
        }
        var bytes = try Data(contentsOf: URL(filePath: log))
        bytes[bytes.count / 2] ^= 0xFF
        try bytes.write(to: URL(filePath: log))
        return log
    }

    @Test(arguments: GroupEngine.RescueStep.allCases, [false, true])
    func `a rescue of the offsets topic that is cut short loses nothing that was good`(
        step: GroupEngine.RescueStep, isClosed: Bool
    ) async throws {
        let directory = try TemporaryDirectory()
        _ = try await damageEnd(directory)
        for round in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            if round == 0 {
                #expect(store.recovery.isDamaged)
                let failure = await error { try await store.lease.groups.load(until: step) }
                #expect(failure == (step == .finished ? nil : .closed))
                if isClosed { try await store.close() }
                continue
            }
            let groups = try await store.admin.groups()
            #expect(groups.map(\.name) == ["a", "c"], "round \(round)")
            #expect(groups.flatMap(\.partitions).map(\.committed) == [11, 33])
            #expect(!FileManager.default.fileExists(atPath: directory("store/rescued-offsets")))
            try await store.admin.seekGroup("b", to: .offset(44), topics: ["t"])
            try await store.admin.deleteGroup("b")
            try await store.close()
        }
    }

    enum Loss: CaseIterable { case cut, removed }

    @Test(arguments: Loss.allCases, GroupEngine.RescueStep.allCases)
    func `an offsets topic that has lost a file or its end is made anew with what is left`(
        loss: Loss, step: GroupEngine.RescueStep
    ) async throws {
        let directory = try TemporaryDirectory()
        let log = try await commitThree(directory("store"), isClosed: true)
        if loss == .cut {
            let handle = try FileHandle(forWritingTo: URL(filePath: log))
            try handle.truncate(atOffset: handle.seekToEnd() / 3 + 20)
            try handle.close()
        } else {
            try FileManager.default.removeItem(atPath: log)
        }
        for round in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            if round == 0 {
                #expect(store.recovery.isDamaged)
                let failure = await error { try await store.lease.groups.load(until: step) }
                #expect(failure == (step == .finished ? nil : .closed))
                try await store.close()
                continue
            }
            let groups = try await store.admin.groups()
            #expect(groups.map(\.name) == (loss == .cut ? ["a"] : []), "round \(round)")
            try await store.admin.seekGroup("b", to: .offset(44), topics: ["t"])
            #expect(try await store.admin.describeGroup("b").partitions.map(\.committed) == [44])
            try await store.admin.deleteGroup("b")
            #expect(!FileManager.default.fileExists(atPath: directory("store/rescued-offsets")))
            try await store.close()
        }
    }

    @Test func `the offsets topic is compacted when much has been committed`() async throws {
        try await withStore { store in
            try await store.admin.createTopic(
                "t", partitions: 100, configuration: .init { $0.durability = .written })
            // Many times what is live, which is a hundred records.
            for _ in 0..<300 { try await store.admin.seekGroup("g", to: .latest, topics: ["t"]) }
            let number = try store.engine.number(of: OffsetsTopic.place)
            try await eventually {
                guard let start = try? store.engine.offsets(number).lowerBound else { return false }
                return (try? store.engine.segment(number, at: start))??.generation ?? 0 > 0
            }
            #expect(try await store.admin.describeGroup("g").partitions.count == 100)
        }
    }

    @Test func `only groups write the offsets topic`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            try await store.admin.seekGroup("g", to: .latest, topics: ["t"])
            let name = "__consumer_offsets"
            for refusal in [
                await error { _ = try await store.producer(for: name) },
                await error { try await store.admin.deleteTopic(name) },
                await error { try await store.admin.createTopic(name) },
                await error { try await store.admin.addPartitions(to: name, total: 2) },
                await error { try await store.atomically { try $0.append(to: name, key: "k", value: "v") } },
            ] {
                guard case .unsupported? = refusal else {
                    Issue.record("\(String(describing: refusal))")
                    continue
                }
            }
        }
    }
}
