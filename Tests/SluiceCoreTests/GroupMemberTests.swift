// A member's own state machine, against answers made by hand.

import SluiceCore
import SluiceLog
import Testing

@Suite struct GroupMemberTests {
    private func list(_ partitions: Int32...) -> [GroupPartition] {
        partitions.map { GroupPartition(topic: "t", partition: $0) }
    }

    private func member(_ assignors: [Assignor] = Assignor.allCases, instance: String? = nil) -> GroupMember {
        var member = GroupMember(
            .init(groupID: "g", clientID: "c", instanceID: instance, assignors: assignors), topics: ["t"],
            counts: ["t": 4])
        member.start()
        return member
    }

    private func response(
        _ generation: Int32, _ name: String = "cooperative-sticky", members: [JoinRequest] = []
    ) -> JoinResponse {
        JoinResponse(
            generation: generation, protocolType: "consumer", protocolName: name,
            leaderID: members.isEmpty ? "other" : "me", memberID: "me",
            members: members.enumerated().map { index, request in
                .init(
                    memberID: index == 0 ? "me" : "m\(index)", instanceID: nil,
                    metadata: request.protocols.first { $0.name == name }?.metadata ?? [])
            })
    }

    private func assigned(_ partitions: [GroupPartition], _ name: String = "cooperative-sticky")
        -> SyncResponse
    {
        SyncResponse(
            protocolType: "consumer", protocolName: name,
            assignment: ConsumerAssignment(partitions: partitions).bytes())
    }

    /// A member in a generation with these partitions, its effects taken.
    private func stable(_ partitions: [GroupPartition], _ assignor: Assignor = .cooperativeSticky)
        -> GroupMember
    {
        var member = member([assignor])
        member.joined(.success(response(1, assignor.rawValue)))
        member.synced(.success(assigned(partitions, assignor.rawValue)))
        _ = member.takeEffects()
        return member
    }

    private func joinRequest(_ effects: [MemberEffect]) -> JoinRequest? {
        for case .join(let request) in effects { return request }
        return nil
    }

    @Test func `it offers its assignors in order, cooperative first`() throws {
        var member = member()
        let request = try #require(joinRequest(member.takeEffects()))
        #expect(request.protocols.map(\.name) == ["cooperative-sticky", "range", "roundrobin"])
        #expect(request.isLocal && request.memberID.isEmpty)
        #expect(try ConsumerSubscription(request.protocols[0].metadata[...]).topics == ["t"])
    }

    @Test func `the leader assigns what the topics have`() throws {
        var member = member()
        let request = try #require(joinRequest(member.takeEffects()))
        member.joined(.success(response(1, members: [request, request])))
        guard case .sync(let sync) = member.takeEffects().first else {
            Issue.record("no sync")
            return
        }
        let all = try sync.assignments.values.flatMap { try ConsumerAssignment($0[...]).partitions }
        #expect(all.sorted() == list(0, 1, 2, 3) && sync.assignments.count == 2)
    }

    @Test func `a cooperative member rejoins with what it owns`() throws {
        var member = stable(list(0, 1))
        member.rebalanceNeeded()
        let request = try #require(joinRequest(member.takeEffects()))
        let subscription = try ConsumerSubscription(request.protocols[0].metadata[...])
        #expect(subscription.owned == list(0, 1) && subscription.generation == 1)
        #expect(member.owned == list(0, 1))
    }

    @Test func `an eager member gives everything up before it rejoins`() throws {
        var member = stable(list(0, 1), .range)
        member.rebalanceNeeded()
        #expect(member.takeEffects() == [.revoke(list(0, 1))])
        #expect(member.owned == list(0, 1))
        member.revoked()
        let request = try #require(joinRequest(member.takeEffects()))
        #expect(try ConsumerSubscription(request.protocols[0].metadata[...]).owned.isEmpty)
        #expect(member.owned.isEmpty)
    }

    @Test func `what it is no longer assigned it gives up, and then rejoins`() throws {
        var member = stable(list(0, 1))
        member.rebalanceNeeded()
        member.joined(.success(response(2)))
        _ = member.takeEffects()
        member.synced(.success(assigned(list(1, 2))))
        #expect(member.takeEffects() == [.assign(list(2)), .revoke(list(0))])
        #expect(member.owned == list(0, 1, 2))
        member.revoked()
        #expect(member.owned == list(1, 2))
        #expect(joinRequest(member.takeEffects()) != nil)
    }

