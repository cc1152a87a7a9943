// The shell around one store's group coordinator: its lock, who waits for an answer, its moments. No policy.
//
// (1) The coordinator is touched with the lock held, and by nothing else. (2) What it wants done is put into
// one queue with the lock held and carried out without it, by one thread at a time: in the coordinator's
// order, also when carrying out leads back in here. (3) Nothing is loaded, and no topic made, before someone
// asks for a group.

import Logging
import Metrics
import SluiceCore
import SluiceLog

final class GroupEngine: Sendable {
    let engine: StoreEngine
    let state: Locked<State>
    let sink: OffsetsSink
    let metrics = GroupMetrics()
    let upkeep = Locked(GroupUpkeep())
    /// Who commits for groups without members.
    let owners = Locked<[WeakGroupOwner]>([])

    /// What a request is answered with, by what it was.
    enum Answer: Sendable {
        case join(@Sendable (Result<JoinResponse, GroupError>) -> Void)
        case sync(@Sendable (Result<SyncResponse, GroupError>) -> Void)
        case commit(@Sendable (Result<[RefusedPartition], GroupError>) -> Void)
        case deletion(@Sendable (GroupError?) -> Void)
        case topicDeletion(@Sendable (GroupError?) -> Void)
    }

    enum Phase {
        case unloaded
        case loading([Waiter<Void>])
        case ready
    }

    let configuration: GroupConfiguration
    /// Held while records are appended: in the coordinator's order, whoever does it.
    private let appending = Lock()

    struct State: ~Copyable {
        var coordinator: GroupCoordinator
        /// What is to be stored, in order.
        var stores: [GroupStore] = []
        /// Consumers that are members or may become so.
        var watchers: [ObjectIdentifier: WeakWatcher] = [:]
        /// Rebalances that have been counted.
        var rebalances = 0
        var phase = Phase.unloaded
        var answers: [UInt64: Answer] = [:]
        var nextTicket: UInt64 = 0
        var members: [String: WeakMembership] = [:]
        var effects: [GroupEffect] = []
        var isPerforming = false
        /// The moment for which the timer is set.
        var wakesAt = Int64.max
        var isClosed = false
    }

    init(_ engine: StoreEngine, offsetsRetention: Duration) {
        self.engine = engine
        configuration = GroupConfiguration {
            $0.offsetsRetentionMilliseconds = offsetsRetention.wholeMilliseconds
        }
        var random = SystemRandomNumberGenerator()
        state = Locked(
            State(coordinator: GroupCoordinator(configuration: configuration, seed: random.next())))
        sink = OffsetsSink()
        sink.start(engine, self)
    }

    // MARK: The coordinator

    /// Changes the coordinator, then carries out what it wants done.
    func change<R>(_ body: (inout GroupCoordinator, Instant) -> R) -> R {
        let result = state.withLock { state in
            let result = body(&state.coordinator, .now)
            collect(&state)
            return result
        }
        perform()
        return result
    }

    /// Asks the coordinator, and changes nothing.
    func read<R>(_ body: (borrowing GroupCoordinator) -> R) -> R {
        state.withLock { body($0.coordinator) }
    }

    /// A commit, without what is of topics that have been deleted since it was made.
    ///
    /// - Parameter numbers: the volume's, of the partitions that are meant.
    func commit(
        _ request: CommitRequest, of numbers: [TopicPartition: Int], _ answer: Answer
    ) -> UInt64? {
        self.request(answer) { coordinator, ticket, now in
            var request = request
            request.offsets = present(request.offsets, of: numbers)
            coordinator.commit(request, ticket: ticket, now: now)
        }
    }

    /// Asked with the coordinator's lock: a topic that is there has its deletion told after this.
    func present(_ offsets: [OffsetToCommit], of numbers: [TopicPartition: Int]) -> [OffsetToCommit] {
        offsets.filter { offset in
            let place = TopicPartition(offset.partition)
            return numbers[place].map { number in (try? engine.number(of: place)) == number } ?? false
        }
    }

