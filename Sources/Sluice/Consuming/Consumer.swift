// Reading: batches as an asynchronous sequence, from chosen places, following the end.

import ServiceLifecycle
import SluiceLog

/// Reads partitions, batch by batch. One loop at a time.
///
/// The loop waits, without polling, for records that are not there yet. It ends on cancellation, on graceful
/// shutdown, after `close`, and with `until: .end` when everything that was there at the beginning has been
/// read.
///
/// ```swift
/// for try await batch in try await store.consumer(of: "flights", until: .end) {
///     for record in batch { print(record.offset, record.valueString ?? "-") }
/// }
/// ```
///
/// A partition that is damaged or off line throws once; a loop begun after that goes on with the others, and
/// with it after a `seek` or `resume`.
///
/// A batch is processed when the loop asks for the next. Left early, by `break` or an error, it is not: the
/// next loop over this consumer begins with it again.
///
/// - Memory: one fetch of `maxBatchBytes` and the batch in hand, beside those that the program keeps.
public final class Consumer: AsyncSequence, Sendable {
    public typealias Element = RecordBatch
    public typealias Failure = StreamError

    private let lease: any LogLease
    var engine: any LogSource { lease.source }
    let configuration: ConsumerConfiguration
    let state: Locked<ConsumerState>
    private let bell = Locked(Bell())
    private let watcher: ConsumerWatcher
    /// Its place in a group; nil when it reads for itself.
    let membership: Membership?

    init(
        _ lease: any LogLease, _ partitions: [PartitionReader], _ configuration: ConsumerConfiguration,
        _ membership: Membership? = nil
    ) {
        self.lease = lease
        self.configuration = configuration
        self.membership = membership
        state = Locked(ConsumerState(partitions, isMember: membership != nil))
        watcher = ConsumerWatcher()
        watcher.consumer = self
        membership?.attach(watcher)
        lease.source.watch(partitions.map(\.number), watcher)
    }

    deinit {
        engine.unwatch(state.withLock { $0.partitions.map(\.number) }, ObjectIdentifier(watcher))
        membership?.abandon(processed)
    }

    /// The partitions that it reads: those given, in that order, or those that it has in its group now.
    public var assignment: [TopicPartition] {
        state.withLock { $0.partitions.map(\.topicPartition) }
    }

    /// A loop over it.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(Loop(self)) }

    /// Where the next batch of a partition begins that the loop has not asked for yet.
    ///
    /// - Throws: `unknownPartition` when it is not assigned, `closed`.
    public func position(of partition: TopicPartition) throws(StreamError) -> Offset {
        try state.withLock { state throws(StreamError) in
            if state.isClosed { throw .closed }
            let index = try state.index(of: partition)
            if let (held, batch) = state.inHand, held == index { return batch.baseOffset }
            return Offset(state.partitions[index].next)
        }
    }

    /// Goes on elsewhere in a partition, from the next batch on.
    ///
    /// - Throws: `offsetOutOfRange` with the valid range, `unknownPartition`, `corrupt`, `closed`.
    public nonisolated(nonsending) func seek(
        _ partition: TopicPartition, to position: Position
    ) async throws(StreamError) {
        let engine = engine
        let number = try state.withLock { state throws(StreamError) in
            state.partitions[try state.index(of: partition)].number
        }
        let start = try await engine.onReader { () throws(StreamError) in
            try engine.start(at: position, of: partition, number)
        }
        try state.withLock { state throws(StreamError) in
            if state.isClosed { throw .closed }
            state.seek(try state.index(of: partition), to: start)
        }
        membership?.moved(partition)
        wake()
    }

    /// Hands out nothing of these partitions until `resume`. Those that are not assigned are passed over.
    public func pause(_ partitions: [TopicPartition]) { setPaused(partitions, true) }

    /// Goes on with these partitions.
    public func resume(_ partitions: [TopicPartition]) {
        setPaused(partitions, false)
        wake()
    }

