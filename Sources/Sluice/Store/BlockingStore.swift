// The same verbs for programs without async.

import SluiceCore
import SluiceLog

/// A store for programs that do not use async: each call blocks its thread until it is done.
///
/// A caller helps: it runs the store's I/O jobs on its own thread, so that an uncontended `send` changes no
/// thread. Not for tasks: it would block the cooperative pool.
///
/// ```swift
/// let store = try BlockingStore.open(at: "data")
/// try store.ensureTopic("flights")
/// let producer = try store.producer(for: "flights")
/// let receipt = try store.send(producer, key: "UA", value: "…")
/// while let batch = try store.read(receipt.topicPartition, from: .earliest) { … }
/// ```
public struct BlockingStore: Sendable {
    /// The store itself, for what has no blocking form.
    public let store: StreamStore

    /// The blocking face of a store that is open.
    public init(_ store: StreamStore) { self.store = store }

    /// As `StreamStore.open`.
    public static func open(
        at path: String, configuration: StoreConfiguration = .init()
    ) throws(StreamError) -> BlockingStore {
        BlockingStore(try StreamStore.open(path, configuration))
    }

    // MARK: Topics

    /// As `Admin.createTopic`.
    public func createTopic(
        _ name: String, partitions: Int = 1, configuration: TopicConfiguration = .init()
    ) throws(StreamError) {
        try make(name, partitions, configuration, isEnsured: false)
    }

    /// As `Admin.ensureTopic`.
    public func ensureTopic(
        _ name: String, partitions: Int = 1, configuration: TopicConfiguration = .init()
    ) throws(StreamError) {
        try make(name, partitions, configuration, isEnsured: true)
    }

    private func make(
        _ name: String, _ partitions: Int, _ configuration: TopicConfiguration, isEnsured: Bool
    ) throws(StreamError) {
        let groups = store.lease.groups
        if !groups.knowsCommits {
            try Self.blocking { () throws(StreamError) in await groups.willMakeTopic() }
        }
        _ = try store.engine.helping { () throws(StreamError) in
            try store.admin.create(name, partitions, configuration, isEnsured: isEnsured)
        }
        store.lease.catalogueChanged()
    }

    /// As `Admin.deleteTopic`.
    public func deleteTopic(_ name: String) throws(StreamError) {
        let store = store
        try Self.blocking { () throws(StreamError) in try await store.admin.deleteTopic(name) }
    }

    /// As `Admin.topics`.
    public func topics() throws(StreamError) -> [TopicDescription] { try store.admin.allTopics() }

    /// As `Admin.offsets`.
    public func offsets(of partition: TopicPartition) throws(StreamError) -> Range<Offset> {
        try store.admin.range(of: partition)
    }

    // MARK: Producing

    /// As `Streams.producer`.
    public func producer(
        for topic: String, configuration: ProducerConfiguration = .init()
    ) throws(StreamError) -> Producer {
        try store.makeProducer(topic, configuration)
    }

    /// As `Producer.send`: acknowledged on return.
    @discardableResult
    public func send<K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable>(
        _ producer: Producer, key: borrowing K = NullBytes(), value: borrowing V,
        headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) throws(StreamError) -> RecordMetadata {
        let time = timestamp?.millisecondsSince1970 ?? coarseWallMilliseconds()
        let record = try append(
            producer, key: key, value: value, headers: headers,
            timestamp: Timestamp(millisecondsSince1970: time), partition: partition)
        let core = producer.core
        let outcome = try store.engine.helping {
            () throws(StreamError) -> Waiter<ProducerCore.BatchOutcome> in
            producer.submit(record)
            guard let waiter = core.outcome(of: record.batchNumber) else {
                throw .indeterminate(
                    TopicPartition(topic: core.topic, partition: Int(record.partition)),
                    reason: "its outcome is older than the last \(core.keptOutcomes) batches")
            }
            return waiter
        }
        return core.metadata(of: record, outcome, time)
    }

