// The public front of a queue.

public import Sluice
import SluiceCore
import SluiceLog

/// A queue of tasks in a store: publish, and ask what became of it. Workers take from it.
///
/// ```swift
/// let queue = try await TaskQueue("images", in: store)
/// let handle = try await queue.publish(Thumbnail(source: "a.jpg"), .after(.seconds(60)))
/// print(handle.id, try await handle.status().state)
/// ```
/// Everything is durable on return. Queues of one name in one store are the same queue.
public final class TaskQueue: Sendable {
    let engine: QueueEngine

    /// The queue's name.
    public var name: String { engine.name }

    /// Opens a queue, making it when it is missing.
    ///
    /// - Parameters:
    ///   - name: 1 to 240 letters, digits, '.', '_' and '-'.
    ///   - configuration: of the first who opens the queue in this process.
    /// - Throws: `illegal`, `stream`.
    public nonisolated(nonsending) init(
        _ name: String = "default", in store: StreamStore, configuration: QueueConfiguration = .init()
    ) async throws(TaskError) {
        try QueueTopic.check(name)
        engine = ServedStore(store).attachment(QueueTopic.name(of: name)) {
            QueueEngine(store, name: name, configuration: configuration)
        }
        try await engine.ready()
        TaskRequests.serve(store)
    }

    // MARK: Publishing

    /// Publishes a task; it is durable on return.
    ///
    /// - Throws: `stream(.busy)` when there is no room: at once, nothing is taken; `illegal`, `tooLarge`,
    ///   `queueFull`, `unknownTask` of one that it is to run after, `coding`, `stream`, `cancelled`, after
    ///   which it may have been published.
    @discardableResult
    public nonisolated(nonsending) func publish<T: TaskPayload>(
        _ task: T, _ time: TaskTime = .now, options: PublishOptions = .init()
    ) async throws(TaskError) -> TaskHandle<T> {
        try await publish([task], time, options: options)[0]
    }

    /// Publishes tasks, all of them with one sync; the handles are in their order.
    ///
    /// What is refused refuses those behind it too: the ones before are published. Throws as above.
    @discardableResult
    public nonisolated(nonsending) func publish<T: TaskPayload>(
        _ tasks: [T], _ time: TaskTime = .now, options: PublishOptions = .init()
    ) async throws(TaskError) -> [TaskHandle<T>] {
        var drafts: [TaskDraft] = []
        for task in tasks { drafts.append(try Self.draft(task, time, options)) }
        return try await engine.publish(drafts).map { TaskHandle(id: TaskID($0.task), engine: engine) }
    }

    /// Publishes a task as part of an atomic write: with all else of it, or not at all.
    ///
    /// ```swift
    /// let handle = try await store.atomically { write in
    ///     try write.append(to: "uploads", key: "a.jpg", value: "{}")
    ///     return try queue.publish(Thumbnail(source: "a.jpg"), in: &write)
    /// }
    /// ```
    /// Until the write is made nobody sees the task. Tasks of one write may run after one another: a chain or
    /// a chord is published as a whole. Throws `illegal`, `tooLarge`, `queueFull`, `unknownTask` of one that
    /// it is to run after, `coding`, `stream`.
    public func publish<T: TaskPayload>(
        _ task: T, _ time: TaskTime = .now, options: PublishOptions = .init(), in write: inout AtomicWrite
    ) throws(TaskError) -> TaskHandle<T> {
        let identity = try engine.prepare(try Self.draft(task, time, options), &write)
        return TaskHandle(id: TaskID(identity), engine: engine)
    }

    private static func draft<T: TaskPayload>(
        _ task: T, _ time: TaskTime, _ options: PublishOptions
    ) throws(TaskError) -> TaskDraft {
        draft(T.taskName, try TaskCoder.encode(task), time, options)
    }

