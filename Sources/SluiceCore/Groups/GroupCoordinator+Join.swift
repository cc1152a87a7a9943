// Joining: who may, under which id, and whether that begins a rebalance.

package import SluiceLog

extension GroupCoordinator {
    /// A member joins, or rejoins. Answered by `joined` when the generation is made, or with:
    /// `coordinatorLoading`, `coordinatorNotAvailable` (try again), `invalidGroupID`,
    /// `invalidSessionTimeout`, `groupMaxSizeReached`, `inconsistentProtocol`, `memberIDRequired` (join with
    /// that id), `unknownMember` (join without an id), `fencedInstance` (stop), `rebalanceInProgress` (a
    /// later join took its place).
    package mutating func join(_ request: JoinRequest, ticket: UInt64, now: Instant) {
        let answer: GroupError? =
            if !isLoaded {
                .coordinatorLoading
            } else if request.groupID.isEmpty || request.groupID.utf8.count > GroupLimits.groupIDBytes {
                .invalidGroupID
            } else if !request.isLocal,
                !configuration.sessionTimeouts.contains(request.sessionTimeoutMilliseconds)
            {
                .invalidSessionTimeout
            } else if groups[request.groupID] == nil, !request.memberID.isEmpty {
                .unknownMember
            } else {
                nil
            }
        if let answer { return refuse(join: ticket, answer) }

        var group = takeOrMake(request.groupID, now)
        defer { put(group) }
        if group.state == .dead || !group.deletions.isEmpty {
            return refuse(join: ticket, .coordinatorNotAvailable)
        }
        guard hasRoom(group, for: request) else { return refuse(join: ticket, .groupMaxSizeReached) }
        guard group.supports(request.protocolType, request.protocols) else {
            return refuse(join: ticket, .inconsistentProtocol)
        }
        if request.memberID.isEmpty {
            joinNew(request, ticket: ticket, &group, now)
        } else if group.pending[request.memberID] != nil, request.instanceID == nil {
            group.pending[request.memberID] = nil
            deadlines.set(.pending(group: group.id, member: request.memberID), nil)
            add(request.memberID, request, ticket: ticket, &group, now)
        } else {
            joinKnown(request, ticket: ticket, &group, now)
        }
    }

    private mutating func refuse(join ticket: UInt64, _ error: GroupError) {
        effects.append(.joined(ticket: ticket, .failure(error)))
    }

    private func hasRoom(_ group: Group, for request: JoinRequest) -> Bool {
        if let instanceID = request.instanceID, group.staticMembers[instanceID] != nil { return true }
        return group.members[request.memberID] != nil || group.members.count < configuration.maxGroupSize
    }

    private mutating func joinNew(
        _ request: JoinRequest, ticket: UInt64, _ group: inout Group, _ now: Instant
    ) {
        if let instanceID = request.instanceID {
            let id = newMemberID(instanceID)
            guard let old = group.staticMembers[instanceID] else {
                return add(id, request, ticket: ticket, &group, now)
            }
            if request.isReturning { return refuse(join: ticket, .fencedInstance) }
            replace(old, by: id, request, ticket: ticket, &group, now)
            return
        }
        let id = newMemberID(request.clientID)
        if request.requiresKnownMemberID, !request.isLocal {
            group.pending[id] = request.sessionTimeoutMilliseconds
            deadlines.set(
                .pending(group: group.id, member: id),
                now.after(milliseconds: Int64(request.sessionTimeoutMilliseconds)))
            refuse(join: ticket, .memberIDRequired(memberID: id))
        } else {
            add(id, request, ticket: ticket, &group, now)
        }
    }

    private mutating func add(
        _ id: String, _ request: JoinRequest, ticket: UInt64, _ group: inout Group, _ now: Instant
    ) {
        if group.members.isEmpty { group.protocolType = request.protocolType }
        var member = Member(
            id: id, instanceID: request.instanceID, clientID: request.clientID,
            clientHost: request.clientHost, isLocal: request.isLocal,
            sessionTimeout: request.sessionTimeoutMilliseconds,
            rebalanceTimeout: max(request.rebalanceTimeoutMilliseconds, 0), protocols: request.protocols,
            number: nextMemberNumber())
        member.joinTicket = ticket
        group.members[id] = member
        if let instanceID = request.instanceID { group.staticMembers[instanceID] = id }
        group.hasNewMember = true
        if !member.isLocal {
            deadlines.set(
                .session(group: group.id, member: id),
                now.after(milliseconds: GroupLimits.newMemberJoinMilliseconds))
        }
        rebalance(&group, now)
    }

