// `sluice user`, and `sluice serve` with a certificate: passwords from where they may come, users beside a
// server that runs.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct UserToolTests {
    @Test func `users are made, listed and deleted`() throws {
        let tool = try Tool()
        #expect(try tool.run("user", "list").errors.contains("There is no store"))
        try tool.expect("topic", "create", "t")
        #expect(
            try tool.expect("user", "create", "ann", input: "pencil\nmore\n").text == "created user ann\n")
        let file = tool.scratch.path + "/password"
        try "brush\n".write(toFile: file, atomically: false, encoding: .utf8)
        try tool.expect("user", "create", "bob", "--password-file", file)
        let taken = try tool.run("user", "create", "ann", input: "other")
        #expect(taken.status == 1 && taken.errors.contains("--replace"))
        try tool.expect("user", "create", "ann", "--replace", input: "other")
        let lines = try tool.expect("user", "list").lines
        #expect(lines.count == 3 && lines[1].contains("ann") && lines[1].contains("SCRAM-SHA-512"))
        try tool.expect("user", "delete", "ann")
        #expect(try tool.run("user", "delete", "ann").errors.contains("no user"))
        #expect(try tool.expect("user", "list").lines.count == 2)
        // Nowhere in the store is a password.
        for name in try FileManager.default.subpathsOfDirectory(atPath: tool.scratch.store) {
            let data = FileManager.default.contents(atPath: "\(tool.scratch.store)/\(name)") ?? Data()
            #expect(data.range(of: Data("pencil".utf8)) == nil && data.range(of: Data("brush".utf8)) == nil)
        }
    }

    @Test func `a password that is none is refused`() throws {
        let tool = try Tool()
        try tool.expect("topic", "create", "t")
        for (arguments, input) in [
            (["user", "create", "ann"], ""), (["user", "create", "ann"], "\n"),
            (["user", "create", "ann", "--password-file", "/nonexistent"], "x"),
            (["user", "create", "a\nb"], "x"),
            (["user", "create", "ann"], String(repeating: "x", count: 2000)),
            (["user", "create", "ann"], String(repeating: "x", count: 20_000)),
        ] {
            let result = try tool.run(arguments, input: Data(input.utf8))
            #expect(result.status == 1, "\(arguments)")
        }
        #expect(try tool.run("user", "create", "ann", "pencil").status == 2)
        let environment = ["SLUICE_STORE": tool.scratch.store, "SLUICE_PASSWORD": "pencil"]
        #expect(try tool.run("user", "create", "ann", environment: environment).status == 0)
    }

    @Test func `a server that runs is told of users`() throws {
        let tool = try Tool()
        // It has said that nobody can come in; then that it listens.
        let process = try tool.serve("--sasl") { #expect($0.contains("no users yet")) }
        try tool.expect("user", "create", "ann", input: "pencil\n")
        #expect(try tool.run("user", "create", "ann", input: "pencil\n").errors.contains("exists"))
        #expect(try tool.expect("user", "list").lines.count == 2)
        try tool.expect("user", "delete", "ann")
        #expect(try tool.run("user", "delete", "ann").status == 1)
        try tool.expect("user", "create", "ann", input: "pencil\n")
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(try tool.expect("user", "list").lines.count == 2)
    }

    @Test func `a certificate that cannot be used is told of before there is a store`() throws {
        let tool = try Tool()
        let key = tool.scratch.path + "/key.pem"
        try "nothing".write(toFile: key, atomically: false, encoding: .utf8)
        #expect(try tool.run("serve", "--tls-cert", key).status == 2)
        let missing = try tool.run("serve", "--tls-cert", "/nonexistent.pem", "--tls-key", key)
        #expect(missing.status == 1 && missing.errors.contains("no file /nonexistent.pem"))
        let empty = try tool.run("serve", "--tls-cert", key, "--tls-key", key)
        #expect(empty.status == 1 && empty.errors.contains("no certificate"))
        #expect(!FileManager.default.fileExists(atPath: tool.scratch.store + "/meta.properties"))
    }
}
#endif