    static func draft(
        _ name: String, _ payload: [UInt8], _ time: TaskTime, _ options: PublishOptions
    ) -> TaskDraft {
        let now = Timestamp.now
        var draft = TaskDraft(name: name, payload: payload)
        draft.due = time.milliseconds(from: now)
        draft.priority = options.priority
        draft.expires = options.expires?.milliseconds(from: now)
        draft.group = options.group
        draft.tenant = options.tenant
        draft.after = options.after.map(\.identity)
        draft.runsAnyway = options.afterFailure == .run
        draft.uniqueKey = options.uniqueKey
        draft.uniquePeriod = options.uniqueFor?.milliseconds
        return draft
    }

    // MARK: Asking

    /// The handle of a task that was published before, perhaps by another process. It is not looked whether
    /// there is such a task.
    public func handle<T: TaskPayload>(_ type: T.Type, id: TaskID) -> TaskHandle<T> {
        TaskHandle(id: id, engine: engine)
    }

    /// A task's status, of whatever kind. Throws `unknownTask`, `stream`.
    public nonisolated(nonsending) func status(of id: TaskID) async throws(TaskError) -> TaskStatus {
        try await engine.status(of: id)
    }

    /// How many tasks there are, by state. Throws `stream`.
    public nonisolated(nonsending) func counts() async throws(TaskError) -> TaskCounts {
        try await engine.ready()
        return engine.state.withLock { state in
            TaskCounts(byState: state.machine.stateCounts, isPaused: state.machine.isPaused)
        }
    }

    /// Tasks in some states, in the order of their publishing, from behind one on; without their histories.
    ///
    /// - Parameter limit: how many at most; the next page begins behind the last.
    /// - Complexity: O(n) in all tasks of the queue.
    public nonisolated(nonsending) func tasks(
        in states: Set<TaskState> = Set(TaskState.allCases), name: String? = nil, behind id: TaskID? = nil,
        limit: Int = 1_000
    ) async throws(TaskError) -> [TaskStatus] {
        try await engine.ready()
        let found = engine.state.withLock { state in
            state.machine.tasks(
                in: states, name: name, behind: id?.identity.sequence ?? 0, limit: max(0, limit))
        }
        return found.map { TaskStatus($0, TaskHistory()) }
    }

    // MARK: Changing

    /// Wants a task no more: it is not begun, and who runs it loses it. Throws `unknownTask`, `notPossible`,
    /// `stream`.
    public nonisolated(nonsending) func cancel(_ id: TaskID) async throws(TaskError) {
        try await engine.change(id) { state, now throws(TaskRefusal) in
            try state.machine.cancel(id.identity, now: now)
        }
    }

    /// Runs a task anew: one that is dead, cancelled or expired, its attempts counted from 0; one that waits
    /// for its time without waiting. Throws `unknownTask`, `notPossible`, `stream`.
    public nonisolated(nonsending) func retry(_ id: TaskID) async throws(TaskError) {
        let (summary, _) = try await engine.summary(of: id)
        let history = summary.state.isFinal ? try await engine.standing(of: summary)?.history : nil
        try await engine.change(id) { state, now throws(TaskRefusal) in
            if try state.machine.status(of: id.identity).state.isFinal {
                try state.machine.redrive(id.identity, history: history, now: now)
            } else {
                try state.machine.hurry(id.identity, now: now)
            }
        }
    }

    /// Removes a task in a final state before its retention is over. Throws `unknownTask`, `illegal`,
    /// `stream`.
    public nonisolated(nonsending) func purge(_ id: TaskID) async throws(TaskError) {
        try await engine.change(id) { state, _ throws(TaskRefusal) in try state.machine.purge(id.identity) }
    }

    /// Gives nothing out from now on, also after a restart; what runs goes on.
    public nonisolated(nonsending) func pause() async throws(TaskError) {
        try await engine.change { state, _ in state.machine.pause(true) }
    }

    /// Gives tasks out again.
    public nonisolated(nonsending) func resume() async throws(TaskError) {
        try await engine.change { state, _ in state.machine.pause(false) }
    }
}
