// The command line from outside: what it prints, how it ends, what bad input gets.

#if Tool
import Foundation
import Testing

@Suite struct CommandTests {
    @Test func `a topic is made, listed, described, changed and deleted`() throws {
        let tool = try Tool()
        try tool.expect(
            "topic", "create", "flights", "-p", "3", "-c", "retention.ms=1000", "-c", "segment.bytes=65536")
        #expect(
            try tool.expect("topic", "list").lines.map { $0.split(separator: " ").first } == [
                "NAME", "flights",
            ])
        let described = try tool.expect("topic", "describe", "flights").lines
        #expect(described.contains { $0.split(separator: " ") == ["2", "0", "0", "0"] })
        #expect(described.contains { $0.split(separator: " ") == ["retention.ms", "1000", "topic"] })
        #expect(
            described.contains { $0.split(separator: " ") == ["max.message.bytes", "1048576", "default"] })
        try tool.expect(
            "topic", "alter-config", "flights", "-s", "retention.ms=2000", "-s", "retention.bytes=4096")
        let changed = try tool.expect("topic", "describe", "flights").lines
        #expect(changed.contains { $0.split(separator: " ") == ["retention.ms", "2000", "topic"] })
        #expect(changed.contains { $0.split(separator: " ") == ["segment.bytes", "65536", "topic"] })
        try tool.expect("topic", "delete", "flights")
        #expect(try tool.expect("topic", "list").lines.count == 1)
    }

    @Test func `the store is the option's, else the environment's, else sluice-data`() throws {
        let tool = try Tool()
        let (a, b) = (tool.scratch.path + "/a", tool.scratch.path + "/b")
        try tool.expect("topic", "create", "one", "--store", a)
        try tool.expect("--store", b, "topic", "create", "two")
        #expect(try tool.run("topic", "create", "three", environment: [:]).status == 0)
        #expect(FileManager.default.fileExists(atPath: tool.scratch.path + "/sluice-data/meta.properties"))
        #expect(try tool.run("topic", "list", environment: ["SLUICE_STORE": a]).text.contains("one"))
        #expect(try tool.run("topic", "list", environment: ["SLUICE_STORE": b]).text.contains("two"))
        #expect(!FileManager.default.fileExists(atPath: tool.scratch.store))
    }

    @Test(arguments: [
        ["frobnicate"], ["topic"] + ["frobnicate"], ["topic", "create"], ["topic", "create", "a", "b"],
        ["topic", "create", "a", "-p", "x"], ["topic", "create", "a", "-c", "novalue"],
        ["topic", "alter-config", "a"],
        ["topic", "produce", "a", "-f", "%x"], ["topic", "produce", "a", "-f", "%k%v"],
        ["topic", "produce", "a", "-z", "x"],
        ["topic", "produce", "a", "--acks", "all"], ["topic", "produce", "a", "-o", "%v"],
        ["topic", "produce"],
        ["topic", "produce", "a", "-f", "%k\\t%v\\n", "-k", "x"], ["topic", "consume"],
        ["topic", "consume", "a", "-n", "-1"],
        ["topic", "consume", "a", "-o", "middle"], ["topic", "consume", "a", "-f", "\\q"],
        ["topic", "consume", "a", "--what"],
        ["segment", "dump"], ["verify", "extra"], ["bench", "frobnicate"], ["bench", "--compare", "one"],
        ["bench", "append", "--batch", "0"], ["bench", "append", "--records", "0"],
        ["bench", "append", "--blocking"], ["bench", "append", "--rate", "-1"],
        ["bench", "limit", "--batch", "-1"], ["bench", "limit", "--codec", "zstd"],
        ["bench", "tail", "--size", "4"], ["bench", "open", "--rounds", "0"],
    ])
    func `wrong usage is exit 2, and says how`(arguments: [String]) throws {
        let tool = try Tool()
        let result = try tool.run(arguments, input: Data())
        #expect(result.status == 2, "\(result.errors)")
        #expect(result.errors.hasPrefix("sluice: "))
        #expect(result.output.isEmpty)
    }

    @Test func `help and version are no errors`() throws {
        let tool = try Tool()
        #expect(try tool.expect("--version").text.hasPrefix("sluice "))
        #expect(try tool.expect("--help").text.contains("topic"))
        #expect(try tool.expect("topic", "consume", "--help").text.contains("--exit-at-end"))
    }

    @Test func `what only reads makes no store`() throws {
        let tool = try Tool()
        for arguments in [
            ["topic", "list"], ["topic", "describe", "a"], ["topic", "consume", "a", "-e"],
            ["topic", "produce", "a"],
            ["verify"], ["topic", "delete", "a"], ["topic", "alter-config", "a", "-s", "retention.ms=1"],
        ] {
            let result = try tool.run(arguments, input: Data("x\n".utf8))
            #expect(result.status == 1)
            #expect(result.errors.contains("There is no store at \(tool.scratch.store)"), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: tool.scratch.store))
        }
    }

    @Test func `bad input has its own words each, and exit 1`() throws {
        let tool = try Tool()
        try tool.create("a", "-p", "2", "-c", "max.message.bytes=4096")
        try tool.expect("topic", "produce", "a", "-p", "0", input: "x\ny\n")
        func fails(_ arguments: String..., input: String = "", saying words: String) throws {
            let result = try tool.run(arguments, input: Data(input.utf8))
            #expect(result.status == 1, "\(arguments)")
            #expect(result.errors.contains(words), "\(arguments): \(result.errors)")
        }
        try fails("topic", "create", "a", saying: "exists already")
        try fails("topic", "create", "A", saying: "exists already")
        try fails("topic", "create", "a b", saying: "cannot be the name")
        try fails("topic", "create", "b", "-c", "retention.mss=1", saying: "did you mean retention.ms")
        try fails("topic", "create", "b", "-p", "0", saying: "accepted: 1 to")
        try fails("topic", "produce", "b", saying: "`sluice topic create b` makes it")
        try fails("topic", "consume", "a", "b", "-e", saying: "no topic \"b\"")
        try fails("topic", "consume", "a", "-p", "2", "-e", saying: "has no partition 2")
        try fails("topic", "produce", "a", "-p", "9", saying: "has no partition 9")
        try fails("topic", "consume", "a", "-p", "0", "-o", "3", "-e", saying: "it has 0 to 1")
        try fails(
            "topic", "produce", "a", input: "z\n" + String(repeating: "x", count: 5000) + "\n",
            saying: "Line 2: A record of")
        try fails(
            "topic", "produce", "a", "-f", "%k\\t%v\\n", input: "k\tv\nbad\n",
            saying: "Line 2 has no \"\\t\" after %k")
        try fails("segment", "dump", "nowhere.log", saying: "There is no file nowhere.log")
        try fails("segment", "dump", ".", saying: "is not a file")
        try fails("topic", "list", "--store", "/proc/version", saying: "is not a directory")
        try fails("topic", "list", "--store", tool.scratch.path, saying: "is not a store")
    }

    @Test func `records before a bad line are there`() throws {
        let tool = try Tool()
        try tool.create("a")
        let result = try tool.run(
            "topic", "produce", "a", "-f", "%k\\t%v\\n", "-o", "%o\\n", input: "k\t1\nk\t2\nbad\nk\t3\n")
        #expect(result.status == 1)
        #expect(result.text == "0\n1\n")
        #expect(try tool.expect("topic", "consume", "a", "-e", "-f", "%v\\n").text == "1\n2\n")
    }
}
#endif
