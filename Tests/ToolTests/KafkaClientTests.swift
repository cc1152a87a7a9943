// What the store writes, read by a Kafka client of other authors: kafka-python, where Scripts/test could
// install it.

#if Tool
import Foundation
import Testing

private let python = ProcessInfo.processInfo.environment["SLUICE_PYTHON"]

@Suite(.enabled(if: python != nil)) struct KafkaClientTests {
    /// Runs one of the scripts beside the tests, and expects that it ends well.
    private func run(_ script: String, _ arguments: [String]) throws -> Data {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: try #require(python))
        process.arguments = [tests.appending(path: "KafkaClient/\(script)").path] + arguments
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return data
    }

    @Test(arguments: ["none", "gzip", "lz4"])
    func `records are read by another implementation, whatever they are compressed with`(
        codec: String
    ) throws {
        let tool = try Tool()
        try tool.create("t", "-c", "segment.bytes=20000")
        let input = (0..<3_000).map { "key \($0 % 7)\tvalue \($0) \(String(repeating: "ä", count: $0 % 30))" }
        try tool.expect(
            "topic", "produce", "t", "-z", codec, "-f", "%k\\t%v\\n",
            input: input.joined(separator: "\n") + "\n")
        let read = try run("records.py", try tool.segments("t-0"))
        let expected = input.enumerated().map { "\($0)\t\($1)\n" }.joined()
        #expect(String(decoding: read, as: UTF8.self) == expected)
    }

    @Test func `what groups have committed is decoded by another implementation`() throws {
        let tool = try Tool()
        try tool.create("t", "-p", "12")
        for partition in 0..<12 {
            try tool.expect("topic", "produce", "t", "-p", "\(partition)", input: "a\nb\nc\n")
        }
        try tool.expect("topic", "consume", "t", "-g", "readers", "-n", "36")
        try tool.expect("group", "seek", "others", "--to", "2", "--topic", "t")
        var committed: [String: [String: Int]] = [:]
        var generations: Set<Int> = []
        let lines = try run("offsets.py", try tool.segments("__consumer_offsets-0")).split(separator: 10)
        for line in lines {
            let record = try #require(JSONSerialization.jsonObject(with: line) as? [String: Any])
            let key = try #require(record["key"] as? [String: Any])
            let value = record["value"] as? [String: Any]
            let group = try #require(key["group"] as? String)
            if let partition = key["partition"] as? Int {
                #expect(key["topic"] as? String == "t")
                committed[group, default: [:]]["\(partition)"] = value?["offset"] as? Int
            } else if group == "readers", let generation = value?["generation"] as? Int {
                #expect(value?["protocol_type"] as? String == "consumer")
                generations.insert(generation)
            }
        }
        for (group, offset) in [("readers", 3), ("others", 2)] {
            #expect(committed[group]?.count == 12)
            #expect(committed[group]?.values.allSatisfy { $0 == offset } == true, "\(group)")
        }
        #expect(!generations.isEmpty)
    }
}
#endif
