// The shell around one queue's machine: its lock, its log, who waits for an answer, its moments. No policy.
//
// (1) The machine is touched with the lock held, and by nothing else. (2) What it wants stored goes out in
// its order, one batch at a time: while one is on its way, what is decided gathers in the next. (3) An answer
// is given once the log has all that was decided before it. (4) When an append fails, everyone who waits is
// told, the machine is thrown away, and the next call reads the log again. (5) Nothing is called with the
// lock held but the machine.

import Logging
import Sluice
import SluiceCore
import SluiceLog
import Synchronization

/// One queue of a store, shared by all who use it.
final class QueueEngine: Sendable {
    let served: ServedStore
    let name: String
    let topic: String
    let configuration: QueueConfiguration
    let localHost: UInt64
    let sender: BatchSender
    let logger: Logger
    let state: Locked<State>
    /// Whether the phase is `ready`: for a look without the lock. Changed with it.
    let isReady = Atomic(false)

    /// Said when so many records are durable, or with why they never will be.
    struct Answer {
        var position: UInt64
        var say: @Sendable (TaskError?) -> Void
    }

    struct State: ~Copyable {
        var machine: TaskMachine
        var phase = LoadPhase.unloaded
        /// Which machine this is: what was begun for an earlier one is not this one's.
        var life = 0
        /// The volume's number of the topic's partition.
        var partition = -1
        var outgoing: [TaskRecord] = []
        /// Bytes of the disk that are reserved for what goes out.
        var reserved = 0
        var isSubmitting = false
        var durable: UInt64 = 0
        var answers: [Answer] = []
        var answersHead = 0
        var leaseWaiters: [LeaseWaiter] = []
        var watches: [UInt64: [TaskWatch]] = [:]
        var cache: ByteCache
        /// The moment for which the timer is set.
        var wakesAt = Int64.max
        var watchmark: WatermarkWatch?
        var nextWorker: UInt64 = 0
        /// Processes that have joined, and which joining it was.
        var hosts: [UInt64: UInt64] = [:]
        var joins: UInt64 = 0
        /// Workers in this process, by their numbers.
        var sessions: [UInt64: WeakSession] = [:]
    }

    init(_ store: StreamStore, name: String, configuration: QueueConfiguration) {
        served = ServedStore(store)
        self.name = name
        topic = QueueTopic.name(of: name)
        self.configuration = configuration
        logger = served.logger
        var random = SystemRandomNumberGenerator()
        localHost = random.next() | 1 << 63
        sender = BatchSender(served)
        let machine = TaskMachine(
            configuration: configuration.machine, seed: random.next(), localHost: localHost,
            zones: ZoneFiles.rules)
        state = Locked(State(machine: machine, cache: ByteCache(limit: configuration.cacheBytes)))
    }

    // MARK: The machine

    /// Changes the machine; returns when all that was decided until then is durable.
    ///
    /// - Parameter id: the task that is meant, for the error.
    nonisolated(nonsending) func change<R>(
        _ id: TaskID? = nil, _ body: (inout State, Instant) throws(TaskRefusal) -> R
    ) async throws(TaskError) -> R {
        try await ready()
        let pending = PendingAnswer<TaskError?>()
        let result = try apply(id, body) { pending.give($0) }
        guard let failure = await pending.value() else { throw .cancelled }
        if let failure { throw failure }
        return result
    }

    /// Changes the machine at once; `say` is called when that is durable. The queue has been loaded.
    func apply<R>(
        _ id: TaskID? = nil, _ body: (inout State, Instant) throws(TaskRefusal) -> R,
        _ say: (@Sendable (TaskError?) -> Void)? = nil
    ) throws(TaskError) -> R {
        let (result, isDurable, due) = try state.withLock { state throws(TaskError) in
            try checkReady(state)
            let result: R
            do throws(TaskRefusal) {
                result = try body(&state, .now)
            } catch {
                collect(&state)
                throw TaskError(error, id)
            }
            collect(&state)
            let position = state.machine.emitted
            let isDurable = state.durable >= position
            if let say, !isDurable { state.answers.append(Answer(position: position, say: say)) }
            return (result, isDurable, takeDue(&state))
        }
        if isDurable { say?(nil) }
        perform(due)
        return result
    }