    /// Records between what the loop has asked for and the end, by partition.
    public func lag() throws(StreamError) -> [TopicPartition: Int64] {
        var lag: [TopicPartition: Int64] = [:]
        for (partition, number) in state.withLock({ $0.partitions.map { ($0.topicPartition, $0.number) } }) {
            let position = try position(of: partition).rawValue
            do throws(LogError) {
                let valid = try engine.offsets(number)
                lag[partition] = Swift.max(0, valid.upperBound - Swift.max(position, valid.lowerBound))
            } catch {
                throw StreamError(error, of: partition)
            }
        }
        return lag
    }

    /// Ends the loop, at the latest when it asks for the next batch; in a group, commits what was processed,
    /// unless that is `manual`, and leaves. A batch that a loop's body still has is not processed.
    ///
    /// A second call does nothing; not to be cancelled. Throws what the commit throws, after the rest.
    public nonisolated(nonsending) func close() async throws(StreamError) {
        let other = Waiter<Void>()
        let isFirst = state.withLock { state in
            guard state.isClosed else {
                (state.isClosed, state.closers) = (true, [])
                return true
            }
            if state.closers == nil { other.resume(.success(())) } else { state.closers?.append(other) }
            return false
        }
        guard isFirst else {
            _ = await other.value()
            return
        }
        wake()
        let result: Result<Void, StreamError>
        do throws(StreamError) {
            if membership != nil { try await leave() }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        engine.unwatch(state.withLock { $0.partitions.map(\.number) }, ObjectIdentifier(watcher))
        let others = state.withLock { state in
            defer { state.closers = nil }
            return state.closers ?? []
        }
        for other in others { other.resume(.success(())) }
        try result.get()
    }

    // MARK: The loop

    /// A loop over the consumer: it owns it until it is dropped.
    final class Loop: Sendable {
        let consumer: Consumer
        init(_ consumer: Consumer) { self.consumer = consumer }
        deinit {
            let id = ObjectIdentifier(self)
            consumer.state.withLock { if $0.loop == id { $0.loop = nil } }
        }
    }

    /// What `for try await` asks for batches.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let loop: Loop
        init(_ loop: Loop) { self.loop = loop }

        /// The next batch; nil at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StreamError) -> RecordBatch? {
            try await loop.consumer.next(loop)
        }

