// Several appends that happen as a whole or not at all.

import SluiceCore
import SluiceLog

/// Collects the appends of one atomic write. What it holds is appended when the closure that was given it
/// returns.
public struct AtomicWrite: ~Copyable {
    private let engine: StoreEngine
    /// Random: tells a write from others.
    package let number = UInt64.random(in: 0 ... .max)
    private var parts: [Part] = []
    private var topics: [String: (TopicSettings, [Int])] = [:]
    private var commits: [AtomicCommit] = []
    /// Partitions of what is committed otherwise: they must still be there.
    var mentioned: [(TopicPartition, Int)] = []
    /// Whether a full store must take it, so that it can be drained.
    var isExempt = false
    /// Who is told what became of a record.
    private(set) var outcomes: [AtomicOutcome] = []

    /// One partition's batch in the making.
    private final class Part {
        let place: TopicPartition
        let number: Int
        let settings: TopicSettings
        var builder: RecordBatchBuilder
        var expecting: Offset?
        /// Bytes of the disk that are reserved for it.
        var reserved = 0
        init(_ place: TopicPartition, _ number: Int, _ settings: TopicSettings) {
            self.place = place
            self.number = number
            self.settings = settings
            builder = RecordBatchBuilder(rawCapacity: Limits.atomicBytes)
        }
    }

    init(_ engine: StoreEngine) { self.engine = engine }

    /// Adds a record.
    ///
    /// - Parameters:
    ///   - partition: nil: by Kafka's murmur2 of the key, or 0 without one.
    ///   - expecting: the offset at which the partition must end, or nothing of the write is appended and
    ///     `unexpectedEnd` tells where it does (optimistic concurrency). Of the first record to a partition.
    /// - Throws: `unknownTopic`, `unknownPartition`, `missingKey`, `recordTooLarge` when the write exceeds
    ///   1 MiB.
    public mutating func append<
        K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable
    >(
        to topic: String, partition: Int? = nil, key: borrowing K = NullBytes(), value: borrowing V,
        headers: [RecordHeader] = [], timestamp: Timestamp? = nil, expecting: Offset? = nil
    ) throws(StreamError) {
        try key.withRecordBytes { key throws(StreamError) in
            try value.withRecordBytes { value throws(StreamError) in
                try add(topic, partition, key, value, headers, timestamp, expecting)
            }
        }
    }

    /// Commits a batch with the appends: the results, and the position that they came from, as one.
    ///
    /// Exactly once within a store: what the batch led to is there if and only if the group has gone past it.
    /// - Throws: `fenced` when the batch's partition has gone to another member, `unknownMember`,
    ///   `unsupported`
    ///   outside of a group or for a consumer of another store.
    public mutating func commit(_ batch: RecordBatch, by consumer: Consumer) throws(StreamError) {
        guard let membership = consumer.membership, consumer.engine === engine else {
            throw .unsupported("What is committed with an atomic write is of a group of the same store")
        }
        let offsets = try consumer.check([batch.topicPartition: batch.nextOffset.rawValue], membership)
        if let index = commits.firstIndex(where: { $0.membership === membership }) {
            commits[index].offsets.merge(offsets) { $0.offset > $1.offset ? $0 : $1 }
        } else {
            commits.append(AtomicCommit(membership: membership, offsets: offsets))
        }
    }

    /// Adds a record to an internal topic of one partition; its owner is told what became of it, once.
    ///
    /// - Parameter say: the record's offset, once it is durable; nil when it was not written, or nobody
    ///   knows.
    /// - Throws: `unknownTopic`, `recordTooLarge`.
    package mutating func append(
        toInternal topic: String, key: [UInt8], value: [UInt8],
        _ say: @escaping @Sendable (Int64?) -> Void
    ) throws(StreamError) {
        try addChecked(topic, 0, key.span.bytes, value.span.bytes, [], nil, nil)
        guard let part = parts.firstIndex(where: { $0.place.topic == topic }) else { return }
        let outcome = AtomicOutcome(
            part: part, index: Int64(parts[part].builder.recordCount) - 1, say: say)
        outcomes.append(outcome)
    }

