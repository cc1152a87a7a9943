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
        return TaskStatus(summary, standing.history ?? TaskHistory())
    }

    /// Throws `unknownTask`, `stream`.
    nonisolated(nonsending) func summary(
        of id: TaskID
    ) async throws(TaskError) -> (TaskSummary, TaskHistory?) {
        try await ready()
        let pending = PendingAnswer<TaskError?>()
        let (summary, history) = try state.withLock { state throws(TaskError) in
            do throws(TaskRefusal) {
                let summary = try state.machine.status(of: id.identity)
                if summary.isSettled {
                    pending.give(nil)
                } else {
                    // What it says is decided, and not yet durable.
                    state.answers.append(
                        Answer(position: state.machine.emitted) { pending.give($0) })
                }
                return (summary, state.machine.history(of: id.identity))
            } catch {
                throw TaskError(error, id)
            }
        }
        guard let failure = await pending.value() else { throw .cancelled }
        if let failure { throw failure }
        return (summary, history)
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
