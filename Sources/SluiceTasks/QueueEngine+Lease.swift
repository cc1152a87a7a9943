// Tasks for workers: waited for without asking again and again, with their payloads, durably theirs.

import Sluice
import SluiceCore
import SluiceLog

/// A worker that waits for tasks.
final class LeaseWaiter: Sendable {
    let request: LeaseRequest
    private let pending = PendingAnswer<Result<[LeasedTask], TaskError>>()
    private let isAbandoned = Locked(false)

    init(_ request: LeaseRequest) { self.request = request }

    /// Gives the answer. False when nobody waits any more: then the tasks are to be given back.
    @discardableResult
    func give(_ result: Result<[LeasedTask], TaskError>) -> Bool {
        if isAbandoned.withLock({ $0 }) { return false }
        pending.give(result)
        return true
    }

    /// The answer; nil when the caller was cancelled.
    nonisolated(nonsending) func value() async -> Result<[LeasedTask], TaskError>? { await pending.value() }

    /// Whether nobody waits any more.
    var isOver: Bool { isAbandoned.withLock { $0 } }

    /// Nobody waits any more.
    func abandon() {
        isAbandoned.withLock { $0 = true }
        pending.give(.success([]))
    }
}

struct WeakSession: Sendable {
    weak var session: WorkerSession?
}

/// A task with what its handler gets.
struct Delivery: Sendable {
    var lease: TaskLease
    var name: String
    var attempt: Int
    /// What it runs after.
    var after: [TaskID] = []
    /// nil: its definition cannot be read.
    var payload: ArraySlice<UInt8>?
}

extension QueueEngine {
    /// A number for a worker in this process, who is told of what it loses.
    func enroll(_ session: WorkerSession) -> TaskHolder {
        state.withLock { state in
            state.nextWorker += 1
            state.sessions = state.sessions.filter { $0.value.session != nil }
            state.sessions[state.nextWorker] = WeakSession(session: session)
            return TaskHolder(host: localHost, worker: state.nextWorker)
        }
    }

    nonisolated(nonsending) func lease(_ waiter: LeaseWaiter) async throws(TaskError) -> [Delivery] {
        try await lease(waiter, within: nil)
    }

    /// Leases tasks; waits until there is one. None when `waiter` was abandoned meanwhile, or the time is
    /// over.
    ///
    /// - Throws: `stream`; what was leased for a caller that is gone is given back.
    nonisolated(nonsending) func lease(
        _ waiter: LeaseWaiter, within limit: Duration?
    ) async throws(TaskError) -> [Delivery] {
        try await ready()
        try apply { state, now in
            state.leaseWaiters.append(waiter)
            // Timers that are due make tasks available; `collect` gives them out.
            state.machine.advance(to: now)
        }
        if let limit { schedule(after: limit) { [weak self] in self?.expire(waiter) } }
        guard let result = await waiter.value() else {
            abandon(waiter)
            throw .cancelled
        }
        return try await deliveries(try result.get())
    }

    /// A caller waits no more.
    func abandon(_ waiter: LeaseWaiter) {
        waiter.abandon()
        state.withLock { state in state.leaseWaiters.removeAll { $0 === waiter } }
    }

    /// The time of a caller is over: it gets nothing, unless something has been found for it.
    private func expire(_ waiter: LeaseWaiter) {
        let isWaiting = state.withLock { state in
            let count = state.leaseWaiters.count
            state.leaseWaiters.removeAll { $0 === waiter }
            return state.leaseWaiters.count < count
        }
        if isWaiting { waiter.abandon() }
    }

    /// Gives out what is available to those who wait, the first who came first. With the lock.
    func serveWaiters(_ state: inout State) {
        guard !state.leaseWaiters.isEmpty, state.machine.hasAvailable else { return }
        let now = Instant.now
        var left: [LeaseWaiter] = []
        for waiter in state.leaseWaiters {
            let leased = state.machine.lease(waiter.request, now: now)
            guard !leased.isEmpty else {
                left.append(waiter)
                continue
            }
            state.answers.append(
                Answer(position: state.machine.emitted) { [weak self] failure in
                    if let failure { return _ = waiter.give(.failure(failure)) }
                    if !waiter.give(.success(leased)) { self?.giveBack(leased.map(\.lease)) }
                })
        }
        state.leaseWaiters = left
    }

    /// What nobody works on after all.
    func giveBack(_ leases: [TaskLease]) {
        try? apply { state, now in
            for lease in leases { try? state.machine.release(lease, now: now) }
        }
    }

    private nonisolated(nonsending) func deliveries(
        _ leased: [LeasedTask]
    ) async throws(TaskError) -> [Delivery] {
        var deliveries: [Delivery] = []
        var missing: [Int64: Int] = [:]
        state.withLock { state in
            for task in leased {
                let sequence = task.lease.task.sequence
                var delivery = Delivery(lease: task.lease, name: task.name, attempt: Int(task.attempt))
                delivery.after = task.after.map(TaskID.init)
                if let payload = state.cache.take(sequence, .payload) {
                    delivery.payload = payload[...]
                } else if let offset = state.machine.task(sequence)?.definitionOffset, offset >= 0 {
                    missing[offset] = deliveries.count
                }
                deliveries.append(delivery)
            }
        }
        guard !missing.isEmpty else { return deliveries }
        do throws(TaskError) {
            let values = try await values(at: Array(missing.keys))
            for (offset, index) in missing {
                guard let value = values[offset], let definition = try? TaskDefinition(value[...]) else {
                    continue
                }
                deliveries[index].payload = definition.payload
            }
        } catch {
            giveBack(leased.map(\.lease))
            throw error
        }
        return deliveries
    }

    // MARK: What workers say

    /// The leases that are lost.
    func heartbeat(_ leases: [TaskLease]) -> [TaskLease] {
        (try? apply { state, now in state.machine.heartbeat(leases, now: now) }) ?? []
    }

    /// Does not wait until it is durable. Throws `leaseLost`, `unknownTask`, `stream`.
    func report(_ progress: TaskProgress, of lease: TaskLease) throws(TaskError) {
        try apply(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.report(progress, of: lease, now: now)
        }
    }

    /// Throws `leaseLost`, `unknownTask`, `illegal` above 12 hours, `stream`.
    nonisolated(nonsending) func extend(_ lease: TaskLease, by span: Duration) async throws(TaskError) {
        try await change(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.extend(lease, by: span.milliseconds, now: now)
        }
    }

    nonisolated(nonsending) func complete(_ lease: TaskLease, result: [UInt8]) async throws(TaskError) {
        try await change(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.complete(lease, result: result, now: now)
            state.cache.put(result, lease.task.sequence, .result)
        }
    }

    nonisolated(nonsending) func fail(
        _ lease: TaskLease, cause: String, retryAfter: Int64? = nil
    ) async throws(TaskError) {
        try await change(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.fail(lease, cause: cause, retryAfter: retryAfter, now: now)
        }
    }

    nonisolated(nonsending) func reject(_ lease: TaskLease, cause: String) async throws(TaskError) {
        try await change(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.reject(lease, cause: cause, now: now)
        }
    }

    nonisolated(nonsending) func release(_ lease: TaskLease) async throws(TaskError) {
        try await change(TaskID(lease.task)) { state, now throws(TaskRefusal) in
            try state.machine.release(lease, now: now)
        }
    }
}
