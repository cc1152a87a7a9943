// One directory, open in this process.

import Logging
public import ServiceLifecycle
import SluiceCore
import SluiceLog

/// A store in one directory: topics, their records, nothing to run beside it.
///
/// Open one and share it; one process writes at a time. It works from `open` to `close`. Dropped without
/// `close` it is as safe as after `kill -9`: everything acknowledged is there at the next opening.
///
/// ```swift
/// let store = try await StreamStore.open(at: "data")
/// try await store.admin.ensureTopic("flights", partitions: 3)
/// ```
public final class StreamStore: Streams, Service {
    /// How a store uses the machine.
    public typealias Configuration = StoreConfiguration

    let engine: StoreEngine
    let lease: EngineLease
    /// Producers that may hold records, to be flushed at the close.
    private let producers = Locked<[WeakProducer]>([])
    private let closing = Locked(Closing())
    let atomicSink = AtomicSink()
    /// What belongs to the store by a name, as long as somebody has it.
    let attachments = Locked<[String: WeakAttachment]>([:])
    /// What layers above answer on the control socket.
    let services = Locked<[String: ControlService]>([:])
    /// Set once, before the store is shared.
    private let control = Locked<ControlServer?>(nil)

    /// The directory, as it was given.
    public let path: String

    private init(_ engine: StoreEngine, path: String) {
        self.engine = engine
        lease = EngineLease(engine)
        self.path = path
        atomicSink.start(engine)
    }

    deinit { control.withLock { $0 }?.stop() }

    /// Opens the store in a directory, making it when the directory does not exist or is empty.
    ///
    /// Only the last component of the path is made. What recovery found is in `recovery`, and in the log.
    /// - Throws: `locked` when another process writes; `notAStore`, `notADirectory`, `newerFormat`; `corrupt`
    ///   when the manifest is damaged, or with `strict` when anything acknowledged is; `io`, `noSpace`,
    ///   `readOnly`.
    public nonisolated(nonsending) static func open(
        at path: String, configuration: Configuration = .init()
    ) async throws(StreamError) -> StreamStore {
        let waiter = Waiter<StreamStore>()
        // Recovery reads the disk: on a thread of its own.
        let thread = Thread.start("sluice-open") {
            do throws(StreamError) {
                waiter.resume(.success(try open(path, configuration)))
            } catch {
                waiter.resume(.failure(error))
            }
        }
        guard thread != nil else { throw .io(operation: "pthread_create", file: path, errno: 11) }
        let result = await waiter.value()
        thread?.join()
        let store = try result.get()
        await store.lease.groups.beginKeeping()
        return store
    }

    /// Opens a store on the calling thread.
    static func open(_ path: String, _ configuration: Configuration) throws(StreamError) -> StreamStore {
        try configuration.validate()
        StoreEngine.leaving.wait()
        let files = PosixFileSystem()
        var random = SystemRandomNumberGenerator()
        var volume = configuration.volume
        // Simulated sizes are set as they are.
        if volume.diskBytes == .max {
            volume.diskBytes = configuration.diskBytes ?? DeviceMember.defaultBudget(at: path)
        }
        let allowed = min(configuration.maxOpenFiles, FileLimit.forStores)
        // The others are for those who read, a file or two each, for the journal and for the manifest.
        volume.openFiles = max(2, allowed - max(8, min(allowed / 2, 256)))
        do throws(LogError) {
            let opened = try StoreDirectory.open(
                path, files, configuration: volume, strict: configuration.strict, now: .now, random: &random,
                interpret: TopicSettings.interpret)
            let engine = StoreEngine(opened, path: path, files: files, configuration: configuration)
            configuration.logger.log(engine.report)
            let store = StreamStore(engine, path: path)
            do throws(StreamError) {
                try engine.start(configuration)
            } catch {
                throw .io(IOError(operation: "pthread_create", path: path, errno: 11))
            }
            if configuration.controlSocket {
                let server = ControlServer.start(store, configuration.logger)
                store.control.withLock { $0 = server }
            }
            return store
        } catch {
            throw StreamError(error, at: nil)
        }
    }

