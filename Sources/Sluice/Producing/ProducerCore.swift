// What the lanes of one producer share: room, the outcome of each batch, and those who wait for either.
//
// (1) A batch has a number from its first record on; its outcome is kept for the last `keptOutcomes` numbers.
// (2) Bytes are reserved when a batch is begun and given back when it is answered: what is accepted and not yet
// acknowledged never exceeds `bufferBytes` by more than a record. (3) `lock` is taken before the volume's, never after.

import CoreMetrics
import SluiceCore
import SluiceLog

final class ProducerCore: BatchSink, @unchecked Sendable {
    static let keptOutcomes: UInt64 = 4096

    let engine: StoreEngine
    let topic: String
    let configuration: ProducerConfiguration
    let codec: Codec
    let maxRecordBytes: Int
    let acks: Acks
    let metrics: TopicMetrics
    @exclusivity(unchecked) private(set) var sinkNumber: UInt32 = 0

    // Guarded by `lock`.
    private let lock = Lock()
    /// Numbers of the volume's partitions, by partition.
    @exclusivity(unchecked) private var numbers: [Int]
    @exclusivity(unchecked) private var outcomes: [Outcome] = []
    @exclusivity(unchecked) private var nextNumber: UInt64 = 0
    @exclusivity(unchecked) private var reserved = 0
    /// Submitted and not answered.
    @exclusivity(unchecked) private var outstanding: Set<UInt64> = []
    @exclusivity(unchecked) private var acknowledgementWaiters: [UInt64: [Waiter<BatchOutcome>]] = [:]
    @exclusivity(unchecked) private var flushWaiters: [FlushWaiter] = []
    @exclusivity(unchecked) private var roomWaiters: [Waiter<Void>] = []
    @exclusivity(unchecked) private var firstFailure: StreamError?
    @exclusivity(unchecked) private var isClosed = false
    /// Called, without the lock, when a partition has nothing of this producer under way any more.
    @exclusivity(unchecked) private var onIdle: (@Sendable (Int) -> Void)?
    @exclusivity(unchecked) private var inFlight: [Int: Int] = [:]

    /// What became of a batch.
    struct BatchOutcome: Sendable {
        var baseOffset: Int64
        var appendTime: Int64?
    }

    private struct Outcome {
        var number: UInt64
        var partition: Int32
        var bytes: Int
        var records: Int
        var state: State
        enum State {
            case open, done(BatchOutcome), failed(StreamError)
        }
    }

    private struct FlushWaiter {
        var left: Set<UInt64>
        var waiter: Waiter<Void>
    }

    init(
        engine: StoreEngine, topic: String, numbers: [Int], settings: TopicSettings,
        configuration: ProducerConfiguration
    ) {
        self.engine = engine
        self.topic = topic
        self.numbers = numbers
        self.configuration = configuration
        let wanted = configuration.compression ?? Compression(settings.compression) ?? .lz4
        codec = (Compression(settings.compression) ?? wanted).codec
        maxRecordBytes = Int(settings.maxMessageBytes)
        acks = configuration.acknowledgement.acks
        metrics = TopicMetrics(topic: topic)
    }

    deinit { engine.unregister(sinkNumber) }

    func start() { sinkNumber = engine.register(self) }

    func onIdle(_ body: @escaping @Sendable (Int) -> Void) { lock.withLock { onIdle = body } }

    var partitionCount: Int { lock.withLock { numbers.count } }

    /// Partitions may have been added since.
    func setPartitions(_ new: [Int]) { lock.withLock { numbers = new } }

    // MARK: Batches

    /// Reserves room for a batch and gives it a number. nil when there is no room.
    func begin(_ partition: Int, bytes: Int, mayExceed: Bool) throws(StreamError) -> UInt64? {
        try lock.withLock { () throws(StreamError) -> UInt64? in
            if isClosed { throw .closed }
            guard reserved == 0 || mayExceed || reserved + bytes <= configuration.bufferBytes else { return nil }
            reserved += bytes
            let number = nextNumber
            nextNumber += 1
            let outcome = Outcome(
                number: number, partition: Int32(partition), bytes: bytes, records: 0, state: .open)
            let slot = Int(number % Self.keptOutcomes)
            if slot < outcomes.count { outcomes[slot] = outcome } else { outcomes.append(outcome) }
            return number
        }
    }

