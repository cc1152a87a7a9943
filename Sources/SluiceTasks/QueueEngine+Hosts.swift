// Workers of other processes: there as long as the connection by which they joined.

import Sluice
import SluiceCore

extension QueueEngine {
    /// A process may lease tasks from now on, until the connection ends. One that joins again, by another
    /// connection, goes on with what it has. Throws `illegal` for a number that is for this process.
    func join(_ host: UInt64, _ peer: ControlPeer) throws(TaskError) {
        guard host >> 63 == 0 else { throw .illegal(reason: "a host's number is below 2⁶³") }
        let time = state.withLock { state in
            state.joins += 1
            state.hosts[host] = state.joins
            return state.joins
        }
        // Holds the queue, too: it is not read anew for each request of the host.
        peer.whenEnded { self.vanished(host, time) }
    }

    func hasJoined(_ host: UInt64) -> Bool { state.withLock { $0.hosts[host] != nil } }

    /// A process goes, and gives back what it has; its attempts do not count.
    nonisolated(nonsending) func leave(_ host: UInt64) async throws(TaskError) {
        _ = forget(host, nil)
        try await change { state, now in state.machine.endHost(host, cause: nil, now: now) }
    }

    /// The connection of a process ended: whatever it had is others'.
    private func vanished(_ host: UInt64, _ time: UInt64) {
        guard forget(host, time) else { return }
        try? apply { state, now in
            state.machine.endHost(host, cause: "the worker's process has ended", now: now)
        }
    }

    /// False when the host has joined again since.
    private func forget(_ host: UInt64, _ time: UInt64?) -> Bool {
        let waiters = state.withLock { state -> [LeaseWaiter]? in
            guard time == nil || state.hosts[host] == time else { return nil }
            state.hosts[host] = nil
            return state.leaseWaiters.filter { $0.request.holder.host == host }
        }
        for waiter in waiters ?? [] { abandon(waiter) }
        return waiters != nil
    }
}
