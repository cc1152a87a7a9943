// What the tests of tasks share: stores in memory that vanish, kinds of tasks, workers for as long as a body
// runs.

import Foundation
import Logging
@testable import Sluice
@testable import SluiceTasks
import Testing

struct Add: TaskPayload {
    typealias Output = Int
    static let taskName = "add"
    var a: Int
    var b: Int
}

struct Shout: TaskPayload {
    struct Output: Codable, Sendable, Hashable { var text: String }
    static let taskName = "shout"
    var text: String
}

struct Nothing: TaskPayload {
    static let taskName = "nothing"
}

/// A store's directory that is gone with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        path = "\(base)/sluice-tasks-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    func open(_ change: (inout StoreConfiguration) -> Void = { _ in }) async throws -> StreamStore {
        let configuration = StoreConfiguration {
            $0.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            $0.volume.journalBytes = 2 << 20
            $0.controlSocket = false
            change(&$0)
        }
        return try await StreamStore.open(at: path + "/store", configuration: configuration)
    }
}

/// Runs `body` with a store of its own, and closes it.
func withStore<R>(_ body: (StreamStore) async throws -> R) async throws -> R {
    let directory = try TemporaryDirectory()
    let store = try await directory.open()
    do {
        let result = try await body(store)
        try await store.close()
        return result
    } catch {
        try? await store.close()
        throw error
    }
}

/// A queue in a store of its own.
func withQueue<R>(
    _ configuration: QueueConfiguration = .init(), _ body: (TaskQueue, StreamStore) async throws -> R
) async throws -> R {
    try await withStore { store in
        try await body(try await TaskQueue("q", in: store, configuration: configuration), store)
    }
}

/// Runs a worker beside `body`.
func withWorker<R: Sendable>(
    _ queue: TaskQueue, concurrency: Int = 4, _ handlers: [TaskHandler],
    configuration: WorkerConfiguration = .init(), _ body: () async throws -> R
) async throws -> R {
    let worker = Worker(
        queue, concurrency: concurrency, configuration: configuration, handlers: handlers)
    let run = Task { try await worker.run() }
    do {
        let result = try await body()
        run.cancel()
        try await run.value
        return result
    } catch {
        run.cancel()
        throw error
    }
}

/// Waits for something that another says once.
final class Signal: Sendable {
    private let pending = PendingAnswer<Void>()
    func give() { pending.give(()) }
    func wait() async { _ = await pending.value() }
}

/// A count that several tasks raise.
final class Counter: Sendable {
    private let state = Locked(0)
    @discardableResult
    func add(_ number: Int = 1) -> Int {
        state.withLock { state in
            state += number
            return state
        }
    }
    func raise(to number: Int) { state.withLock { $0 = max($0, number) } }
    var value: Int { state.withLock { $0 } }
}

let adding = TaskHandler(Add.self) { task, _ in task.a + task.b }

struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Fails at once, so that no test waits for a back-off.
let impatient = RetryPolicy {
    $0.attempts = 3
    $0.base = .zero
}