    /// A request that is answered later, once. Returns its ticket; nil, and there will be no answer, when the
    /// store has been closed.
    func request(
        _ answer: Answer, _ body: (inout GroupCoordinator, UInt64, Instant) -> Void
    ) -> UInt64? {
        let ticket = state.withLock { state -> UInt64? in
            guard !state.isClosed else { return nil }
            state.nextTicket += 1
            state.answers[state.nextTicket] = answer
            body(&state.coordinator, state.nextTicket, .now)
            collect(&state)
            return state.nextTicket
        }
        perform()
        return ticket
    }

    /// A commit whose records the caller appends, as part of something larger; `stored` is then to be told.
    ///
    /// What was to be stored before it is appended first: the last in the log counts.
    func prepare(
        _ request: CommitRequest, of numbers: [TopicPartition: Int]
    ) -> Result<GroupStore, GroupError> {
        defer { perform() }
        appending.lock()
        defer { appending.unlock() }
        appendStores()
        return state.withLock { state in
            guard present(request.offsets, of: numbers).count == request.offsets.count else {
                return .failure(.coordinatorNotAvailable)
            }
            return prepare(request, &state)
        }
    }

    /// As above, of a group without members.
    func prepare(_ commit: LoneCommit) -> Result<GroupStore, LoneCommitError> {
        defer { perform() }
        appending.lock()
        defer { appending.unlock() }
        appendStores()
        return state.withLock { state in
            if state.isClosed { return .failure(.stream(.closed)) }
            if let obstacle = obstacle(to: commit, state.coordinator) { return .failure(obstacle) }
            return prepare(commit.request, &state).mapError { error in
                switch error {
                case .unknownMember: .hasMembers
                // It is being deleted.
                case .coordinatorNotAvailable: .unstable
                default: .stream(StreamError(error, group: commit.group))
                }
            }
        }
    }

    private func prepare(_ request: CommitRequest, _ state: inout State) -> Result<GroupStore, GroupError> {
        state.nextTicket += 1
        let ticket = state.nextTicket
        state.coordinator.commit(request, ticket: ticket, now: .now)
        var prepared: Result<GroupStore, GroupError> = .failure(.coordinatorNotAvailable)
        for effect in state.coordinator.takeEffects() {
            switch effect {
            case .store(let store) where store.ticket == ticket: prepared = .success(store)
            case .committed(ticket, .failure(let error)): prepared = .failure(error)
            default: take(effect, &state)
            }
        }
        collect(&state)
        return prepared
    }

    /// How storing went.
    func stored(_ id: UInt64, _ outcome: StoreOutcome) {
        let group = change { coordinator, now in
            defer { coordinator.stored(id, outcome, now: now) }
            return coordinator.group(ofStore: id)
        }
        guard let group else { return }
        for owner in currentOwners(of: group) { owner.groupChanged() }
    }

    /// Takes what is to be done, and sees that the coordinator's next moment is not missed. With the lock.
    private func collect(_ state: inout State) {
        for effect in state.coordinator.takeEffects() { take(effect, &state) }
        let rebalances = state.coordinator.rebalanceCount
        if rebalances > state.rebalances { metrics.rebalanced(rebalances - state.rebalances) }
        state.rebalances = rebalances
        guard let next = state.coordinator.nextDeadline, next < state.wakesAt, !state.isClosed else { return }
        state.wakesAt = next
        engine.timer.schedule(at: next) { [weak self] in self?.advance() }
    }

    private func take(_ effect: GroupEffect, _ state: inout State) {
        if case .store(let store) = effect {
            state.stores.append(store)
        } else {
            state.effects.append(effect)
        }
    }

    private func advance() {
        state.withLock { state in
            let now = Instant.now
            // An earlier moment has been set since.
            guard now.monotonicNanoseconds >= state.wakesAt else { return }
            state.wakesAt = .max
            state.coordinator.advance(to: now)
            collect(&state)
        }
        perform()
    }

    // MARK: What it wants done

