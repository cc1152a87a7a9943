// What a worker does with tasks of one kind.

import Sluice
import SluiceCore

/// What a handler throws that wants a task not to be tried again: it is dead at once.
public struct TaskRejection: Error, Hashable, Sendable {
    /// Why.
    public var reason: String
    /// A task that is not to be tried again.
    public init(_ reason: String) { self.reason = reason }
}

/// What a handler throws that knows when trying again makes sense. The attempt counts.
public struct TaskPostponement: Error, Hashable, Sendable {
    /// When, from now.
    public var after: Duration
    /// Why.
    public var reason: String
    /// A task that is to be tried again after a span.
    public init(after: Duration, _ reason: String) {
        self.after = after
        self.reason = reason
    }
}

/// A kind of task, and what is done with it.
public struct TaskHandler: Sendable {
    /// nil: of every kind.
    let name: String?
    let retry: RetryPolicy
    let softLimit: Duration?
    let hardLimit: Duration?
    let run: @Sendable (ArraySlice<UInt8>, TaskContext) async throws -> [UInt8]

    /// - Parameters:
    ///   - retry: how often a task is tried; of what its body throws the description is its cause.
    ///   - softLimit: how long the body may take before its task is cancelled, as Swift's tasks are: it is to
    ///     clean up and throw, or return what it has.
    ///   - hardLimit: how long before the attempt counts as failed, whatever the body does. One that never
    ///     returns is left behind, and holds its memory, but no place among the worker's tasks.
    ///   - body: what is done. It may be done more than once, when a worker dies: make it idempotent.
    ///     `TaskRejection` and `TaskPostponement` are for it to throw.
    public init<T: TaskPayload>(
        _ type: T.Type, retry: RetryPolicy = .init(), softLimit: Duration? = nil,
        hardLimit: Duration? = nil, _ body: @escaping @Sendable (T, TaskContext) async throws -> T.Output
    ) {
        name = T.taskName
        self.retry = retry
        self.softLimit = softLimit
        self.hardLimit = hardLimit
        run = { payload, context in
            let task: T
            do throws(TaskError) {
                task = try TaskCoder.decode(T.self, payload)
            } catch {
                throw TaskRejection(error.description)
            }
            let output = try await body(task, context)
            do throws(TaskError) {
                return try TaskCoder.encode(output)
            } catch {
                throw TaskRejection(error.description)
            }
        }
    }

    /// A handler of bytes: for tasks whose payload is not JSON, and for programs that pass it on.
    ///
    /// - Parameter name: the kind of task; nil: every kind for which the worker has no other handler.
    public init(
        name: String?, retry: RetryPolicy = .init(), softLimit: Duration? = nil, hardLimit: Duration? = nil,
        body: @escaping @Sendable ([UInt8], TaskContext) async throws -> [UInt8]
    ) {
        self.name = name
        self.retry = retry
        self.softLimit = softLimit
        self.hardLimit = hardLimit
        run = { payload, context in try await body([UInt8](payload), context) }
    }
}

/// What a handler knows of its task beside the payload.
public struct TaskContext: Sendable {
    /// Which task.
    public let id: TaskID
    /// Which attempt this is, from 1.
    public let attempt: Int
    /// The kind of task.
    public let name: String
    /// The tasks that it runs after, in the order in which they were given.
    public let after: [TaskID]
    /// The queue's name.
    public var queue: String { source.name }
    let lease: TaskLease
    let source: any TaskSource

    /// What a task has returned that this one runs after, or any other of the queue that has ended.
    ///
    /// Throws `ended` when it did not end well, or has not ended; `coding` when that is no `Output`;
    /// `unknownTask`, `stream`.
    public nonisolated(nonsending) func result<Output: Decodable>(
        of task: TaskID, as type: Output.Type = Output.self
    ) async throws(TaskError) -> Output {
        try TaskCoder.decode(type, try await source.result(of: task))
    }

    /// The same as bytes: of a handler of bytes, or to pass it on.
    public nonisolated(nonsending) func resultBytes(of task: TaskID) async throws(TaskError) -> [UInt8] {
        [UInt8](try await source.result(of: task))
    }

    /// Says how far the task has come. Cheap; in the log once a second at most.
    ///
    /// - Parameters:
    ///   - fraction: 0 … 1, or whatever those who ask make of it.
    ///   - note: at most 256 bytes; the rest is cut off.
    /// - Throws: `leaseLost`: another may have the task: stop. `stream`.
    public nonisolated(nonsending) func progress(
        _ fraction: Double, _ note: String? = nil
    ) async throws(TaskError) {
        try await source.report(TaskProgress(fraction: fraction, note: note ?? ""), of: lease)
    }

    /// Makes the lease hold for so long from now, and for as long at each of the worker's heartbeats.
    ///
    /// Throws `leaseLost`, `illegal` above 12 hours, `stream`.
    public nonisolated(nonsending) func extend(by span: Duration) async throws(TaskError) {
        try await source.extend(lease, by: span)
    }
}
