// Tasks beside a program that has the store open, and processes that are killed while they work.

#if Tool
import Foundation
import Testing

@Suite struct TaskLiveTests {
    /// A worker, and what its program writes to standard error: a line for each beginning.
    private func worker(_ tool: Tool, _ arguments: String...) throws -> (process: Process, lines: Lines) {
        let process = tool.process(["task", "run"] + arguments)
        process.standardInput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        return (process, Lines(errors.fileHandleForReading))
    }

    private func count(_ tool: Tool, _ state: String) throws -> Int {
        let text = try tool.expect("queue", "describe").lines.first { $0.hasPrefix(state) }
        return text?.split(separator: " ").last.flatMap { Int($0) } ?? -1
    }

    private func end(_ process: Process) -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func kill9(_ process: Process) {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    @Test func `a server's queues are published to, worked on and asked through its socket`() throws {
        let tool = try Tool()
        let server = try tool.serve()
        let id = try tool.expect("task", "publish", "shout", "quiet").lines[0]
        let worker = try worker(tool, "--", "tr", "a-z", "A-Z")
        #expect(try tool.expect("task", "result", id, "--wait", "60s").text == "QUIET")
        let large = String(repeating: "x", count: 500_000)
        let file = tool.scratch.path + "/large"
        try large.write(toFile: file, atomically: false, encoding: .utf8)
        let ids = try (0..<3).map { _ in try tool.expect("task", "publish", "shout", "--file", file).lines[0]
        }
        for id in ids {
            #expect(try tool.expect("task", "result", id, "--wait", "60s").text == large.uppercased())
        }
        let later = try tool.expect("task", "publish", "shout", "--after", "1h").lines[0]
        try tool.expect("task", "cancel", later)
        #expect(try tool.expect("task", "list", "--state", "cancelled").lines.count == 2)
        #expect(try tool.run("task", "result", later, "--wait", "60s").errors.contains("is cancelled"))
        #expect(try tool.expect("queue", "list").lines.last?.contains("default  0") == true)
        #expect(end(worker.process) == 0 && end(server) == 0)
    }

    @Test func `a worker that is killed loses its task at once, to one that does it`() throws {
        let tool = try Tool()
        let server = try tool.serve()
        let id = try tool.expect("task", "publish", "a").lines[0]
        let first = try worker(tool, "--", "sh", "-c", "echo begun $SLUICE_TASK_ATTEMPT >&2; exec sleep 60")
        #expect(first.lines.next() == "begun 1")
        #expect(try count(tool, "leased") == 1)
        kill9(first.process)
        let second = try worker(tool, "--", "sh", "-c", "echo attempt $SLUICE_TASK_ATTEMPT")
        #expect(try tool.expect("task", "result", id, "--wait", "60s").text == "attempt 2\n")
        let show = try tool.expect("task", "show", id).text
        #expect(show.contains("the worker's process has ended"), "\(show)")
        #expect(end(second.process) == 0 && end(server) == 0)
    }

    @Test func `a server that is killed while a task runs is gone on with when it is back`() throws {
        let tool = try Tool()
        var server = try tool.serve()
        let id = try tool.expect("task", "publish", "a").lines[0]
        let go = tool.scratch.path + "/go"
        let script =
            "echo begun >&2; while [ ! -e \(go) ]; do sleep 0.05; done; echo attempt $SLUICE_TASK_ATTEMPT"
        let worker = try worker(tool, "--", "sh", "-c", script)
        #expect(worker.lines.next() == "begun")
        kill9(server)
        _ = FileManager.default.createFile(atPath: go, contents: nil)
        server = try tool.serve()
        #expect(try tool.expect("task", "result", id, "--wait", "60s").text == "attempt 1\n")
        // And it takes the next.
        let next = try tool.expect("task", "publish", "a").lines[0]
        #expect(try tool.expect("task", "result", next, "--wait", "60s").text == "attempt 1\n")
        #expect(end(worker.process) == 0 && end(server) == 0)
    }

    @Test func `a worker that has the store itself is killed, and its tasks are another's at its start`()
        throws
    {
        let tool = try Tool()
        let ids = try tool.expect("task", "publish", "a", "1\n2", "--lines").lines
        let first = try worker(
            tool, "-c", "2", "--", "sh", "-c", "echo begun >&2; exec sleep 60")
        #expect(first.lines.next() == "begun" && first.lines.next() == "begun")
        // Whoever asks meanwhile is answered by it.
        #expect(try count(tool, "leased") == 2)
        kill9(first.process)
        try tool.expect("task", "run", "--drain", "--", "sh", "-c", "echo again $SLUICE_TASK_ATTEMPT")
        for id in ids { #expect(try tool.expect("task", "result", id).text == "again 2\n") }
    }

    @Test(arguments: [true, false])
    func `asked to end, a worker lets a task end that does so in time, and gives the other back`(
        _ isLive: Bool
    ) throws {
        let tool = try Tool()
        let ids = try tool.expect("task", "publish", "a", "quick\nstuck\nnever", "--lines").lines
        let server = isLive ? try tool.serve() : nil
        let go = tool.scratch.path + "/go"
        let script = """
            read task; echo $task >&2
            [ $task = stuck ] && exec sleep 60
            while [ ! -e \(go) ]; do sleep 0.05; done; echo done
            """
        let worker = try worker(tool, "-c", "2", "--grace", "1s", "--", "sh", "-c", script)
        #expect(Set([worker.lines.next(), worker.lines.next()]) == ["quick", "stuck"])
        worker.process.terminate()
        _ = FileManager.default.createFile(atPath: go, contents: nil)
        worker.process.waitUntilExit()
        #expect(worker.process.terminationStatus == 0)
        #expect(try tool.expect("task", "result", ids[0], "--wait", "60s").text == "done\n")
        let stuck = try tool.expect("task", "show", ids[1]).text
        #expect(stuck.contains("state     available\n") && stuck.contains("attempt   0\n"), "\(stuck)")
        #expect(try tool.expect("task", "show", ids[2]).text.contains("attempt   0\n"))
        if let server { #expect(end(server) == 0) }
    }

    @Test func `a task that is cancelled while its program runs ends that`() throws {
        let tool = try Tool()
        let server = try tool.serve()
        let id = try tool.expect("task", "publish", "a").lines[0]
        let worker = try worker(
            tool, "--visibility", "1s", "--", "sh", "-c",
            "trap 'echo ended >&2; exit 1' TERM; echo begun >&2; sleep 60 & wait")
        #expect(worker.lines.next() == "begun")
        try tool.expect("task", "cancel", id)
        #expect(worker.lines.next() == "ended")
        #expect(end(worker.process) == 0)
        #expect(try tool.expect("task", "show", id).text.contains("state     cancelled"))
        #expect(end(server) == 0)
    }
}

/// Lines of a pipe, as they come; what is left is read away when nobody asks any more.
private final class Lines {
    private let file: FileHandle
    private var rest = Data()

    init(_ file: FileHandle) { self.file = file }

    deinit { file.readabilityHandler = { _ = $0.availableData } }

    /// The next line; nil at the end.
    func next() -> String? {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                defer { rest = Data(rest[rest.index(after: end)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = file.availableData
            if more.isEmpty { return nil }
            rest += more
        }
    }
}
#endif
