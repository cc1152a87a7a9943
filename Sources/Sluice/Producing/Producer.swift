// The shared front of a producer. Its lane is guarded by a lock; whoever wants none takes an Appender.

import CoreMetrics
import SluiceLog

/// Appends to one topic. Shared by any number of tasks and threads.
///
/// Order holds per partition for what one task, or one thread, sends. Records collect in batches; with the
/// default `linger` of zero a batch leaves as soon as the one before it has been answered.
///
/// ```swift
/// let producer = try await store.producer(for: "flights")
/// try await producer.append(key: "UA", value: "…")     // Accepted: it leaves soon.
/// try await producer.flush()                           // Acknowledged.
/// ```
public final class Producer: Sendable {
    let core: ProducerCore
    private let shared: SharedLane
    /// Here and not in the core, which a thread that delivers holds for a moment.
    private let lease: EngineLease

    init(_ core: ProducerCore, _ lease: EngineLease) {
        self.core = core
        self.lease = lease
        shared = SharedLane(core)
        core.start()
        core.onIdle { [weak shared] partition in shared?.becameIdle(partition) }
    }

    deinit {
        // Dropped without close: what was accepted is handed over, nobody is told of failures.
        shared.submitAll()
    }

    /// The topic's name.
    public var topic: String { core.topic }

    /// Appends one record and returns when it is acknowledged. A record that someone awaits does not linger.
    ///
    /// One after another costs a sync each; send from several tasks, or `append` and `flush`, to share them.
    /// - Parameters:
    ///   - key: decides the partition by Kafka's murmur2, unless `partition` is given. Null: a partition that
    ///     changes from batch to batch.
    ///   - timestamp: nil is now.
    /// - Throws: `recordTooLarge`, `missingKey`, `unknownPartition`, `busy` after `maxBlock`, `noSpace`,
    ///   `io`,
    ///   `indeterminate`, `offline`, `corrupt`, `cancelled`, `closed`.
    @inlinable
    @discardableResult
    public nonisolated(nonsending) func send<
        K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable
    >(
        key: borrowing K = NullBytes(), value: borrowing V, headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) async throws(StreamError) -> RecordMetadata {
        let time = timestamp?.millisecondsSince1970 ?? currentTime
        let pending = try await append(
            key: key, value: value, headers: headers, timestamp: Timestamp(millisecondsSince1970: time),
            partition: partition)
        return try await acknowledged(pending, time)
    }

    /// Accepts one record. Suspends only while there is no room, at most `maxBlock`.
    ///
    /// - Throws: `recordTooLarge`, `missingKey`, `unknownPartition`, `busy` after `maxBlock`,
    ///   `cancelled(accepted: false)`,
    ///   `closed`.
    @inlinable
    @discardableResult
    public nonisolated(nonsending) func append<
        K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable
    >(
        key: borrowing K = NullBytes(), value: borrowing V, headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) async throws(StreamError) -> PendingRecord {
        var wait = RoomWait()
        while true {
            let pending = try tryAppend(
                key: key, value: value, headers: headers, timestamp: timestamp, partition: partition,
                wait: &wait)
            if let pending { return pending }
            try await waitForRoom(&wait)
        }
    }

    /// Accepts one record or throws `busy`. Never suspends; from any thread.
    ///
    /// - Throws: `busy`, `recordTooLarge`, `missingKey`, `unknownPartition`, `closed`.
    @inlinable
    @discardableResult
    public func appendNow<K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable>(
        key: borrowing K = NullBytes(), value: borrowing V, headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) throws(StreamError) -> PendingRecord {
        var wait = RoomWait()
        let pending = try tryAppend(
            key: key, value: value, headers: headers, timestamp: timestamp, partition: partition, wait: &wait)
        guard let pending else { throw busy(wait) }
        return pending
    }

    /// Waits until a record that was accepted is acknowledged, and says where it is.
    ///
    /// Outcomes are kept for the last 4,096 batches of the producer, or eight for each partition of the topic
    /// where that is more, also when it has been closed.
    /// - Throws: what went wrong with the record; `indeterminate` when the outcome is no longer known;
    ///   `cancelled(accepted: true)`.
    public nonisolated(nonsending) func acknowledgement(
        of record: PendingRecord
    ) async throws(StreamError) -> RecordMetadata {
        shared.submit(Int(record.partition), number: record.batchNumber)
        return try await acknowledged(record, nil)
    }

    /// Returns when everything that was accepted before the call is acknowledged.
    ///
    /// - Throws: the first failure since the last flush; `cancelled(accepted: true)`, `closed`.
    public nonisolated(nonsending) func flush() async throws(StreamError) {
        try core.checkOpen()
        shared.submitAll()
        try await core.flushed().value(cancelled: .cancelled(accepted: true)).get()
        if let failure = core.takeFailure() { throw failure }
    }

