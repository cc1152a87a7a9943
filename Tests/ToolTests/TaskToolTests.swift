// `sluice task` and `sluice queue` on a store that nobody else has open.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct TaskToolTests {
    private func publish(_ tool: Tool, _ arguments: String..., input: String = "") throws -> [String] {
        let result = try tool.run(["task", "publish"] + arguments, input: Data(input.utf8))
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        return result.lines
    }

    private func states(_ tool: Tool) throws -> [String] {
        try tool.expect("task", "list").lines.dropFirst().map {
            String($0.split(separator: " ", omittingEmptySubsequences: true)[2])
        }
    }

    @Test func `a task is published, done by a program, and its result is read`() throws {
        let tool = try Tool()
        let id = try publish(tool, "shout", "a payload")[0]
        #expect(try tool.expect("task", "payload", id).text == "a payload")
        #expect(try states(tool) == ["available"])
        #expect(try tool.run("task", "result", id).errors.contains("The task is available."))
        let script =
            "tr a-z A-Z; echo $SLUICE_TASK_NAME $SLUICE_TASK_ATTEMPT $SLUICE_TASK_QUEUE $SLUICE_TASK_ID"
        let run = try tool.expect("task", "run", "--drain", "--", "sh", "-c", script)
        #expect(run.errors.contains("1 tasks done, 0 attempts failed"))
        #expect(try tool.expect("task", "result", id).text == "A PAYLOADshout 1 default \(id)\n")
        let show = try tool.expect("task", "show", id).text
        #expect(show.contains("state     succeeded\n") && show.contains("attempt   1\n"), "\(show)")
        let list = try tool.expect("queue", "list").lines
        #expect(
            list == [
                "NAME     WAITING  RUNNING  SUCCEEDED  DEAD  PAUSED",
                "default  0        0        1          0     no",
            ])
    }

    @Test func `payloads are bytes, from a file, from standard input, or a line each`() throws {
        let tool = try Tool()
        let bytes = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let file = tool.scratch.path + "/payload"
        try bytes.write(to: URL(filePath: file))
        let first = try publish(tool, "a", "--file", file)[0]
        #expect(try tool.expect("task", "payload", first).output == bytes)
        let piped = try tool.run(["task", "publish", "a", "-"], input: bytes)
        #expect(try tool.expect("task", "payload", piped.lines[0]).output == bytes)
        let lines = (0..<1_200).map { "line \($0)" }
        let ids = try publish(tool, "b", "-", "--lines", input: lines.joined(separator: "\n") + "\n")
        #expect(ids.count == 1_200)
        #expect(try tool.expect("task", "payload", ids[1_199]).text == "line 1199")
        #expect(try tool.expect("task", "list", "--name", "b", "--limit", "2000").lines.count == 1_201)
        let large = try tool.run(["task", "publish", "a", "-"], input: Data(count: 600_000))
        #expect(large.status == 1 && large.errors.contains("600000 bytes"), "\(large.errors)")
        // A result of any bytes comes back as it is.
        try tool.expect("task", "run", "--name", "a", "--drain", "--", "cat")
        #expect(try tool.expect("task", "result", first).output == bytes)
    }

    @Test func `what fails is tried again, with the last lines of its errors as the cause, and then dead`()
        throws
    {
        let tool = try Tool()
        let id = try publish(tool, "a", "{\"n\":1}")[0]
        let script = "for i in 1 2 3 4; do echo line $i >&2; done; exit 7"
        let run = try tool.expect(
            "task", "run", "--attempts", "2", "--backoff", "1ms", "--drain", "--", "sh", "-c", script)
        #expect(run.errors.contains("exit code 7: line 2\nline 3\nline 4"), "\(run.errors)")
        let dead = try tool.expect("task", "dead", "list", "--json").text
        #expect(dead.contains("\"lastError\":\"exit code 7: line 2\\nline 3\\nline 4\""), "\(dead)")
        #expect(dead.contains("\"attempt\":2"))
        #expect(try tool.expect("task", "show", id).text.contains("line 2 | line 3 | line 4"))
        try tool.expect("task", "dead", "edit", id, "{\"n\":2}")
        #expect(try tool.expect("task", "dead", "redrive", id).text == "\(id) available\n")
        #expect(try tool.run("task", "dead", "edit", id, "{}").status == 1)
        try tool.expect("task", "run", "--drain", "--", "cat")
        #expect(try tool.expect("task", "result", id).text == "{\"n\":2}")
        #expect(try tool.expect("task", "dead", "list").lines.count == 1)
    }

    @Test func `exit code 65 is not tried again; a signal, a limit and too much output are told`() throws {
        let tool = try Tool()
        let rejected = try publish(tool, "reject")[0]
        let killed = try publish(tool, "kill")[0]
        let slow = try publish(tool, "slow")[0]
        let stubborn = try publish(tool, "stubborn")[0]
        let large = try publish(tool, "large")[0]
        let script = """
            case $SLUICE_TASK_NAME in
            reject) echo no good >&2; exit 65;;
            kill) kill -9 $$;;
            slow) exec sleep 60;;
            stubborn) trap '' TERM; while :; do sleep 60; done;;
            large) head -c 600000 /dev/zero;;
            esac
            """
        try tool.expect(
            "task", "run", "--attempts", "1", "--soft-limit", "300ms", "--hard-limit", "600ms", "-c", "5",
            "--drain", "--", "sh", "-c", script)
        func cause(_ id: String) throws -> String {
            let text = try tool.expect("task", "show", id).text
            #expect(text.contains("state     dead\n"), "\(text)")
            return text
        }
        #expect(try cause(rejected).contains("exit code 65: no good"))
        #expect(try cause(killed).contains("ended by signal 9"))
        #expect(try cause(slow).contains("soft limit of 0.3 seconds: ended by signal 15"))
        #expect(try cause(stubborn).contains("killed at its hard limit of 600ms"))
        #expect(try cause(large).contains("more than the 524288 bytes"))
    }

    @Test func `times, priorities, groups and unique keys are as they were asked for`() throws {
        let tool = try Tool()
        let later = try publish(tool, "a", "--after", "1h")[0]
        let low = try publish(tool, "a", "low", "--priority", "1")[0]
        let high = try publish(tool, "a", "high", "--priority", "9")[0]
        let unique = try publish(tool, "a", "--unique", "k", "--at", "2090-01-01T00:00:00Z")[0]
        let again = try publish(tool, "a", "--unique", "k", "--json")[0]
        #expect(again == "{\"id\":\"\(unique)\",\"isNew\":false}")
        let expired = try publish(tool, "a", "--expires-after", "0")[0]
        #expect(try tool.expect("task", "show", unique).text.contains("due       2090-01-01T00:00:00.000Z"))
        let order = tool.scratch.path + "/order"
        try tool.expect("task", "run", "--drain", "--", "sh", "-c", "cat >> \(order); echo >> \(order)")
        #expect(try String(contentsOfFile: order, encoding: .utf8) == "high\nlow\n")
        #expect(try tool.expect("task", "cancel", unique).text == "\(unique) cancelled\n")
        #expect(try tool.expect("task", "retry", later).text == "\(later) available\n")
        #expect(try tool.expect("task", "show", expired).text.contains("state     expired"))
        // Of several the others are done, and the exit code tells.
        let mixed = try tool.run("task", "cancel", low, "no-id", later)
        #expect(mixed.status == 1 && mixed.text == "\(later) cancelled\n", "\(mixed.text)")
        #expect(mixed.errors.contains("no-id") && mixed.errors.contains("succeeded"), "\(mixed.errors)")
        _ = high
    }

    @Test func `a paused queue gives nothing out, and dead tasks are purged`() throws {
        let tool = try Tool()
        _ = try publish(tool, "a", "x\ny", "--lines", "-q", "mail")
        #expect(try tool.expect("queue", "pause", "mail").text == "paused queue mail\n")
        #expect(try tool.expect("queue", "describe", "mail").text.contains("paused     yes\n"))
        try tool.expect("queue", "resume", "mail")
        try tool.expect(
            "task", "run", "-q", "mail", "--attempts", "1", "--drain", "--", "false")
        #expect(try tool.expect("queue", "describe", "mail").text.contains("dead       2\n"))
        #expect(try tool.expect("task", "dead", "purge", "--all", "-q", "mail").text == "2 tasks removed\n")
        #expect(try tool.expect("task", "list", "-q", "mail").lines.count == 1)
        let missing = try tool.run("queue", "describe", "nothing")
        #expect(missing.status == 1 && missing.errors.contains("no queue \"nothing\""), "\(missing.errors)")
        #expect(try tool.expect("queue", "list", "--json").lines.count == 1)
    }

    @Test(arguments: [
        ["task", "publish"], ["task", "publish", "a", "x", "--file", "y"],
        ["task", "list", "--state", "lost"],
        ["task", "publish", "a", "--after", "soon"], ["task", "publish", "a", "--priority", "10"],
        ["task", "publish", "a", "--after", "1s", "--at", "0"],
        ["task", "publish", "a", "--unique-for", "1s"],
        ["task", "run"], ["task", "run", "--", "/no/such/program"], ["task", "run", "-c", "0", "--", "cat"],
        ["task", "dead", "redrive"], ["task", "dead", "purge", "id", "--all"], ["task", "cancel"],
        ["task", "publish", "a", "x", "--even-if-failed"], ["queue", "limit"],
        ["queue", "limit", "q", "--rate", "10"],
        ["queue", "limit", "--concurrency", "0"],
        ["queue", "limit", "--task-rate", "a"], ["queue", "limit", "--none", "all", "--rate", "1/s"],
        ["queue", "limit", "--none", "sense"], ["queue", "limit", "--rate", "1/s:0"],
    ])
    func `wrong usage of tasks is exit 2`(_ arguments: [String]) throws {
        let tool = try Tool()
        #expect(try tool.run(arguments, input: Data()).status == 2)
    }

    @Test func `spans are read as people write them`() {
        for (text, milliseconds) in [
            ("0", 0), ("1.5", 1_500), ("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000),
            ("10d", 864_000_000),
        ] {
            #expect(TimeSpan(argument: text)?.milliseconds == Int64(milliseconds), "\(text)")
        }
        for text in ["", "s", "-1s", "1w", "1e3", "1 s", "1..2", "99999999999999d", "٣s"] {
            #expect(TimeSpan(argument: text) == nil, "\(text)")
        }
        #expect(TimeSpan(milliseconds: 600_000).defaultValueDescription == "10m")
        #expect(TimeSpan(milliseconds: 1_500).defaultValueDescription == "1500ms")
    }

    @Test func `a task runs after others, reads what they returned, and is cancelled when one fails`() throws
    {
        let tool = try Tool()
        let one = try publish(tool, "part", "1")[0]
        let two = try publish(tool, "part", "2")[0]
        let sum = try publish(tool, "sum", "-", "--run-after", "\(one),\(two)")[0]
        let bad = try publish(tool, "bad", "x")[0]
        let next = try publish(tool, "sum", "-", "--run-after", bad)[0]
        let anyway = try publish(tool, "part", "3", "--run-after", bad, "--even-if-failed")[0]
        #expect(try tool.expect("task", "show", sum).text.contains("waits for \(one)\n          \(two)\n"))
        #expect(try tool.expect("task", "list", "--state", "waiting").lines[1].contains("after \(one), …"))
        let script = """
            case $SLUICE_TASK_NAME in
            part) cat;;
            sum) for id in $SLUICE_AFTER; do \(Tool.binary.path) task result $id; done;;
            bad) exit 65;;
            esac
            """
        try tool.expect("task", "run", "--drain", "--", "sh", "-c", script)
        #expect(try tool.expect("task", "result", sum).text == "12")
        #expect(try tool.expect("task", "result", anyway).text == "3")
        let show = try tool.expect("task", "show", next).text
        #expect(show.contains("state     cancelled\n"), "\(show)")
        #expect(show.contains("cause     \(bad), which it runs after, is dead\n"), "\(show)")
        let missing = try tool.run("task", "publish", "a", "x", "--run-after", String(bad.reversed()))
        #expect(missing.status == 1 && missing.errors.contains("no task"), "\(missing.errors)")
    }

    @Test func `limits are set, shown, changed one by one and taken away`() throws {
        let tool = try Tool()
        let lines = try tool.expect(
            "queue", "limit", "default", "--concurrency", "20", "--tenant-rate", "10/s",
            "--tenant-concurrency",
            "2", "--task-rate", "shout=100/m:7"
        ).lines
        #expect(
            lines == [
                "limit      20 at a time", "limit      2 at a time, 10/s, 1 at once, for each tenant",
                "limit      100/m, 7 at once, of shout",
            ])
        try tool.expect("queue", "limit", "--none", "tenant-concurrency", "--rate", "5000/h")
        let text = try tool.expect("queue", "describe").text
        #expect(text.contains("limit      20 at a time, 5000/h, 1 at once\n"), "\(text)")
        #expect(text.contains("limit      10/s, 1 at once, for each tenant\n"), "\(text)")
        #expect(try tool.expect("queue", "limit", "--none", "all").text == "queue default has no limits\n")
        let refused = try tool.run("queue", "limit", "--rate", "2000000/s")
        #expect(
            refused.status == 1 && refused.errors.contains("from 1 to 1000000 tasks"), "\(refused.errors)")
    }

    @Test func `what a tenant has is done within its limit, and its tasks say whose they are`() throws {
        let tool = try Tool()
        let first = try publish(tool, "a", "x", "--tenant", "t")[0]
        _ = try publish(tool, "a", "y", "--tenant", "t")
        _ = try publish(tool, "a", "z", "--tenant", "u")
        try tool.expect("queue", "limit", "--tenant-concurrency", "1")
        #expect(try tool.expect("task", "show", first).text.contains("tenant    t\n"))
        // One at a time of each, whatever the worker could do.
        let script = """
            n=$(cat); mkdir \(tool.scratch.path)/$n.lock || exit 65
            case $n in x|y) mkdir \(tool.scratch.path)/t || exit 65; rmdir \(tool.scratch.path)/t;; esac
            """
        let run = try tool.expect("task", "run", "-c", "4", "--drain", "--", "sh", "-c", script)
        #expect(run.errors.contains("3 tasks done, 0 attempts failed"), "\(run.errors)")
    }

    @Test func `a store in a place where there is none is made by a publisher alone`() throws {
        let tool = try Tool()
        #expect(try tool.run("task", "list").errors.contains("There is no store"))
        #expect(try tool.run("queue", "pause").status == 1)
        _ = try publish(tool, "a")
        #expect(try states(tool) == ["available"])
    }
}
#endif