    private mutating func joinKnown(
        _ request: JoinRequest, ticket: UInt64, _ group: inout Group, _ now: Instant
    ) {
        if let error = group.check(memberID: request.memberID, instanceID: request.instanceID) {
            return refuse(join: ticket, error)
        }
        guard var member = group.members[request.memberID] else { return }
        let isSame = member.protocols == request.protocols
        switch group.state {
        case .completingRebalance where isSame, .stable where isSame && group.leaderID != member.id:
            // The answer was lost: it is given again.
            let isLeader = group.leaderID == member.id
            let response = group.joinResponse(for: member, withMembers: isLeader)
            effects.append(.joined(ticket: ticket, .success(response)))
            touch(member, in: group.id, now)
        case .empty, .dead: refuse(join: ticket, .unknownMember)
        case .completingRebalance, .stable, .preparingRebalance:
            if let old = member.joinTicket { refuse(join: old, .rebalanceInProgress) }
            member.joinTicket = ticket
            member.protocols = request.protocols
            member.rebalanceTimeout = max(request.rebalanceTimeoutMilliseconds, 0)
            member.sessionTimeout = request.sessionTimeoutMilliseconds
            group.members[member.id] = member
            // Its client waits: silence is not death.
            if !member.isNew { deadlines.set(.session(group: group.id, member: member.id), nil) }
            rebalance(&group, now)
        }
    }

    /// A static member came back under a new id: the old one is fenced, and when nothing else has changed,
    /// the group goes on without a rebalance.
    private mutating func replace(
        _ old: String, by id: String, _ request: JoinRequest, ticket: UInt64, _ group: inout Group,
        _ now: Instant
    ) {
        guard var member = group.members.removeValue(forKey: old) else { return }
        if let held = member.joinTicket { refuse(join: held, .fencedInstance) }
        if let held = member.syncTicket { effects.append(.synced(ticket: held, .failure(.fencedInstance))) }
        if member.isLocal {
            effects.append(.notify(groupID: group.id, memberID: old, .fenced))
        }
        forgetTimers(of: old, in: group.id)
        let oldMetadata = member.metadata(group.protocolName)
        // Members in this process hold what they own until they are told: their partitions are given anew.
        let isQuiet = group.state == .stable && !member.isLocal && !request.isLocal
        member.id = id
        member.clientID = request.clientID
        member.clientHost = request.clientHost
        member.isLocal = request.isLocal
        member.protocols = request.protocols
        member.rebalanceTimeout = max(request.rebalanceTimeoutMilliseconds, 0)
        member.sessionTimeout = request.sessionTimeoutMilliseconds
        member.joinTicket = nil
        member.syncTicket = nil
        if var assigning = group.assigning {
            assigning.assignments[id] = assigning.assignments.removeValue(forKey: old)
            group.assigning = assigning
        }
        group.members[id] = member
        if let instanceID = request.instanceID { group.staticMembers[instanceID] = id }
        let wasLeader = group.leaderID == old
        if wasLeader { group.leaderID = id }

        guard isQuiet, group.vote() == group.protocolName,
            member.metadata(group.protocolName) == oldMetadata
        else {
            member.joinTicket = ticket
            group.members[id] = member
            rebalance(&group, now)
            return
        }
        var response = group.joinResponse(for: member, withMembers: wasLeader)
        response.skipsAssignment = wasLeader
        let assignments = group.members.mapValues(\.assignment)
        _ = store(
            [group.record(assignments: assignments)], in: &group,
            for: .replacement(ticket: ticket, response))
        touch(member, in: group.id, now)
    }
}

extension Group {
    /// Why the group does not take this member for one of its own; nil when it does.
    func check(memberID: String, instanceID: String?) -> GroupError? {
        if let instanceID {
            guard let current = staticMembers[instanceID] else { return .unknownMember }
            return current == memberID ? nil : .fencedInstance
        }
        return members[memberID] == nil ? .unknownMember : nil
    }
}
