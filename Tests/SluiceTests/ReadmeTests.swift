// The ten lines that the README begins with: compiled, run, and compared with the README.

import Foundation
import Sluice
import Testing

@Suite struct ReadmeTests {
    @Test func `the ten lines of the README do what they say`() async throws {
        let directory = try TemporaryDirectory()
        try await TenLines.$directory.withValue(directory.path) {
            try await TenLines.run()
            let first = try await StreamStore.open(at: directory("data"), configuration: quiet())
            let partitions = try await first.admin.describeTopic("flights").partitions
            #expect(partitions.map { $0.upperBound - $0.lowerBound }.reduce(0, +) == 1)
            try await first.close()
            // A second run finds what the first has left.
            try await TenLines.run()
            let second = try await StreamStore.open(at: directory("data"), configuration: quiet())
            let after = try await second.admin.describeTopic("flights").partitions
            #expect(after.map { $0.upperBound - $0.lowerBound }.reduce(0, +) == 2)
            try await second.close()
        }
    }

    @Test func `the ten lines of the README are the ones that are compiled here`() throws {
        let here = URL(fileURLWithPath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let fences = readme.components(separatedBy: "```swift\n")
        try #require(fences.count > 1, "the README has no block of Swift")
        let block = fences[1].components(separatedBy: "```")[0]
        let source = try String(contentsOf: here, encoding: .utf8)
        let body = try #require(
            source.components(separatedBy: "// The README's lines begin\n").last?
                .components(separatedBy: "// The README's lines end").first)
        #expect(Self.lines(block) == ["import Sluice"] + Self.lines(body))
    }

    private static func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty
        }
    }
}

/// Where the lines run: their relative path is put into a temporary directory, their output is dropped.
private enum TenLines {
    @TaskLocal static var directory = ""

    enum StreamStore {
        static func open(at name: String) async throws -> Sluice.StreamStore {
            try await Sluice.StreamStore.open(at: TenLines.directory + "/" + name, configuration: quiet())
        }
    }

    static func print(_ items: Any...) {}

    static func run() async throws {
        // The README's lines begin
        let store = try await StreamStore.open(at: "data")
        try await store.admin.ensureTopic("flights", partitions: 3)

        let producer = try await store.producer(for: "flights")
        let receipt = try await producer.send(key: "UA", value: #"{"flight":1545,"from":"EWR","to":"IAH"}"#)
        print("durable at", receipt.topicPartition, receipt.offset)

        for try await batch in try await store.consumer(of: "flights", until: .end) {
            for record in batch { print(record.offset, record.keyString ?? "-", record.valueString ?? "-") }
        }
        try await store.close()
        // The README's lines end
    }
}
