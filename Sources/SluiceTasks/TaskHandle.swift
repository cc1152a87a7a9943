// A task from the outside: what it is at, what it has come to, and that it is wanted no more.

import Sluice
import SluiceCore

/// A task that was published. It is its id and its queue: cheap to make, to keep and to drop.
public struct TaskHandle<T: TaskPayload>: Sendable {
    /// Which task.
    public let id: TaskID
    let engine: QueueEngine

    /// Where the task stands. Throws `unknownTask` once it was removed; `stream`.
    public nonisolated(nonsending) func status() async throws(TaskError) -> TaskStatus {
        try await engine.status(of: id)
    }

    /// Wants the task no more: it is not begun, and who runs it loses it and is cancelled.
    ///
    /// Throws `notPossible` when it is in a final state; `unknownTask`, `stream`.
    public nonisolated(nonsending) func cancel() async throws(TaskError) {
        try await engine.change(id) { state, now throws(TaskRefusal) in
            try state.machine.cancel(id.identity, now: now)
        }
    }

    /// Waits until the task is in a final state, and gives what it returned.
    ///
    /// - Parameter limit: how long to wait; nil: as long as it takes. The task itself goes on.
    /// - Throws: `ended` when there is no result: dead, cancelled, expired; `timedOut`; `coding` when the
    ///   result is no `T.Output`; `unknownTask`, `stream`, `cancelled`.
    public nonisolated(nonsending) func result(
        within limit: Duration? = nil
    ) async throws(TaskError) -> T.Output {
        let watch = TaskWatch(isForEnd: true)
        var isWatched = false
        defer { if isWatched { engine.remove(watch, from: id) } }
        let deadline = limit.map { engine.moment(after: $0) }
        if let deadline { engine.served.schedule(at: deadline) { watch.notify() } }
        while true {
            switch try await engine.ending(of: id, watch, isWatched: &isWatched) {
            case .result(let bytes): return try TaskCoder.decode(T.Output.self, bytes)
            case .stored(let summary):
                return try TaskCoder.decode(T.Output.self, try await engine.result(of: summary))
            case .other: throw .ended(try await engine.status(of: id))
            case .none: break
            }
            if let deadline, engine.moment(after: .zero) >= deadline { throw .timedOut }
            guard await watch.changed() else { throw .cancelled }
        }
    }

    /// What the task is at, whenever that changes; the last is a final state. Of changes that come faster
    /// than they are taken only the last is told.
    public var updates: Updates { Updates(id: id, engine: engine) }

    /// The changes of a task.
    public struct Updates: AsyncSequence, Sendable {
        /// What comes.
        public typealias Element = TaskStatus
        /// What may go wrong.
        public typealias Failure = TaskError
        let id: TaskID
        let engine: QueueEngine

        /// Begins with what the task is at now.
        public func makeAsyncIterator() -> Iterator { Iterator(id: id, engine: engine) }

        /// One loop over the changes.
        public final class Iterator: AsyncIteratorProtocol {
            private let id: TaskID
            private let engine: QueueEngine
            private let watch = TaskWatch()
            private var last: TaskStatus?

            init(id: TaskID, engine: QueueEngine) {
                self.id = id
                self.engine = engine
                engine.add(watch, to: id)
            }

            deinit { engine.remove(watch, from: id) }

            /// The next status; nil behind a final one. Throws `unknownTask`, `stream`, `cancelled`.
            public func next() async throws(TaskError) -> TaskStatus? {
                if last?.state.isFinal == true { return nil }
                while true {
                    let status = try await engine.status(of: id)
                    if status != last {
                        last = status
                        return status
                    }
                    guard await watch.changed() else { throw .cancelled }
                }
            }

            /// As `next()`.
            public func next(
                isolation actor: isolated (any Actor)?
            ) async throws(TaskError) -> TaskStatus? {
                try await next()
            }
        }
    }
}

extension Collection {
    /// What all of a group of tasks returned, in their order, once the last has ended.
    ///
    /// - Parameter limit: how long to wait for each; nil: as long as it takes.
    /// - Throws: as `TaskHandle.result(within:)`, for the first that has no result.
    public nonisolated(nonsending) func results<T: TaskPayload>(
        within limit: Duration? = nil
    ) async throws(TaskError) -> [T.Output] where Element == TaskHandle<T> {
        var results: [T.Output] = []
        for handle in self { results.append(try await handle.result(within: limit)) }
        return results
    }
}

extension TaskHandle: Hashable {
    /// The same task.
    public static func == (a: Self, b: Self) -> Bool { a.id == b.id }
    /// By the id.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// Told when a task may have changed. One waits at a time.
final class TaskWatch: Sendable {
    private struct State {
        var hasChanged = false
        var pending: PendingAnswer<Void>?
    }
    private let state = Locked(State())
    /// Whether it is only to be told when the task is in a final state, or gone.
    let isForEnd: Bool

    init(isForEnd: Bool = false) { self.isForEnd = isForEnd }

    func notify() {
        let pending = state.withLock { state -> PendingAnswer<Void>? in
            guard let pending = state.pending.take() else {
                state.hasChanged = true
                return nil
            }
            return pending
        }
        pending?.give(())
    }

    /// Waits until there was a change since the last call. False when the caller was cancelled.
    nonisolated(nonsending) func changed() async -> Bool {
        let pending = PendingAnswer<Void>()
        let isThere = state.withLock { state in
            if state.hasChanged {
                state.hasChanged = false
                return true
            }
            state.pending = pending
            return false
        }
        if isThere { return true }
        return await pending.value() != nil
    }
}
