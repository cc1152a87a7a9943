// The coordinator, rule by rule.

import SluiceCore
import SluiceLog
import Testing

@Suite struct GroupCoordinatorTests {
    typealias Bench = GroupBench

    // MARK: Joining

    @Test func `a first member leads generation one and gets its assignment once that is stored`() throws {
        var bench = Bench()
        let answer = try #require(bench.joins[bench.join(Bench.request())]).get()
        #expect(
            answer.generation == 1 && answer.isLeader && answer.members.map(\.memberID) == [answer.memberID])
        #expect(answer.memberID.hasPrefix("c-") && answer.protocolName == "range")
        bench.holdsStores = true
        let ticket = bench.sync(answer.memberID, 1, [answer.memberID: [1, 2]])
        #expect(bench.syncs[ticket] == nil && bench.state == .completingRebalance)
        bench.finish(bench.held[0])
        bench.run()
        #expect(try bench.syncs[ticket]?.get().assignment == [1, 2])
        #expect(bench.state == .stable)
    }

    @Test func `an assignment that cannot be stored is not given, and the group joins anew`() throws {
        var bench = Bench()
        let id = try #require(bench.joins[bench.join(Bench.request())]).get().memberID
        bench.holdsStores = true
        let ticket = bench.sync(id, 1, [id: [1]])
        bench.finish(bench.held[0], fails: true)
        bench.run()
        #expect(bench.syncs[ticket] == .failure(.coordinatorNotAvailable))
        #expect(bench.state == .preparingRebalance)
    }

    @Test func `requests that make no sense are refused by name`() {
        var bench = Bench { configuration in
            configuration.maxGroupSize = 1
            configuration.initialRebalanceDelayMilliseconds = 0
        }
        func refusal(_ request: JoinRequest) -> GroupError? {
            if case .failure(let error) = bench.joins[bench.join(request)] { error } else { nil }
        }
        var request = Bench.request()
        request.groupID = ""
        #expect(refusal(request) == .invalidGroupID)
        request.groupID = String(repeating: "x", count: GroupLimits.groupIDBytes + 1)
        #expect(refusal(request) == .invalidGroupID)
        request = Bench.request()
        request.sessionTimeoutMilliseconds = 5_999
        #expect(refusal(request) == .invalidSessionTimeout)
        #expect(refusal(Bench.request("nobody")) == .unknownMember)
        #expect(refusal(Bench.request(protocols: [])) == .inconsistentProtocol)
        #expect(bench.coordinator.list().isEmpty)
        bench.join(Bench.request())
        #expect(refusal(Bench.request()) == .groupMaxSizeReached)
    }

    @Test func `before loading has ended everything waits but heartbeats`() {
        var bench = Bench()
        bench.coordinator = GroupCoordinator(seed: 1)
        #expect(bench.joins[bench.join(Bench.request())] == .failure(.coordinatorLoading))
        #expect(bench.syncs[bench.sync("m", 1)] == .failure(.rebalanceInProgress))
        #expect(bench.commits[bench.commit()] == .failure(.coordinatorLoading))
        #expect(bench.heartbeat("m", 1) == nil)
        #expect(throws: GroupError.coordinatorLoading) { try bench.committed() }
    }

    @Test func `a member is first told its id, which is forgotten when it does not come back`() throws {
        var bench = Bench()
        let ticket = bench.join(Bench.request(needsID: true))
        guard case .failure(.memberIDRequired(let id)) = bench.joins[ticket] else {
            Issue.record("no id")
            return
        }
        #expect(try bench.joins[bench.join(Bench.request(id, needsID: true))]?.get().memberID == id)
        let other = bench.join(Bench.request(needsID: true))
        guard case .failure(.memberIDRequired(let lost)) = bench.joins[other] else { return }
        bench.pass(milliseconds: 10_000)
        #expect(bench.joins[bench.join(Bench.request(lost))] == .failure(.unknownMember))
    }

    @Test func `a second member makes the first rejoin, and only the leader sees all`() throws {
        var bench = Bench()
        let first = try bench.single()
        let ticket = bench.join(Bench.request(client: "d"))
        #expect(bench.joins[ticket] == nil)
        #expect(bench.heartbeat(first, 1) == .rebalanceInProgress)
        let again = bench.join(Bench.request(first))
        let leader = try #require(bench.joins[again]).get()
        let follower = try #require(bench.joins[ticket]).get()
        #expect(leader.generation == 2 && leader.members.count == 2 && leader.isLeader)
        #expect(follower.generation == 2 && follower.members.isEmpty && follower.leaderID == first)
        #expect(bench.coordinator.rebalanceCount == 2)
    }

    @Test func `the protocol is what most prefer among what all offer`() throws {
        var bench = Bench()
        let first = try bench.single(Bench.request(protocols: ["x", "range", "roundrobin"]))
        #expect(
            bench.joins[bench.join(Bench.request(protocols: ["sticky"]))] == .failure(.inconsistentProtocol))
        let second = bench.join(Bench.request(protocols: ["roundrobin", "range"]))
        bench.join(Bench.request(protocols: ["roundrobin", "range"]))
        bench.join(Bench.request(first, protocols: ["x", "range", "roundrobin"]))
        #expect(try bench.joins[second]?.get().protocolName == "roundrobin")
        let connect = Bench.request(protocols: ["range"], type: "connect")
        #expect(bench.joins[bench.join(connect)] == .failure(.inconsistentProtocol))
    }

    @Test func `an empty group waits a while for more members on the wire, and not for local ones`() throws {
        var bench = Bench { $0.initialRebalanceDelayMilliseconds = 3_000 }
        let first = bench.join(Bench.request())
        bench.pass(milliseconds: 2_000)
        let second = bench.join(Bench.request())
        bench.pass(milliseconds: 1_000)
        #expect(bench.joins[first] == nil)
        bench.pass(milliseconds: 3_000)
        #expect(try bench.joins[first]?.get().members.count == 2)
        #expect(try bench.joins[second]?.get().generation == 1)
        var local = Bench { $0.initialRebalanceDelayMilliseconds = 3_000 }
        #expect(local.joins[local.join(Bench.request(isLocal: true))] != nil)
    }

    // MARK: Time-outs

    @Test func `a silent member is put out, and heartbeats keep it in`() throws {
        var bench = Bench()
        let id = try bench.single()
        for _ in 0..<5 {
            bench.pass(milliseconds: 9_000)
            #expect(bench.heartbeat(id, 1) == nil)
        }
        bench.pass(milliseconds: 10_000)
        #expect(bench.heartbeat(id, 1) == .unknownMember)
        #expect(bench.state == .empty && bench.coordinator.describe("g")?.generation == 2)
        #expect(bench.coordinator.expiredMemberCount == 1)
    }

    @Test func `who does not rejoin in time is left out`() throws {
        var bench = Bench()
        let first = try bench.single()
        let ticket = bench.join(Bench.request())
        for _ in 0..<7 {
            bench.pass(milliseconds: 9_000)
            _ = bench.heartbeat(first, 1)
        }
        #expect(try bench.joins[ticket]?.get().isLeader == true)
        #expect(bench.heartbeat(first, 1) == .unknownMember)
    }

    @Test func `who does not sync in time is put out`() throws {
        var bench = Bench()
        let id = try #require(bench.joins[bench.join(Bench.request(isLocal: true))]).get().memberID
        bench.pass(milliseconds: 60_000)
        #expect(bench.notices[id] == [.removed])
        #expect(bench.state == .empty)
    }

    @Test func `a local member has no session, only a time for what it has in hand`() throws {
        var bench = Bench()
        let id = try bench.single(Bench.request(isLocal: true))
        bench.pass(milliseconds: 100_000_000)
        #expect(bench.state == .stable)
        let deadline = bench.now.monotonicNanoseconds + 5_000_000_000
        bench.coordinator.processing(groupID: "g", memberID: id, until: deadline)
        bench.coordinator.processing(groupID: "g", memberID: id, until: nil)
        bench.pass(milliseconds: 5_000)
        #expect(bench.notices[id] == nil)
        bench.coordinator.processing(
            groupID: "g", memberID: id, until: bench.now.monotonicNanoseconds + 5_000_000_000)
        bench.pass(milliseconds: 5_000)
        #expect(bench.notices[id] == [.removed])
    }

    @Test func `a local member is told of a rebalance once`() throws {
        var bench = Bench()
        let id = try bench.single(Bench.request(isLocal: true))
        bench.join(Bench.request(isLocal: true))
        bench.join(Bench.request(isLocal: true))
        #expect(bench.notices == [id: [.rebalanceNeeded]])
    }

    @Test func `a first join that is given up leaves no trace`() throws {
        var bench = Bench()
        let first = try bench.single(Bench.request(isLocal: true))
        let ticket = bench.join(Bench.request(isLocal: true))
        bench.coordinator.cancelJoin(groupID: "g", ticket: ticket, now: bench.now)
        bench.join(Bench.request(first, isLocal: true))
        #expect(bench.joins[ticket] == .failure(.unknownMember))
        #expect(bench.coordinator.describe("g")?.members.count == 1)
    }

    // MARK: Static members

    @Test func `a static member comes back under another id without a rebalance, and the old one is fenced`()
        throws
    {
        var bench = Bench()
        let old = try bench.single(Bench.request(instance: "i"))
        let answer = try #require(bench.joins[bench.join(Bench.request(instance: "i"))]).get()
        #expect(answer.generation == 1 && answer.skipsAssignment && answer.memberID != old)
        #expect(answer.memberID.hasPrefix("i-"))
        #expect(try bench.syncs[bench.sync(answer.memberID, 1, instance: "i")]?.get().assignment == [7])
        #expect(
            bench.joins[bench.join(Bench.request(old, instance: "i"))] == .failure(.fencedInstance))
        #expect(bench.leave("", instance: "i") == nil)
        #expect(bench.state == .empty)
    }

    @Test func `a local static member that is replaced is told so`() throws {
        var bench = Bench()
        let old = try bench.single(Bench.request(instance: "i", isLocal: true))
        bench.join(Bench.request(instance: "i", isLocal: true))
        #expect(bench.notices[old] == [.fenced])
        #expect(bench.coordinator.describe("g")?.members.count == 1)
    }

    @Test func `a static member that was put out of its group does not put out who came for it since`() throws
    {
        var bench = Bench()
        let old = try bench.single(Bench.request(instance: "i", isLocal: true))
        bench.coordinator.processing(groupID: "g", memberID: old, until: 1)
        bench.pass(milliseconds: 1)
        #expect(bench.notices[old] == [.removed])
        let returning = Bench.request(instance: "i", isLocal: true, isReturning: true)
        var other = bench
        other.join(Bench.request(instance: "i", isLocal: true))
        #expect(other.joins[other.join(returning)] == .failure(.fencedInstance))
        #expect(other.coordinator.describe("g")?.members.count == 1)
        // Nobody came: it is a member again.
        #expect(try bench.joins[bench.join(returning)]?.get().generation == 3)
    }

    // MARK: Offsets

    @Test func `nobody seeks while a commit is on its way, which may be appended after the seek`() throws {
        var bench = Bench()
        let id = try bench.single()
        bench.holdsStores = true
        bench.commit(id, 1, offset: 9)
        #expect(bench.leave(id) == nil && bench.state == .empty)
        func seek(_ topic: String, _ ticket: UInt64) {
            let target = OffsetToCommit(GroupPartition(topic: topic, partition: 0), offset: 2)
            bench.coordinator.seek(groupID: "g", to: [target], ticket: ticket, now: bench.now)
            bench.run()
        }
        seek("t", 900)
        #expect(bench.commits[900] == .failure(.unstableOffsetCommit))
        bench.holdsStores = false
        seek("other", 901)
        #expect(bench.commits[901] == .success([]))
        for store in bench.held { bench.finish(store) }
        seek("t", 902)
        #expect(try bench.commits[902] == .success([]) && bench.committed() == 2)
    }

    @Test func `a commit needs its generation and its member, unless the group is empty`() throws {
        var bench = Bench()
        #expect(bench.commits[bench.commit("m", 3)] == .failure(.illegalGeneration))
        #expect(bench.commits[bench.commit(offset: 1)] == .success([]))
        let id = try bench.single()
        #expect(bench.commits[bench.commit()] == .failure(.unknownMember))
        #expect(bench.commits[bench.commit(id, 0)] == .failure(.illegalGeneration))
        #expect(bench.commits[bench.commit("other", 1)] == .failure(.unknownMember))
        #expect(bench.commits[bench.commit(id, 1, offset: 9)] == .success([]))
        #expect(try bench.committed() == 9)
        // While others join it may still commit; while they wait for the assignment it may not.
        bench.join(Bench.request())
        #expect(bench.commits[bench.commit(id, 1, offset: 10)] == .success([]))
        bench.join(Bench.request(id))
        #expect(bench.commits[bench.commit(id, 2)] == .failure(.rebalanceInProgress))
        #expect(bench.coordinator.commitCount == 3)
    }

    @Test func `of two commits the one further on in the log is true`() throws {
        var bench = Bench()
        bench.holdsStores = true
        bench.commit(offset: 1)
        bench.commit(offset: 2)
        #expect(try bench.committed() == nil)
        #expect(throws: GroupError.unstableOffsetCommit) {
            try bench.coordinator.committed(
                groupID: "g", partitions: [.init(topic: "t", partition: 0)], requireStable: true)
        }
        bench.coordinator.stored(bench.held[1].id, .durable(at: 1), now: bench.now)
        bench.coordinator.stored(bench.held[0].id, .durable(at: 0), now: bench.now)
        #expect(try bench.committed() == 2)
    }

    @Test func `a commit that could not be stored is not there`() throws {
        var bench = Bench()
        bench.holdsStores = true
        let ticket = bench.commit(offset: 1)
        bench.finish(bench.held[0], fails: true)
        bench.run()
        #expect(bench.commits[ticket] == .failure(.coordinatorNotAvailable))
        #expect(try bench.committed() == nil)
        #expect(bench.coordinator.list().isEmpty)
    }

    @Test func `metadata of a commit has a limit`() {
        var bench = Bench()
        let long = String(repeating: "x", count: GroupLimits.metadataBytes)
        #expect(bench.commits[bench.commit(metadata: long)] == .success([]))
        let refused = RefusedPartition(
            partition: .init(topic: "t", partition: 0), error: .offsetMetadataTooLarge)
        #expect(bench.commits[bench.commit(metadata: long + "x")] == .success([refused]))
    }

    @Test func `only a group without members can be sought and deleted`() throws {
        var bench = Bench()
        let id = try bench.single()
        let offset = OffsetToCommit(.init(topic: "t", partition: 0), offset: 3)
        bench.coordinator.seek(groupID: "g", to: [offset], ticket: 900, now: bench.now)
        bench.coordinator.deleteGroup("g", ticket: 901, now: bench.now)
        bench.run()
        #expect(bench.commits[900] == .failure(.nonEmptyGroup))
        #expect(bench.deletions[901] == .some(.nonEmptyGroup))
        #expect(bench.leave(id) == nil)
        bench.coordinator.seek(groupID: "g", to: [offset], ticket: 902, now: bench.now)
        bench.run()
        #expect(try bench.committed() == 3)
        bench.coordinator.deleteGroup("g", ticket: 903, now: bench.now)
        bench.coordinator.deleteGroup("other", ticket: 904, now: bench.now)
        bench.run()
        #expect(bench.deletions[903] == .some(nil) && bench.deletions[904] == .some(.groupIDNotFound))
        #expect(bench.coordinator.list().isEmpty)
        #expect(try bench.reloaded().coordinator.list().isEmpty)
    }

    @Test(arguments: [false, true])
    func `a group with a commit whose outcome is unknown is not deleted, and nobody waits for that`(
        isAskedBefore: Bool
    ) throws {
        var bench = Bench()
        bench.holdsStores = true
        let ticket = bench.commit()
        let store = try #require(bench.held.first)
        if isAskedBefore {
            bench.coordinator.deleteGroup("g", ticket: 901, now: bench.now)
            bench.run()
            #expect(bench.deletions.isEmpty)
        }
        bench.coordinator.stored(store.id, .unknown, now: bench.now)
        if !isAskedBefore { bench.coordinator.deleteGroup("g", ticket: 901, now: bench.now) }
        bench.run()
        #expect(bench.deletions[901] == .some(.unstableOffsetCommit))
        // It is on its way, and seen as such.
        #expect(bench.commits[ticket] == nil)
        #expect(throws: GroupError.unstableOffsetCommit) {
            _ = try bench.coordinator.committed(
                groupID: "g", partitions: [.init(topic: "t", partition: 0)], requireStable: true)
        }
    }

    @Test func `offsets of a topic that is read stay; of a deleted topic they go`() throws {
        var bench = Bench()
        let subscription = ConsumerSubscription(topics: ["t"]).bytes()
        let id = try bench.single(Bench.request(metadata: subscription))
        bench.commit(id, 1)
        bench.commit(id, 1, topic: "u")
        let both = ["t", "u"].map { GroupPartition(topic: $0, partition: 0) }
        bench.coordinator.deleteOffsets(groupID: "g", partitions: both, ticket: 900, now: bench.now)
        bench.run()
        #expect(bench.commits[900] == .success([.init(partition: both[0], error: .groupSubscribedToTopic)]))
        #expect(try bench.committed("t") == 5 && bench.committed("u") == nil)
        #expect(bench.deleteTopic("t") == .some(nil))
        #expect(try bench.committed("t") == nil)
    }

    @Test func `a topic of which nothing is committed is forgotten at once`() throws {
        var bench = Bench()
        _ = try bench.single()
        bench.holdsStores = true
        #expect(bench.deleteTopic("t") == .some(nil))
    }

    @Test(arguments: [false, true])
    func `a commit on its way while its topic is deleted leaves nothing behind`(isLast: Bool) throws {
        var bench = Bench()
        let id = try bench.single()
        bench.commit(id, 1)
        bench.holdsStores = true
        let ticket = bench.commit(id, 1, offset: 9)
        #expect(bench.deleteTopic("t") == .none)
        let deletion = bench.lastTicket
        // In the log the commit comes first; when it is atomic with data it may come last.
        if isLast { bench.held.reverse() }
        let held = bench.held
        bench.held = []
        bench.holdsStores = false
        for store in held { bench.finish(store) }
        bench.run()
        #expect(try bench.commits[ticket]?.get() == [])
        #expect(bench.topics[deletion] == .some(nil))
        #expect(try bench.committed() == nil)
        #expect(try bench.reloaded().committed() == nil)
        // Of the next topic of that name anything may be committed.
        bench.commit(id, 1, offset: 2)
        #expect(try bench.committed() == 2)
        #expect(try bench.reloaded().committed() == 2)
    }

    @Test func `a deletion whose records cannot be stored says so, after the last of them`() throws {
        var bench = Bench()
        bench.commit()
        let other = OffsetToCommit(GroupPartition(topic: "t", partition: 0), offset: 1)
        bench.coordinator.commit(CommitRequest(groupID: "h", offsets: [other]), ticket: 900, now: bench.now)
        bench.run()
        bench.holdsStores = true
        #expect(bench.deleteTopic("t") == .none)
        #expect(bench.held.count == 2)
        bench.finish(bench.held[0], fails: true)
        bench.run()
        #expect(bench.topics.isEmpty)
        bench.finish(bench.held[1])
        bench.run()
        #expect(bench.topics[bench.lastTicket] == .some(.coordinatorNotAvailable))
    }

    @Test(arguments: [false, true])
    func `what could not be taken back is forgotten when the topic is deleted again`(isPending: Bool) throws {
        var bench = Bench()
        let id = try bench.single()
        bench.holdsStores = true
        bench.commit(id, 1, offset: 9)
        #expect(bench.deleteTopic("t") == .none)
        let (deletion, first) = (bench.held[1], bench.lastTicket)
        // The commit is in the log, and another record is to take it back.
        bench.finish(bench.held[0])
        bench.held = []
        bench.run()
        let takingBack = try #require(bench.held.first)
        bench.finish(deletion, fails: true)
        if !isPending { bench.finish(takingBack, fails: true) }
        bench.run()
        #expect(bench.topics[first] == .some(.coordinatorNotAvailable))
        #expect(try bench.committed() == (isPending ? nil : 9))
        #expect(try bench.reloaded().committed() == 9)
        bench.holdsStores = false
        #expect(bench.deleteTopic("t") == .some(nil))
        if isPending { bench.finish(takingBack, fails: true) }
        bench.run()
        #expect(try bench.committed() == nil)
        #expect(try bench.reloaded().committed() == nil)
    }

    // MARK: Forgetting and loading

    @Test func `an empty group keeps its offsets for the time of retention, then dies`() throws {
        var bench = Bench()
        let id = try bench.single()
        bench.commit(id, 1)
        let day: Int64 = 24 * 3_600_000
        _ = bench.leave(id)
        bench.pass(milliseconds: 7 * day - 1)
        #expect(try bench.committed() == 5)
        bench.pass(milliseconds: 600_000)
        #expect(try bench.committed() == nil)
        #expect(bench.coordinator.list().isEmpty && bench.coordinator.nextDeadline == nil)
        #expect(try bench.reloaded().coordinator.list().isEmpty)
    }

    @Test func `members on the wire outlive a restart; local ones do not, and their generation does`() throws
    {
        var wire = Bench()
        let id = try wire.single()
        wire.commit(id, 1)
        wire = try wire.reloaded()
        #expect(wire.state == .stable && wire.heartbeat(id, 1) == nil)
        #expect(try wire.committed() == 5)
        wire.pass(milliseconds: 10_000)
        #expect(wire.state == .empty)

        var local = Bench()
        let member = try local.single(Bench.request(isLocal: true))
        local.commit(member, 1)
        local = try local.reloaded()
        #expect(local.state == .empty && local.coordinator.describe("g")?.generation == 1)
        #expect(local.commits[local.commit(member, 1)] == .failure(.unknownMember))
        #expect(try local.joins[local.join(Bench.request(isLocal: true))]?.get().generation == 2)
    }

    @Test func `the live records are all that is needed`() throws {
        var bench = Bench()
        let id = try bench.single()
        for offset in 1...5 { bench.commit(id, 1, offset: Int64(offset)) }
        let records = bench.coordinator.liveRecords()
        #expect(records.count == 2)
        #expect(bench.coordinator.liveBytes == records.map(\.byteCount).reduce(0, +))
        bench.log = records
        let again = try bench.reloaded()
        #expect(try again.committed() == 5 && again.coordinator.liveRecords() == records)
        #expect(again.state == .stable)
    }

    @Test func `a damaged record is an error and the rest is loaded`() throws {
        var coordinator = GroupCoordinator(seed: 1)
        let key = GroupRecordKey.offset(groupID: "g", .init(topic: "t", partition: 0)).bytes
        #expect(throws: MalformedRecord.self) {
            try coordinator.load(key: key[...], value: [0, 9], offset: 0)
        }
        let value = CommittedOffset(offset: 4, commitTimestamp: 0).bytes
        try coordinator.load(key: key[...], value: value[...], offset: 1)
        coordinator.finishLoading(now: Instant(wallMilliseconds: 5, monotonicNanoseconds: 0))
        #expect(try coordinator.committed(groupID: "g").first?.offset?.offset == 4)
    }

    @Test func `a group of local members at rest asks for nothing soon`() throws {
        var bench = Bench()
        _ = try bench.single(Bench.request(isLocal: true))
        let next = try #require(bench.coordinator.nextDeadline)
        #expect(next - bench.now.monotonicNanoseconds >= 60_000_000_000)
    }
}