    /// Hands a sealed batch to the volume. A refusal becomes the batch's outcome.
    func submit(_ sealed: SealedBatch, number: UInt64, partition: Int) {
        let target: Int = lock.withLock {
            outstanding.insert(number)
            inFlight[partition, default: 0] += 1
            let slot = Int(number % Self.keptOutcomes)
            if slot < outcomes.count, outcomes[slot].number == number { outcomes[slot].records = sealed.recordCount }
            return numbers[partition]
        }
        let origin = BatchOrigin(producer: sinkNumber, number: number)
        let batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount, maxTimestamp: sealed.maxTimestamp,
            origin: origin)
        do throws(LogError) {
            try engine.withVolume { volume throws(LogError) in try volume.submit(batch, to: target, acks) }
        } catch {
            settle([(number, .failure(error))])
        }
    }

    /// Whether something of this producer is under way to the partition.
    func isInFlight(_ partition: Int) -> Bool { lock.withLock { inFlight[partition, default: 0] > 0 } }

    func completed(_ completions: [AppendCompletion]) {
        settle(completions.map { ($0.origin.number, $0.result) })
    }

    private func settle(_ results: [(number: UInt64, result: Result<AppendedBatch, LogError>)]) {
        var answers: [(Waiter<BatchOutcome>, Result<BatchOutcome, StreamError>)] = []
        var ready: [Waiter<Void>] = []
        var flushed: [Waiter<Void>] = []
        var idle: [Int] = []
        var idleHandler: (@Sendable (Int) -> Void)?
        lock.withLock {
            for (number, answer) in results {
                guard outstanding.remove(number) != nil else { continue }
                let result = settle(number, answer, &idle)
                for waiter in acknowledgementWaiters.removeValue(forKey: number) ?? [] {
                    answers.append((waiter, result))
                }
                for index in flushWaiters.indices { flushWaiters[index].left.remove(number) }
            }
            if flushWaiters.contains(where: \.left.isEmpty) {
                flushed = flushWaiters.filter(\.left.isEmpty).map(\.waiter)
                flushWaiters.removeAll(where: \.left.isEmpty)
            }
            ready = roomWaiters
            roomWaiters = []
            idleHandler = onIdle
        }
        for (waiter, result) in answers { waiter.resume(result) }
        for waiter in ready { waiter.resume(.success(())) }
        for waiter in flushed { waiter.resume(.success(())) }
        if let idleHandler { for partition in idle { idleHandler(partition) } }
    }

    /// Takes note of one answer. With the lock held.
    private func settle(
        _ number: UInt64, _ result: Result<AppendedBatch, LogError>, _ idle: inout [Int]
    ) -> Result<BatchOutcome, StreamError> {
        let slot = Int(number % Self.keptOutcomes)
        let isKept = slot < outcomes.count && outcomes[slot].number == number
        let partition = isKept ? Int(outcomes[slot].partition) : 0
        let answer: Result<BatchOutcome, StreamError>
        switch result {
        case .success(let appended):
            answer = .success(BatchOutcome(baseOffset: appended.baseOffset, appendTime: appended.appendTime))
        case .failure(let error):
            answer = .failure(StreamError(error, at: TopicPartition(topic: topic, partition: partition)))
        }
        guard isKept else { return answer }
        reserved -= outcomes[slot].bytes
        switch answer {
        case .success(let outcome):
            outcomes[slot].state = .done(outcome)
            metrics.records.increment(by: Int64(outcomes[slot].records))
        case .failure(let error):
            outcomes[slot].state = .failed(error)
            firstFailure = firstFailure ?? error
        }
        inFlight[partition, default: 1] -= 1
        if inFlight[partition] == 0 {
            inFlight[partition] = nil
            idle.append(partition)
        }
        return answer
    }

    // MARK: Waiting

    /// The outcome of a batch: known, to be waited for, or forgotten.
    func outcome(of number: UInt64) -> Waiter<BatchOutcome>? {
        lock.withLock {
            guard number < nextNumber else { return nil }
            let slot = Int(number % Self.keptOutcomes)
            guard slot < outcomes.count, outcomes[slot].number == number else { return nil }
            let waiter = Waiter<BatchOutcome>()
            switch outcomes[slot].state {
            case .open: acknowledgementWaiters[number, default: []].append(waiter)
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
                flushWaiters.append(FlushWaiter(left: outstanding, waiter: waiter))
            }
            return waiter
        }
    }

    /// The first failure since the last flush, once.
    func takeFailure() -> StreamError? { lock.withLock { firstFailure.take() } }

    /// Answered when there may be room; at once when there is.
    func room(_ bytes: Int) -> Waiter<Void> {
        lock.withLock {
            let waiter = Waiter<Void>()
            if reserved == 0 || reserved + bytes <= configuration.bufferBytes || isClosed {
                waiter.resume(.success(()))
            } else {
                roomWaiters.append(waiter)
            }
            return waiter
        }
    }

    /// How full it is, for an answer that says so.
    func busy() -> StreamError {
        let used = lock.withLock { reserved }
        return .busy(
            Busy(
                topic: topic, retryAfter: .milliseconds(1),
                reason: .buffer(usedBytes: used, limitBytes: configuration.bufferBytes)))
    }

    /// From now on nothing is begun. Returns whether it was open.
    func close() -> Bool {
        lock.withLock {
            guard !isClosed else { return false }
            isClosed = true
            return true
        }
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
