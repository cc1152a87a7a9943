// What must hold in a simulated life of messages; the numbers are those of MessageSimulation.swift.

import SluiceCore
import SluiceLog

extension MessageSimulation {
    /// A message is given out.
    func check(_ lease: MessageLease) {
        let (partition, offset) = (lease.key.partition, lease.key.offset)
        let truth = truths[partition]
        // The machine has yet to hear that the group was moved: what it does counts for nothing.
        guard !truth.isMoved else { return }
        // (1)
        for other in told where other.lease.key == lease.key && other.deadline > now.monotonicNanoseconds {
            failure = "\(lease.key) is given out while \(other.lease.token) holds"
        }
        // (2)
        if truth.answered.contains(offset) { failure = "\(lease.key) is accepted, and given out again" }
        if truth.buried[offset] != nil { failure = "\(lease.key) is buried, and given out again" }
        // (4)
        let times = (truth.handed[offset] ?? 0) + 1
        if times > configuration.deliveryLimit { failure = "\(lease.key) is given out \(times) times" }
        if lease.deliveries < times { failure = "\(lease.key) is given out more often than it says" }
        let counted = counted(partition)[offset] ?? 0
        if counted < times { failure = "delivery \(times) of \(lease.key) is not counted: \(counted)" }
        // (5)
        if let delay = truth.delayed[offset], now.wallMilliseconds < delay.wall,
            now.monotonicNanoseconds < delay.monotonic
        {
            failure = "\(lease.key) is given out before its time"
        }
        // (7)
        if !truth.cameBack.contains(offset) {
            if offset < truth.lastFresh { failure = "\(lease.key) comes behind \(truth.lastFresh)" }
            truths[partition].lastFresh = max(truth.lastFresh, offset)
        }
    }

    /// The deliveries that the durable commit says of what is not settled, by offset.
    private func counted(_ partition: Int) -> [Int64: Int] {
        guard let stored = committed[partition] else { return [:] }
        if let known = countedBefore[partition], known.stored == stored { return known.deliveries }
        let window = StoredWindow(base: stored.offset, metadata: stored.metadata)
        let deliveries = Dictionary(uniqueKeysWithValues: window.entries.map { ($0.offset, $0.deliveries) })
        countedBefore[partition] = (stored, deliveries)
        return deliveries
    }

    /// A commit is about to be sent.
    func check(_ commit: MessageCommit) {
        for part in commit.parts {
            let (partition, position) = (part.partition, part.position)
            // (6)
            let window = StoredWindow(base: position.offset, metadata: position.metadata)
            let isWhole =
                position.metadata.isEmpty
                ? window.entries.isEmpty : window.metadata == position.metadata && !window.entries.isEmpty
            guard position.metadata.utf8.count <= GroupLimits.metadataBytes, isWhole else {
                failure = "a window of \(position.metadata.utf8.count) bytes is not read back"
                return
            }
            guard !truths[partition].isMoved else { continue }
            // (3)
            let open = Set(window.entries.map(\.offset))
            let buried = Set(commit.buried.filter { $0.partition == partition }.map(\.offset))
            noteDropped(partition)
            let truth = truths[partition]
            for offset in logs[partition].records where offset >= truth.skipped && offset < window.end {
                let isSettled =
                    truth.accepted.contains(offset) || buried.contains(offset) || truth.buried[offset] != nil
                if !open.contains(offset), !isSettled {
                    failure = "\(partition)-\(offset) is lost with a commit of \(position)"
                    return
                }
            }
        }
    }

    /// With `dropsDead`: what was counted as often as it may be is settled when that delivery has ended.
    private func noteDropped(_ partition: Int) {
        guard configuration.dropsDead, let stored = committed[partition] else { return }
        let window = StoredWindow(base: stored.offset, metadata: stored.metadata)
        for entry in window.entries where entry.deliveries >= configuration.deliveryLimit {
            truths[partition].accepted.insert(entry.offset)
        }
    }
}