    /// An exclusive lane, for a loop.
    public func appender() -> Appender { Appender(core, lease) }

    /// Flushes, and ends the producer. A second call does nothing; not to be cancelled.
    ///
    /// - Throws: the first failure since the last flush.
    public nonisolated(nonsending) func close() async throws(StreamError) {
        let isFirst = core.close()
        // Behind the closing: nothing is begun any more, so that nothing stays behind.
        shared.submitAll()
        guard isFirst else { return }
        try await core.flushed().value().get()
        if let failure = core.takeFailure() { throw failure }
    }

    // MARK: Below the inlinable surface

    func submit(_ record: PendingRecord) {
        shared.submit(Int(record.partition), number: record.batchNumber)
    }

    func submitAll() { shared.submitAll() }

    @usableFromInline var currentTime: Int64 { coarseWallMilliseconds() }

    /// There is no room. What is open leaves, so that there will be some.
    @usableFromInline func busy(_ wait: RoomWait) -> StreamError {
        shared.submitAll()
        return core.busy(wait)
    }

    @inlinable @inline(__always)
    func tryAppend<K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable>(
        key: borrowing K, value: borrowing V, headers: [RecordHeader], timestamp: Timestamp?, partition: Int?,
        wait: inout RoomWait
    ) throws(StreamError) -> PendingRecord? {
        try key.withRecordBytes { key throws(StreamError) in
            try value.withRecordBytes { value throws(StreamError) in
                try encode(key, value, headers, timestamp, partition, &wait)
            }
        }
    }

    @usableFromInline
    func encode(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader], _ timestamp: Timestamp?,
        _ partition: Int?,
        _ wait: inout RoomWait
    ) throws(StreamError) -> PendingRecord? {
        try shared.append(key, value, headers, timestamp?.millisecondsSince1970, partition, &wait)
    }

    @usableFromInline
    nonisolated(nonsending) func waitForRoom(_ wait: inout RoomWait) async throws(StreamError) {
        shared.submitAll()
        try await core.waitForRoom(&wait)
    }

    @usableFromInline
    nonisolated(nonsending) func acknowledged(
        _ record: PendingRecord, _ time: Int64?
    ) async throws(StreamError) -> RecordMetadata {
        if time != nil { shared.submit(Int(record.partition), number: record.batchNumber) }
        return try await core.metadata(of: record, time)
    }
}

/// How much room a call needs, why it has none, and until when it waits for that.
@usableFromInline
struct RoomWait {
    var bytes = 0
    var deadline: Int64?
    var obstacle: Obstacle?
    @usableFromInline init() {}
}

extension ProducerCore {
    /// Waits until there may be room. Throws `busy` once the time is up, `cancelled(accepted: false)`.
    nonisolated(nonsending) func waitForRoom(_ wait: inout RoomWait) async throws(StreamError) {
        let waiter = try roomToWait(&wait)
        let began = Instant.monotonicNow
        defer { metrics.delay.recordNanoseconds(Instant.monotonicNow - began) }
        try await waiter.value(cancelled: .cancelled(accepted: false)).get()
    }

    /// What to wait for. Throws `busy` once the time is up, and at once where the policy is to fail fast.
    func roomToWait(_ wait: inout RoomWait) throws(StreamError) -> Waiter<Void> {
        let now = Instant.monotonicNow
        let limit = wait.deadline ?? now.addingSaturated(configuration.maxBlock.wholeNanoseconds)
        wait.deadline = limit
        if now >= limit || wait.obstacle?.isFinal == true { throw busy(wait) }
        return room(wait, until: limit)
    }

    /// Where a record is, once its batch is acknowledged.
    ///
    /// - Parameter time: the record's timestamp, when the caller knows it; else read back from the log.
    nonisolated(nonsending) func metadata(
        of record: PendingRecord, _ time: Int64?
    ) async throws(StreamError) -> RecordMetadata {
        let place = TopicPartition(topic: topic, partition: Int(record.partition))
        guard let waiter = outcome(of: record.batchNumber) else {
            throw .indeterminate(
                place, reason: "its outcome is older than the last \(keptOutcomes) batches")
        }
        let outcome = try await waiter.value(cancelled: .cancelled(accepted: true)).get()
        return metadata(of: record, outcome, time)
    }

    func metadata(of record: PendingRecord, _ outcome: BatchOutcome, _ time: Int64?) -> RecordMetadata {
        RecordMetadata(
            topicPartition: TopicPartition(topic: topic, partition: Int(record.partition)),
            offset: Offset(outcome.baseOffset + Int64(record.index)),
            timestamp: Timestamp(millisecondsSince1970: outcome.appendTime ?? time ?? -1))
    }
}

extension Duration {
    /// Whole nanoseconds, at the ends of the range when it does not fit.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : product.addingSaturated(attoseconds / 1_000_000_000)
    }
}
