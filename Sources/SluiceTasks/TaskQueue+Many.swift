// Tasks of a queue that are dealt with by the hundred, and what only administration wants.

import Sluice
import SluiceCore

extension TaskQueue {
    /// Tasks that are changed with one sync.
    private static let pageCount = 500

    /// Publishes a task whose payload is bytes; its handler is one of bytes, or decodes them from JSON.
    ///
    /// - Parameter name: the kind of task, 1 to 249 bytes.
    /// - Throws: as `publish(_:_:options:)`.
    @discardableResult
    public nonisolated(nonsending) func publish(
        _ name: String, payload: [UInt8], _ time: TaskTime = .now, options: PublishOptions = .init()
    ) async throws(TaskError) -> TaskID {
        let draft = Self.draft(name, payload, time, options)
        guard let published = try await engine.publish([draft]).first else { throw .cancelled }
        return TaskID(published.task)
    }

    /// Gives a task another payload, before it is run anew: one that is dead, cancelled or expired.
    ///
    /// Throws `notPossible` in another state, `tooLarge`, `unknownTask`, `stream`.
    public nonisolated(nonsending) func edit(_ id: TaskID, payload: [UInt8]) async throws(TaskError) {
        var definition = try await engine.definition(of: id)
        definition.payload = payload[...]
        let edited = definition
        try await engine.change(id) { state, _ throws(TaskRefusal) in
            try state.machine.edit(id.identity, edited)
            _ = state.cache.take(id.identity.sequence, .payload)
        }
    }

    /// Runs all tasks in some states anew. Returns how many; those that changed meanwhile are not counted.
    ///
    /// - Parameter states: of dead, cancelled and expired.
    /// - Throws: `stream`; then some are, and some are not.
    @discardableResult
    public nonisolated(nonsending) func retryAll(
        in states: Set<TaskState> = [.dead], name: String? = nil
    ) async throws(TaskError) -> Int {
        try await forEachPage(in: states, name) { page throws(TaskError) in
            try await engine.redrive(page.map(\.id.identity))
        }
    }

    /// Removes all tasks in some states that are final. Returns how many. Throws as `retryAll`.
    @discardableResult
    public nonisolated(nonsending) func purgeAll(
        in states: Set<TaskState> = [.dead], name: String? = nil
    ) async throws(TaskError) -> Int {
        try await forEachPage(in: states, name) { page throws(TaskError) in
            try await engine.change { state, _ in
                page.count { (try? state.machine.purge($0.id.identity)) != nil }
            }
        }
    }

    private nonisolated(nonsending) func forEachPage(
        in states: Set<TaskState>, _ name: String?,
        _ body: nonisolated(nonsending) ([TaskStatus]) async throws(TaskError) -> Int
    ) async throws(TaskError) -> Int {
        if let other = states.first(where: { !$0.isFinal }) { throw .notPossible(other) }
        var count = 0
        var last: TaskID?
        while true {
            let page = try await tasks(in: states, name: name, behind: last, limit: Self.pageCount)
            guard let end = page.last else { return count }
            count += try await body(page)
            last = end.id
        }
    }

    /// A task's status once it is final, or when the time is over. Throws `unknownTask`, `stream`.
    nonisolated(nonsending) func status(
        of id: TaskID, finalWithin limit: Duration
    ) async throws(TaskError) -> TaskStatus {
        let watch = TaskWatch(isForEnd: true)
        engine.add(watch, to: id)
        defer { engine.remove(watch, from: id) }
        let deadline = engine.moment(after: limit)
        if limit > .zero { engine.served.schedule(at: deadline) { watch.notify() } }
        while true {
            let status = try await engine.status(of: id)
            if status.state.isFinal || engine.moment(after: .zero) >= deadline { return status }
            guard await watch.changed() else { throw .cancelled }
        }
    }
}

extension QueueEngine {
    /// Gives tasks another life, with what the log has of their attempts. Returns how many could have one.
    nonisolated(nonsending) func redrive(_ tasks: [TaskIdentity]) async throws(TaskError) -> Int {
        let places = state.withLock { state in
            tasks.compactMap { task in
                (try? state.machine.status(of: task))?.standingOffset.map { (task, $0) }
            }
        }
        let values = try await values(at: places.map(\.1).filter { $0 >= 0 })
        var histories: [TaskIdentity: TaskHistory] = [:]
        for (task, offset) in places {
            guard let value = values[offset] else { continue }
            histories[task] = (try? TaskStanding(value[...]))?.history
        }
        let known = histories
        return try await change { state, now in
            tasks.count { (try? state.machine.redrive($0, history: known[$0], now: now)) != nil }
        }
    }
}
