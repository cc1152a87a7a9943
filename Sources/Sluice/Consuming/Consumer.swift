// Reading: batches as an asynchronous sequence, from chosen places, following the end.

import ServiceLifecycle
import SluiceLog
import Synchronization

/// Reads partitions, batch by batch. One loop at a time.
///
/// The loop waits, without polling, for records that are not there yet. It ends on cancellation, on graceful shutdown,
/// after `close`, and with `until: .end` when everything that was there at the beginning has been read.
///
/// ```swift
/// for try await batch in try await store.consumer(of: "flights", until: .end) {
///     for record in batch { print(record.offset, record.valueString ?? "-") }
/// }
/// ```
///
/// A batch is processed when the loop asks for the next. Left early, by `break` or an error, it is not: the next loop
/// over this consumer begins with it again.
///
/// - Memory: one fetch of `maxBatchBytes` and the batch in hand, beside those that the program keeps.
public final class Consumer: AsyncSequence, Sendable {
    public typealias Element = RecordBatch
    public typealias Failure = StreamError

    private let engine: StoreEngine
    private let maxBytes: Int
    private let numbers: [Int]
    private let state: Mutex<ConsumerState>
    private let watcher: ConsumerWatcher
    /// The partitions that it reads, in the order given.
    public let assignment: [TopicPartition]

    init(_ engine: StoreEngine, _ partitions: [PartitionReader], _ configuration: ConsumerConfiguration) {
        self.engine = engine
        maxBytes = configuration.maxBatchBytes
        assignment = partitions.map(\.topicPartition)
        numbers = partitions.map(\.number)
        state = Mutex(ConsumerState(partitions))
        watcher = ConsumerWatcher()
        watcher.consumer = self
        engine.watch(numbers, watcher)
    }

    deinit { engine.unwatch(numbers, ObjectIdentifier(watcher)) }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(Loop(self)) }

    /// Where the next batch of a partition begins that the loop has not asked for yet.
    ///
    /// - Throws: `unknownPartition` when it is not assigned.
    public func position(of partition: TopicPartition) throws(StreamError) -> Offset {
        let index = try index(of: partition)
        return state.withLock { state in
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
        let index = try index(of: partition)
        let (engine, number) = (engine, numbers[index])
        let offset = try await engine.onReader { () throws(StreamError) in
            try engine.resolve(position, partition, number)
        }
        try state.withLock { state throws(StreamError) in
            if state.isClosed { throw .closed }
            state.seek(index, to: offset)
            state.partitions[index].end = nil
        }
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
        for (partition, number) in zip(assignment, numbers) {
            let position = try position(of: partition).rawValue
            do throws(LogError) {
                let valid = try engine.read { volume throws(LogError) in try volume.offsets(number) }
                lag[partition] = Swift.max(0, valid.upperBound - Swift.max(position, valid.lowerBound))
            } catch {
                throw StreamError(error, at: partition)
            }
        }
        return lag
    }

    /// Ends the loop, at the latest when it asks for the next batch. A second call does nothing.
    public func close() {
        state.withLock { $0.isClosed = true }
        engine.unwatch(numbers, ObjectIdentifier(watcher))
        wake()
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

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let loop: Loop
        init(_ loop: Loop) { self.loop = loop }

        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StreamError) -> RecordBatch? {
            try await loop.consumer.next(loop)
        }

        public mutating func next() async throws(StreamError) -> RecordBatch? {
            try await loop.consumer.next(loop)
        }
    }

    private nonisolated(nonsending) func next(_ loop: Loop) async throws(StreamError) -> RecordBatch? {
        if let batch = try enter(loop) { return batch }
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let step = try state.withLock { state throws(StreamError) in try state.step(engine) }
            switch step {
            case .deliver(let batch): return batch
            case .end: return nil
            case .fetch(let index, let plan, let generation):
                let batches = try await fetch(plan)
                state.withLock { $0.took(batches, index, plan, generation: generation) }
            case .wait(let waiter): await wait(for: waiter)
            }
        }
        return nil
    }

    /// Claims the consumer for a loop. What another loop left unprocessed comes first.
    private func enter(_ loop: Loop) throws(StreamError) -> RecordBatch? {
        try state.withLock { state throws(StreamError) in
            let id = ObjectIdentifier(loop)
            if state.loop == id {
                state.inHand = nil
                return nil
            }
            guard state.loop == nil else { throw .consumerInUse }
            state.loop = id
            return state.isClosed ? nil : state.inHand?.batch
        }
    }

    private nonisolated(nonsending) func fetch(_ plan: FetchPlan) async throws(StreamError) -> FetchedBatches? {
        let (reader, maxBytes) = (engine.reader, maxBytes)
        do throws(StreamError) {
            if let batches = try plan.fetchNoWait(reader, maxBytes: maxBytes) { return batches }
            return try await engine.onReader { () throws(StreamError) in try plan.fetch(reader, maxBytes: maxBytes) }
        } catch {
            // The segment was removed between the look-up and the opening: the next look-up says what is valid.
            if case .io(operation: "open", _, errno: 2) = error { return nil }
            throw error
        }
    }

    private nonisolated(nonsending) func wait(for waiter: Waiter<Void>) async {
        await withGracefulShutdownHandler {
            _ = await waiter.value(cancelled: .cancelled(accepted: false))
        } onGracefulShutdown: {
            waiter.resume(.success(()))
        }
    }

    fileprivate func wake() {
        let waiter = state.withLock { state in
            state.hasAdvanced = true
            return state.wake.take()
        }
        waiter?.resume(.success(()))
    }

    private func setPaused(_ partitions: [TopicPartition], _ isPaused: Bool) {
        state.withLock { state in
            for partition in partitions {
                guard let index = assignment.firstIndex(of: partition) else { continue }
                // What was fetched of it is fetched again: its place is at the first batch not handed out.
                if isPaused, state.fetched?.index == index { state.fetched = nil }
                state.partitions[index].isPaused = isPaused
            }
        }
    }

    private func index(of partition: TopicPartition) throws(StreamError) -> Int {
        guard let index = assignment.firstIndex(of: partition) else { throw .unknownPartition(partition) }
        return index
    }
}

/// Told by the engine; does not keep the consumer.
private final class ConsumerWatcher: PartitionWatcher, @unchecked Sendable {
    // Set once, before the watcher is registered.
    weak var consumer: Consumer?

    func partitionAdvanced(_ number: Int) { consumer?.wake() }
}