    private func checkReady(_ state: borrowing State) throws(TaskError) {
        switch state.phase {
        case .ready: return
        case .closed: throw .stream(.closed)
        // Between its loading and this an append has failed.
        case .unloaded, .loading:
            throw .stream(
                .indeterminate(place, reason: "the queue is read again after an append that failed"))
        }
    }

    var place: TopicPartition { TopicPartition(topic: topic, partition: 0) }

    /// Takes what is to be done, and sees that the machine's next moment is not missed. With the lock.
    func collect(_ state: inout State) {
        serveWaiters(&state)
        state.outgoing += state.machine.takeRecords()
        let changed = state.machine.takeChanged()
        if !state.watches.isEmpty, !changed.isEmpty {
            let told = changed.flatMap { watches(of: $0, &state) }
            if !told.isEmpty {
                state.answers.append(
                    Answer(position: state.machine.emitted) { _ in for watch in told { watch.notify() } })
            }
        }
        let mine = state.machine.takeRevoked().filter { $0.holder.host == localHost }
        if !mine.isEmpty {
            state.answers.append(
                Answer(position: state.machine.emitted) { [weak self] _ in self?.tellHolders(mine) })
        }
        setTimer(&state)
    }

    private func setTimer(_ state: inout State) {
        let now = Instant.now
        var next = state.machine.nextMonotonic
        if let wall = state.machine.nextWall {
            // The wall clock may jump: it is looked at once a minute.
            let wait = min(max(0, wall - now.wallMilliseconds), 60_000)
            next = min(next ?? .max, now.monotonicNanoseconds + wait * 1_000_000)
        }
        guard let next, next < state.wakesAt else { return }
        state.wakesAt = next
        served.schedule(at: next) { [weak self] in self?.advance() }
    }

    private func advance() {
        let due = state.withLock { state in
            let now = Instant.now
            guard now.monotonicNanoseconds >= state.wakesAt else { return Due() }
            state.wakesAt = .max
            guard case .ready = state.phase else { return Due() }
            state.machine.advance(to: now)
            collect(&state)
            return takeDue(&state)
        }
        perform(due)
    }

    // MARK: The log

    /// What is to be done without the lock: answers that can be said, and a batch, unless one is on its way.
    struct Due {
        var answers: [Answer] = []
        var batch: Outgoing?
    }

    /// With the lock.
    func takeDue(_ state: inout State) -> Due { Due(answers: takeAnswers(&state), batch: nextBatch(&state)) }

