// The outcome of a store: only now does anyone see what the records say.

package import SluiceLog

extension GroupCoordinator {
    /// The group that records of a `store` effect are of; nil once their outcome has been told.
    package func group(ofStore id: UInt64) -> String? { stores[id]?.groupID }

    /// The records of a `store` effect are durable, or are not.
    ///
    /// Outcomes may come in any order: of two records of one key, the one with the higher offset is true.
    package mutating func stored(_ storeID: UInt64, _ outcome: StoreOutcome, now: Instant) {
        guard outcome != .unknown else { return leaveInDoubt(storeID) }
        guard let pending = stores.removeValue(forKey: storeID), var group = take(pending.groupID) else {
            return
        }
        defer { put(group) }
        group.storesInFlight -= 1
        var base: Int64?
        if case .durable(let offset) = outcome { base = offset }
        switch pending.purpose {
        case .commit(let ticket, let offsets, let refused):
            if let base {
                note(offsets, at: base, pending.deletedTopics, in: &group)
                commitCount += 1
            }
            let isStored = base != nil || PlantedBug.failedStoreCounts.isPlanted
            effects.append(
                .committed(
                    ticket: ticket, isStored ? .success(refused) : .failure(.coordinatorNotAvailable)))
        case .assignment:
            noteMetadata(pending, base, &group)
            assigned(storeID, isDurable: base != nil, &group, now)
        case .metadata: noteMetadata(pending, base, &group)
        case .replacement(let ticket, let response):
            noteMetadata(pending, base, &group)
            let isStill =
                group.state == .stable && group.generation == response.generation
                && group.members[response.memberID] != nil
            effects.append(
                .joined(
                    ticket: ticket,
                    base == nil
                        ? .failure(.coordinatorNotAvailable)
                        : isStill ? .success(response) : .failure(.unknownMember)))
        case .offsetDeletion(let ticket, let partitions, let refused):
            if let base {
                group.remove(partitions, at: base)
            }
            if let ticket {
                effects.append(
                    .offsetsDeleted(
                        ticket: ticket, base == nil ? .failure(.coordinatorNotAvailable) : .success(refused)))
            }
        case .topicDeletion(let ticket, let partitions):
            if let base { group.remove(partitions, at: base) }
            endTopicDeletion(ticket, isDurable: base != nil)
        case .takingBack(let late):
            // What the log says, counts: it can be asked to be forgotten again.
            if base == nil { for one in late { group.putBack(one) } }
            if let base { group.remove(late.map(\.partition), at: base) }
        case .groupDeletion(let tickets):
            finishDeletion(&group, tickets, isDurable: base != nil)
        }
        if group.storesInFlight == 0 {
            group.deletedAt = [:]
            startDeletion(&group)
        }
    }

    /// Nobody will tell what became of it: it stays on its way, and who waits for its end need not wait.
    private mutating func leaveInDoubt(_ storeID: UInt64) {
        guard let pending = stores[storeID], var group = take(pending.groupID) else { return }
        defer { put(group) }
        stores[storeID]?.isInDoubt = true
        refuseDeletions(&group)
    }

    private mutating func refuseDeletions(_ group: inout Group) {
        for ticket in group.deletions {
            effects.append(.groupDeleted(ticket: ticket, .unstableOffsetCommit))
        }
        group.deletions = []
    }

    /// A commit is in the log, at `base` and behind it: it counts, unless its topic has been deleted
    /// meanwhile.
    private mutating func note(
        _ offsets: [(GroupPartition, CommittedOffset)], at base: Int64, _ deletedTopics: Set<String>,
        in group: inout Group
    ) {
        var late: [LateCommit] = []
        for (index, (partition, committed)) in offsets.enumerated() {
            if deletedTopics.contains(partition.topic) {
                // What takes it back may not be in the log yet, or be before it; with one more it is behind.
                let offset = base + Int64(index)
                if group.lastChange(of: partition) < offset {
                    late.append(
                        LateCommit(partition: partition, committed: committed, logOffset: offset))
                }
                group.remove(partition, at: offset)
            } else {
                group.set(partition, committed, at: base + Int64(index))
            }
        }
        if !late.isEmpty { delete(late.map(\.partition), for: .takingBack(late), from: &group) }
    }

