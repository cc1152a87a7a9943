// Where a worker's tasks come from: a queue of this process, or one of a store that another has open.

import Logging
import Sluice
import SluiceCore

/// What a worker needs of a queue. What is thrown is `leaseLost`, `unknownTask`, `stream`, and what else is
/// said.
protocol TaskSource: AnyObject, Sendable {
    /// The queue's name.
    var name: String { get }
    var logger: Logger { get }
    /// A worker that has tasks gives a sign of life at least so often, however long its leases hold.
    var longestSilence: Duration { get }

    /// A number for a worker, who is told of what it loses.
    func enroll(_ session: WorkerSession) -> TaskHolder
    /// Leases tasks; waits until there is one. None when the waiter was abandoned meanwhile.
    nonisolated(nonsending) func lease(_ waiter: LeaseWaiter) async throws(TaskError) -> [Delivery]
    /// A caller waits no more.
    func abandon(_ waiter: LeaseWaiter)
    /// What nobody works on after all.
    func giveBack(_ leases: [TaskLease])
    /// A sign of life; `lost` is called with the leases that are gone, if that is known.
    func heartbeat(_ leases: [TaskLease], lost: @escaping @Sendable ([TaskLease]) -> Void)

    /// What a task returned. Throws `ended`, too.
    nonisolated(nonsending) func result(of task: TaskID) async throws(TaskError) -> ArraySlice<UInt8>
    nonisolated(nonsending) func report(_ progress: TaskProgress, of lease: TaskLease) async throws(TaskError)
    /// Throws `illegal` above 12 hours, too.
    nonisolated(nonsending) func extend(_ lease: TaskLease, by span: Duration) async throws(TaskError)
    /// Throws `tooLarge`, too.
    nonisolated(nonsending) func complete(_ lease: TaskLease, result: [UInt8]) async throws(TaskError)
    nonisolated(nonsending) func fail(
        _ lease: TaskLease, cause: String, retryAfter: Int64?
    ) async throws(TaskError)
    nonisolated(nonsending) func reject(_ lease: TaskLease, cause: String) async throws(TaskError)
    nonisolated(nonsending) func release(_ lease: TaskLease) async throws(TaskError)

    /// Does something small after a while.
    func schedule(after span: Duration, _ action: @escaping @Sendable () -> Void)
}

extension QueueEngine: TaskSource {
    /// Nothing is silent that is in the same process: what it loses it is told.
    var longestSilence: Duration { .seconds(4 * 3600) }

    func heartbeat(_ leases: [TaskLease], lost: @escaping @Sendable ([TaskLease]) -> Void) {
        lost(heartbeat(leases))
    }

    nonisolated(nonsending) func result(of task: TaskID) async throws(TaskError) -> ArraySlice<UInt8> {
        let (summary, _) = try await summary(of: task)
        guard summary.state == .succeeded else { throw .ended(try await status(of: task)) }
        return try await result(of: summary)
    }
}