    private mutating func add(
        _ topic: String, _ partition: Int?, _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader],
        _ timestamp: Timestamp?, _ expecting: Offset?
    ) throws(StreamError) {
        try InternalTopic.check(topic)
        try addChecked(topic, partition, key, value, headers, timestamp, expecting)
    }

    private mutating func addChecked(
        _ topic: String, _ partition: Int?, _ key: RawSpan?, _ value: RawSpan?, _ headers: [RecordHeader],
        _ timestamp: Timestamp?, _ expecting: Offset?
    ) throws(StreamError) {
        let known = topics[topic]
        let (settings, numbers) = if let known { known } else { try engine.topic(topic) }
        topics[topic] = (settings, numbers)
        var target = partition ?? 0
        if partition == nil, let key { target = Partitioner.partition(of: key, partitions: numbers.count) }
        let place = TopicPartition(topic: topic, partition: target)
        guard numbers.indices.contains(target) else { throw .unknownPartition(place) }
        if key == nil, settings.cleanupPolicy.contains(.compact) { throw .missingKey(topic: topic) }
        let part: Part
        if let found = parts.first(where: { $0.place == place }) {
            part = found
        } else {
            part = Part(place, numbers[target], settings)
            parts.append(part)
        }
        if let expecting { part.expecting = part.expecting ?? expecting }
        let time = timestamp?.millisecondsSince1970 ?? coarseWallMilliseconds()
        guard part.builder.append(timestamp: time, key: key, value: value, headers: headers) else {
            throw .recordTooLarge(bytes: Limits.atomicBytes + 1, limit: Limits.atomicBytes)
        }
    }

    /// Submits what was collected. nil when there is nothing.
    ///
    /// - Parameter stores: the records of the commits, of `prepareCommits`.
    consuming func submit(
        _ sink: AtomicSink, _ groups: GroupEngine, _ stores: [GroupStore]
    ) throws(StreamError) -> Waiter<Void>? {
        guard !parts.isEmpty || !stores.isEmpty else { return nil }
        var context = CodecContext()
        var sealed: [AtomicPart] = []
        let places = parts.map(\.place) + (stores.isEmpty ? [] : [OffsetsTopic.place])
        let (origin, waiter) = sink.begin(places, stores, commits, groups, outcomes)
        do throws(LogError) {
            for part in parts {
                let codec = (Compression(part.settings.compression) ?? .lz4).codec
                let batch = part.builder.seal(codec, with: &context)
                var prepared = PreparedBatch(
                    bytes: ByteSlice(batch.bytes), recordCount: batch.recordCount,
                    maxTimestamp: batch.maxTimestamp, origin: origin)
                prepared.reservedBytes = part.reserved
                prepared.isExempt = isExempt
                part.reserved = 0
                sealed.append(
                    AtomicPart(
                        partition: part.number,
                        batch: prepared, expecting: part.expecting?.rawValue))
            }
            let records = stores.flatMap(\.records)
            let committed = commits.flatMap { $0.offsets.map { ($0, $1.number) } } + mentioned
            try engine.withVolume { volume throws(LogError) in
                // Behind the deletion of its topic nothing in the log would take a commit back.
                for (place, known) in committed {
                    let number = try volume.number(topic: place.topic, partition: place.partition)
                    guard number == known else { throw .unknownTopic(place.topic) }
                }
                if !records.isEmpty {
                    let number = try volume.number(topic: OffsetsTopic.name, partition: 0)
                    guard
                        let batch = OffsetsTopic.batch(
                            records, origin: origin, time: coarseWallMilliseconds())
                    else { throw .tooLarge(bytes: Limits.atomicBytes + 1, limit: Limits.atomicBytes) }
                    sealed.append(AtomicPart(partition: number, batch: batch, expecting: nil))
                }
                try volume.submit(atomic: sealed, now: .now)
            }
        } catch {
            sink.forget(origin)
            for store in stores { groups.stored(store.id, .failed) }
            throw StreamError(error, at: parts.first?.place)
        }
        return waiter
    }

    /// The topics that it appends to, and how many bytes at most to each.
    var sizes: [String: Int] {
        parts.reduce(into: [:]) { $0[$1.place.topic, default: 0] += Self.room($1) }
    }

    /// Room on the disk has been reserved for all of it.
    func noteReserved() { for part in parts { part.reserved = Self.room(part) } }

    private static func room(_ part: Part) -> Int { part.builder.rawBytes + Lane.batchOverhead }

    /// Whether it commits something.
    var hasCommits: Bool { !commits.isEmpty }

    /// The records of the commits, which the coordinator has agreed to. After an error there are none.
    nonisolated(nonsending) func prepareCommits() async throws(StreamError) -> [GroupStore] {
        var stores: [GroupStore] = []
        for commit in commits {
            do throws(StreamError) {
                stores.append(try await commit.membership.prepare(commit.offsets))
            } catch {
                for store in stores { commit.membership.groups.stored(store.id, .failed) }
                throw error
            }
        }
        return stores
    }
}

/// Tells the owner of a record in an internal topic what became of it, once: when it is dropped, that it was
/// not written, or that nobody knows.
final class AtomicOutcome: Sendable {
    let part: Int
    private let index: Int64
    private let say: Locked<(@Sendable (Int64?) -> Void)?>

    init(part: Int, index: Int64, say: @escaping @Sendable (Int64?) -> Void) {
        self.part = part
        self.index = index
        self.say = Locked(say)
    }

    deinit { end(base: nil) }

