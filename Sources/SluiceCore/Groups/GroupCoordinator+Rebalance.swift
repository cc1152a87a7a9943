// A rebalance: collecting joins, making the generation, and what happens when somebody does not come.

import SluiceLog

extension GroupCoordinator {
    /// Begins a rebalance, or goes on with the one under way.
    mutating func rebalance(_ group: inout Group, _ now: Instant) {
        switch group.state {
        case .dead: return
        case .preparingRebalance: completeJoinIfAllCame(&group, now)
        case .empty, .stable, .completingRebalance: prepare(&group, now)
        }
    }

    private mutating func prepare(_ group: inout Group, _ now: Instant) {
        let wasEmpty = group.state == .empty
        if group.state == .completingRebalance {
            for member in group.membersInOrder {
                guard let ticket = member.syncTicket else { continue }
                effects.append(.synced(ticket: ticket, .failure(.rebalanceInProgress)))
                group.members[member.id]?.syncTicket = nil
                if member.joinTicket == nil { touch(member, in: group.id, now) }
            }
        }
        group.assigning = nil
        group.state = .preparingRebalance
        for member in group.membersInOrder where member.isLocal && member.joinTicket == nil {
            effects.append(.notify(groupID: group.id, memberID: member.id, .rebalanceNeeded))
        }
        let delay = configuration.initialRebalanceDelayMilliseconds
        if wasEmpty, delay > 0, group.members.values.contains(where: { !$0.isLocal }) {
            group.delayLeft = max(group.maxRebalanceTimeout - delay, 0)
            group.hasNewMember = false
            setPhase(group, milliseconds: delay, now)
        } else {
            setPhase(group, milliseconds: group.maxRebalanceTimeout, now)
            completeJoinIfAllCame(&group, now)
        }
    }

    private mutating func setPhase(_ group: Group, milliseconds: Int64, _ now: Instant) {
        deadlines.set(.phase(group: group.id), now.after(milliseconds: milliseconds))
    }

    private mutating func completeJoinIfAllCame(_ group: inout Group, _ now: Instant) {
        guard group.delayLeft == nil, group.pending.isEmpty,
            group.members.values.allSatisfy({ $0.joinTicket != nil })
        else { return }
        completeJoin(&group, now)
    }

    /// Makes the next generation of those who joined.
    private mutating func completeJoin(_ group: inout Group, _ now: Instant) {
        group.delayLeft = nil
        // A static member on the wire keeps its place: it is expected back. One in this process is either
        // here or gone for good.
        for member in group.membersInOrder where member.joinTicket == nil {
            if member.instanceID == nil || member.isLocal { drop(member, from: &group, isExpired: true) }
        }
        let members = group.membersInOrder
        if !members.isEmpty, group.leaderID.flatMap({ group.members[$0]?.joinTicket }) == nil {
            guard let leader = members.first(where: { $0.joinTicket != nil }) else {
                // Only static members, all of them away: wait on.
                return setPhase(group, milliseconds: group.maxRebalanceTimeout, now)
            }
            group.leaderID = leader.id
        }
        group.generation = group.generation == .max ? 1 : group.generation + 1
        group.stateTimestamp = now.wallMilliseconds
        guard !members.isEmpty else { return becomeEmpty(&group) }

        group.protocolName = group.vote()
        group.state = .completingRebalance
        group.noteSubscriptions()
        rebalanceCount += 1
        for var member in members {
            member.hasSynced = false
            if let ticket = member.joinTicket {
                member.joinTicket = nil
                member.isNew = false
                let response = group.joinResponse(for: member, withMembers: group.leaderID == member.id)
                effects.append(.joined(ticket: ticket, .success(response)))
                touch(member, in: group.id, now)
            }
            group.members[member.id] = member
        }
        setPhase(group, milliseconds: group.maxRebalanceTimeout, now)
    }

    private mutating func becomeEmpty(_ group: inout Group) {
        group.state = .empty
        group.protocolName = nil
        group.leaderID = nil
        group.subscribedTopics = []
        deadlines.set(.phase(group: group.id), nil)
        _ = store([group.record(assignments: [:])], in: &group, for: .metadata)
    }

    // MARK: Time-outs

    mutating func phaseEnded(_ groupID: String, _ now: Instant) {
        guard var group = take(groupID) else { return }
        defer { put(group) }
        switch group.state {
        case .preparingRebalance:
            let delay = configuration.initialRebalanceDelayMilliseconds
            if let left = group.delayLeft, left > 0, group.hasNewMember {
                group.hasNewMember = false
                group.delayLeft = max(left - delay, 0)
                setPhase(group, milliseconds: min(delay, left), now)
            } else if group.delayLeft != nil, !group.pending.isEmpty {
                group.delayLeft = nil
                setPhase(group, milliseconds: group.maxRebalanceTimeout, now)
                completeJoinIfAllCame(&group, now)
            } else {
                completeJoin(&group, now)
            }
        case .completingRebalance, .stable:
            let late = group.membersInOrder.filter { !$0.hasSynced && $0.syncTicket == nil }
            for member in late { drop(member, from: &group, isExpired: true) }
            if !late.isEmpty { rebalance(&group, now) }
        case .empty, .dead: break
        }
    }

    mutating func sessionEnded(_ groupID: String, _ memberID: String, _ now: Instant) {
        guard let member = groups[groupID]?.members[memberID] else { return }
        let isHeld = member.joinTicket != nil && !member.isNew || member.syncTicket != nil
        if !isHeld { remove(memberID, from: groupID, now) }
    }

    mutating func processingEnded(_ groupID: String, _ memberID: String, _ now: Instant) {
        remove(memberID, from: groupID, now)
    }

    private mutating func remove(_ memberID: String, from groupID: String, _ now: Instant) {
        guard var group = take(groupID) else { return }
        defer { put(group) }
        guard let member = group.members[memberID] else { return }
        drop(member, from: &group, isExpired: true)
        rebalance(&group, now)
    }

    mutating func forgetPending(_ groupID: String, _ memberID: String, _ now: Instant) {
        guard var group = take(groupID) else { return }
        defer { put(group) }
        group.pending[memberID] = nil
        if group.state == .preparingRebalance { completeJoinIfAllCame(&group, now) }
    }

    // MARK: Members

    /// Takes a member out and answers what it waits for. What follows for the group is the caller's to do.
    mutating func drop(_ member: Member, from group: inout Group, isExpired: Bool) {
        group.members[member.id] = nil
        if let instanceID = member.instanceID { group.staticMembers[instanceID] = nil }
        if group.leaderID == member.id { group.leaderID = nil }
        forgetTimers(of: member.id, in: group.id)
        // Before the answers: a member that is away must not take one of them for a reason to join again.
        if isExpired, member.isLocal {
            effects.append(.notify(groupID: group.id, memberID: member.id, .removed))
        }
        if let ticket = member.joinTicket {
            effects.append(.joined(ticket: ticket, .failure(.unknownMember)))
        }
        if let ticket = member.syncTicket {
            effects.append(.synced(ticket: ticket, .failure(.unknownMember)))
        }
        if isExpired { expiredMemberCount += 1 }
    }

    mutating func forgetTimers(of memberID: String, in groupID: String) {
        deadlines.set(.session(group: groupID, member: memberID), nil)
        deadlines.set(.processing(group: groupID, member: memberID), nil)
    }

    /// The member is alive: its session begins anew.
    mutating func touch(_ member: Member, in groupID: String, _ now: Instant) {
        guard !member.isLocal else { return }
        deadlines.set(
            .session(group: groupID, member: member.id),
            now.after(milliseconds: Int64(member.sessionTimeout)))
    }
}
