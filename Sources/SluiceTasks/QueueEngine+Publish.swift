// New tasks: asked for at the gates of back pressure first, since what was decided must be stored.

import Sluice
import SluiceCore
import SluiceLog

extension QueueEngine {
    /// Publishes in order; returns when all are durable. Throws `stream(.busy)` at once where there is no
    /// room.
    nonisolated(nonsending) func publish(_ drafts: [TaskDraft]) async throws(TaskError) -> [Published] {
        try await ready()
        let bytes = drafts.reduce(0) { $0 + Self.room($1) }
        guard bytes > 0 else { return [] }
        let throttle: Int64
        switch sender.admit(bytes, topic: topic) {
        case .refused(let busy): throw .stream(.busy(busy))
        case .accepted(let nanoseconds): throttle = nanoseconds
        }
        let pending = PendingAnswer<TaskError?>()
        let published: (tasks: [Published], refusal: TaskRefusal?)
        do throws(TaskError) {
            published = try apply(
                nil, { state, now in add(drafts, bytes, &state, now) }, { pending.give($0) })
        } catch {
            sender.release(bytes)
            throw error
        }
        if throttle > 0 { await pause(nanoseconds: throttle) }
        guard let failure = await pending.value() else { throw .cancelled }
        if let failure { throw failure }
        if let refusal = published.refusal { throw TaskError(refusal, nil) }
        return published.tasks
    }

    private func add(
        _ drafts: [TaskDraft], _ bytes: Int, _ state: inout State, _ now: Instant
    ) -> ([Published], TaskRefusal?) {
        state.reserved += bytes
        var tasks: [Published] = []
        for draft in drafts {
            do throws(TaskRefusal) {
                let published = try state.machine.publish(draft, now: now)
                if case .accepted(let task) = published, draft.due ?? 0 <= now.wallMilliseconds {
                    state.cache.put(draft.payload, task.sequence, .payload)
                }
                tasks.append(published)
            } catch {
                return (tasks, error)
            }
        }
        return (tasks, nil)
    }

    private static func room(_ draft: TaskDraft) -> Int {
        160 + draft.payload.count + draft.name.utf8.count + (draft.group?.utf8.count ?? 0)
            + (draft.uniqueKey?.utf8.count ?? 0) + (draft.tenant?.utf8.count ?? 0)
            + 16 * draft.after.count
    }

    /// Back pressure wants publishers to be slower.
    private nonisolated(nonsending) func pause(nanoseconds: Int64) async {
        let pending = PendingAnswer<Void>()
        served.schedule(at: Instant.monotonicNow + nanoseconds) { pending.give(()) }
        _ = await pending.value()
    }

    /// Adds a task to an atomic write.
    func prepare(_ draft: TaskDraft, _ write: inout AtomicWrite) throws(TaskError) -> TaskIdentity {
        let number = write.number
        let (published, record) = try apply(nil) { state, now throws(TaskRefusal) in
            try state.machine.prepare(draft, write: number, now: now)
        }
        guard let record, let value = record.value else { return published.task }
        let task = published.task
        do throws(StreamError) {
            try write.append(toInternal: topic, key: record.key.bytes, value: value) { [weak self] offset in
                self?.atomicWriteEnded(task, offset)
            }
        } catch {
            atomicWriteEnded(task, nil)
            throw .stream(error)
        }
        return task
    }

    private func atomicWriteEnded(_ task: TaskIdentity, _ offset: Int64?) {
        let isKnown = try? apply(nil) { state, now in
            guard let offset else {
                state.machine.abandon(task)
                return true
            }
            state.machine.confirm(task, at: offset, now: now)
            return state.machine.task(task.sequence) != nil
        }
        // A machine that was read from the log before the task was in it.
        if isKnown == false {
            fail(.indeterminate(place, reason: "a task of an atomic write came while the queue was read"))
        }
    }
}
