// One consumer's place in a group: its side of the protocol, driven by answers and notices, and what of it
// the consumer's loop has to do.
//
// (1) Joining and assigning need nobody's help: they go on while the loop's body runs. (2) Giving partitions
// away, and taking them, waits for the loop: `nextChange`. (3) Between two calls of the loop the time for
// processing runs; when it is over the coordinator removes the member, what it had is lost, and it joins
// again when its loop comes back.

import SluiceCore
import SluiceLog

final class Membership: Sendable {
    let groupID: String
    let groups: GroupEngine
    let topics: TopicSubscription
    let instanceID: String?
    /// Nanoseconds.
    let processingTime: Int64
    /// Nanoseconds between commits; nil when they are the program's to do.
    let commitInterval: Int64?
    let state: Locked<State>

    /// What the loop has to do.
    enum Change: Sendable {
        case assigned([TopicPartition])
        case revoked([TopicPartition])
        case lost([TopicPartition])
        case failed(StreamError)
    }

    struct State: ~Copyable {
        /// nil before the first loop, and when it has left.
        var member: GroupMember?
        var changes: [Change] = []
        var watcher: ConsumerWatcher?
        /// The id under which notices come.
        var enrolled: String?
        /// The join that waits for an answer.
        var joinTicket: UInt64?
        /// How many requests it has sent: an answer to any but the last counts for nothing.
        var requests = 0
        /// Whether it was removed, and the loop has not come back since.
        var isLost = false
        /// Until when the loop may be away; nil while it is here.
        var awayUntil: Int64?
        /// Why it can be in the group no more.
        var failure: StreamError?
        /// What it knows to be committed.
        var committed: [TopicPartition: Progress] = [:]
        /// What it has sent to be committed by itself, and not heard of yet.
        var sent: [TopicPartition: Progress] = [:]
        /// When the next commit by itself is due, on the monotonic clock.
        var commitDue: Int64 = 0
        /// Whether the timer will wake the loop for a commit.
        var isTimerSet = false
        /// Commits that wait for the next assignment.
        var unsettled: [Waiter<Void>] = []
    }

    /// Throws `illegalConfiguration` for a group's name or a pattern that is none, `unknownTopic`.
    init(
        _ groupID: String, _ topics: TopicSubscription, _ configuration: ConsumerConfiguration,
        _ groups: GroupEngine
    ) throws(StreamError) {
        guard !groupID.isEmpty, groupID.utf8.count <= GroupLimits.groupIDBytes else {
            throw StreamError(.invalidGroupID, group: groupID)
        }
        self.groupID = groupID
        self.topics = topics
        self.groups = groups
        instanceID = configuration.instanceID
        processingTime = configuration.processingTimeout.wholeMilliseconds * 1_000_000
        commitInterval =
            if case .processed(let interval) = configuration.commit {
                interval.wholeMilliseconds.multipliedSaturated(by: 1_000_000)
            } else {
                nil
            }
        state = Locked(State())
        let found = try groups.engine.topics(of: topics)
        if case .names(let names) = topics, let missing = names.first(where: { !found.contains($0) }) {
            throw .unknownTopic(missing)
        }
    }

    /// Whom to wake when there is something for the loop to do.
    func attach(_ watcher: ConsumerWatcher) {
        state.withLock { $0.watcher = watcher }
        groups.attach(watcher)
    }

    var isManual: Bool { commitInterval == nil }

    /// Whether it is in the group, as far as it knows.
    var isMember: Bool { state.withLock { $0.member != nil && !$0.isLost } }

    // MARK: Joining, and what follows

    /// Joins, unless it is in. Throws `fenced` when another has taken its place for good.
    nonisolated(nonsending) func join() async throws(StreamError) {
        let (isIn, isLost, failure) = state.withLock { ($0.member != nil, $0.isLost, $0.failure) }
        if let failure { throw failure }
        if isLost {
            return drive { state in
                state.isLost = false
                state.member?.removed()
            }
        }
        guard !isIn else { return }
        try await groups.ready(isToBeMade: true)
        let topicNames = try groups.engine.topics(of: topics)
        let counts = groups.engine.partitionCounts()
        drive { state in
            guard state.member == nil else { return }
            var member = GroupMember(
                .init(
                    groupID: groupID, clientID: "sluice", instanceID: instanceID,
                    processingTimeoutMilliseconds: Int32(clamping: processingTime / 1_000_000)),
                topics: topicNames, counts: counts)
            member.start()
            state.member = member
        }
    }

    /// Changes the member, then does what it wants done.
    func drive(_ body: (inout State) -> Void) {
        let (effects, watcher, settled) = state.withLock { state in
            body(&state)
            let effects = state.member?.takeEffects() ?? []
            let changes = effects.compactMap { Change($0, groupID) }
            state.changes += changes
            if case .failed(let error)? = changes.last { fail(&state, error) }
            var settled: [Waiter<Void>] = []
            if Self.isSettled(state) {
                settled = state.unsettled
                state.unsettled = []
            }
            return (effects, changes.isEmpty ? nil : state.watcher, settled)
        }
        for effect in effects { perform(effect) }
        for waiter in settled { waiter.resume(.success(())) }
        watcher?.wake()
    }

    /// Whether a commit that was refused for a rebalance may be tried again: then its fate is known.
    static func isSettled(_ state: borrowing State) -> Bool {
        switch state.member?.phase {
        case .joining?, .syncing?, .waiting?: state.isLost
        case .idle?, .stable?, .revoking?, .ended?, nil: true
        }
    }

    /// Who was fenced does not come back: it would fence the other. Anything else is for the next loop to
    /// try.
    private func fail(_ state: inout State, _ error: StreamError) {
        if case .fenced = error { state.failure = error }
        state.member = nil
        state.enrolled = nil
    }