    func end(base: Int64?) {
        let say = say.withLock { $0.take() }
        say?(base.map { $0 + index })
    }
}

/// What one member commits with an atomic write.
struct AtomicCommit: Sendable {
    var membership: Membership
    var offsets: [TopicPartition: Progress]
}

/// Waits for the parts of atomic writes.
final class AtomicSink: BatchSink, Sendable {
    private struct Write {
        var places: [TopicPartition]
        var left: Int
        var stores: [GroupStore]
        var commits: [AtomicCommit]
        var groups: GroupEngine
        var outcomes: [AtomicOutcome]
        var failure: StreamError?
        var waiter: Waiter<Void>
    }
    private struct State {
        var number: UInt32 = 0
        var next: UInt64 = 0
        var writes: [UInt64: Write] = [:]
    }
    private let state = Locked(State())

    func start(_ engine: StoreEngine) {
        let number = engine.register(self)
        state.withLock { $0.number = number }
    }

    func begin(
        _ places: [TopicPartition], _ stores: [GroupStore], _ commits: [AtomicCommit], _ groups: GroupEngine,
        _ outcomes: [AtomicOutcome]
    ) -> (BatchOrigin, Waiter<Void>) {
        state.withLock { state in
            state.next += 1
            let waiter = Waiter<Void>()
            state.writes[state.next] = Write(
                places: places, left: places.count, stores: stores, commits: commits, groups: groups,
                outcomes: outcomes, waiter: waiter)
            return (BatchOrigin(producer: state.number, number: state.next), waiter)
        }
    }

    func forget(_ origin: BatchOrigin) {
        // Dropped without the lock: outcomes are told then.
        _ = state.withLock { $0.writes.removeValue(forKey: origin.number) }
    }

    func completed(_ completions: [AppendCompletion]) {
        for completion in completions {
            let (write, done) = state.withLock { state -> (Write?, Write?) in
                let number = completion.origin.number
                guard var write = state.writes[number] else { return (nil, nil) }
                write.left -= 1
                if case .failure(let error) = completion.result, write.failure == nil {
                    let place = completion.part < write.places.count ? write.places[completion.part] : nil
                    write.failure = StreamError(error, at: place)
                }
                state.writes[number] = write.left > 0 ? write : nil
                return (write, write.left > 0 ? nil : write)
            }
            if let write {
                tell(write, completion)
                for outcome in write.outcomes where outcome.part == completion.part {
                    outcome.end(base: try? completion.result.get().baseOffset)
                }
            }
            guard let done else { continue }
            done.waiter.resume(done.failure.map { .failure($0) } ?? .success(()))
        }
    }

    /// Commits are the last part: their groups learn what became of it before the writer does.
    private func tell(_ write: Write, _ completion: AppendCompletion) {
        guard !write.stores.isEmpty, completion.part == write.places.count - 1 else { return }
        var outcome: StoreOutcome
        switch completion.result {
        case .success(let batch): outcome = .durable(at: batch.baseOffset)
        // It is in the journal and may yet be appended.
        case .failure(.indeterminate): outcome = .unknown
        case .failure: outcome = .failed
        }
        if case .durable = outcome {
            for commit in write.commits { commit.membership.noteCommitted(commit.offsets) }
        }
        for store in write.stores {
            write.groups.stored(store.id, outcome)
            if case .durable(let offset) = outcome {
                outcome = .durable(at: offset + Int64(store.records.count))
            }
        }
        write.groups.scheduleFloors()
    }
}

extension StreamStore {
    /// Appends to any number of topics and partitions, all of it or none, also after a crash; at most 1 MiB.
    ///
    /// Always durable on return. What the closure throws comes out, and nothing is appended.
    ///
    /// ```swift
    /// try await store.atomically { write in
    ///     try write.append(to: "payments", key: "7", value: "-10")
    ///     try write.append(to: "ledger", value: "7 paid 10")
    /// }
    /// ```
    /// Where back pressure holds producers up it waits as they do, at most a minute.
    /// - Throws: what the closure throws; `unexpectedEnd`, `recordTooLarge`, `busy`, `noSpace`, `io`,
    ///   `indeterminate`, `offline`, `closed`; `cancelled(accepted: false)` while it waits for room. Not to
    ///   be cancelled after that.
    public nonisolated(nonsending) func atomically<R>(
        _ body: (inout AtomicWrite) throws -> R
    ) async throws -> R {
        try engine.checkOpen()
        var write = AtomicWrite(engine)
        let result = try body(&write)
        var wait = AtomicWait()
        while let waiter = try lease.pressure.admit(&write, &wait) {
            try await waiter.value(cancelled: .cancelled(accepted: false)).get()
        }
        let stores = try await write.prepareCommits()
        if let waiter = try write.submit(atomicSink, lease.groups, stores) { try await waiter.value().get() }
        return result
    }
}
