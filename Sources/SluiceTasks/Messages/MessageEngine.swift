// The shell around one topic and group: the machine's lock, who waits for what, its moments. No policy.
//
// (1) The machine is touched with the lock held, and by nothing else; with the lock held nothing is called
// but the machine. What is to be done gathers in `works`, and is done without the lock. (2) One commit is
// under way at a time: what is decided meanwhile goes with the next. (3) An answer is given once a commit has
// said what it is about. (4) When a commit fails everyone who waits is told, the machine is thrown away, and
// the next call begins with what the group has committed. (5) `records` has the record of each message that
// is counted, or being counted, and that nobody has.

import Logging
import Sluice
import SluiceCore
import SluiceLog

/// A topic that a group shares out, for all who ask in this process.
final class MessageEngine: GroupOwner {
    let served: ServedStore
    let topic: String
    let group: String
    let configuration: MessageQueueConfiguration
    /// nil: what is dead is dropped.
    let deadTopic: String?
    let logger: Logger
    let state: Locked<State>

    /// Said when a partition's version is durable, or with why it never will be.
    struct Answer {
        var version: UInt64
        var say: @Sendable (TaskError?) -> Void
    }

    /// A partition, as it is read.
    struct Part {
        var place: TopicPartition
        /// The volume's number of it.
        var number: Int
        /// What was read and is not taken yet.
        var run: RunReader?
        var isReading = false
        /// Whether there may be something behind what was read.
        var hasMore = true
        /// How often it was heard that there is more.
        var advances = 0
        /// How often it was begun anew: what was read before is nothing any more.
        var epoch = 0
        /// It cannot be read before this moment of the monotonic clock.
        var retryAt: Int64?
        var answers: [Answer] = []
    }

    /// A message that dies.
    struct Grave {
        var deliveries: Int
        var reason: String?
        var record: Record?
        var isReading = false
        /// Not to be tried before this moment of the monotonic clock.
        var retryAt: Int64?
        var say: (@Sendable (TaskError?) -> Void)?
    }

    /// What is to be done without the lock.
    enum Work {
        case read(ReadRequest)
        case recall([MessageKey])
        case exhume([MessageKey])
        case makeDeadTopic
        case commit(MessageCommit, [TopicPartition], [Int], letters: [(key: MessageKey, Grave)])
        case say(@Sendable () -> Void)
        case wakeAt(Int64)
        case load
    }

    struct State: ~Copyable {
        var machine: MessageMachine
        var phase = LoadPhase.unloaded
        /// Which machine this is: what was begun for an earlier one is not this one's.
        var life = 0
        var parts: [Part] = []
        var records: [MessageKey: Record] = [:]
        var waiters: [MessageWaiter] = []
        /// Somebody has asked since records were last taken.
        var isWanted = false
        var recalling = 0
        var turn = 0
        var graves: [MessageKey: Grave] = [:]
        /// Whether the topic of the dead is there, or being made.
        var deadTopicIsThere = false
        var isMakingDeadTopic = false
        /// To be thrown by the next `next`.
        var failure: TaskError?
        /// Commits that were begun; somebody else's are looked for between two of them.
        var commits = 0
        /// How often the group has changed since the last commit began; its own change is one of them.
        var changes = 0
        /// A commit is not to be tried before this moment; how often it was put off in a row.
        var commitAt: Int64?
        var delays = 0
        var refreshAt = Int64.max
        var idle: [PendingAnswer<Void>] = []
        var isClosing = false
        var queues = 0
        /// The moment for which the timer is set.
        var wakesAt = Int64.max
        var watermark: WatermarkWatch?
        var works: [Work] = []
    }

    init(_ store: StreamStore, topic: String, group: String, configuration: MessageQueueConfiguration) {
        served = ServedStore(store)
        self.topic = topic
        self.group = group
        self.configuration = configuration
        deadTopic = configuration.deadTopic(of: topic, group)
        logger = served.logger
        state = Locked(State(machine: MessageMachine(configuration: configuration.machine)))
    }

    // MARK: Who asks

    /// A queue object is made of it.
    func joined() { state.withLock { $0.queues += 1 } }

    /// A queue object is gone. Behind the last nobody asks: deliveries that nobody heard of are taken back.
    func left() {
        change { state in
            state.queues -= 1
            if state.queues == 0 { state.uncount() }
        }
    }

