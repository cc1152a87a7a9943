// `sluice bench`: every benchmark runs, small, and verifies what it wrote; two runs stand side by side.

#if Tool
import Foundation
import SluiceCore
import Testing

@testable import sluice_tool

@Suite struct BenchTests {
    /// Runs a small benchmark and returns the members of its line.
    private func run(_ tool: Tool, _ arguments: String...) throws -> [String: JSONValue] {
        let result = try tool.run(
            ["bench"] + arguments + ["--json", "--directory", tool.scratch.path], input: Data())
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        #expect(result.lines.count == 1)
        return try #require(try JSONValue(parsing: Array((result.lines.last ?? "").utf8)).object)
    }

    @Test(arguments: [
        ["append", "--acks", "written"],
        ["append", "--wait", "--producers", "3", "--partitions", "2", "--acks", "written"],
        ["append", "--wait", "--blocking", "--acks", "written"],
        ["append", "--rate", "20000", "--keys", "5", "--headers", "2", "--acks", "none"],
        ["append", "--size", "1", "--payload", "random", "--codec", "none", "--acks", "written"],
        ["append", "--size", "100000", "--codec", "zstd", "--records", "20", "--acks", "written"],
        ["replay", "--consumers", "2", "--cold", "--acks", "written"],
        ["tail", "--rate", "1000", "--seconds", "1", "--acks", "written"],
        ["tail", "--rate", "1000", "--seconds", "1", "--blocking", "--acks", "written"],
        ["mixed", "--producers", "2", "--partitions", "2", "--acks", "written"],
        ["open", "--rounds", "1", "--acks", "written"],
        ["seek", "--seeks", "5", "--acks", "written"],
        ["limit", "--pairs", "3"],
    ])
    func `each benchmark runs and verifies what it wrote`(arguments: [String]) throws {
        let tool = try Tool()
        var arguments = arguments
        if !arguments.contains("--records"), !arguments.contains("--seconds") {
            arguments += ["--records", "400"]
        }
        let result = try tool.run(
            ["bench"] + arguments + ["--json", "--directory", tool.scratch.path], input: Data())
        #expect(result.status == 0, "\(result.errors)")
        let members = try #require(try JSONValue(parsing: Array((result.lines.last ?? "").utf8)).object)
        #expect(members["bench"]?.string == arguments[0])
        #expect(members["verified"] == true)
        for name in ["version", "build", "cpu", "cores", "file_system", "device_sync_p50_us", "records"] {
            #expect(members[name] != nil, "\(name)")
        }
        if ["append", "replay", "tail", "mixed"].contains(arguments[0]) {
            for name in [
                "records_per_second", "cpu_ns_per_record", "peak_memory_bytes", "allocations_per_record",
            ] {
                #expect(members[name] != nil, "\(name)")
            }
        }
        // Nothing stays.
        #expect(try FileManager.default.contentsOfDirectory(atPath: tool.scratch.path).isEmpty)
    }

    @Test func `records come from the lines of a file, with or without an end of the last`() throws {
        let tool = try Tool()
        let file = try Scratch()
        for (text, count) in [("a\nbb\n\nc", 4), ("a\r\n", 1), ("\n", 1), ("\u{0}\u{1}\nx\n", 2)] {
            try Data(text.utf8).write(to: URL(filePath: file.path + "/in"))
            let members = try run(tool, "append", "--acks", "written", "--input", file.path + "/in")
            #expect(members["records"]?.integer == Int64(count))
        }
        try Data().write(to: URL(filePath: file.path + "/in"))
        let empty = try tool.run("bench", "append", "--input", file.path + "/in")
        #expect(empty.status == 1)
        #expect(empty.errors.contains("no lines"))
    }

    @Test func `without verification there is no ratio`() throws {
        let tool = try Tool()
        let members = try run(tool, "limit", "--pairs", "3", "--records", "500", "--no-verify")
        #expect(members["verified"] == false)
        #expect(!members.keys.contains { $0.contains("ratio") })
        let verified = try run(tool, "limit", "--pairs", "3", "--records", "500")
        #expect(verified.keys.contains("append_cpu_ratio"))
    }

    @Test func `two runs stand side by side`() throws {
        let tool = try Tool()
        let lines = [
            #"{"bench":"append","records":10,"x":2.5}"#, "words\n" + #"{"bench":"append","records":15}"#,
        ]
        let places = try lines.enumerated().map { index, text in
            let path = tool.scratch.path + "/\(index)"
            try Data(text.utf8).write(to: URL(filePath: path))
            return path
        }
        let table = try tool.expect("bench", "--compare", places[0], places[1]).lines
        #expect(table.contains { $0.split(separator: " ") == ["records", "10", "15", "1.50"] })
        #expect(table.contains { $0.split(separator: " ") == ["x", "2.5", "-"] })
    }

    @Test func `a median stands within its interval`() {
        let ratio = BenchRatio((1...31).map { Double($0) })
        #expect(ratio.median == 16)
        #expect(ratio.low == 10)
        #expect(ratio.high == 22)
        #expect(BenchRatio([3, 1, 2]).median == 2)
    }

    @Test func `the sum over some records is that of reading them one by one`() {
        let records = BenchWorkload(payload: .json, size: 50)
        var sum = BenchSummary()
        for index in 0..<25_000 { sum.add(records[(3 + index) % records.count]) }
        #expect(records.summary(from: 3, 25_000) == sum)
        #expect(sum.bytes == 25_000 * 50)
    }

    private func number(_ value: JSONValue?) -> Double {
        switch value {
        case .number(let number): number
        case .integer(let number): Double(number)
        default: .nan
        }
    }

    @Test func `nothing is allocated, locked or asked of a clock for a record, and it is counted`() throws {
        let tool = try Tool()
        let names = ["allocations_per_record", "locks_per_record", "clock_readings_per_record"]
        // What is waited for one by one costs some of each: the counters move.
        let waiting = try run(tool, "append", "--wait", "--records", "50", "--acks", "written")
        for name in names { #expect(number(waiting[name]) > 1, "\(name)") }
        // Thousands of records in a batch: what is done for each of them would be a whole one.
        for bench in ["append", "replay"] {
            let many = try run(tool, bench, "--size", "10", "--records", "500000", "--acks", "written")
            for name in names { #expect(number(many[name]) < 0.1, "\(name) of \(bench)") }
        }
    }
}
#endif
