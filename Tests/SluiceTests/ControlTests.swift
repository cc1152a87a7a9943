// The socket of a live store: what it answers, and that no bytes bring it down.

import CSluiceSystem
import Foundation
import SluiceCore
import Testing

@testable import Sluice

@Suite struct ControlTests {
    private func withSocket(_ name: String = "store", _ body: (StreamStore) async throws -> Void) async throws
    {
        let directory = try TemporaryDirectory()
        let path = name == "store" ? directory("store") : directory(name) + "/store"
        if name != "store" { try directory.make(name) }
        let store = try await StreamStore.open(at: path, configuration: quiet { $0.controlSocket = true })
        try await body(store)
        try await store.close()
        #expect(!FileManager.default.fileExists(atPath: path + "/control.sock"))
    }

    /// The result; an error of the store is recorded.
    private func ask(
        _ store: StreamStore, _ request: String, _ members: [String: JSONValue] = [:]
    ) async throws -> JSONValue? {
        switch try await answer(store, request, members) {
        case .result(let value): return value
        case let other:
            Issue.record("\(request): \(other)")
            return nil
        }
    }

    private func code(
        _ store: StreamStore, _ request: String, _ members: [String: JSONValue] = [:]
    ) async throws -> String? {
        if case .refused(let code, _) = try await answer(store, request, members) { code } else { nil }
    }

    /// Asks on a thread: the handlers need those of the pool.
    private func answer(
        _ store: StreamStore, _ request: String, _ members: [String: JSONValue]
    ) async throws -> ControlClient.Answer {
        let path = store.path
        return try await StreamStore.onThread("ask", path) { ControlClient.ask(path, request, members) }
    }

    @Test func `topics are made, described, changed and deleted through the socket`() async throws {
        try await withSocket { store in
            #expect(try await ask(store, "ping")?["pid"]?.integer == Int64(getpid()))
            let settings: JSONValue = ["retention.ms": "5000"]
            _ = try await ask(
                store, "createTopic", ["topic": "a", "partitions": 2, "configuration": settings])
            try await store.append([["x", "y"]], to: "a", 1)
            _ = try await ask(
                store, "alterTopic", ["topic": "a", "configuration": ["segment.bytes": "1048576"]])
            let topic = try await ask(store, "describeTopic", ["topic": "a"])
            #expect(topic?["partitions"]?.array?[1]["end"]?.integer == 2)
            #expect(topic?["configuration"]?["retention.ms"]?.string == "5000")
            #expect(topic?["configuration"]?["segment.bytes"]?.string == "1048576")
            #expect(try await ask(store, "topics")?["topics"]?.array == [topic ?? .null])
            #expect(try await code(store, "createTopic", ["topic": "A"]) == "topicExists")
            _ = try await ask(store, "deleteTopic", ["topic": "a"])
            #expect(try await store.admin.topics().isEmpty)
            #expect(try await code(store, "describeTopic", ["topic": "a"]) == "unknownTopic")
            #expect(try await code(store, "createTopic") == "illegalRequest")
            #expect(
                try await code(store, "createTopic", ["topic": "b", "configuration": ["a": 1]])
                    == "illegalRequest")
            #expect(
                try await code(store, "createTopic", ["topic": "b", "partitions": 0])
                    == "illegalConfiguration")
            #expect(try await code(store, "no such") == "unsupported")
        }
    }

    @Test func `only the owner may open the socket, and a left-over is replaced`() async throws {
        let directory = try TemporaryDirectory()
        try directory.make("store")
        // As a process leaves it that was killed.
        let stale = sluice_control_listen(directory("store"))
        close(stale)
        var status = stat()
        try await StreamStore.open(at: directory("other"), configuration: quiet { $0.controlSocket = true })
            .close()
        try FileManager.default.moveItem(
            atPath: directory("store/control.sock"), toPath: directory("other/control.sock"))
        let store = try await StreamStore.open(
            at: directory("other"), configuration: quiet { $0.controlSocket = true })
        #expect(lstat(directory("other/control.sock"), &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(try await ask(store, "ping") != nil)
        try await store.close()
    }

    @Test func `a path that no socket's address takes works too`() async throws {
        try await withSocket(String(repeating: "long", count: 40)) { store in
            let answer = try await ask(store, "ping")
            #expect(answer != nil)
        }
    }

    @Test func `garbage is refused, and the next one is served`() async throws {
        try await withSocket { store in
            var random = SystemRandomNumberGenerator()
            let whole = ControlMessage.encode(["version": 1, "request": "ping"])
            var inputs: [[UInt8]] = [
                [], [0, 0, 0, 0], [255, 255, 255, 255], [0, 0, 0, 1], [0, 0, 0, 2, 123, 125],
                ControlMessage.encode(["version": 2, "request": "ping"]), ControlMessage.encode([1, 2]),
                [0, 0, 16, 0] + [UInt8](repeating: UInt8(ascii: "["), count: 4096),
            ]
            for _ in 0..<200 {
                inputs.append((0..<Int.random(in: 1...200, using: &random)).map { _ in .random(in: 0...255) })
                var changed = whole
                changed[Int.random(in: 0..<changed.count, using: &random)] = .random(in: 0...255)
                inputs.append(changed)
            }
            for input in inputs {
                let path = store.path
                try await StreamStore.onThread("garbage", path) {
                    let file = sluice_control_connect(path)
                    #expect(file >= 0)
                    _ = input.withUnsafeBytes { sluice_send(file, $0.baseAddress, $0.count) }
                    shutdown(file, Int32(SHUT_WR))
                    // Answered or not, it ends.
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    while buffer.withUnsafeMutableBytes({ sluice_receive(file, $0.baseAddress, $0.count) })
                        > 0
                    {}
                    close(file)
                }
            }
            #expect(try await ask(store, "ping") != nil)
        }
    }

    @Test func `requests may come in pieces, and one after another`() async throws {
        try await withSocket { store in
            let path = store.path
            let count = try await StreamStore.onThread("pieces", path) { Self.askInPieces(path) }
            #expect(count == 2)
        }
    }

    /// Two requests, byte by byte; how many answers came.
    private static func askInPieces(_ path: String) -> Int {
        let file = sluice_control_connect(path)
        defer { close(file) }
        let message = ControlMessage.encode(["version": 1, "request": "ping"])
        for byte in message + message {
            _ = withUnsafeBytes(of: byte) { sluice_send(file, $0.baseAddress, 1) }
        }
        var input = ControlInput()
        var answers = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answers < 2 {
            if case .message = input.next() {
                answers += 1
                continue
            }
            let count = buffer.withUnsafeMutableBytes { sluice_receive(file, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            input.append(buffer[..<count])
        }
        return answers
    }

    @Test func `many at once are served, in turn where there are too many`() async throws {
        try await withSocket { store in
            let path = store.path
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        let answer = try? await StreamStore.onThread("ask", path) {
                            ControlClient.ask(path, "ping", [:])
                        }
                        if case .result? = answer { return true } else { return false }
                    }
                }
                for await isAnswered in group { #expect(isAnswered) }
            }
        }
    }

    @Test func `a store that is dropped takes its socket along`() async throws {
        let directory = try TemporaryDirectory()
        var store: StreamStore? = try await .open(
            at: directory("s"), configuration: quiet { $0.controlSocket = true })
        #expect(store != nil)
        store = nil
        #expect(await turns { !FileManager.default.fileExists(atPath: directory("s/control.sock")) })
    }
}