    /// Plans what opening would do and checks the files; changes nothing, and needs no lock.
    ///
    /// - Parameter deep: read every byte and hold it against its checksums; else only what an opening reads.
    /// - Throws: `notAStore`, `newerFormat`, `corrupt` when the manifest itself is damaged, `io`.
    public nonisolated(nonsending) static func verify(
        at path: String, deep: Bool = false
    ) async throws(StreamError) -> RecoveryReport {
        let waiter = Waiter<RecoveryReport>()
        let thread = Thread.start("sluice-verify") {
            do throws(LogError) {
                let report = try StoreDirectory.verify(
                    path, PosixFileSystem(), deep: deep, interpret: TopicSettings.interpret)
                waiter.resume(.success(report))
            } catch {
                waiter.resume(.failure(StreamError(error, at: nil)))
            }
        }
        guard thread != nil else { throw .io(operation: "pthread_create", file: path, errno: 11) }
        let result = await waiter.value()
        thread?.join()
        return try result.get()
    }

    /// What opening found: torn tails cut, indexes rebuilt, damage.
    public var recovery: RecoveryReport { engine.report }

    /// Topics, their partitions and their configuration.
    public var admin: Admin { Admin(lease) }

    /// A producer for one topic. Throws `unknownTopic`, `illegalConfiguration`, `closed`.
    public nonisolated(nonsending) func producer(
        for topic: String, configuration: ProducerConfiguration
    ) async throws(StreamError) -> Producer {
        try makeProducer(topic, configuration)
    }

    func makeProducer(
        _ topic: String, _ configuration: ProducerConfiguration
    ) throws(StreamError) -> Producer {
        try engine.checkOpen()
        try configuration.validate()
        try InternalTopic.check(topic)
        let (settings, numbers) = try engine.topic(topic)
        let core = ProducerCore(
            engine, lease.pressure, topic: topic, numbers: numbers, settings: settings,
            configuration: configuration)
        let producer = Producer(core, lease)
        producers.withLock { producers in
            producers.removeAll { $0.producer == nil }
            producers.append(WeakProducer(producer: producer))
        }
        return producer
    }

    /// Reads all partitions of a topic; belongs to no group, commits nothing. Throws `unknownTopic`,
    /// `closed`.
    public nonisolated(nonsending) func consumer(
        of topic: String, from position: Position, until limit: ReadLimit
    ) async throws(StreamError) -> Consumer {
        try engine.checkOpen()
        let (_, numbers) = try engine.topic(topic)
        let partitions = numbers.indices.map { TopicPartition(topic: topic, partition: $0) }
        return try await consumer(of: partitions, from: position, until: limit, configuration: .init())
    }

    /// Reads the partitions given; belongs to no group, commits nothing.
    ///
    /// Throws `unknownTopic`, `unknownPartition`, `offsetOutOfRange`, `illegalConfiguration`, `closed`.
    public nonisolated(nonsending) func consumer(
        of partitions: [TopicPartition], from position: Position, until limit: ReadLimit,
        configuration: ConsumerConfiguration
    ) async throws(StreamError) -> Consumer {
        try engine.checkOpen()
        try configuration.validate()
        let engine = engine
        let readers = try await engine.onReader { () throws(StreamError) in
            try engine.partitionReaders(partitions, from: position, until: limit)
        }
        return Consumer(lease, readers, configuration)
    }

    /// A member of a group: it reads the partitions that the group gives it, and commits how far it has come.
    ///
    /// ```swift
    /// for try await batch in try await store.consumer(group: "billing", topics: ["orders"]) {
    ///     for record in batch { try await bill(record) }
    /// }
    /// ```
    /// It joins when a loop over it begins, and leaves when the loop ends, other than by `break` or an error,
    /// when it is closed, and when nobody has it any more.
    /// - Throws: `unknownTopic`, `illegalConfiguration`, `closed`.
    public nonisolated(nonsending) func consumer(
        group: String, topics: TopicSubscription, configuration: ConsumerConfiguration
    ) async throws(StreamError) -> Consumer {
        try engine.checkOpen()
        try configuration.validate()
        let membership = try Membership(group, topics, configuration, lease.groups)
        return Consumer(lease, [], configuration, membership)
    }