    private func perform(_ effect: MemberEffect) {
        switch effect {
        case .join(let request): send(request)
        case .sync(let request):
            let number = nextRequest()
            let answer = GroupEngine.Answer.sync { [weak self] in self?.synced($0, number) }
            let ticket = groups.request(answer) { coordinator, ticket, now in
                coordinator.sync(request, ticket: ticket, now: now)
            }
            if ticket == nil { closed() }
        case .leave(let leaving): depart(leaving)
        case .retryLater:
            groups.engine.timer.schedule(at: Instant.monotonicNow + Self.retryNanoseconds) { [weak self] in
                self?.drive { $0.member?.retry() }
            }
        case .revoke, .assign, .lost, .failed: break
        }
    }

    private static let retryNanoseconds: Int64 = 100_000_000

    private func send(_ request: JoinRequest) {
        let number = nextRequest()
        let (groups, groupID, processingTime) = (groups, groupID, processingTime)
        let answer = GroupEngine.Answer.join { [weak self] result in
            if self?.joined(result, number) == true { return }
            // Whoever asked has gone or asked again: a member that nobody knows of would hold up its group.
            guard case .success(let response) = result, request.memberID.isEmpty else { return }
            groups.depart(
                LeavingMember(memberID: response.memberID, instanceID: request.instanceID), from: groupID,
                staticUntil: Instant.monotonicNow.addingSaturated(processingTime))
        }
        let ticket = groups.request(answer) { coordinator, ticket, now in
            state.withLock { $0.joinTicket = ticket }
            coordinator.join(request, ticket: ticket, now: now)
        }
        if ticket == nil { closed() }
    }

    /// The store has been closed: the loop ends.
    private func closed() { state.withLock { $0.watcher }?.storeClosed() }

    private func nextRequest() -> Int {
        state.withLock { state in
            state.requests += 1
            return state.requests
        }
    }

    /// False when nobody waits for this answer any more.
    private func joined(_ result: Result<JoinResponse, GroupError>, _ number: Int) -> Bool {
        let isAwaited = state.withLock { state in
            state.requests == number && state.member?.phase == .joining && !state.isLost
        }
        guard isAwaited else { return false }
        if case .success(let response) = result { enroll(response.memberID) }
        // The leader gives out the partitions of every topic that anyone asks for.
        let counts = groups.engine.partitionCounts()
        drive { state in
            state.member?.countsChanged(counts)
            state.member?.joined(result)
        }
        return true
    }

    private func enroll(_ memberID: String) {
        groups.enroll(memberID, self)
        let (old, awayUntil) = state.withLock { state in
            defer { state.enrolled = memberID }
            return (state.enrolled, state.awayUntil)
        }
        if let old, old != memberID { groups.dismiss(old) }
        // The loop went while the answer was on its way.
        if let awayUntil { setDeadline(awayUntil, memberID) }
    }

    private func synced(_ result: Result<SyncResponse, GroupError>, _ number: Int) {
        guard state.withLock({ $0.requests == number && !$0.isLost }) else { return }
        drive { $0.member?.synced(result) }
    }

    /// A word from the coordinator.
    func hear(_ notice: MemberNotice, _ memberID: String) {
        let watcher = state.withLock { $0.watcher }
        drive { state in
            guard state.enrolled == memberID else { return }
            switch notice {
            case .rebalanceNeeded: state.member?.rebalanceNeeded()
            // It joins again when the loop is back: a loop that never comes back must not hold partitions.
            case .removed: state.isLost = true
            case .fenced: state.member?.fenced()
            }
        }
        watcher?.wake()
    }

    /// Topics have come or gone, or have more partitions.
    func catalogueChanged() {
        guard let topicNames = try? groups.engine.topics(of: topics) else { return }
        let counts = groups.engine.partitionCounts()
        drive { $0.member?.topicsChanged(topics: topicNames, counts: counts) }
    }

    /// What the loop has to do next.
    func nextChange() -> Change? {
        state.withLock { $0.changes.isEmpty ? nil : $0.changes.removeFirst() }
    }

    /// A change that could not be made: it comes again.
    func putBack(_ change: Change) { state.withLock { $0.changes.insert(change, at: 0) } }

    /// The loop has given away what was revoked.
    func revoked() { drive { $0.member?.revoked() } }

    // MARK: The time for processing

    /// The loop asks for a batch: it does not have to hurry.
    func returned() {
        let memberID = state.withLock { state in
            state.awayUntil = nil
            return state.isLost ? nil : state.enrolled
        }
        if let memberID { setDeadline(nil, memberID) }
    }

    /// The loop has a batch, or an error, and is away.
    func went() {
        let deadline = Instant.monotonicNow.addingSaturated(processingTime)
        let memberID = state.withLock { state in
            state.awayUntil = deadline
            return state.isLost ? nil : state.enrolled
        }
        if let memberID { setDeadline(deadline, memberID) }
    }

    func setDeadline(_ deadline: Int64?, _ memberID: String) {
        groups.change { coordinator, _ in
            coordinator.processing(groupID: groupID, memberID: memberID, until: deadline)
        }
    }
}

extension Membership.Change {
    /// What of a member's effects is the loop's to do.
    init?(_ effect: MemberEffect, _ group: String) {
        switch effect {
        case .join, .sync, .leave, .retryLater: return nil
        case .revoke(let partitions): self = .revoked(partitions.map(TopicPartition.init))
        case .assign(let partitions): self = .assigned(partitions.map(TopicPartition.init))
        case .lost(let partitions): self = .lost(partitions.map(TopicPartition.init))
        case .failed(let error): self = .failed(StreamError(error, group: group))
        }
    }
}
