// What the lanes of one producer share: room, the outcome of each batch, and those who wait for either.
//
// (1) A batch has a number from its first record on; its outcome is kept for the last `keptOutcomes` numbers.
// What is needed to answer it is kept until it is answered, however many come after it. (2) Bytes are
// reserved when a batch is begun and given back when it is answered: what is accepted and not yet
// acknowledged never exceeds `bufferBytes` by more than a record. (3) A batch begins when it has room in the
// buffer, its producer's gate lets it, and the disk has room for it: in this order, and what was taken is
// given back when a later one refuses. (4) `lock` is taken before the gates' and the volume's, never after.

import CoreMetrics
import SluiceCore
import SluiceLog

final class ProducerCore: BatchSink, @unchecked Sendable {
    /// As many as a caller may have under way before it asks for the first: with a batch open in each of many
    /// partitions, more than usual.
    let keptOutcomes: UInt64

    let engine: StoreEngine
    let topic: String
    let configuration: ProducerConfiguration
    let codec: Codec
    let maxRecordBytes: Int
    /// The topic is compacted.
    let needsKeys: Bool
    /// The topic's, when the producer was made.
    let topicPolicy: PressurePolicy
    let acks: Acks
    let metrics: TopicMetrics
    let pressure: PressureEngine
    @exclusivity(unchecked) private(set) var sinkNumber: UInt32 = 0
    @exclusivity(unchecked) private(set) var gate: UInt32 = 0

    /// Numbers of the volume's partitions, by partition.
    let numbers: [Int]

    // Guarded by `lock`.
    let lock = Lock()
    @exclusivity(unchecked) private var outcomes: [Outcome] = []
    @exclusivity(unchecked) private var nextNumber: UInt64 = 0
    @exclusivity(unchecked) var reserved = 0
    /// Batches that are open, by number.
    @exclusivity(unchecked) private var open: [UInt64: Begun] = [:]
    /// Submitted and not answered.
    @exclusivity(unchecked) private var outstanding: [UInt64: Sent] = [:]
    @exclusivity(unchecked) private var acknowledgementWaiters: [UInt64: [Waiter<BatchOutcome>]] = [:]
    @exclusivity(unchecked) private var flushWaiters: [FlushWaiter] = []
    @exclusivity(unchecked) var roomWaiters: [RoomWaiter] = []
    /// When the timer will look at those who wait for room: one timer for all of them.
    @exclusivity(unchecked) var roomTimer = Int64.max
    @exclusivity(unchecked) private var firstFailure: StreamError?
    /// How many batches were refused, by partition: what the volume is told of with each batch that is begun.
    @exclusivity(unchecked) private var refusals: [Int: UInt32] = [:]
    @exclusivity(unchecked) var isClosed = false
    /// Called, without the lock, when a partition has nothing of this producer under way any more.
    @exclusivity(unchecked) private var onIdle: (@Sendable (Int) -> Void)?
    @exclusivity(unchecked) private var inFlight: [Int: Int] = [:]
    /// Under the policy `buffer`: sealed batches that wait for the gate, and how many bytes they are.
    @exclusivity(unchecked) var paced: [PacedBatch] = []
    @exclusivity(unchecked) var pacedBytes = 0
    /// Whoever hands paced batches over: one at a time, since their order is the order of the log.
    @exclusivity(unchecked) var isPumping = false

    struct PacedBatch {
        var sealed: SealedBatch
        var number: UInt64
        var partition: Int
        var room: Int
        var refusalsSeen: UInt32
    }

    /// A batch that collects records: the room that it has, what was paid for it at the gate, and what was
    /// known of refusals when it was begun.
    private struct Begun {
        var room: Int
        var paid: Double
        var refusalsSeen: UInt32 = 0
    }

    struct RoomWaiter {
        var waiter: Waiter<Void>
        /// When it asks again, whatever happens.
        var wakesAt: Int64
        /// It waits for the gate or the disk, not for answers.
        var isGated: Bool
    }

    /// What became of a batch.
    struct BatchOutcome: Sendable {
        var baseOffset: Int64
        var appendTime: Int64?
    }

    private struct Outcome {
        var number: UInt64
        var state: State
        enum State {
            case open, done(BatchOutcome), failed(StreamError)
        }
    }

    /// A batch that has been submitted.
    private struct Sent {
        var partition: Int
        /// The room that was reserved for it.
        var room: Int
        var records: Int
        var bytes: Int
    }

    private struct FlushWaiter {
        var left: Set<UInt64>
        var waiter: Waiter<Void>
    }