    /// Flushes producers, commits what members of groups have processed, ends consumers' loops, syncs
    /// everything, and gives the directory back.
    ///
    /// Records that producers had accepted are written and acknowledged before it returns; a failure of one
    /// of them is thrown, after the rest of the close. So is what kept the store from being closed well (`io`
    /// or `indeterminate`: a partition or the store was stopped by a failure of the disk): then the next
    /// opening recovers, and nothing that was acknowledged is lost. A second call does nothing; not to be
    /// cancelled.
    public nonisolated(nonsending) func close() async throws(StreamError) {
        if let waiter = beginClose() {
            _ = await waiter.value()
            return
        }
        // While everything still works: members commit, also in their handlers.
        await lease.groups.close()
        lease.pressure.close()
        engine.refuse()
        // Before the lock is let go of: the next one who opens the store makes a socket of the same name.
        await control.withLock { $0 }?.end()
        var failure: StreamError?
        for producer in producers.withLock({ $0.compactMap(\.producer) }) {
            do throws(StreamError) {
                try await producer.close()
            } catch {
                failure = failure ?? error
            }
        }
        engine.endWatchers()
        engine.events.close()
        let result = await engine.close()
        for waiter in endClose() { waiter.resume(.success(())) }
        if let failure { throw failure }
        try result.get()
    }

    /// nil for the first; whoever comes later waits until the directory has been given back.
    private func beginClose() -> Waiter<Void>? {
        closing.withLock { closing in
            guard closing.hasBegun else {
                closing.hasBegun = true
                return nil
            }
            let waiter = Waiter<Void>()
            if closing.isDone { waiter.resume(.success(())) } else { closing.waiters.append(waiter) }
            return waiter
        }
    }

    private func endClose() -> [Waiter<Void>] {
        closing.withLock { closing in
            closing.isDone = true
            defer { closing.waiters = [] }
            return closing.waiters
        }
    }

    private struct Closing {
        var hasBegun = false
        var isDone = false
        var waiters: [Waiter<Void>] = []
    }

    /// Service: waits for graceful shutdown, then closes.
    public func run() async throws {
        try? await gracefulShutdown()
        try await close()
    }
}

private struct WeakProducer: Sendable {
    weak var producer: Producer?
}

extension TopicSettings {
    /// What a topic's settings, as the manifest has them, mean to the engine.
    ///
    /// A key or value that this version does not know counts as its default: a later version wrote it.
    static func interpret(_ settings: [TopicRecord.Setting]) -> LogSettings {
        TopicSettings(stored: settings).log
    }

    init(stored settings: [TopicRecord.Setting]) {
        self.init()
        for setting in settings { try? set(key: setting.key, value: setting.value) }
    }

    var stored: [TopicRecord.Setting] {
        properties.sorted { $0.key < $1.key }.map { TopicRecord.Setting(key: $0.key, value: $0.value) }
    }
}

extension StoreEngine {
    /// A topic's settings, and the volume's numbers of its partitions. Throws `unknownTopic`.
    func topic(_ name: String) throws(StreamError) -> (TopicSettings, [Int]) {
        let found = read { volume -> (TopicRecord, [Int])? in
            guard let topic = volume.topic(name) else { return nil }
            let numbers = (0..<Int(topic.partitions)).compactMap {
                try? volume.number(topic: name, partition: $0)
            }
            return numbers.count == Int(topic.partitions) ? (topic, numbers) : nil
        }
        guard let (topic, numbers) = found else { throw .unknownTopic(name) }
        return (TopicSettings(stored: topic.settings), numbers)
    }

    /// Throws `unknownTopic`, `unknownPartition`.
    func number(of partition: TopicPartition) throws(StreamError) -> Int {
        do throws(LogError) {
            return try read { volume throws(LogError) in
                try volume.number(topic: partition.topic, partition: partition.partition)
            }
        } catch {
            throw StreamError(error, at: partition)
        }
    }
}