    private mutating func endTopicDeletion(_ ticket: UInt64, isDurable: Bool) {
        guard var deletion = topicDeletions.removeValue(forKey: ticket) else { return }
        deletion.storesLeft -= 1
        deletion.hasFailed = deletion.hasFailed || !isDurable
        if deletion.storesLeft > 0 {
            topicDeletions[ticket] = deletion
        } else {
            effects.append(
                .topicForgotten(ticket: ticket, deletion.hasFailed ? .coordinatorNotAvailable : nil))
        }
    }

    private func noteMetadata(_ pending: PendingStore, _ base: Int64?, _ group: inout Group) {
        guard let base, let value = pending.records.first?.value else { return }
        if group.metadata.map({ $0.logOffset < base }) ?? true { group.metadata = (value, base) }
    }

    // MARK: Deleting a group

    /// Deletes a group without members, with its offsets. Answered by `groupDeleted` once that is durable, or
    /// with `nonEmptyGroup`, `groupIDNotFound`, `coordinatorLoading`, `coordinatorNotAvailable`,
    /// `unstableOffsetCommit` when the outcome of a commit is unknown: it would bring the group back.
    package mutating func deleteGroup(_ groupID: String, ticket: UInt64, now: Instant) {
        func refuse(_ error: GroupError) { effects.append(.groupDeleted(ticket: ticket, error)) }
        guard isLoaded else { return refuse(.coordinatorLoading) }
        guard var group = take(groupID) else { return refuse(.groupIDNotFound) }
        defer { put(group) }
        guard group.state == .empty, group.pending.isEmpty else {
            return refuse(group.state == .dead ? .groupIDNotFound : .nonEmptyGroup)
        }
        group.deletions.append(ticket)
        if group.storesInFlight > 0, stores.values.contains(where: { $0.groupID == groupID && $0.isInDoubt })
        {
            return refuseDeletions(&group)
        }
        startDeletion(&group)
    }

    /// Begins the deletion that was asked for, unless commits are on their way that it would not catch.
    private mutating func startDeletion(_ group: inout Group) {
        guard !group.deletions.isEmpty, group.state == .empty, group.storesInFlight == 0 else { return }
        bury(&group)
    }

    /// Writes that the group and its offsets are no more.
    mutating func bury(_ group: inout Group) {
        let tickets = group.deletions
        group.deletions = []
        group.state = .dead
        var records = group.offsets.keys.sorted().map { group.tombstone($0) }
        records.append(GroupRecord(key: GroupRecordKey.group(groupID: group.id).bytes, value: nil))
        _ = store(records, ticket: tickets.first, in: &group, for: .groupDeletion(tickets: tickets))
    }

    private mutating func finishDeletion(_ group: inout Group, _ tickets: [UInt64], isDurable: Bool) {
        group.state = .empty
        if isDurable {
            let generation = group.generation
            group = Group(id: group.id)
            group.generation = generation
        }
        for ticket in tickets {
            effects.append(.groupDeleted(ticket: ticket, isDurable ? nil : .coordinatorNotAvailable))
        }
    }
}

extension Group {
    mutating func set(_ partition: GroupPartition, _ committed: CommittedOffset, at logOffset: Int64) {
        guard logOffset > lastChange(of: partition) else { return }
        offsets[partition] = StoredOffset(committed: committed, logOffset: logOffset)
    }

    /// What was taken away before it was taken back in the log is there again.
    mutating func putBack(_ late: LateCommit) {
        guard lastChange(of: late.partition) <= late.logOffset else { return }
        offsets[late.partition] = StoredOffset(committed: late.committed, logOffset: late.logOffset)
    }

    /// Where the log last says something of it, as far as that is known and may matter.
    func lastChange(of partition: GroupPartition) -> Int64 {
        max(offsets[partition]?.logOffset ?? -1, deletedAt[partition] ?? -1)
    }

    mutating func remove(_ partitions: [GroupPartition], at base: Int64) {
        for (index, partition) in partitions.enumerated() { remove(partition, at: base + Int64(index)) }
    }

    mutating func remove(_ partition: GroupPartition, at logOffset: Int64) {
        if let stored = offsets[partition], stored.logOffset < logOffset { offsets[partition] = nil }
        if storesInFlight > 0 { deletedAt[partition] = max(deletedAt[partition] ?? -1, logOffset) }
    }
}
