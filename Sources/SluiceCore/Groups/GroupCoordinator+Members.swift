// What members say between joining and leaving: sync, heartbeat, the time of processing, leave.

package import SluiceLog

extension GroupCoordinator {
    /// A member asks for its assignment; the leader's request brings all of them, and they are stored first.
    /// Answered by `synced`, or with: `unknownMember`, `illegalGeneration`, `rebalanceInProgress` (rejoin),
    /// `fencedInstance` (stop), `inconsistentProtocol`, `coordinatorNotAvailable` (rejoin a little later).
    package mutating func sync(_ request: SyncRequest, ticket: UInt64, now: Instant) {
        // What it was to get is not known any more: it starts over.
        guard isLoaded else { return answer(sync: ticket, .failure(.rebalanceInProgress)) }
        guard var group = take(request.groupID) else { return answer(sync: ticket, .failure(.unknownMember)) }
        defer { put(group) }
        if let error = group.check(request) { return answer(sync: ticket, .failure(error)) }
        guard var member = group.members[request.memberID] else { return }
        switch group.state {
        case .dead: answer(sync: ticket, .failure(.coordinatorNotAvailable))
        case .empty: answer(sync: ticket, .failure(.unknownMember))
        case .preparingRebalance: answer(sync: ticket, .failure(.rebalanceInProgress))
        case .stable:
            member.hasSynced = true
            group.members[member.id] = member
            touch(member, in: group.id, now)
            answer(sync: ticket, .success(group.syncResponse(for: member)))
            endPhaseIfAllSynced(group)
        case .completingRebalance:
            if let old = member.syncTicket { answer(sync: old, .failure(.rebalanceInProgress)) }
            member.syncTicket = ticket
            group.members[member.id] = member
            deadlines.set(.session(group: group.id, member: member.id), nil)
            guard group.leaderID == member.id, group.assigning == nil else { return }
            let assignments = group.members.mapValues { request.assignments[$0.id] ?? [] }
            group.stateTimestamp = now.wallMilliseconds
            let record = group.record(assignments: assignments)
            let id = store([record], in: &group, for: .assignment(generation: group.generation))
            group.assigning = (id, assignments)
        }
    }

    private mutating func answer(sync ticket: UInt64, _ result: Result<SyncResponse, GroupError>) {
        effects.append(.synced(ticket: ticket, result))
    }

    private mutating func endPhaseIfAllSynced(_ group: Group) {
        if group.members.values.allSatisfy(\.hasSynced) { deadlines.set(.phase(group: group.id), nil) }
    }

    /// The leader's assignment is durable, or could not be stored.
    mutating func assigned(_ storeID: UInt64, isDurable: Bool, _ group: inout Group, _ now: Instant) {
        // A rebalance or a restart of it came between.
        guard let assigning = group.assigning, assigning.storeID == storeID else { return }
        group.assigning = nil
        guard group.state == .completingRebalance else { return }
        if isDurable { group.state = .stable }
        for var member in group.membersInOrder {
            if isDurable { member.assignment = assigning.assignments[member.id] ?? [] }
            if let ticket = member.syncTicket {
                member.syncTicket = nil
                member.hasSynced = isDurable
                answer(
                    sync: ticket,
                    isDurable ? .success(group.syncResponse(for: member)) : .failure(.coordinatorNotAvailable)
                )
                touch(member, in: group.id, now)
            }
            group.members[member.id] = member
        }
        if isDurable { endPhaseIfAllSynced(group) } else { rebalance(&group, now) }
    }

    /// A member on the wire says that it is alive. Throws `rebalanceInProgress` (rejoin), `unknownMember`,
    /// `illegalGeneration` (rejoin), `fencedInstance` (stop), `coordinatorNotAvailable`.
    package mutating func heartbeat(
        groupID: String, generation: Int32, memberID: String, instanceID: String? = nil, now: Instant
    ) throws(GroupError) {
        // As Kafka: a member must not lose its place because its group is not read yet.
        guard isLoaded else { return }
        guard let group = groups[groupID] else { throw .unknownMember }
        if group.state == .dead { throw .coordinatorNotAvailable }
        if let error = group.check(memberID: memberID, instanceID: instanceID) { throw error }
        guard generation == group.generation else { throw .illegalGeneration }
        guard group.state != .empty, let member = group.members[memberID] else { throw .unknownMember }
        if member.joinTicket == nil, member.syncTicket == nil { touch(member, in: groupID, now) }
        if group.state == .preparingRebalance { throw .rebalanceInProgress }
    }

    /// Until when a member in this process may keep what it has in hand, in monotonic nanoseconds; nil when
    /// it has nothing. Beyond it, it is removed. Kafka: max.poll.interval.ms.
    package mutating func processing(groupID: String, memberID: String, until deadline: Int64?) {
        guard let member = groups[groupID]?.members[memberID], member.isLocal else { return }
        deadlines.set(.processing(group: groupID, member: memberID), deadline)
    }

    /// Members leave, each on its own: the errors, nil for those that left, in their order. `unknownMember`,
    /// `fencedInstance`, `coordinatorLoading`.
    package mutating func leave(groupID: String, members: [LeavingMember], now: Instant) -> [GroupError?] {
        guard isLoaded else { return members.map { _ in .coordinatorLoading } }
        guard var group = take(groupID) else { return members.map { _ in .unknownMember } }
        defer { put(group) }
        let results = members.map { leave($0, &group) }
        if results.contains(nil), group.state != .empty { rebalance(&group, now) }
        return results
    }

    /// A member gives up its first join, before it has been told its id: it is taken out, and the ticket is
    /// answered with `unknownMember`. Without such a join nothing happens.
    package mutating func cancelJoin(groupID: String, ticket: UInt64, now: Instant) {
        guard var group = take(groupID) else { return }
        defer { put(group) }
        guard let member = group.members.values.first(where: { $0.joinTicket == ticket }) else { return }
        drop(member, from: &group, isExpired: false)
        rebalance(&group, now)
    }

    private mutating func leave(_ leaving: LeavingMember, _ group: inout Group) -> GroupError? {
        if leaving.instanceID == nil, group.pending.removeValue(forKey: leaving.memberID) != nil {
            deadlines.set(.pending(group: group.id, member: leaving.memberID), nil)
            return nil
        }
        var memberID = leaving.memberID
        if memberID.isEmpty, let instanceID = leaving.instanceID {
            memberID = group.staticMembers[instanceID] ?? ""
        }
        if let error = group.check(memberID: memberID, instanceID: leaving.instanceID) { return error }
        guard let member = group.members[memberID] else { return .unknownMember }
        drop(member, from: &group, isExpired: false)
        return nil
    }
}

extension Group {
    fileprivate func check(_ request: SyncRequest) -> GroupError? {
        if state == .dead { return .coordinatorNotAvailable }
        if let error = check(memberID: request.memberID, instanceID: request.instanceID) { return error }
        if request.generation != generation { return .illegalGeneration }
        if let type = request.protocolType, type != protocolType { return .inconsistentProtocol }
        if let name = request.protocolName, name != protocolName { return .inconsistentProtocol }
        return nil
    }
}