    /// As `Producer.append`: accepted on return, blocking only while there is no room.
    @discardableResult
    public func append<K: RecordBytes & ~Copyable & ~Escapable, V: RecordBytes & ~Copyable & ~Escapable>(
        _ producer: Producer, key: borrowing K = NullBytes(), value: borrowing V,
        headers: [RecordHeader] = [],
        timestamp: Timestamp? = nil, partition: Int? = nil
    ) throws(StreamError) -> PendingRecord {
        let core = producer.core
        var wait = RoomWait()
        while true {
            let record = try producer.tryAppend(
                key: key, value: value, headers: headers, timestamp: timestamp, partition: partition,
                wait: &wait)
            if let record { return record }
            producer.submitAll()
            let waiter = try core.roomToWait(&wait)
            try store.engine.helping { () throws(StreamError) in waiter }
        }
    }

    /// As `Producer.flush`.
    public func flush(_ producer: Producer) throws(StreamError) {
        try producer.core.checkOpen()
        try store.engine.helping { () throws(StreamError) in
            producer.submitAll()
            return producer.core.flushed()
        }
        if let failure = producer.core.takeFailure() { throw failure }
    }

    /// As `StreamStore.atomically`.
    public func atomically<R>(_ body: (inout AtomicWrite) throws -> R) throws -> R {
        try store.engine.checkOpen()
        var write = AtomicWrite(store.engine)
        let result = try body(&write)
        let (engine, sink) = (store.engine, store.atomicSink)
        // Members of groups are tasks: what they commit goes through the other form.
        if write.hasCommits {
            throw StreamError.unsupported("A commit is written atomically with StreamStore.atomically")
        }
        let pressure = store.lease.pressure
        var wait = AtomicWait()
        while let waiter = try pressure.admit(&write, &wait) {
            try engine.helping { () throws(StreamError) in waiter }
        }
        guard let waiter = try write.submit(sink, store.lease.groups, []) else { return result }
        try engine.helping { () throws(StreamError) in waiter }
        return result
    }

    // MARK: Reading

    /// The batch at a position, or nil at the end. Go on from its `nextOffset`.
    ///
    /// - Parameter maxBytes: a first fetch; a larger batch is read whole.
    /// - Throws: `offsetOutOfRange`, `unknownTopic`, `unknownPartition`, `corrupt`, `offline`, `io`,
    ///   `closed`.
    public func read(
        _ partition: TopicPartition, from position: Position, maxBytes: Int = 64 << 10
    ) throws(StreamError) -> RecordBatch? {
        try store.engine.checkOpen()
        let engine = store.engine
        let number = try engine.number(of: partition)
        var reader = PartitionReader(topicPartition: partition, number: number, next: 0)
        reader.seek(to: try engine.start(at: position, of: partition, number))
        var state = ConsumerState([reader])
        while true {
            switch try state.step(engine) {
            case .deliver(let batch): return batch
            case .end, .wait: return nil
            case .fetch(let index, let plan, let generation):
                do throws(StreamError) {
                    let batches = try plan.fetch(engine.reader, maxBytes: maxBytes)
                    if !engine.isReplaced(plan) { state.took(batches, index, plan, generation: generation) }
                } catch {
                    guard engine.isReplaced(plan, afterFailure: true) else { throw error }
                }
            }
        }
    }

    /// As `StreamStore.close`.
    public func close() throws(StreamError) {
        let store = store
        try Self.blocking { () throws(StreamError) in try await store.close() }
    }

    /// Blocks until a task has done what has only an asynchronous form.
    private static func blocking(
        _ body: @escaping @Sendable () async throws(StreamError) -> Void
    ) throws(StreamError) {
        let done = BlockingWait()
        let outcome = Waiter<Void>()
        Task.detached {
            do throws(StreamError) {
                try await body()
                outcome.resume(.success(()))
            } catch {
                outcome.resume(.failure(error))
            }
            done.signal()
        }
        done.wait()
        try outcome.result?.get()
    }
}

/// Blocks a thread until another one says so.
private final class BlockingWait: Sendable {
    private let lock = Lock()
    private let bell = Condition()
    private nonisolated(unsafe) var isDone = false

    func signal() {
        lock.withLock {
            isDone = true
            bell.broadcast()
        }
    }

    func wait() {
        lock.withLock {
            while !isDone { bell.wait(lock) }
        }
    }
}
