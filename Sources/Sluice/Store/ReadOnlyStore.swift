// A store that somebody else may be writing: read, described, backed up, and left alone.

import SluiceCore
import SluiceLog

/// A store that is only read: beside the process that writes it, after a crash, or on read-only media.
///
/// Nothing is locked, written or made. A record of a durable topic is seen when it is in the journal, as in
/// the process that writes; one of a `written` topic when it is in its segment. After a crash it shows what
/// an opening would recover, without recovering it. Consumers follow the end.
///
/// A deletion by the writer is seen as what it is: records that are gone give `offsetOutOfRange`, a topic
/// that is gone `unknownTopic`. On a network file system changes by another machine may go unnoticed.
///
/// ```swift
/// let store = try await StreamStore.openReadOnly(at: "data")
/// for try await batch in try await store.consumer(of: "flights") { print(batch.nextOffset) }
/// ```
public final class ReadOnlyStore: Sendable {
    private let lease: ReadOnlyLease
    var engine: ReadOnlyEngine { lease.engine }

    /// The directory, as it was given.
    public var path: String { engine.path }

    init(_ engine: ReadOnlyEngine) { lease = ReadOnlyLease(engine) }

    /// Every topic, by name, with the offsets as they are now.
    public nonisolated(nonsending) func topics() async throws(StreamError) -> [TopicDescription] {
        let volume = try await look()
        return volume.topics.map { Self.description(of: $0, volume) }
    }

    /// One topic. Throws `unknownTopic`.
    public nonisolated(nonsending) func describeTopic(_ name: String) async throws(StreamError)
        -> TopicDescription
    {
        let volume = try await look()
        guard let topic = volume.topic(name) else { throw .unknownTopic(name) }
        return Self.description(of: topic, volume)
    }

    /// Log start offset ..< the end of what is shown. Throws `unknownTopic`, `unknownPartition`.
    public nonisolated(nonsending) func offsets(of partition: TopicPartition) async throws(StreamError)
        -> Range<Offset>
    {
        let volume = try await look()
        do throws(LogError) {
            let number = try volume.number(topic: partition.topic, partition: partition.partition)
            let range = try volume.offsets(number)
            return Offset(range.lowerBound)..<Offset(range.upperBound)
        } catch {
            throw StreamError(error, of: partition)
        }
    }

    /// The offset of the first record at or after a time; nil when there is none.
    ///
    /// - Throws: `unknownTopic`, `unknownPartition`, `corrupt`, `io`.
    public nonisolated(nonsending) func offset(
        of partition: TopicPartition, at time: Timestamp
    ) async throws(StreamError) -> Offset? {
        let engine = engine
        try engine.checkOpen()
        return try await engine.onReader { () throws(StreamError) -> Offset? in
            try engine.lookAgain()
            let number = try engine.number(of: partition)
            do throws(LogError) {
                return try engine.find(time.millisecondsSince1970, number).map { Offset($0.start.offset) }
            } catch {
                throw StreamError(error, of: partition)
            }
        }
    }

    /// Reads all partitions of a topic.
    ///
    /// - Throws: `unknownTopic`, `offsetOutOfRange`, `corrupt`, `offline`, `closed`.
    public nonisolated(nonsending) func consumer(
        of topic: String, from position: Position = .earliest, until limit: ReadLimit = .never
    ) async throws(StreamError) -> Consumer {
        let count = try await describeTopic(topic).partitions.count
        return try await consumer(
            of: (0..<count).map { TopicPartition(topic: topic, partition: $0) }, from: position, until: limit)
    }

    /// Reads the partitions given.
    ///
    /// - Throws: `unknownTopic`, `unknownPartition`, `offsetOutOfRange`, `illegalConfiguration`, `corrupt`,
    ///   `closed`.
    public nonisolated(nonsending) func consumer(
        of partitions: [TopicPartition], from position: Position = .earliest, until limit: ReadLimit = .never,
        configuration: ConsumerConfiguration = .init()
    ) async throws(StreamError) -> Consumer {
        try configuration.validate()
        let engine = engine
        try engine.checkOpen()
        let readers = try await engine.onReader { () throws(StreamError) -> [PartitionReader] in
            try engine.lookAgain()
            return try engine.partitionReaders(partitions, from: position, until: limit)
        }
        return Consumer(lease, readers, configuration)
    }

