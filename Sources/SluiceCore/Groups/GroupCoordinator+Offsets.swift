// Committed offsets: commit, seek, fetch, delete; and the outcome of what was stored.

package import SluiceLog

extension GroupCoordinator {
    /// Commits positions, of a member of the current generation, or of nobody when the group is empty.
    /// Answered by `committed` once durable, or with: `coordinatorLoading`, `coordinatorNotAvailable` (try
    /// again), `rebalanceInProgress` (rejoin, then again), `illegalGeneration`, `unknownMember`,
    /// `fencedInstance` (the partitions may be another's by now), `invalidGroupID`. A commit without offsets
    /// is answered at once. Many may be in flight.
    package mutating func commit(_ request: CommitRequest, ticket: UInt64, now: Instant) {
        guard isLoaded else { return refuse(commit: ticket, .coordinatorLoading) }
        guard isLegal(request.groupID) else { return refuse(commit: ticket, .invalidGroupID) }
        if groups[request.groupID] == nil, request.generation >= 0 {
            return refuse(commit: ticket, .illegalGeneration)
        }
        var group = takeOrMake(request.groupID, now)
        defer { put(group) }
        if let error = group.check(request) { return refuse(commit: ticket, error) }
        if let member = group.members[request.memberID], member.joinTicket == nil, member.syncTicket == nil {
            touch(member, in: group.id, now)
        }
        append(request.offsets, ticket: ticket, to: &group, now)
    }

    /// Sets the positions of a group without members: an administrator's act. Answered by `committed`, or
    /// with `nonEmptyGroup`, `coordinatorLoading`, `coordinatorNotAvailable`, `invalidGroupID`,
    /// `unstableOffsetCommit` while a commit of one of the partitions is on its way: it may be appended with
    /// data, and later than this.
    package mutating func seek(groupID: String, to offsets: [OffsetToCommit], ticket: UInt64, now: Instant) {
        guard isLoaded else { return refuse(commit: ticket, .coordinatorLoading) }
        guard isLegal(groupID) else { return refuse(commit: ticket, .invalidGroupID) }
        let isUnstable = isCommitting(groupID, Set(offsets.map(\.partition)))
        var group = takeOrMake(groupID, now)
        defer { put(group) }
        if group.isGoing { return refuse(commit: ticket, .coordinatorNotAvailable) }
        guard group.state == .empty else { return refuse(commit: ticket, .nonEmptyGroup) }
        if isUnstable { return refuse(commit: ticket, .unstableOffsetCommit) }
        append(offsets, ticket: ticket, to: &group, now)
    }

    /// What a group has committed, partition by partition; all of it, in order, when none are named. A
    /// partition without a commit, and a group that is not there, give nil. Throws `coordinatorLoading`.
    ///
    /// - Parameter requireStable: throw `unstableOffsetCommit` while a commit of one of the partitions is on
    ///   its way: a member that starts before it would commit less than its predecessor.
    ///   Kafka: require_stable of OffsetFetch v7.
    package func committed(
        groupID: String, partitions: [GroupPartition]? = nil, requireStable: Bool = false
    ) throws(GroupError) -> [(partition: GroupPartition, offset: CommittedOffset?)] {
        guard isLoaded else { throw .coordinatorLoading }
        let offsets = groups[groupID]?.offsets ?? [:]
        let asked = partitions ?? offsets.keys.sorted()
        if requireStable, isCommitting(groupID, Set(asked)) { throw .unstableOffsetCommit }
        return asked.map { ($0, offsets[$0]?.committed) }
    }

    private func isCommitting(_ groupID: String, _ partitions: Set<GroupPartition>) -> Bool {
        guard groups[groupID]?.storesInFlight ?? 0 > 0 else { return false }
        return stores.values.contains { store in
            guard store.groupID == groupID, case .commit(_, let offsets, _) = store.purpose else {
                return false
            }
            return offsets.contains { partitions.contains($0.0) }
        }
    }

    /// Takes back commits. Answered by `offsetsDeleted` with the partitions that were refused, for the group
    /// reads them (`groupSubscribedToTopic`), or with `groupIDNotFound`, `nonEmptyGroup` (a group of others
    /// than consumers), `coordinatorLoading`.
    package mutating func deleteOffsets(
        groupID: String, partitions: [GroupPartition], ticket: UInt64, now: Instant
    ) {
        func answer(_ result: Result<[RefusedPartition], GroupError>) {
            effects.append(.offsetsDeleted(ticket: ticket, result))
        }
        guard isLoaded else { return answer(.failure(.coordinatorLoading)) }
        guard var group = take(groupID) else { return answer(.failure(.groupIDNotFound)) }
        defer { put(group) }
        if group.isGoing { return answer(.failure(.groupIDNotFound)) }
        if group.state != .empty, group.protocolType != "consumer" {
            return answer(.failure(.nonEmptyGroup))
        }
        let isRead = { [group] (topic: String) in
            group.state != .empty && group.subscribedTopics?.contains(topic) ?? true
        }
        let refused = partitions.filter { isRead($0.topic) }.map {
            RefusedPartition(partition: $0, error: .groupSubscribedToTopic)
        }
        let gone = partitions.filter { !isRead($0.topic) && group.offsets[$0] != nil }
        if gone.isEmpty { return answer(.success(refused)) }
        delete(gone, ticket: ticket, refused: refused, from: &group)
    }