        /// The next batch; nil at the end.
        public mutating func next() async throws(StreamError) -> RecordBatch? {
            try await loop.consumer.next(loop)
        }
    }

    private nonisolated(nonsending) func next(_ loop: Loop) async throws(StreamError) -> RecordBatch? {
        let held = try enter(loop)
        guard let membership else {
            if let held { return held }
            return try await nextBatch()
        }
        // Between two calls the time for processing runs; in a call it does not.
        membership.returned()
        do throws(StreamError) {
            if held != nil {
                // What an earlier loop was left with, unless it has gone to another member.
                try await attend(membership)
                if let batch = state.withLock({ $0.inHand?.batch }) {
                    membership.went()
                    return batch
                }
            }
            if let batch = try await nextBatch() {
                membership.went()
                return batch
            }
        } catch {
            membership.went()
            throw error
        }
        // Closed by another task: that one leaves.
        if !state.withLock({ $0.isClosed }) { try await leave() }
        return nil
    }

    private nonisolated(nonsending) func nextBatch() async throws(StreamError) -> RecordBatch? {
        var missing: String?
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            // Before the look: what comes after it rings.
            bell.withLock { $0.hasRung = false }
            if let membership {
                if state.withLock({ $0.isClosed }) { return nil }
                try await attend(membership)
            }
            let step: ConsumerState.Step
            do throws(StreamError) {
                step = try state.withLock { state throws(StreamError) in try state.step(engine) }
            } catch {
                // A deleted topic: its partitions go with the next assignment.
                guard let membership, case .unknownTopic(let topic) = error else { throw error }
                dropTopic(topic, membership)
                continue
            }
            switch step {
            case .deliver(let batch): return batch
            case .end: return nil
            case .fetch(let index, let plan, let generation):
                do throws(StreamError) {
                    let batches = try await fetch(plan, &missing)
                    state.withLock { $0.took(batches, index, plan, generation: generation) }
                } catch {
                    state.withLock { if $0.generation == generation { $0.failed(index, error) } }
                    throw error
                }
            case .wait:
                membership?.willWait(processed)
                await waitForBell()
            }
        }
        return nil
    }

    /// Claims the consumer for a loop. What another loop left unprocessed comes first.
    private func enter(_ loop: Loop) throws(StreamError) -> RecordBatch? {
        try state.withLock { state throws(StreamError) in
            let id = ObjectIdentifier(loop)
            if state.loop == id {
                state.finishInHand()
                return nil
            }
            guard state.loop == nil else { throw .consumerInUse }
            state.loop = id
            return state.isClosed ? nil : state.inHand?.batch
        }
    }

    /// - Parameter missing: the segment that was not there at the last attempt.
    private nonisolated(nonsending) func fetch(
        _ plan: FetchPlan, _ missing: inout String?
    ) async throws(StreamError) -> FetchedBatches? {
        let (reader, maxBytes) = (engine.reader, configuration.maxBatchBytes)
        do throws(StreamError) {
            if let batches = try plan.fetchNoWait(reader, maxBytes: maxBytes) {
                return engine.isReplaced(plan) ? nil : batches
            }
            let batches = try await engine.onReader { () throws(StreamError) in
                try plan.fetch(reader, maxBytes: maxBytes)
            }
            return engine.isReplaced(plan) ? nil : batches
        } catch {
            if engine.isReplaced(plan, afterFailure: true) { return nil }
            // The segment was removed between the look-up and the opening: the next look-up says what is
            // valid. One that is looked up again was removed by somebody else.
            guard case .io(operation: "open", let file, errno: 2) = error, missing != file else {
                throw error
            }
            missing = file
            let engine = engine
            try await engine.onReader { () throws(StreamError) in try engine.lookAgain() }
            return nil
        }
    }

    private nonisolated(nonsending) func waitForBell() async {
        let waiter = Waiter<Void>()
        let isLate = bell.withLock { bell in
            if !bell.hasRung { bell.waiter = waiter }
            return bell.hasRung
        }
        if isLate { return }
        await withGracefulShutdownHandler {
            _ = await waiter.value(cancelled: .cancelled(accepted: false))
        } onGracefulShutdown: {
            waiter.resume(.success(()))
        }
    }

    func wake() {
        let waiter = bell.withLock { bell in
            bell.hasRung = true
            return bell.waiter.take()
        }
        waiter?.resume(.success(()))
    }

    /// Ends the loop, and any that comes.
    fileprivate func end() {
        state.withLock { $0.isClosed = true }
        wake()
    }

    /// What is rung when a partition's end has moved. Apart from the state: an I/O thread must not wait for a
    /// batch that is being decompressed.
    private struct Bell {
        var hasRung = false
        var waiter: Waiter<Void>?
    }

    private func setPaused(_ partitions: [TopicPartition], _ isPaused: Bool) {
        state.withLock { state in
            for partition in partitions {
                guard let index = try? state.index(of: partition) else { continue }
                // What was fetched of it is fetched again: its place is at the first batch not handed out.
                if isPaused, state.fetched?.index == index { state.fetched = nil }
                state.partitions[index].isPaused = isPaused
                state.partitions[index].failure = nil
            }
        }
    }

    /// Gives it other partitions; those that stay keep their places.
    func reassign(_ partitions: [PartitionReader]) {
        let (gone, come) = state.withLock { state in
            let before = Set(state.partitions.map(\.number))
            state.reassign(partitions)
            let after = Set(state.partitions.map(\.number))
            return (before.subtracting(after), after.subtracting(before))
        }
        engine.unwatch(Array(gone), ObjectIdentifier(watcher))
        engine.watch(Array(come), watcher)
    }
}

/// Told by the engine, and by the group; does not keep the consumer.
final class ConsumerWatcher: PartitionWatcher, @unchecked Sendable {
    // Set once, before the watcher is registered.
    weak var consumer: Consumer?

    func wake() { consumer?.wake() }
    func partitionAdvanced(_ number: Int) { consumer?.wake() }
    func storeClosed() { consumer?.end() }
}
