// The shell around the controller of back pressure: its lock, the gates of producers, and when it looks. What
// is decided, and why, is in SluiceCore/BackPressure.
//
// (1) While nothing is half full nobody is counted: a producer asks one atomic flag, and adds what it sends
// to one atomic counter; when so much has been sent as the last look allowed for, the timer's thread looks
// again. (2) Controller, gates and the last output are guarded by `state`; that lock is taken before no
// other. (3) One look at a time. (4) An idle store is not looked at.

import Logging
import SluiceCore
import SluiceLog
import Synchronization

final class PressureEngine: Sendable {
    let engine: StoreEngine
    let groups: GroupEngine
    let metrics = PressureMetrics()
    let state: Locked<State>
    let looking = Lock()
    let device: DeviceMember
    /// Whether any gate may say no.
    private let isBounded = Atomic(false)
    /// Bytes that may still be sent before the next look.
    private let lookAfter = Atomic(0)

    struct State: ~Copyable {
        var controller = PressureController()
        var gates = ProducerGates()
        /// What the last look saw and said.
        var input: PressureInput?
        var output: PressureOutput?
        var producers: [UInt32: WeakProducerCore] = [:]
        /// Gates of atomic writes, by topic.
        var atomicGates: [String: UInt32] = [:]
        /// What the topics' settings are, as of the last look that read them.
        var catalogue: [WatchedTopic] = []
        var isCatalogueStale = true
        /// When the last look was, and for when the timer is set.
        var lookedAt = Int64.min
        var looksAt = Int64.max
        /// Topics, and nil for the disk, whose pressure is on.
        var signals: Set<String?> = []
        var savedAt: Int64 = 0
        var saved: [UInt8] = []
        var isClosed = false
    }

    init(_ engine: StoreEngine, _ groups: GroupEngine) {
        self.engine = engine
        self.groups = groups
        device = DeviceMember(engine)
        device.look()
        let snapshot = engine.read { $0.pressureSnapshot }
        var first = State()
        if !snapshot.isEmpty, let controller = try? PressureController(snapshot: snapshot) {
            first.controller = controller
            first.saved = snapshot
        }
        state = Locked(first)
    }

    // MARK: Producers

    /// Gives a producer its gate.
    func add(_ core: ProducerCore) -> UInt32 {
        let policy = core.configuration.backPressure?.setting ?? core.topicPolicy
        return state.withLock { state in
            let gate = state.gates.add(
                topic: core.topic, weight: core.configuration.weight, policy: policy,
                now: Instant.monotonicNow)
            state.producers[gate] = WeakProducerCore(
                core: core, topic: core.topic, followsTopic: core.configuration.backPressure == nil)
            return gate
        }
    }

    func remove(_ gate: UInt32) {
        state.withLock { state in
            state.gates.remove(gate)
            state.producers[gate] = nil
        }
    }

    /// A producer wants to begin a batch.
    ///
    /// - Parameter queued: bytes that it has accepted under `buffer`, and not sent.
    func begin(_ gate: UInt32, _ topic: String, queued: Int = 0) -> GateAnswer {
        guard isBounded.load(ordering: .relaxed) else { return .admit(paid: 0) }
        let now = Instant.monotonicNow
        let answer: GateAnswer = state.withLock { state in
            switch state.gates.begin(gate, queued: queued, now: now) {
            case .admit(let paid): .admit(paid: paid)
            case .wait(let wait):
                .blocked(obstacle(state, topic, now.addingSaturated(wait), isFinal: false))
            case .busy(let wait):
                .blocked(obstacle(state, topic, now.addingSaturated(wait), isFinal: true))
            }
        }
        // A store that was quiet is not looked at; who asks has it looked at.
        if case .blocked = answer { requestLook() }
        return answer
    }

    func obstacle(
        _ state: borrowing State, _ topic: String, _ retryAt: Int64, isFinal: Bool
    ) -> Obstacle {
        let disk = state.output.map(\.disk)
        let lag = state.output?.topics[topic]
        let ruling = [disk, lag].compactMap { $0 }.min { $0.isTighter(than: $1) }
        let reason =
            ruling.map { Busy.Reason($0, state.input?.disk) } ?? .disk(usedBytes: 0, limitBytes: 0)
        return Obstacle(
            reason: reason, retryAt: retryAt, isFinal: isFinal,
            isFileSystem: ruling?.cause == .disk && device.limitCause == .fileSystem)
    }