    /// A topic has been deleted: what groups committed of it must not be taken for another one of its name.
    /// Answered by `topicForgotten` once that is durable, or with `coordinatorNotAvailable`.
    ///
    /// Commits on their way are taken back too. Those whose records go to the log in the order of the effects
    /// are followed by what takes them back; one that comes into the log later, with data that it is atomic
    /// with, is taken back when its outcome is told, and nobody waits for that: it may never be.
    package mutating func topicDeleted(_ topic: String, ticket: UInt64, now: Instant) {
        var gone: [String: Set<GroupPartition>] = [:]
        for (id, pending) in stores {
            guard case .commit(_, let offsets, _) = pending.purpose else { continue }
            let partitions = offsets.map(\.0).filter { $0.topic == topic }
            guard !partitions.isEmpty else { continue }
            stores[id]?.deletedTopics.insert(topic)
            gone[pending.groupID, default: []].formUnion(partitions)
        }
        // That may fail; what is written now is behind it.
        for pending in stores.values {
            guard case .takingBack(let late) = pending.purpose else { continue }
            let partitions = late.map(\.partition).filter { $0.topic == topic }
            if !partitions.isEmpty { gone[pending.groupID, default: []].formUnion(partitions) }
        }
        for (groupID, group) in groups {
            let partitions = group.offsets.keys.filter { $0.topic == topic }
            if !partitions.isEmpty { gone[groupID, default: []].formUnion(partitions) }
        }
        guard !gone.isEmpty else { return effects.append(.topicForgotten(ticket: ticket, nil)) }
        topicDeletions[ticket] = TopicDeletion(storesLeft: gone.count)
        for (groupID, partitions) in gone.sorted(by: { $0.key < $1.key }) {
            guard var group = take(groupID) else { continue }
            delete(
                partitions.sorted(), for: .topicDeletion(ticket: ticket, partitions.sorted()), from: &group)
            put(group)
        }
    }

    /// The topics of which something is committed, by name.
    package var committedTopics: [String] {
        Set(groups.values.flatMap { $0.offsets.keys.map(\.topic) }).sorted()
    }

    mutating func delete(
        _ partitions: [GroupPartition], ticket: UInt64?, refused: [RefusedPartition],
        from group: inout Group
    ) {
        delete(
            partitions, ticket: ticket,
            for: .offsetDeletion(ticket: ticket, partitions, refused: refused), from: &group)
    }

    mutating func delete(
        _ partitions: [GroupPartition], ticket: UInt64? = nil, for purpose: PendingStore.Purpose,
        from group: inout Group
    ) {
        _ = store(partitions.map { group.tombstone($0) }, ticket: ticket, in: &group, for: purpose)
    }

    private func isLegal(_ groupID: String) -> Bool {
        !groupID.isEmpty && groupID.utf8.count <= GroupLimits.groupIDBytes
    }

    private mutating func refuse(commit ticket: UInt64, _ error: GroupError) {
        effects.append(.committed(ticket: ticket, .failure(error)))
    }

    private mutating func append(
        _ offsets: [OffsetToCommit], ticket: UInt64, to group: inout Group, _ now: Instant
    ) {
        var refused: [RefusedPartition] = []
        var taken: [(GroupPartition, CommittedOffset)] = []
        for offset in offsets {
            guard offset.metadata.utf8.count <= GroupLimits.metadataBytes else {
                refused.append(.init(partition: offset.partition, error: .offsetMetadataTooLarge))
                continue
            }
            let committed = CommittedOffset(
                offset: offset.offset, leaderEpoch: offset.leaderEpoch, metadata: offset.metadata,
                commitTimestamp: now.wallMilliseconds)
            taken.append((offset.partition, committed))
        }
        guard !taken.isEmpty else {
            effects.append(.committed(ticket: ticket, .success(refused)))
            return
        }
        let records = taken.map { group.record($0.0, $0.1) }
        _ = store(records, ticket: ticket, in: &group, for: .commit(ticket: ticket, taken, refused: refused))
    }
}

extension Group {
    /// It is being deleted.
    var isGoing: Bool { state == .dead || !deletions.isEmpty }

    func record(_ partition: GroupPartition, _ offset: CommittedOffset) -> GroupRecord {
        GroupRecord(key: GroupRecordKey.offset(groupID: id, partition).bytes, value: offset.bytes)
    }

    func tombstone(_ partition: GroupPartition) -> GroupRecord {
        GroupRecord(key: GroupRecordKey.offset(groupID: id, partition).bytes, value: nil)
    }

    fileprivate func check(_ request: CommitRequest) -> GroupError? {
        if isGoing { return .coordinatorNotAvailable }
        if state == .empty, request.generation < 0 { return nil }
        guard request.generation >= 0 || !request.memberID.isEmpty || request.instanceID != nil else {
            // A simple consumer cannot commit beside members.
            return .unknownMember
        }
        if let error = check(memberID: request.memberID, instanceID: request.instanceID) { return error }
        if request.generation != generation, !PlantedBug.staleGenerationCommits.isPlanted {
            return .illegalGeneration
        }
        if PlantedBug.commitDuringRebalance.isPlanted { return nil }
        return state == .completingRebalance ? .rebalanceInProgress : nil
    }
}