    /// A message, once there is one; nil when it was stopped, cancelled or closed.
    nonisolated(nonsending) func next(
        _ waiter: MessageWaiter, isStopped: () -> Bool
    ) async throws(TaskError) -> HandedMessage? {
        do throws(TaskError) {
            try await ready()
        } catch .stream(.closed) {
            return nil
        } catch .cancelled {
            return nil
        }
        let failure = change { state -> TaskError? in
            if state.isClosing || isStopped() {
                waiter.wake()
                return nil
            }
            if let failure = state.failure.take() { return failure }
            switch state.phase {
            case .ready: state.isWanted = true
            case .closed:
                waiter.wake()
                return nil
            // Since it was loaded a commit has failed.
            case .unloaded, .loading: state.works.append(.load)
            }
            state.waiters.append(waiter)
            return nil
        }
        if let failure { throw failure }
        guard let answer = await waiter.value() else {
            // Cancelled: what it was given at the same time is others'.
            change { state in
                state.waiters.removeAll { $0 === waiter }
                guard let handed = waiter.handed else { return }
                waiter.handed = nil
                state.giveBack(handed)
            }
            return nil
        }
        if let answer { throw answer }
        return state.withLock { _ in waiter.handed }
    }

    /// Those who asked through an object get nothing.
    func stop(_ owner: ObjectIdentifier) {
        change { state in
            for waiter in state.waiters where waiter.owner == owner {
                state.works.append(.say { waiter.wake() })
            }
            state.waiters.removeAll { $0.owner == owner }
        }
    }

    // MARK: What holders say

    nonisolated(nonsending) func accept(_ lease: MessageLease) async throws(TaskError) {
        try await settle(lease) { state, _ throws(MessageRefusal) in try state.machine.accept(lease) }
    }

    nonisolated(nonsending) func release(
        _ lease: MessageLease, after milliseconds: Int64
    ) async throws(TaskError) {
        try await settle(lease) { state, now throws(MessageRefusal) in
            try state.machine.release(lease, after: milliseconds, now: now)
        }
    }

    nonisolated(nonsending) func reject(_ handed: HandedMessage, _ reason: String) async throws(TaskError) {
        try await settle(handed.lease) { state, _ throws(MessageRefusal) in
            guard let version = try state.machine.reject(handed.lease, reason: reason) else {
                state.open(graves: state.machine.takeDying())
                state.graves[handed.lease.key]?.record = handed.record
                return nil
            }
            return version
        }
    }

    func extend(_ lease: MessageLease, by milliseconds: Int64) throws(TaskError) {
        let failure = change { state -> TaskError? in
            do throws(MessageRefusal) {
                try state.machine.extend(lease, by: milliseconds, now: .now)
                return nil
            } catch {
                return refusal(lease, state.phase)
            }
        }
        if let failure { throw failure }
    }

    /// Somebody has let go of a message without a word.
    func drop(_ lease: MessageLease) {
        change { state in _ = try? state.machine.release(lease, after: 0, now: .now) }
    }

    /// Changes the machine, and returns when that is durable; a message that dies is durably in its grave.
    private nonisolated(nonsending) func settle(
        _ lease: MessageLease, _ body: (inout State, Instant) throws(MessageRefusal) -> UInt64?
    ) async throws(TaskError) {
        let failure: TaskError? = await withCheckedContinuation { continuation in
            let failure = change { state -> TaskError?? in
                do throws(MessageRefusal) {
                    let say: @Sendable (TaskError?) -> Void = { continuation.resume(returning: $0) }
                    guard let version = try body(&state, .now) else {
                        guard state.graves[lease.key] != nil else { return .some(nil) }
                        state.graves[lease.key]?.say = say
                        return nil
                    }
                    guard version > state.machine.durableVersion(lease.key.partition) else {
                        return .some(nil)
                    }
                    state.parts[lease.key.partition].answers.append(Answer(version: version, say: say))
                    return nil
                } catch {
                    return refusal(lease, state.phase)
                }
            }
            if let failure { continuation.resume(returning: failure) }
        }
        if let failure { throw failure }
    }

    private func refusal(_ lease: MessageLease, _ phase: LoadPhase) -> TaskError {
        if case .closed = phase { return .stream(.closed) }
        return lost(lease.key)
    }