    @Test func `a notice before the answer to its sync is not forgotten`() {
        var member = member([.cooperativeSticky])
        member.joined(.success(response(1)))
        member.rebalanceNeeded()
        _ = member.takeEffects()
        member.synced(.success(assigned(list(0))))
        #expect(joinRequest(member.takeEffects()) != nil && member.phase == .joining)
    }

    @Test func `topics that come while its join is held are joined for afterwards`() throws {
        var member = member([.cooperativeSticky])
        member.topicsChanged(topics: ["t", "u"], counts: ["t": 1, "u": 1])
        member.joined(.success(response(1)))
        _ = member.takeEffects()
        member.synced(.success(assigned(list(0))))
        let request = try #require(joinRequest(member.takeEffects()))
        let subscription = try ConsumerSubscription(request.protocols[0].metadata[...])
        #expect(subscription.topics == ["t", "u"])
    }

    @Test func `removed or unknown, it has lost everything and joins as a new member`() throws {
        var removed = stable(list(0))
        removed.removed()
        let effects = removed.takeEffects()
        #expect(effects.first == .lost(list(0)))
        #expect(try #require(joinRequest(effects)).memberID.isEmpty && removed.owned.isEmpty)
        var unknown = stable(list(0))
        unknown.rebalanceNeeded()
        unknown.joined(.failure(.unknownMember))
        #expect(unknown.takeEffects().contains(.lost(list(0))) && unknown.generation == -1)
    }

    @Test func `only one that was put out says that it returns, until it has an id again`() throws {
        var first = member()
        #expect(try #require(joinRequest(first.takeEffects())).isReturning == false)
        var removed = stable(list(0))
        removed.removed()
        #expect(try #require(joinRequest(removed.takeEffects())).isReturning)
        removed.joined(.success(response(3)))
        removed.synced(.failure(.rebalanceInProgress))
        #expect(try #require(joinRequest(removed.takeEffects())).isReturning == false)
    }

    @Test func `fenced, it ends`() {
        var member = stable(list(0))
        member.fenced()
        #expect(member.takeEffects() == [.lost(list(0)), .failed(.fencedInstance)])
        #expect(member.phase == .ended)
    }

    @Test func `a coordinator that cannot answer is asked again later`() {
        var member = member()
        _ = member.takeEffects()
        member.joined(.failure(.coordinatorNotAvailable))
        #expect(member.takeEffects() == [.retryLater])
        member.retry()
        #expect(joinRequest(member.takeEffects()) != nil)
    }

    @Test func `leaving in order gives up first; at once it does not`() {
        var orderly = stable(list(0))
        orderly.leave(immediately: false)
        #expect(orderly.takeEffects() == [.revoke(list(0))])
        orderly.revoked()
        #expect(orderly.takeEffects() == [.leave(.init(memberID: "me"))] && orderly.owned.isEmpty)
        var sudden = stable(list(0))
        sudden.leave(immediately: true)
        #expect(sudden.takeEffects() == [.leave(.init(memberID: "me"))])
        var early = member()
        _ = early.takeEffects()
        early.leave(immediately: true)
        #expect(early.takeEffects() == [.leave(.init(memberID: ""))])
        early.joined(.success(response(1)))
        #expect(early.takeEffects() == [.leave(.init(memberID: "me"))])
    }

    @Test func `more partitions are the leader's business, other topics everyone's`() throws {
        var follower = stable(list(0))
        follower.topicsChanged(topics: ["t"], counts: ["t": 9])
        #expect(follower.takeEffects().isEmpty)
        follower.topicsChanged(topics: ["t", "u"], counts: ["t": 9, "u": 1])
        #expect(joinRequest(follower.takeEffects()) != nil)
        var leader = member([.cooperativeSticky])
        let own = try #require(joinRequest(leader.takeEffects()))
        leader.joined(.success(response(1, members: [own])))
        leader.synced(.success(assigned(list(0, 1, 2, 3))))
        _ = leader.takeEffects()
        leader.topicsChanged(topics: ["t"], counts: ["t": 4, "other": 3])
        #expect(leader.takeEffects().isEmpty)
        leader.topicsChanged(topics: ["t"], counts: ["t": 5])
        #expect(joinRequest(leader.takeEffects()) != nil)
    }

    @Test func `a leader that takes up an assignment of before makes another`() throws {
        // The topic has grown while it was away, and nobody else looks.
        var leader = member([.cooperativeSticky])
        let own = try #require(joinRequest(leader.takeEffects()))
        var answer = response(1, members: [own])
        answer.skipsAssignment = true
        leader.joined(.success(answer))
        _ = leader.takeEffects()
        leader.synced(.success(assigned(list(0))))
        #expect(joinRequest(leader.takeEffects()) != nil)
    }
}
