// Keeps the queues of a store in memory, where no program code has them: a store that is served, whose queues
// are asked from outside alone.

package import Sluice

/// Holds every queue that there is, or that is asked for, as long as it is there itself.
package final class QueueKeeper: Sendable {
    private static let name = "tasks.keeper"
    private let queues = Locked<[String: TaskQueue]>([:])

    init() {}

    /// Opens all queues of a store. Throws what reading them throws.
    package nonisolated(nonsending) static func open(_ store: StreamStore) async throws(TaskError)
        -> QueueKeeper
    {
        let keeper = ServedStore(store).attachment(name) { QueueKeeper() }
        TaskRequests.serve(store)
        for queue in QueueTopic.queues(in: store) { keeper.keep(try await TaskQueue(queue, in: store)) }
        return keeper
    }

    static func of(_ store: StreamStore) -> QueueKeeper? { ServedStore(store).attached(name) }

    func keep(_ queue: TaskQueue) { queues.withLock { $0[queue.name] = queue } }
}
