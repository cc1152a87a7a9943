// What a server in this package does with a store beyond the public API: whole batches in and out, as they
// are on the wire and on the disk, ends that are watched, and groups whose members are elsewhere.
//
// (1) Nothing here decides anything: what is refused, held or slowed is decided below, in the volume, the
// coordinator and the gates, or above, in the server. (2) A value keeps its store's engine alive.

package import SluiceLog
import Synchronization

/// A store as a server sees it.
package struct ServedStore: Sendable {
    /// The store.
    package let store: StreamStore
    var engine: StoreEngine { store.engine }
    var groups: GroupEngine { store.lease.groups }
    var pressure: PressureEngine { store.lease.pressure }

    /// What a server does with `store`.
    package init(_ store: StreamStore) { self.store = store }

    /// The store's identity, which clients take for the cluster's.
    package var id: UniqueID { engine.storeID }

    /// Whether the close has begun.
    package var isClosed: Bool { engine.isClosed.load(ordering: .relaxed) }

    /// What the store's files may take of the disk, and what they take.
    package var disk: (limitBytes: Int64, usedBytes: Int64) {
        let use = engine.lock.withLock { engine.volume.diskUse }
        return (use.limitBytes, use.usedBytes)
    }

    /// Does something small at a moment of the monotonic clock, on the timer's thread.
    package func schedule(at deadline: Int64, _ action: @escaping @Sendable () -> Void) {
        engine.schedule(at: deadline, action)
    }

    /// Runs something that may wait for the disk on a thread that may.
    package nonisolated(nonsending) func onReader<R: Sendable>(
        _ body: @escaping @Sendable () -> R
    ) async -> R {
        let waiter = Waiter<R>()
        engine.readers.run { waiter.resume(.success(body())) }
        guard case .success(let result) = await waiter.value() else { preconditionFailure() }
        return result
    }
}