    func lost(_ key: MessageKey) -> TaskError {
        .messageLost(
            TopicPartition(topic: topic, partition: key.partition), offset: Offset(key.offset))
    }

    /// Milliseconds of a delay or an extension. Throws `illegal` above 12 hours.
    static func check(_ span: Duration) throws(TaskError) -> Int64 {
        guard span.milliseconds <= MessageLimits.visibilityMilliseconds else {
            throw .illegal(reason: "a message is hidden for up to 12 hours, not \(span)")
        }
        return max(0, span.milliseconds)
    }

    // MARK: The machine

    /// Changes the state, then does what that leads to.
    @discardableResult
    func change<R>(_ body: (inout State) -> R) -> R {
        let (result, works) = state.withLock { state -> (R, [Work]) in
            let result = body(&state)
            collect(&state)
            defer { state.works = [] }
            return (result, state.works)
        }
        for work in works { perform(work) }
        return result
    }

    /// Finds out what is to be done. With the lock.
    private func collect(_ state: inout State) {
        guard case .ready = state.phase else { return }
        let now = Instant.now
        state.machine.advance(to: now)
        state.open(graves: state.machine.takeDying())
        serve(&state, now)
        refill(&state, now)
        tend(&state, now)
        commit(&state, now)
        setTimer(&state, now)
    }

    private func serve(_ state: inout State, _ now: Instant) {
        var served = 0
        while served < state.waiters.count, let lease = state.machine.hand(now: now) {
            guard let record = state.records.removeValue(forKey: lease.key) else {
                _ = try? state.machine.release(lease, after: 0, now: now)
                continue
            }
            let waiter = state.waiters[served]
            waiter.handed = HandedMessage(lease: lease, record: record)
            state.works.append(.say { waiter.wake() })
            served += 1
        }
        if served > 0 { state.waiters.removeFirst(served) }
        guard let first = state.waiters.first, let failure = state.failure.take() else { return }
        state.waiters.removeFirst()
        state.works.append(.say { first.wake(failure) })
    }

    private func setTimer(_ state: inout State, _ now: Instant) {
        var next = min(state.machine.nextMonotonic ?? .max, state.refreshAt, state.commitAt ?? .max)
        if let wall = state.machine.nextWall {
            // The wall clock may jump: it is looked at once a minute.
            let wait = min(max(0, wall - now.wallMilliseconds), 60_000)
            next = min(next, now.monotonicNanoseconds + wait * 1_000_000)
        }
        for part in state.parts { next = min(next, part.retryAt ?? .max) }
        for grave in state.graves.values { next = min(next, grave.retryAt ?? .max) }
        guard next < state.wakesAt else { return }
        state.wakesAt = next
        state.works.append(.wakeAt(next))
    }

    func wake() {
        change { state in
            guard Instant.monotonicNow >= state.wakesAt else { return }
            state.wakesAt = .max
            if Instant.monotonicNow >= state.refreshAt { refresh(&state) }
        }
    }

    /// A group without members is forgotten when it has committed nothing for long.
    func refresh(_ state: inout State) {
        if state.refreshAt != .max { state.machine.refresh() }
        let span = min(served.offsetsRetentionMilliseconds / 4, 6 * 3_600_000)
        state.refreshAt = Instant.monotonicNow + max(span, 1_000) * 1_000_000
    }

    func perform(_ work: Work) {
        switch work {
        case .say(let say): say()
        case .wakeAt(let moment): served.schedule(at: moment) { [weak self] in self?.wake() }
        case .read(let request): read(request)
        case .recall(let keys): recall(keys)
        case .exhume(let keys): exhume(keys)
        case .makeDeadTopic: makeDeadTopic()
        case .commit(let commit, let places, let numbers, let letters):
            write(commit, places, numbers, letters)
        case .load: Task { [self] in try? await ready() }
        }
    }
}

extension MessageEngine.State {
    mutating func open(graves dying: [DyingMessage]) {
        for one in dying {
            graves[one.key] = .init(deliveries: one.deliveries, reason: one.reason)
        }
    }

    mutating func giveBack(_ handed: HandedMessage) {
        guard machine.holds(handed.lease) else { return }
        machine.giveBack(handed.lease)
        records[handed.lease.key] = handed.record
    }

    /// Takes back what is counted and nobody has.
    mutating func uncount() {
        machine.uncount()
        records = [:]
    }
}