    init(
        _ engine: StoreEngine, _ pressure: PressureEngine, topic: String, numbers: [Int],
        settings: TopicSettings, configuration: ProducerConfiguration
    ) {
        self.engine = engine
        self.pressure = pressure
        self.topic = topic
        self.numbers = numbers
        keptOutcomes = max(4096, 8 * UInt64(numbers.count))
        self.configuration = configuration
        let wanted = configuration.compression ?? Compression(settings.compression) ?? .lz4
        codec = (Compression(settings.compression) ?? wanted).codec
        maxRecordBytes = Int(settings.maxMessageBytes)
        needsKeys = settings.cleanupPolicy.contains(.compact)
        topicPolicy = settings.pressurePolicy
        acks = configuration.acknowledgement.acks
        metrics = TopicMetrics(topic: topic)
    }

    deinit {
        engine.unregister(sinkNumber, refusedIn: refusals.keys.map { numbers[$0] })
        pressure.remove(gate)
        // Batches that were begun and never handed over: their lanes are gone.
        let room = open.values.reduce(0) { $0 + $1.room } + paced.reduce(0) { $0 + $1.room }
        pressure.release(room)
    }

    func start() {
        sinkNumber = engine.register(self)
        gate = pressure.add(self)
    }

    func onIdle(_ body: @escaping @Sendable (Int) -> Void) { lock.withLock { onIdle = body } }

    var partitionCount: Int { numbers.count }

    // MARK: Batches

    /// Whether a batch can begin.
    enum Start {
        case begun(UInt64)
        case blocked(Obstacle)
    }

    /// Reserves room for a batch and gives it a number.
    func begin(bytes: Int, partition: Int) throws(StreamError) -> Start {
        try lock.withLock { () throws(StreamError) -> Start in
            if isClosed { throw .closed }
            guard hasRoom(bytes) else { return .blocked(bufferObstacle) }
            var paid = 0.0
            switch pressure.begin(gate, topic, queued: pacedBytes) {
            case .admit(let price): paid = price
            case .blocked(let obstacle): return .blocked(obstacle)
            }
            if let obstacle = pressure.reserve(bytes, gate, topic) {
                pressure.settle(gate, paid: paid, bytes: 0)
                return .blocked(obstacle)
            }
            reserved += bytes
            let number = nextNumber
            nextNumber += 1
            open[number] = Begun(room: bytes, paid: paid, refusalsSeen: refusals[partition] ?? 0)
            let outcome = Outcome(number: number, state: .open)
            let slot = Int(number % keptOutcomes)
            if slot < outcomes.count { outcomes[slot] = outcome } else { outcomes.append(outcome) }
            return .begun(number)
        }
    }

    /// With the lock held. One batch, however large, always finds room.
    func hasRoom(_ bytes: Int) -> Bool {
        reserved == 0 || reserved + bytes <= configuration.bufferBytes
    }

    var bufferObstacle: Obstacle {
        Obstacle(
            reason: .buffer(usedBytes: reserved, limitBytes: configuration.bufferBytes), retryAt: .max,
            isFinal: false)
    }

    /// Hands a sealed batch to the volume, or to the queue that the gate empties. A refusal becomes the
    /// batch's outcome.
    ///
    /// - Parameter isUrgent: false when nobody waits for it.
    func submit(_ sealed: SealedBatch, number: UInt64, partition: Int, isUrgent: Bool) {
        let ready = lock.withLock { () -> PacedBatch? in
            let begun = open.removeValue(forKey: number) ?? Begun(room: 0, paid: 0)
            outstanding[number] = Sent(
                partition: partition, room: begun.room, records: sealed.recordCount,
                bytes: sealed.bytes.count)
            inFlight[partition, default: 0] += 1
            let batch = PacedBatch(
                sealed: sealed, number: number, partition: partition, room: begun.room,
                refusalsSeen: begun.refusalsSeen)
            if !paced.isEmpty || isPumping || pressure.isPaced(gate) {
                paced.append(batch)
                pacedBytes += sealed.bytes.count
                return nil
            }
            pressure.settle(gate, paid: begun.paid, bytes: sealed.bytes.count)
            return batch
        }
        if let ready {
            hand(ready, isUrgent: isUrgent)
        } else {
            pump()
        }
    }

    /// Whether something of this producer is under way to the partition.
    func isInFlight(_ partition: Int) -> Bool { lock.withLock { inFlight[partition, default: 0] > 0 } }

    func completed(_ completions: [AppendCompletion]) {
        settle(completions.map { ($0.origin.number, $0.result) })
    }

