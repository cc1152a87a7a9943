// What a queue says of a task: what memory has, and what only the log has.

import Sluice
import SluiceCore
import SluiceLog

extension QueueEngine {
    /// A task's status, of what is durable. Throws `unknownTask`, `stream`.
    nonisolated(nonsending) func status(of id: TaskID) async throws(TaskError) -> TaskStatus {
        let (summary, history) = try await summary(of: id)
        guard history == nil, summary.state.isFinal, summary.state != .succeeded || summary.attempt > 1,
            let standing = try await standing(of: summary)
        else { return TaskStatus(summary, history ?? TaskHistory()) }
        var status = TaskStatus(summary, standing.history ?? TaskHistory())
        status.lastError = standing.cause ?? status.lastError
        return status
    }

    /// Throws `unknownTask`, `stream`.
    nonisolated(nonsending) func summary(
        of id: TaskID
    ) async throws(TaskError) -> (TaskSummary, TaskHistory?) {
        try await ready()
        let (summary, history, pending) = try state.withLock { state throws(TaskError) in
            do throws(TaskRefusal) {
                let summary = try state.machine.status(of: id.identity)
                var pending: PendingAnswer<TaskError?>?
                if !summary.isSettled {
                    // What it says is decided, and not yet durable.
                    let answer = PendingAnswer<TaskError?>()
                    state.answers.append(Answer(position: state.machine.emitted) { answer.give($0) })
                    pending = answer
                }
                return (summary, state.machine.history(of: id.identity), pending)
            } catch {
                throw TaskError(error, id)
            }
        }
        guard let pending else { return (summary, history) }
        guard let failure = await pending.value() else { throw .cancelled }
        if let failure { throw failure }
        return (summary, history)
    }

    /// How a task has ended.
    enum Ending {
        case result(ArraySlice<UInt8>)
        /// With a result that the log has.
        case stored(TaskSummary)
        /// Without a result.
        case other
    }

    /// How a task has ended, durably; nil when it has not: then `watch` is told of it. In one look, since all
    /// who publish come here. Throws `unknownTask`, `stream`.
    ///
    /// - Parameter isWatched: whether the watch is among the task's; it is taken out at the end.
    nonisolated(nonsending) func ending(
        of id: TaskID, _ watch: TaskWatch, isWatched: inout Bool
    ) async throws(TaskError) -> Ending? {
        try await ready()
        let wasWatched = isWatched
        let (ending, isStill) = try state.withLock { state throws(TaskError) -> (Ending?, Bool) in
            let summary: TaskSummary
            do throws(TaskRefusal) {
                summary = try state.machine.status(of: id.identity)
            } catch {
                throw TaskError(error, id)
            }
            guard summary.state.isFinal, summary.isSettled else {
                // Whoever is not among them when it ends is told when that is durable.
                if summary.state.isFinal {
                    state.answers.append(Answer(position: state.machine.emitted) { _ in watch.notify() })
                }
                if !wasWatched { add(watch, to: id, &state) }
                return (nil, true)
            }
            if wasWatched { remove(watch, from: id, &state) }
            guard summary.state == .succeeded else { return (.other, false) }
            let bytes = state.cache.get(summary.task.sequence, .result)
            return (bytes.map { .result($0[...]) } ?? .stored(summary), false)
        }
        isWatched = isStill
        return ending
    }

    /// What the log has of a task that has not changed since; nil when it has.
    nonisolated(nonsending) func standing(
        of summary: TaskSummary
    ) async throws(TaskError) -> TaskStanding? {
        let sequence = summary.task.sequence
        let offset = state.withLock { $0.machine.task(sequence)?.standingOffset }
        guard let offset, offset >= 0 else { return nil }
        guard let value = try await values(at: [offset])[offset] else { return nil }
        return try? TaskStanding(value[...])
    }

    /// What a task that succeeded returned. Throws `stream`; `unknownTask` when it was removed meanwhile.
    nonisolated(nonsending) func result(of summary: TaskSummary) async throws(TaskError) -> ArraySlice<UInt8>
    {
        if let bytes = state.withLock({ $0.cache.get(summary.task.sequence, .result) }) { return bytes[...] }
        guard let result = try await standing(of: summary)?.result else {
            throw .unknownTask(TaskID(summary.task))
        }
        return result
    }

    /// What was published. Throws `unknownTask`, `stream`.
    nonisolated(nonsending) func payload(of id: TaskID) async throws(TaskError) -> ArraySlice<UInt8> {
        try await definition(of: id).payload
    }

    /// As it is in the log. Throws `unknownTask`, `stream`, `coding`.
    nonisolated(nonsending) func definition(of id: TaskID) async throws(TaskError) -> TaskDefinition {
        let (summary, _) = try await summary(of: id)
        let offset = state.withLock { $0.machine.task(summary.task.sequence)?.definitionOffset }
        guard let offset, offset >= 0, let value = try await values(at: [offset])[offset] else {
            throw .unknownTask(id)
        }
        do throws(MalformedRecord) {
            return try TaskDefinition(value[...])
        } catch {
            throw .coding(type: "definition of a task", reason: error.reason)
        }
    }
}

extension TaskStatus {
    init(_ summary: TaskSummary, _ history: TaskHistory) {
        id = TaskID(summary.task)
        name = summary.name
        state = summary.state
        tenant = summary.tenant
        waitsFor = summary.awaited.map(TaskID.init)
        attempt = Int(summary.attempt)
        progress = summary.progress?.fraction
        note = summary.progress.flatMap { $0.note.isEmpty ? nil : $0.note }
        due = Timestamp(millisecondsSince1970: summary.time)
        self.history = history.attempts.map {
            Attempt(
                number: Int($0.number), began: Timestamp(millisecondsSince1970: $0.began),
                ended: Timestamp(millisecondsSince1970: $0.ended), cause: $0.cause)
        }
        lastError = self.history.last?.cause
    }
}
