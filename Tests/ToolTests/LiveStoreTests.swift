// The tool beside a program that has the store open: through the socket, and around it.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct LiveStoreTests {
    /// A process that has the store open, until its input ends; topic `a` has the records `one` and `two`.
    private func writer(_ tool: Tool) throws -> (process: Process, input: Pipe) {
        try tool.expect("topic", "create", "a")
        let process = tool.process(["topic", "produce", "a", "-o", "%o\\n"])
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data("one\ntwo\n".utf8))
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("0\n1\n".utf8))
        return (process, input)
    }

    @Test func `topics are made, changed and deleted in the process that has the store`() throws {
        let tool = try Tool()
        let writer = try writer(tool)
        try tool.expect("topic", "create", "b", "-p", "3", "-c", "retention.ms=1000")
        try tool.expect("topic", "alter-config", "b", "-s", "segment.bytes=1048576")
        let text = try tool.expect("topic", "describe", "b").text
        #expect(text.contains("partitions  3") && text.contains("1048576") && text.contains("1000 "))
        let refused = try tool.run("topic", "create", "B")
        #expect(refused.status == 1 && refused.errors.contains("exists"), "\(refused.errors)")
        try tool.expect("topic", "delete", "b")
        #expect(try tool.run("topic", "describe", "b").status == 1)
        try writer.input.fileHandleForWriting.close()
        writer.process.waitUntilExit()
        #expect(writer.process.terminationStatus == 0)
        #expect(try !tool.segments("a-0").isEmpty)
        #expect(!FileManager.default.fileExists(atPath: tool.scratch.store + "/control.sock"))
    }

    @Test func `a killed process leaves a socket that nobody answers, and is not waited for`() throws {
        let tool = try Tool()
        let writer = try writer(tool)
        kill(writer.process.processIdentifier, SIGKILL)
        writer.process.waitUntilExit()
        #expect(FileManager.default.fileExists(atPath: tool.scratch.store + "/control.sock"))
        try tool.expect("topic", "create", "b")
        #expect(try tool.expect("topic", "list").lines.count == 3)
    }

    @Test func `a backup beside a writer is a store with the same records`() throws {
        let tool = try Tool()
        let writer = try writer(tool)
        let copy = tool.scratch.path + "/copy"
        try tool.expect("backup", copy)
        #expect(try tool.run("backup", copy).status == 1)
        let consumed = try tool.expect("--store", copy, "topic", "consume", "a", "-e", "-f", "%o %v\\n")
        #expect(consumed.text == "0 one\n1 two\n")
        try tool.expect("--store", copy, "topic", "produce", "a", input: "three\n")
        #expect(try tool.run("--store", copy, "verify", "--deep").status == 0)
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == "one\ntwo\n")
        try writer.input.fileHandleForWriting.close()
        writer.process.waitUntilExit()
    }

    /// A store of three partitions with 300 records each, in small batches.
    private func makeStore(_ tool: Tool) throws {
        try tool.create("a", "-p", "3", "-c", "max.message.bytes=1024")
        for partition in 0..<3 {
            let input = (0..<300).map { "partition \(partition) line \($0)\n" }.joined()
            try tool.expect("topic", "produce", "a", "-p", "\(partition)", "-z", "none", input: input)
        }
    }

    /// The lines of the salvaged store with their offsets, partition by partition.
    private func salvaged(_ tool: Tool, status: Int32) throws -> (lines: [String], result: ToolResult) {
        let copy = tool.scratch.path + "/copy-\(UUID().uuidString)"
        let result = try tool.run("salvage", tool.scratch.store, copy)
        #expect(result.status == status, "\(result.text) \(result.errors)")
        #expect(try tool.run("--store", copy, "verify", "--deep").status == 0)
        return (
            try tool.expect("--store", copy, "topic", "consume", "a", "-e", "-f", "%p %o %v\\n").lines, result
        )
    }

    private var all: [String] {
        (0..<3).flatMap { partition in
            (0..<300).map { "\(partition) \($0) partition \(partition) line \($0)" }
        }
    }

    @Test func `a sound store is salvaged whole`() throws {
        let tool = try Tool()
        try makeStore(tool)
        let (lines, result) = try salvaged(tool, status: 0)
        #expect(lines == all)
        #expect(result.lines.count == 3 && result.errors.isEmpty)
    }

    @Test func `a flipped bit costs one batch, and every other record keeps its offset`() throws {
        let tool = try Tool()
        try makeStore(tool)
        let segment = URL(filePath: try #require(try tool.segments("a-1").first))
        var bytes = try Data(contentsOf: segment)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: segment)
        let (lines, result) = try salvaged(tool, status: 1)
        #expect(Set(lines).isSubset(of: all))
        #expect(lines.count > 850 && lines.count < 900)
        #expect(result.errors.contains("\(segment.path): the checksum"), "\(result.errors)")
        #expect(result.errors.contains("of a-1: nothing whole was found"), "\(result.errors)")
        #expect(try Data(contentsOf: segment) == bytes)
    }

    @Test(arguments: [0, 3, 7])
    func `an offset that is damaged is told by its neighbours`(byte: Int) throws {
        let tool = try Tool()
        try makeStore(tool)
        let segment = URL(filePath: try #require(try tool.segments("a-1").first))
        var bytes = try Data(contentsOf: segment)
        // The second batch begins behind the first's length.
        let second = 12 + Int(bytes[8]) << 24 + Int(bytes[9]) << 16 + Int(bytes[10]) << 8 + Int(bytes[11])
        bytes[second + byte] ^= 0x20
        try bytes.write(to: segment)
        let (lines, result) = try salvaged(tool, status: 0)
        #expect(lines == all)
        #expect(result.errors.contains("those around it say"), "\(result.errors)")
    }

    @Test func `neither manifest nor meta.properties nor indexes are needed`() throws {
        let tool = try Tool()
        try makeStore(tool)
        let files = FileManager.default
        try files.removeItem(atPath: tool.scratch.store + "/manifest")
        try files.removeItem(atPath: tool.scratch.store + "/meta.properties")
        for name in try files.contentsOfDirectory(atPath: tool.scratch.store + "/topics/a-0")
        where !name.hasSuffix(".log") {
            try files.removeItem(atPath: tool.scratch.store + "/topics/a-0/" + name)
        }
        let (lines, result) = try salvaged(tool, status: 0)
        #expect(lines == all)
        #expect(result.errors.contains("there is no manifest"))
    }

    @Test func `a file that is cut short, or gone, is told and the rest is copied`() throws {
        let tool = try Tool()
        try makeStore(tool)
        let cut = URL(filePath: try #require(try tool.segments("a-0").first))
        try Data(contentsOf: cut).dropLast(10).write(to: cut)
        try FileManager.default.removeItem(atPath: try #require(try tool.segments("a-2").first))
        let (lines, result) = try salvaged(tool, status: 1)
        #expect(lines.filter { $0.hasPrefix("1 ") }.count == 300)
        #expect(lines.filter { $0.hasPrefix("2 ") }.isEmpty)
        let count = lines.filter { $0.hasPrefix("0 ") }.count
        #expect(count > 200 && count < 300)
        #expect(result.errors.contains("lost: offsets 0 to 299 of a-2"), "\(result.errors)")
    }

    @Test func `records that are in the journal alone are salvaged too`() throws {
        let tool = try Tool()
        let writer = try writer(tool)
        kill(writer.process.processIdentifier, SIGKILL)
        writer.process.waitUntilExit()
        try FileManager.default.removeItem(atPath: try #require(try tool.segments("a-0").first))
        let (lines, _) = try salvaged(tool, status: 0)
        #expect(lines == ["0 0 one", "0 1 two"])
    }

    @Test func `what is no store is not salvaged, nor anything written over`() throws {
        let tool = try Tool()
        try tool.create("a")
        let missing = try tool.run("salvage", tool.scratch.path + "/missing", tool.scratch.path + "/copy")
        #expect(missing.status == 1 && missing.errors.contains("is not a store"), "\(missing.errors)")
        let taken = try tool.run("salvage", tool.scratch.store, tool.scratch.store)
        #expect(taken.status == 1 && taken.errors.contains("empty"), "\(taken.errors)")
    }
}
#endif