    func settle(_ results: [(number: UInt64, result: Result<AppendedBatch, LogError>)]) {
        var answers: [(Waiter<BatchOutcome>, Result<BatchOutcome, StreamError>)] = []
        var ready: [Waiter<Void>] = []
        var flushed: [Waiter<Void>] = []
        var idle: [Int] = []
        var idleHandler: (@Sendable (Int) -> Void)?
        var records = 0
        var bytes = 0
        lock.withLock {
            for (number, answer) in results {
                guard let sent = outstanding.removeValue(forKey: number) else { continue }
                let result = settle(number, sent, answer, &idle)
                if case .success = result {
                    records += sent.records
                    bytes += sent.bytes
                }
                for waiter in acknowledgementWaiters.removeValue(forKey: number) ?? [] {
                    answers.append((waiter, result))
                }
                for index in flushWaiters.indices { flushWaiters[index].left.remove(number) }
            }
            if flushWaiters.contains(where: \.left.isEmpty) {
                flushed = flushWaiters.filter(\.left.isEmpty).map(\.waiter)
                flushWaiters.removeAll(where: \.left.isEmpty)
            }
            ready = roomWaiters.filter { !$0.isGated }.map(\.waiter)
            roomWaiters.removeAll { !$0.isGated }
            idleHandler = onIdle
        }
        if records > 0 {
            metrics.records.increment(by: records)
            metrics.bytes.increment(by: bytes)
        }
        for (waiter, result) in answers { waiter.resume(result) }
        for waiter in ready { waiter.resume(.success(())) }
        for waiter in flushed { waiter.resume(.success(())) }
        if let idleHandler { for partition in idle { idleHandler(partition) } }
    }

    /// Takes note of one answer. With the lock held.
    private func settle(
        _ number: UInt64, _ sent: Sent, _ result: Result<AppendedBatch, LogError>, _ idle: inout [Int]
    ) -> Result<BatchOutcome, StreamError> {
        let answer: Result<BatchOutcome, StreamError>
        switch result {
        case .success(let appended):
            answer = .success(BatchOutcome(baseOffset: appended.baseOffset, appendTime: appended.appendTime))
        case .failure(let error):
            let error = StreamError(error, of: TopicPartition(topic: topic, partition: sent.partition))
            answer = .failure(error)
            firstFailure = firstFailure ?? error
            refusals[sent.partition, default: 0] &+= 1
        }
        let slot = Int(number % keptOutcomes)
        if outcomes[slot].number == number {
            outcomes[slot].state =
                switch answer {
                case .success(let outcome): .done(outcome)
                case .failure(let error): .failed(error)
                }
        }
        reserved -= sent.room
        inFlight[sent.partition, default: 1] -= 1
        if inFlight[sent.partition] == 0 {
            inFlight[sent.partition] = nil
            idle.append(sent.partition)
        }
        return answer
    }

    // MARK: Waiting

    /// The outcome of a batch: known, to be waited for, or forgotten.
    func outcome(of number: UInt64) -> Waiter<BatchOutcome>? {
        lock.withLock {
            guard number < nextNumber else { return nil }
            let waiter = Waiter<BatchOutcome>()
            if open[number] != nil || outstanding[number] != nil {
                acknowledgementWaiters[number, default: []].append(waiter)
                return waiter
            }
            let slot = Int(number % keptOutcomes)
            guard outcomes[slot].number == number else { return nil }
            switch outcomes[slot].state {
            case .open: return nil
            case .done(let outcome): waiter.resume(.success(outcome))
            case .failed(let error): waiter.resume(.failure(error))
            }
            return waiter
        }
    }

    /// Answered when everything that has been submitted is.
    func flushed() -> Waiter<Void> {
        lock.withLock {
            let waiter = Waiter<Void>()
            if outstanding.isEmpty {
                waiter.resume(.success(()))
            } else {
                flushWaiters.append(FlushWaiter(left: Set(outstanding.keys), waiter: waiter))
            }
            return waiter
        }
    }

    /// The first failure since the last flush, once.
    func takeFailure() -> StreamError? { lock.withLock { firstFailure.take() } }

    /// From now on nothing is begun. Returns whether it was open.
    func close() -> Bool {
        var waiting: [Waiter<Void>] = []
        let wasOpen = lock.withLock {
            guard !isClosed else { return false }
            isClosed = true
            waiting = roomWaiters.map(\.waiter)
            roomWaiters = []
            return true
        }
        // They ask again, and are told.
        for waiter in waiting { waiter.resume(.success(())) }
        pump()
        return wasOpen
    }

    /// Throws `closed` once it is.
    func checkOpen() throws(StreamError) {
        if lock.withLock({ isClosed }) { throw .closed }
        try engine.checkOpen()
    }
}

extension Acknowledgement {
    var acks: Acks {
        switch self {
        case .none: .none
        case .written: .written
        case .durable: .durable
        }
    }
}