    /// A batch that was begun came to so many bytes; 0 when it was given up.
    func settle(_ gate: UInt32, paid: Double, bytes: Int) {
        guard paid > 0 || isBounded.load(ordering: .relaxed) else { return }
        state.withLock { $0.gates.settle(gate, paid: paid, bytes: bytes, now: Instant.monotonicNow) }
    }

    /// Whether any gate may say no.
    var hasBound: Bool { isBounded.load(ordering: .relaxed) }

    /// Whether the producer's batches go through its queue now.
    func isPaced(_ gate: UInt32) -> Bool {
        guard isBounded.load(ordering: .relaxed) else { return false }
        return state.withLock { $0.gates.isPaced(gate) }
    }

    /// Whether the next batch of the queue may go: nil, or so many nanoseconds to wait.
    func send(_ gate: UInt32, bytes: Int) -> Int64? {
        guard isBounded.load(ordering: .relaxed) else { return nil }
        return state.withLock { $0.gates.send(gate, bytes: bytes, now: Instant.monotonicNow) }
    }

    /// Reserves room on the disk; nil when there was some.
    func reserve(_ bytes: Int, _ gate: UInt32, _ topic: String) -> Obstacle? {
        let (isReserved, use) = engine.lock.withLock {
            (engine.volume.reserve(bytes), engine.volume.diskUse)
        }
        guard !isReserved else { return nil }
        requestLook()
        let policy = state.withLock { $0.gates.policy(of: gate) }
        return Obstacle(
            reason: .disk(usedBytes: use.usedBytes, limitBytes: use.limitBytes),
            retryAt: Instant.monotonicNow + Self.retryNanoseconds, isFinal: policy == .reject,
            isFileSystem: device.limitCause == .fileSystem)
    }

    private static let retryNanoseconds: Int64 = 100_000_000

    /// Gives back room that nobody will use.
    func release(_ bytes: Int) {
        guard bytes > 0 else { return }
        engine.lock.withLock { engine.volume.release(bytes) }
    }

    // MARK: When it looks

    /// So many bytes are on their way to the log.
    func noteAdmitted(_ bytes: Int) {
        let left = lookAfter.subtract(bytes, ordering: .relaxed).newValue
        guard left <= 0 else { return }
        // A mark may have been passed: a fast producer fills much in a tenth of a second.
        let last = state.withLock { $0.lookedAt }
        scheduleLook(
            at: max(Instant.monotonicNow, last.addingSaturated(Self.leastGapNanoseconds)),
            unlessWithin: Self.leastGapNanoseconds)
    }

    /// Between two looks, however fast producers are.
    private static let leastGapNanoseconds: Int64 = 10_000_000

    /// Topics were made, changed or deleted.
    func catalogueChanged() {
        state.withLock { $0.isCatalogueStale = true }
        requestLook()
    }

    /// Has the timer's thread look now, unless it is about to.
    func requestLook() { scheduleLook(at: Instant.monotonicNow) }

    /// Has the timer's thread look at a moment of the monotonic clock.
    ///
    /// - Parameter near: a look that is to come so soon after `moment` is soon enough, nanoseconds.
    func scheduleLook(at moment: Int64, unlessWithin near: Int64 = PressureEngine.aboutToNanoseconds) {
        let isNew = state.withLock { state in
            guard !state.isClosed, moment < state.looksAt.addingSaturated(-near) else { return false }
            state.looksAt = moment
            return true
        }
        guard isNew else { return }
        engine.timer.schedule(at: moment) { [weak self] in
            guard let self, state.withLock({ $0.looksAt == moment }) else { return }
            look()
        }
    }

    /// A look that is as near as this is not brought forward.
    static let aboutToNanoseconds: Int64 = 110_000_000

    /// Puts into force what a look has come to. With `looking` held.
    func set(_ output: PressureOutput) {
        isBounded.store(state.withLock { $0.gates.isBounded }, ordering: .relaxed)
        lookAfter.store(Int(clamping: output.lookAfterBytes), ordering: .relaxed)
    }

    /// The store is being closed: nobody is held up any more.
    func close() {
        let snapshot = state.withLock { state in
            state.isClosed = true
            return state.input == nil ? nil : state.controller.snapshot
        }
        isBounded.store(false, ordering: .relaxed)
        if let snapshot { engine.withVolume { $0.keepPressure(snapshot) } }
        device.leave()
    }
}

/// A producer, by its gate. To be loaded where the last reference may end: a producer that goes takes the
/// lock of `state`.
struct WeakProducerCore: Sendable {
    weak var core: ProducerCore?
    let topic: String
    /// It has no policy of its own.
    let followsTopic: Bool
}
