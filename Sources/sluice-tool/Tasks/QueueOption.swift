// Which queue, and how it is asked: here, or by the process that has the store open.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceTasks

struct QueueOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "The queue's name.")
    var queue = "default"

    @OptionGroup var store: StoreOption

    /// Asks something of the queue, once.
    func ask(
        _ request: String, _ members: [String: JSONValue] = [:], mayMake: Bool = false
    ) async throws -> JSONValue {
        try await store.withQueues(mayMake: mayMake) { try await $0.ask(request, of: queue, members) }
    }

    /// Asks as often as `body` wants.
    func withQueue<R>(mayMake: Bool = false, _ body: (QueueAsker) async throws -> R) async throws -> R {
        try await store.withQueues(mayMake: mayMake, body)
    }
}

/// Answers requests about queues: SluiceTasks/Requests has the list.
struct QueueAsker {
    /// nil: another process has the store open.
    let store: StreamStore?
    let path: String

    /// Throws `failed` with what the store says.
    func ask(
        _ request: String, of queue: String, _ members: [String: JSONValue] = [:]
    ) async throws -> JSONValue {
        var members = members
        members["queue"] = .string(queue)
        if let store { return try await TaskRequests.answer(request, members, store) }
        switch ControlClient.ask(path, request, members) {
        case .result(let json): return json
        case .refused("unsupported", _): throw ToolError.failed(Self.unsupported(path))
        case .refused(_, let message): throw ToolError.failed(message)
        case .silent:
            throw ToolError.failed(
                "The process that has the store \(path) open has ended, or did not answer. Try again.")
        }
    }

    static func unsupported(_ path: String) -> String {
        """
        The program that has the store \(path) open answers nothing about queues of tasks: it has to open \
        one itself (TaskQueue of SluiceTasks) before others can ask it.
        """
    }
}

extension StoreOption {
    /// Opens the store, or finds who has it open.
    func withQueues<R>(mayMake: Bool = false, _ body: (QueueAsker) async throws -> R) async throws -> R {
        do {
            return try await withStore(.init(), mayMake: mayMake) { store in
                try await body(QueueAsker(store: store, path: path))
            }
        } catch let error as StreamError {
            guard case .locked = error else { throw error }
            guard ControlLine.open(path) != nil else { throw error }
            return try await body(QueueAsker(store: nil, path: path))
        }
    }
}

extension JSONValue {
    /// As `--json` prints it, on one line.
    var line: String { String(decoding: encoded, as: UTF8.self) }

    /// The bytes of a member that is base64.
    func bytes(_ name: String) -> [UInt8] { self[name]?.string.flatMap { Base64.decode($0.utf8) } ?? [] }

    /// A member that is a moment, for people.
    func moment(_ name: String) -> String {
        self[name]?.integer.map { Timestamp(millisecondsSince1970: $0).description } ?? "-"
    }

    static func base64(_ bytes: [UInt8]) -> JSONValue {
        .string(String(decoding: Base64.encode(bytes), as: UTF8.self))
    }
}
#endif