    func perform(_ due: Due) {
        for answer in due.answers { answer.say(nil) }
        guard let batch = due.batch else { return }
        guard let sealed = QueueTopic.seal(batch.records) else {
            return finished(
                batch, .failure(.tooLarge(bytes: QueueTopic.batchBytes, limit: QueueTopic.batchBytes)))
        }
        var prepared = BatchSender.Batch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp)
        prepared.reservedBytes = batch.reserved
        // What is acknowledged, given up or forgotten must go into a full store too, so that it is drained;
        // what is published was asked for before.
        prepared.isExempt = true
        let seen = sender.failures(in: batch.partition)
        // Held until it is answered: a queue that is read anew must not miss what is on its way.
        sender.submit(prepared, to: batch.partition, of: topic, .durable, failuresSeen: seen) {
            [self] result in
            finished(batch, result)
        }
    }

    struct Outgoing: Sendable {
        var life: Int
        var partition: Int
        var records: [TaskRecord]
        var reserved: Int
    }

    private func nextBatch(_ state: inout State) -> Outgoing? {
        guard case .ready = state.phase, !state.isSubmitting, !state.outgoing.isEmpty else { return nil }
        var count = 0
        var bytes = 0
        for record in state.outgoing {
            bytes += QueueTopic.room(record)
            if count > 0, bytes > QueueTopic.batchBytes { break }
            count += 1
        }
        let isAll = count == state.outgoing.count
        let reserved = isAll ? state.reserved : min(state.reserved, bytes)
        state.reserved -= reserved
        state.isSubmitting = true
        let records = isAll ? state.outgoing : Array(state.outgoing.prefix(count))
        if isAll { state.outgoing = [] } else { state.outgoing.removeFirst(count) }
        return Outgoing(life: state.life, partition: state.partition, records: records, reserved: reserved)
    }

    private func finished(_ batch: Outgoing, _ result: Result<AppendedBatch, LogError>) {
        switch result {
        case .success(let appended):
            let due = state.withLock { state in
                guard state.life == batch.life else { return Due() }
                state.isSubmitting = false
                state.machine.placed(batch.records.count, at: appended.baseOffset)
                state.durable += UInt64(batch.records.count)
                return takeDue(&state)
            }
            perform(due)
        case .failure(let error):
            fail(StreamError(error, at: place), of: batch.life)
        }
    }

    /// What waits for no more than what is durable.
    private func takeAnswers(_ state: inout State) -> [Answer] {
        let head = state.answersHead
        var end = head
        while end < state.answers.count, state.answers[end].position <= state.durable { end += 1 }
        guard end > head else { return [] }
        let ready = Array(state.answers[head..<end])
        state.answersHead = end
        if end == state.answers.count {
            state.answers.removeAll(keepingCapacity: true)
            state.answersHead = 0
        }
        return ready
    }

    /// An append failed, or the store is being closed: nothing of what was decided since holds.
    func fail(_ error: StreamError, of life: Int? = nil) {
        let (answers, waiters, watches, reserved) = state.withLock {
            state -> ([Answer], [LeaseWaiter], [TaskWatch], Int) in
            if let life, state.life != life { return ([], [], [], 0) }
            state.life += 1
            isReady.store(false, ordering: .releasing)
            if case .closed = state.phase {} else { state.phase = error == .closed ? .closed : .unloaded }
            let answers = Array(state.answers[state.answersHead...])
            let (waiters, watches) = (state.leaseWaiters, state.watches.values.flatMap { $0 })
            let reserved = state.reserved
            (state.answers, state.answersHead, state.leaseWaiters) = ([], 0, [])
            // Who watches goes on: the queue is read again.
            (state.outgoing, state.reserved) = ([], 0)
            state.isSubmitting = false
            return (answers, waiters, watches, reserved)
        }
        if reserved > 0 { sender.release(reserved) }
        for answer in answers { answer.say(.stream(error)) }
        for waiter in waiters { waiter.give(.failure(.stream(error))) }
        for watch in watches { watch.notify() }
        if error != .closed {
            logger.error(
                "what a queue of tasks decided could not be stored",
                metadata: ["queue": "\(name)", "reason": "\(error)"])
        }
    }

    // MARK: Who watches

    /// Workers whose tasks were cancelled, or who were thought dead, are told at once.
    private func tellHolders(_ revoked: [RevokedLease]) {
        for one in revoked {
            state.withLock { $0.sessions[one.holder.worker]?.session }?.lost(one.lease)
        }
    }

    /// Does something small after a while, on the timer's thread.
    func schedule(after span: Duration, _ action: @escaping @Sendable () -> Void) {
        served.schedule(at: moment(after: span), action)
    }

    /// The moment of the monotonic clock so long from now.
    func moment(after span: Duration) -> Int64 {
        Instant.monotonicNow + max(0, min(span.milliseconds, 1 << 42)) * 1_000_000
    }

    /// Who is to be told that a task has changed. With the lock.
    private func watches(of sequence: UInt64, _ state: inout State) -> [TaskWatch] {
        guard let watches = state.watches[sequence] else { return [] }
        let isOver = state.machine.task(sequence)?.state.isFinal ?? true
        return watches.filter { isOver || !$0.isForEnd }
    }

    func add(_ watch: TaskWatch, to task: TaskID) { state.withLock { add(watch, to: task, &$0) } }
    func remove(_ watch: TaskWatch, from task: TaskID) { state.withLock { remove(watch, from: task, &$0) } }

    func add(_ watch: TaskWatch, to task: TaskID, _ state: inout State) {
        state.watches[task.identity.sequence, default: []].append(watch)
    }

    func remove(_ watch: TaskWatch, from task: TaskID, _ state: inout State) {
        let sequence = task.identity.sequence
        // Nearly always the only one.
        guard var watches = state.watches.removeValue(forKey: sequence) else { return }
        watches.removeAll { $0 === watch }
        if !watches.isEmpty { state.watches[sequence] = watches }
    }
}
