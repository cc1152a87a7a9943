// The tool as a process: killed, interrupted, with nobody reading, and beside another one.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct ProcessTests {
    @Test func `every receipt that was printed before a kill is of a record that is there`() throws {
        let tool = try Tool()
        try tool.expect("topic", "create", "a")
        var expected: [String] = []
        for (round, patience) in [1, 90_000, 5_000].enumerated() {
            let input = (0..<60_000).map { "round \(round) line \($0)\n" }.joined()
            let file = tool.scratch.path + "/input"
            try Data(input.utf8).write(to: URL(filePath: file))
            let process = tool.process(["topic", "produce", "a", "-o", "%o\\n"])
            let output = Pipe()
            process.standardInput = FileHandle(forReadingAtPath: file)
            process.standardOutput = output
            try process.run()
            var text = try output.fileHandleForReading.read(upToCount: patience) ?? Data()
            kill(process.processIdentifier, SIGKILL)
            text += output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            // The last line may be cut short: then it is no receipt.
            let receipts = String(decoding: text, as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false
            ).dropLast()

            let found = try tool.expect("topic", "consume", "a", "-e", "-f", "%o %v\\n").lines
            #expect(found.count >= expected.count + receipts.count)
            for (index, receipt) in receipts.enumerated() {
                #expect(receipt == "\(expected.count + index)")
                #expect(found[expected.count + index] == "\(receipt) round \(round) line \(index)")
            }
            // Nothing that was there before has changed, and what is there without a receipt is the input
            // too.
            #expect(Array(found.prefix(expected.count)) == expected)
            for (index, line) in found.dropFirst(expected.count).enumerated() {
                #expect(line.hasSuffix(" round \(round) line \(index)"))
            }
            expected = found
        }
        #expect(try tool.run("verify", "--deep").status == 0)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `an interrupted producer has appended what it read, and half a line is no record`(signal: Int32)
        throws
    {
        let tool = try Tool()
        try tool.create("a")
        let process = tool.process(["topic", "produce", "a", "-o", "%o\\n"])
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data("one\ntwo\nhal".utf8))
        // Receipts come although the input goes on.
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("0\n1\n".utf8))
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == "one\ntwo\n")
        #expect(try tool.run("verify").text.contains("closed properly"))
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `a consumer follows nothing but the end, and an interrupt ends it well`(signal: Int32) throws {
        let tool = try Tool()
        try tool.create("a", "-p", "2")
        try tool.expect("topic", "produce", "a", "-p", "1", input: "one\ntwo\n")
        let process = tool.process(["topic", "consume", "a", "-f", "%v\\n"])
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        #expect(try output.fileHandleForReading.read(upToCount: 8) == Data("one\ntwo\n".utf8))
        // It keeps nobody from writing, and sees what he writes.
        try tool.expect("topic", "produce", "a", "-p", "0", input: "three\n")
        #expect(try output.fileHandleForReading.read(upToCount: 6) == Data("three\n".utf8))
        #expect(try tool.run("verify").status == 0)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(try tool.run("verify").text.contains("closed properly"))
    }

    @Test func `a reader that goes away ends a consumer quietly`() throws {
        let tool = try Tool()
        try tool.create("a")
        try tool.expect("topic", "produce", "a", input: (0..<100_000).map { "line \($0)\n" }.joined())
        let process = tool.process(["topic", "consume", "a", "-e"])
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        _ = try output.fileHandleForReading.read(upToCount: 10)
        try output.fileHandleForReading.close()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(errors.fileHandleForReading.readDataToEndOfFile().isEmpty)
    }

    @Test func `damage in one partition leaves the others to be read`() throws {
        let tool = try Tool()
        try tool.create("a", "-p", "3", "-c", "max.message.bytes=1024")
        for partition in 0..<3 {
            let input = (0..<300).map { "partition \(partition) line \($0)\n" }.joined()
            try tool.expect("topic", "produce", "a", "-p", "\(partition)", "-z", "none", input: input)
        }
        let segment = URL(filePath: try #require(try tool.segments("a-1").first))
        var bytes = try Data(contentsOf: segment)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: segment)

        let result = try tool.run("topic", "consume", "a", "-e", "-f", "%p %v\\n")
        #expect(result.status == 1)
        #expect(result.errors.contains("\(segment.path) is damaged at byte "), "\(result.errors)")
        for partition in [0, 2] {
            let lines = result.lines.filter { $0.hasPrefix("\(partition) ") }
            #expect(lines == (0..<300).map { "\(partition) partition \(partition) line \($0)" })
        }
        let before = result.lines.filter { $0.hasPrefix("1 ") }
        #expect(before == (0..<before.count).map { "1 partition 1 line \($0)" })
        #expect(before.count > 50 && before.count < 200)

        // Following, the others go on too; when nothing is left to follow it ends.
        let process = tool.process(["topic", "consume", "a", "-f", "%p\\n", "-n", "600"])
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let followed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(followed.split(separator: "\n").count == 600)
        #expect(try tool.run("topic", "consume", "a", "-p", "1").status == 1)
        try tool.expect("topic", "produce", "a", "-p", "2", input: "x\n")
    }

    #if os(Linux)
    @Test func `too few open files refuse, stop no partition and lose nothing`() throws {
        let tool = try Tool()
        try tool.expect("topic", "create", "a", "-p", "24")
        var (partition, sent, refused) = (0, 0, 0)
        // From a limit under which nothing starts to one under which all goes well; each makes a partition.
        for limit in 6..<30 {
            let process = tool.process([])
            process.executableURL = URL(filePath: "/bin/sh")
            let command = "exec \(Tool.binary.path) topic produce a -p \(partition) -o %o"
            process.arguments = ["-c", "ulimit -n \(limit); echo x | \(command)"]
            let (output, errors) = (Pipe(), Pipe())
            process.standardOutput = output
            process.standardError = errors
            try process.run()
            process.waitUntilExit()
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            let receipts = output.fileHandleForReading.readDataToEndOfFile()
            #expect(!text.contains("stopped"), "ulimit -n \(limit): \(text)")
            if process.terminationStatus == 0 {
                #expect(receipts == Data("0".utf8))
                (partition, sent) = (partition + 1, sent + 1)
            } else {
                let isTold = text.contains("\(limit) files open") || text.contains("Too many open files")
                #expect(isTold, "\(text)")
                refused += 1
            }
        }
        #expect(sent > 0 && refused > 0)
        #expect(try tool.run("topic", "consume", "a", "-e", "-f", "%p %o %v\\n").lines.count == sent)
        try tool.expect("verify", "--deep")
    }
    #endif

    /// A process that appends from standard input, and has said so.
    private func writer(_ tool: Tool) throws -> (process: Process, input: Pipe, output: Pipe) {
        let process = tool.process(["topic", "produce", "a", "-o", "%o\\n"])
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data("one\ntwo\n".utf8))
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("0\n1\n".utf8))
        return (process, input, output)
    }

    @Test func `beside a writer one lists, describes, reads, follows and verifies`() throws {
        let tool = try Tool()
        try tool.expect("topic", "create", "a")
        let writer = try writer(tool)
        #expect(try tool.expect("topic", "list").text.hasSuffix("a     1           2\n"))
        #expect(try tool.expect("topic", "describe", "a").text.contains("0          0      2    2"))
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == "one\ntwo\n")
        let segment = try #require(try tool.segments("a-0").first)
        #expect(try tool.expect("segment", "dump", segment).text.contains("next offset 2"))
        #expect(try tool.run("verify").status == 0)

        let follower = tool.process(["topic", "consume", "a", "-f", "%v\\n", "-n", "4"])
        let followed = Pipe()
        follower.standardOutput = followed
        try follower.run()
        #expect(try followed.fileHandleForReading.read(upToCount: 8) == Data("one\ntwo\n".utf8))
        writer.input.fileHandleForWriting.write(Data("three\n".utf8))
        #expect(try followed.fileHandleForReading.read(upToCount: 6) == Data("three\n".utf8))
        // The writer is killed; the one who follows waits for the next.
        kill(writer.process.processIdentifier, SIGKILL)
        writer.process.waitUntilExit()
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == "one\ntwo\nthree\n")
        try tool.expect("topic", "produce", "a", input: "four\n")
        #expect(try followed.fileHandleForReading.readToEnd() == Data("four\n".utf8))
        follower.waitUntilExit()
        #expect(follower.terminationStatus == 0)
    }

    @Test func `who wants to write beside a writer is told who that is and what to do`() throws {
        let tool = try Tool()
        try tool.expect("topic", "create", "a")
        let writer = try writer(tool)
        let result = try tool.run("topic", "produce", "a", input: "x\n")
        #expect(result.status == 1)
        #expect(
            result.errors.contains("is open in another process (\(writer.process.processIdentifier))"),
            "\(result.errors)")
        #expect(result.errors.contains("kill \(writer.process.processIdentifier)"), "\(result.errors)")
        try writer.input.fileHandleForWriting.close()
        writer.process.waitUntilExit()
        try tool.expect("topic", "produce", "a", input: "x\n")
    }
}
#endif
