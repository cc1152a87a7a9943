// Stores that an earlier build has left: Tests/Golden holds them, each with a text of what it has.
//
// A build that cannot open, verify and continue them has broken the format. They are not to be made again:
// a new format gets stores of its own. SLUICE_WRITE_GOLDEN=<a directory> makes the ones of this build.

import Foundation
import Testing

@testable import Sluice

@Suite struct GoldenTests {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden").path
    static let names = (try? FileManager.default.contentsOfDirectory(atPath: directory))?.sorted() ?? []

    /// Nothing goes by time: the stores grow old.
    private static let configuration = quiet {
        $0.volume.journalBytes = 64 << 10
        $0.offsetsRetention = .seconds(100 * 365 * 86_400)
    }

    // MARK: Read

    @Test(arguments: names)
    func `a store of an earlier build is opened, verified, read, continued and closed`(
        name: String
    ) async throws {
        let temporary = try TemporaryDirectory()
        let store = temporary("store")
        try FileManager.default.copyItem(atPath: "\(Self.directory)/\(name)/store", toPath: store)
        let expected = try String(contentsOfFile: "\(Self.directory)/\(name)/expected.txt", encoding: .utf8)

        #expect(try await StreamStore.verify(at: store, deep: true).findings.filter(\.isDamage) == [])
        let view = try await StreamStore.openReadOnly(at: store, configuration: Self.configuration)
        let topics = try await view.topics()
        #expect(expected.hasPrefix(topics.map { "topic \($0.name) \($0.partitions.count)\n" }.joined()))
        view.close()

        let opened = try await StreamStore.open(at: store, configuration: Self.configuration)
        #expect(!opened.recovery.isDamaged)
        #expect(opened.recovery.wasClosed == name.contains("closed"))
        #expect(try await Self.text(of: opened) == expected)
        let before = try await opened.entries("events")
        try await opened.append([["later"]], to: "events")
        try await opened.admin.createTopic("new")
        try await opened.append([["later"]], to: "new")
        try await opened.admin.seekGroup("billing", to: .latest)
        try await opened.close()

        #expect(try await StreamStore.verify(at: store, deep: true).findings.filter(\.isDamage) == [])
        let again = try await StreamStore.open(at: store, configuration: Self.configuration)
        let after = try await again.entries("events")
        #expect(after.dropLast() == before[...] && after.last?.value == "later")
        #expect(try await again.entries("new") == [Entry(0, "later")])
        try await again.close()
    }

    @Test func `there are stores of format 1, one that was closed and one that was not`() {
        #expect(Self.names.filter { $0.hasPrefix("1-") } == ["1-closed", "1-killed"])
    }

    /// What a store has: its topics, then every record, then what groups have committed.
    private static func text(of store: StreamStore) async throws -> String {
        let topics = try await store.admin.topics()
        var lines = topics.map { "topic \($0.name) \($0.partitions.count)" }
        for topic in topics {
            for partition in topic.partitions.indices {
                for record in try await store.records(topic.name, partition) {
                    let headers = record.headers.map { header in
                        "\(header.key)=\(header.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")"
                    }
                    lines.append(
                        "\(topic.name)-\(partition) \(record.offset) \(record.timestamp.millisecondsSince1970) "
                            + "\(record.keyString ?? "null") \(record.valueString ?? "null") "
                            + headers.joined(separator: ","))
                }
            }
        }
        for group in try await store.admin.groups() {
            for progress in try await store.admin.describeGroup(group.name).partitions {
                lines.append(
                    "\(group.name) \(progress.partition) \(progress.committed.map { "\($0)" } ?? "null")")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Write

    @Test(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_WRITE_GOLDEN"] != nil))
    func `the stores of this build are written`() async throws {
        let target = try #require(ProcessInfo.processInfo.environment["SLUICE_WRITE_GOLDEN"])
        let temporary = try TemporaryDirectory()
        let store = try await StreamStore.open(at: temporary("store"), configuration: Self.configuration)
        try await Self.fill(store)
        let text = try await Self.text(of: store)
        func keep(_ name: String) throws {
            let place = "\(target)/\(name)"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: temporary("store"), toPath: "\(place)/store")
            try? FileManager.default.removeItem(atPath: "\(place)/store/LOCK")
            try text.write(toFile: "\(place)/expected.txt", atomically: true, encoding: .utf8)
        }
        try keep("1-killed")
        try await store.close()
        try keep("1-closed")
    }

    private static func fill(_ store: StreamStore) async throws {
        func topic(_ name: String, _ partitions: Int, _ change: (inout TopicConfiguration) -> Void)
            async throws
        {
            try await store.admin.createTopic(
                name, partitions: partitions,
                configuration: .init {
                    $0.retentionTime = nil
                    change(&$0)
                })
        }
        for compression in Compression.allCases {
            try await topic("codec-\(compression)", 1) { $0.compression = compression }
            let values = (0..<40).map { "value \($0) of many that are much alike" }
            try await store.append([values], to: "codec-\(compression)")
        }
        // Several segments, and a log that does not begin at 0.
        try await topic("events", 2) { ($0.segmentBytes, $0.compression) = (4096, .uncompressed) }
        for round in 0..<30 {
            for partition in 0..<2 {
                try await store.append(
                    [(0..<5).map { "\(round) \($0) \(String(repeating: "x", count: 80))" }], to: "events",
                    partition)
            }
        }
        try await store.admin.deleteRecords(before: 40, of: TopicPartition(topic: "events", partition: 1))
        try await topic("written", 1) { $0.durability = .written }
        for round in 0..<10 { try await store.append([["written \(round)"]], to: "written") }
        try await topic("latest", 1) {
            ($0.cleanupPolicy, $0.segmentBytes, $0.minCleanableDirtyRatio) = (.compact, 4096, 0)
        }
        let latest = try await store.producer(for: "latest")
        for round in 0..<200 {
            try await latest.send(
                key: "k\(round % 7)", value: "\(round) \(String(repeating: "y", count: 90))")
        }
        try await eventually { try await store.entries("latest").count < 100 }
        try await topic("odd", 1) { _ in }
        let odd = try await store.producer(for: "odd")
        let headers = [RecordHeader(key: "a", value: Array("1".utf8)), RecordHeader(key: "b", value: nil)]
        try await odd.send(
            key: "key", value: "", headers: headers, timestamp: Timestamp(millisecondsSince1970: 0))
        try await odd.send(value: NullBytes(), headers: headers)
        try await topic("deleted", 1) { _ in }
        try await store.append([["gone"]], to: "deleted")
        try await store.admin.deleteTopic("deleted")
        try await store.atomically { write in
            try write.append(to: "events", partition: 0, value: "both")
            try write.append(to: "written", value: "both")
        }
        try await store.admin.seekGroup("billing", to: .offset(50), topics: ["events"])
        try await store.admin.seekGroup("audit", to: .latest, topics: ["written"])
    }
}
