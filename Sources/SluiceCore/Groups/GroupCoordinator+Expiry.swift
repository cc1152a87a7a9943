// Forgetting: offsets that nobody has used for long, and groups without any.

import SluiceLog

extension GroupCoordinator {
    /// Takes back offsets that have expired; an empty group without offsets dies.
    ///
    /// Of a group that had members, offsets expire counted from when it became empty, or from their commit
    /// when that was later (Kafka counts only the former, and so may forget a position set the minute
    /// before). Of others, from their commit. Of a group with members, those of topics that it no longer
    /// subscribes to.
    mutating func expire(_ now: Instant) {
        for groupID in groups.keys.sorted() {
            guard var group = take(groupID) else { continue }
            defer { put(group) }
            // What is in flight may change the answer: the next round is soon enough.
            guard group.storesInFlight == 0, group.deletions.isEmpty else { continue }
            let gone = group.offsets.keys.filter { isExpired($0, in: group, now) }.sorted()
            if group.state == .empty, group.pending.isEmpty, gone.count == group.offsets.count {
                bury(&group)
            } else if !gone.isEmpty {
                delete(gone, ticket: nil, refused: [], from: &group)
            }
        }
        if !groups.isEmpty { scheduleExpiry(now) }
    }

    private func isExpired(_ partition: GroupPartition, in group: Group, _ now: Instant) -> Bool {
        guard let committed = group.offsets[partition]?.committed else { return false }
        let since: Int64
        switch group.state {
        case .empty:
            let emptied = group.protocolType == nil ? -1 : group.stateTimestamp
            since = max(emptied, committed.commitTimestamp)
        case .stable:
            guard group.protocolType == "consumer", let topics = group.subscribedTopics,
                !topics.contains(partition.topic)
            else { return false }
            since = committed.commitTimestamp
        case .preparingRebalance, .completingRebalance, .dead: return false
        }
        return now.wallMilliseconds - since >= configuration.offsetsRetentionMilliseconds
    }
}