    /// Copies what is shown to a directory of its own: see `StreamStore.backup(to:)`.
    public nonisolated(nonsending) func backup(to path: String) async throws(StreamError) {
        let engine = engine
        try engine.checkOpen()
        try await StreamStore.backup(engine.path, engine.files, to: path)
    }

    /// Ends consumers' loops. A second call does nothing.
    public func close() { engine.refuse() }

    /// What there is now.
    private nonisolated(nonsending) func look() async throws(StreamError) -> ReadOnlyVolume {
        let engine = engine
        try engine.checkOpen()
        return try await engine.onReader { () throws(StreamError) in
            try engine.lookAgain()
            return engine.snapshot
        }
    }

    private static func description(of topic: TopicRecord, _ volume: ReadOnlyVolume) -> TopicDescription {
        var partitions: [Range<Offset>] = []
        for number in 0..<Int(topic.partitions) {
            let range = (try? volume.number(topic: topic.name, partition: number)).flatMap {
                try? volume.offsets($0)
            }
            partitions.append(Offset(range?.lowerBound ?? 0)..<Offset(range?.upperBound ?? 0))
        }
        return TopicDescription(
            name: topic.name, id: topic.id.description, partitions: partitions,
            configuration: TopicConfiguration(settings: TopicSettings(stored: topic.settings)))
    }
}

extension StreamStore {
    /// Opens a store beside whoever writes it, to read: no lock is taken, nothing is written.
    ///
    /// - Parameter includingUnsynced: also show what is written and would not survive a loss of power yet;
    ///   such batches say so (`RecordBatch.isDurable`), and may be gone after a crash.
    /// - Throws: `notAStore`, `notADirectory`, `newerFormat`; `corrupt` when the manifest is damaged; `io`.
    public nonisolated(nonsending) static func openReadOnly(
        at path: String, includingUnsynced: Bool = false, configuration: Configuration = .init()
    ) async throws(StreamError) -> ReadOnlyStore {
        try configuration.validate()
        return try await onThread("sluice-look", path) { () throws(StreamError) in
            let files = PosixFileSystem()
            do throws(LogError) {
                let volume = try ReadOnlyVolume(
                    path, files, includesUnsynced: includingUnsynced,
                    interpret: { TopicSettings.interpret($0) })
                return ReadOnlyStore(
                    ReadOnlyEngine(volume, path: path, files: files, configuration: configuration))
            } catch {
                throw StreamError(error, at: nil)
            }
        }
    }

    /// Does something that reads the disk for long on a thread of its own.
    nonisolated(nonsending) static func onThread<R: Sendable>(
        _ name: String, _ path: String, _ body: @escaping @Sendable () throws(StreamError) -> R
    ) async throws(StreamError) -> R {
        let waiter = Waiter<R>()
        let thread = Thread.start(name) {
            do throws(StreamError) {
                waiter.resume(.success(try body()))
            } catch {
                waiter.resume(.failure(error))
            }
        }
        guard let thread else { throw .io(operation: "pthread_create", file: path, errno: 11) }
        let result = await waiter.value()
        thread.join()
        return try result.get()
    }
}

extension LogSource {
    /// Readers of partitions from a position on. Looks into the log for a time: not for the cooperative pool.
    ///
    /// Throws `unknownTopic`, `unknownPartition`, `offsetOutOfRange`, `offline`, `corrupt`, `io`.
    func partitionReaders(
        _ partitions: [TopicPartition], from position: Position, until limit: ReadLimit
    ) throws(StreamError) -> [PartitionReader] {
        var readers: [PartitionReader] = []
        for partition in partitions {
            let number = try number(of: partition)
            var reader = PartitionReader(topicPartition: partition, number: number, next: 0)
            reader.seek(to: try start(at: position, of: partition, number))
            if limit == .end { reader.end = try resolve(.latest, partition, number) }
            readers.append(reader)
        }
        return readers
    }
}