    private func perform() {
        // Whoever appends now looks again before it goes.
        while state.withLock({ !$0.stores.isEmpty }), appending.tryLock() {
            appendStores()
            appending.unlock()
        }
        while true {
            let effects = state.withLock { state -> [GroupEffect] in
                guard !state.isPerforming, !state.effects.isEmpty else { return [] }
                state.isPerforming = true
                defer { state.effects = [] }
                return state.effects
            }
            if effects.isEmpty { return }
            for effect in effects { perform(effect) }
            state.withLock { $0.isPerforming = false }
        }
    }

    private func perform(_ effect: GroupEffect) {
        switch effect {
        case .joined(let ticket, let result):
            if case .join(let answer)? = take(ticket) { answer(result) }
        case .synced(let ticket, let result):
            if case .sync(let answer)? = take(ticket) { answer(result) }
        case .committed(let ticket, let result), .offsetsDeleted(let ticket, let result):
            if case .commit(let answer)? = take(ticket) { answer(result) }
        case .groupDeleted(let ticket, let error):
            if case .deletion(let answer)? = take(ticket) { answer(error) }
        case .topicForgotten(let ticket, let error):
            if case .topicDeletion(let answer)? = take(ticket) { answer(error) }
        case .store: break
        case .notify(_, let memberID, let notice):
            let member = state.withLock { $0.members[memberID]?.membership }
            member?.hear(notice, memberID)
        }
    }

    /// With `appending` held.
    private func appendStores() {
        while true {
            let stores = state.withLock { state in
                defer { state.stores = [] }
                return state.stores
            }
            if stores.isEmpty { return }
            for store in stores { sink.append(store) }
        }
    }

    private func take(_ ticket: UInt64) -> Answer? {
        state.withLock { $0.answers.removeValue(forKey: ticket) }
    }

    // MARK: Members

    /// Notices to this id go to this member from now on.
    func enroll(_ memberID: String, _ membership: Membership) {
        state.withLock { $0.members[memberID] = WeakMembership(membership: membership) }
    }

    func dismiss(_ memberID: String) {
        state.withLock { _ = $0.members.removeValue(forKey: memberID) }
    }

    /// Told of the close; forgotten when it is gone.
    func attach(_ watcher: ConsumerWatcher) {
        state.withLock { state in
            if state.watchers.count > 64 {
                state.watchers = state.watchers.filter { $0.value.watcher != nil }
            }
            state.watchers[ObjectIdentifier(watcher)] = WeakWatcher(watcher: watcher)
        }
    }

    /// Takes a member out of its group, whose consumer is gone or has left. A static one stays until a moment
    /// of the monotonic clock, and may come back.
    func depart(_ leaving: LeavingMember, from groupID: String, staticUntil deadline: Int64) {
        dismiss(leaving.memberID)
        change { coordinator, now in
            if leaving.instanceID == nil {
                _ = coordinator.leave(groupID: groupID, members: [leaving], now: now)
            } else {
                coordinator.processing(groupID: groupID, memberID: leaving.memberID, until: deadline)
            }
        }
    }

    var currentMembers: [Membership] { state.withLock { $0.members.values.compactMap(\.membership) } }

    /// Topics were made, changed or deleted: members look whether that concerns them.
    func catalogueChanged() {
        if isReady { findKeptTopics() }
        for member in currentMembers { member.catalogueChanged() }
        for owner in currentOwners() { owner.catalogueChanged() }
    }

    /// The store is being closed: commits what members have processed, and takes nothing more.
    nonisolated(nonsending) func close() async {
        let watchers = state.withLock { $0.watchers.values.compactMap(\.watcher) }
        for watcher in watchers { try? await watcher.consumer?.close() }
        for owner in currentOwners() { await owner.storeCloses() }
        state.withLock { $0.isClosed = true }
        // Whoever came in between.
        for watcher in state.withLock({ $0.watchers.values.compactMap(\.watcher) }) { watcher.storeClosed() }
    }
}

struct WeakWatcher: Sendable {
    weak var watcher: ConsumerWatcher?
}

struct WeakMembership: Sendable {
    weak var membership: Membership?
}
