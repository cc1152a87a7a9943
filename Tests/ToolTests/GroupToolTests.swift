// `sluice group …` and `topic consume -g`, alone and beside a program that has the store open.

#if Tool
import Foundation
import Testing

@Suite struct GroupToolTests {
    private func filled(_ count: Int = 10) throws -> Tool {
        let tool = try Tool()
        try tool.expect("topic", "create", "a", "-p", "2")
        for partition in 0..<2 {
            let lines = (0..<count).map { "\(partition)-\($0)\n" }.joined()
            try tool.expect("topic", "produce", "a", "-p", "\(partition)", input: lines)
        }
        return tool
    }

    @Test func `a member goes on where the one before has stopped, record by record`() throws {
        let tool = try filled()
        var seen: [String] = []
        for _ in 0..<4 {
            seen += try tool.expect("topic", "consume", "a", "-g", "g", "-n", "5", "-f", "%v\\n").lines
        }
        #expect(seen.sorted() == (0..<2).flatMap { p in (0..<10).map { "\(p)-\($0)" } }.sorted())
        let list = try tool.expect("group", "list").lines
        #expect(list.first == "NAME  STATE  MEMBERS  PARTITIONS  LAG")
        #expect(list.last == "g     Empty  0        2           0")
    }

    @Test func `a group is described, moved and deleted`() throws {
        let tool = try filled()
        #expect(try tool.run("group", "describe", "g").errors.contains("There is no group \"g\""))
        #expect(try tool.run("group", "seek", "g", "--to", "start").status == 1)
        let moved = try tool.expect("group", "seek", "g", "--to", "4", "--topic", "a").lines
        #expect(moved == ["TOPIC  PARTITION  COMMITTED", "a      0          4", "a      1          4"])
        let text = try tool.expect("group", "describe", "g").text
        #expect(text.contains("state       Empty\n") && text.contains("lag         12 records, "), "\(text)")
        #expect(try tool.expect("topic", "consume", "a", "-g", "g", "-n", "1", "-f", "%o").text == "4")
        try tool.expect("group", "delete", "g")
        #expect(try tool.run("group", "delete", "g").status == 1)
        #expect(try tool.expect("group", "list").lines.count == 1)
    }

    @Test(arguments: [
        ["topic", "consume", "a", "-g", "g", "-e"], ["topic", "consume", "a", "-g", "g", "-p", "0"],
        ["group", "seek", "g", "--to", "yesterday"], ["group", "seek", "g"], ["group", "x"],
    ])
    func `wrong usage of groups is exit 2`(_ arguments: [String]) throws {
        let tool = try filled(1)
        #expect(try tool.run(arguments, input: Data()).status == 2)
    }

    @Test func `beside a program groups are asked for through its socket`() throws {
        let tool = try filled()
        // A member that waits for more.
        let member = tool.process(["topic", "consume", "a", "-g", "g", "-f", "%v\\n"])
        let output = Pipe()
        member.standardOutput = output
        try member.run()
        var seen = Data()
        while seen.split(separator: 10).count < 20 { seen += output.fileHandleForReading.availableData }
        let text = try tool.expect("group", "describe", "g").text
        #expect(text.contains("state       Stable\n") && text.contains("in-process"), "\(text)")
        #expect(text.contains("cooperative-sticky") && text.contains("lag         0 records"), "\(text)")
        #expect(try tool.expect("group", "list").lines.last == "g     Stable  1        2           0")
        let refused = try tool.run("group", "seek", "g", "--to", "start")
        #expect(refused.status == 1 && refused.errors.contains("has members"), "\(refused.errors)")
        #expect(try tool.run("group", "delete", "g").status == 1)
        // What is read beside it does not disturb it.
        #expect(try tool.expect("topic", "consume", "a", "-e").lines.count == 20)
        member.interrupt()
        member.waitUntilExit()
        #expect(member.terminationStatus == 0)
        #expect(try tool.expect("group", "list").lines.last == "g     Empty  0        2           0")
    }

    @Test func `a member of another process shares the group of a live store`() throws {
        let tool = try filled(100)
        let server = try tool.serve()
        // One after another: each goes on where the one before has stopped.
        var seen: [String] = []
        for _ in 0..<4 {
            seen += try tool.expect("topic", "consume", "a", "-g", "g", "-n", "30", "-f", "%v\n").lines
        }
        #expect(Set(seen).count == 120 && seen.count == 120)
        // Beside each other: both have a partition, and one that is killed leaves it to the other.
        let members = try (0..<2).map { _ in
            let member = tool.process(["topic", "consume", "a", "-g", "g", "-f", "%v\n"])
            let output = Pipe()
            member.standardOutput = output
            try member.run()
            return (member, output)
        }
        while !(try tool.expect("group", "list").text.contains("Stable  2")) {}
        kill(members[0].0.processIdentifier, SIGKILL)
        members[0].0.waitUntilExit()
        while !(try tool.expect("group", "list").text.contains("Stable  1        2           0\n")) {}
        members[1].0.interrupt()
        members[1].0.waitUntilExit()
        #expect(members[1].0.terminationStatus == 0)
        for (_, output) in members {
            seen += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                .split(separator: "\n").map(String.init)
        }
        // What the killed one had printed and not committed may have come again.
        #expect(Set(seen) == Set((0..<2).flatMap { p in (0..<100).map { "\(p)-\($0)" } }))
        let unknown = try tool.run("topic", "consume", "nothing", "-g", "g")
        #expect(unknown.status == 1 && unknown.errors.contains("nothing"), "\(unknown.errors)")
        server.terminate()
        server.waitUntilExit()
        #expect(server.terminationStatus == 0)
    }
}
#endif
