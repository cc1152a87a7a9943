// Topics, from the outside: made, described, changed, deleted. Everything is durable when the call returns.

import SluiceCore
import SluiceLog

/// A topic and what there is in it.
public struct TopicDescription: Sendable, Hashable {
    /// The topic's name.
    public var name: String
    /// 22 characters that no other topic has, not even one of the same name made later.
    public var id: String
    /// Each partition's offsets: log start ..< high watermark, by partition number.
    public var partitions: [Range<Offset>]
    /// What it was configured with; the rest are defaults.
    public var configuration: TopicConfiguration
}

/// Topics, their partitions and their configuration.
public struct Admin: Sendable {
    let lease: EngineLease
    var engine: StoreEngine { lease.engine }

    init(_ lease: EngineLease) { self.lease = lease }

    /// Makes a topic.
    ///
    /// - Parameter partitions: 1 … 100,000; each is a directory of its own, made at its first record.
    /// While a topic of that name is being deleted it waits for that.
    /// - Throws: `topicExists`, also for a name that differs only in case or in '.' against '_';
    ///   `illegalTopicName`, `illegalConfiguration`, `noSpace`, `io`, `closed`.
    public nonisolated(nonsending) func createTopic(
        _ name: String, partitions: Int = 1, configuration: TopicConfiguration = .init()
    ) async throws(StreamError) {
        await lease.groups.willMakeTopic()
        _ = try await create(name, partitions, configuration, isEnsured: false).value().get()
        lease.catalogueChanged()
    }

    /// Makes a topic when it is missing; never alters one that is there. Throws as `createTopic`.
    public nonisolated(nonsending) func ensureTopic(
        _ name: String, partitions: Int = 1, configuration: TopicConfiguration = .init()
    ) async throws(StreamError) {
        await lease.groups.willMakeTopic()
        _ = try await create(name, partitions, configuration, isEnsured: true).value().get()
        lease.catalogueChanged()
    }

    /// Every topic, by name.
    public nonisolated(nonsending) func topics() async throws(StreamError) -> [TopicDescription] {
        try allTopics()
    }

    /// One topic. Throws `unknownTopic`.
    public nonisolated(nonsending) func describeTopic(_ name: String) async throws(StreamError)
        -> TopicDescription
    {
        try describe(name)
    }

    /// Changes a topic's configuration. Producers that are open keep the compression that they began with.
    ///
    /// - Throws: `unknownTopic`, `illegalConfiguration`, `noSpace`, `closed`.
    public nonisolated(nonsending) func alterTopic(
        _ name: String, _ change: (inout TopicConfiguration) -> Void
    ) async throws(StreamError) {
        var configuration = try describe(name).configuration
        change(&configuration)
        try configuration.validate()
        let settings = configuration.settings
        _ = try await request { volume, id throws(LogError) in
            try volume.configureTopic(name, settings: settings.stored, log: settings.log, request: id)
        }.value().get()
        // It may keep records for groups from now on, or no more.
        await lease.groups.beginKeeping()
        lease.catalogueChanged()
    }

    /// Adds partitions up to a total; keys may then go to other partitions than before. Open producers keep
    /// to the ones that they know.
    ///
    /// - Throws: `unknownTopic`, `illegalConfiguration` for fewer than there are, `noSpace`, `closed`.
    public nonisolated(nonsending) func addPartitions(to name: String, total: Int) async throws(StreamError) {
        try InternalTopic.check(name)
        let count = try describe(name).partitions.count
        guard total >= count, total <= Limits.partitionsPerTopic else {
            throw .illegalConfiguration(
                key: "partitions", value: "\(total)",
                reason: "accepted: \(count), which there are, to \(Limits.partitionsPerTopic)")
        }
        _ = try await request { volume, id throws(LogError) in
            try volume.addPartitions(to: name, total: total, request: id)
        }.value().get()
        lease.catalogueChanged()
    }

    /// Deletes a topic with its records. Returns when a topic of that name can be made again.
    ///
    /// Producers and consumers of it fail with `unknownTopic`. Throws `unknownTopic`, `io`, `closed`;
    /// `indeterminate` when it is deleted, and what groups have committed of it may still be there.
    public nonisolated(nonsending) func deleteTopic(_ name: String) async throws(StreamError) {
        try InternalTopic.check(name)
        // 1. It is gone, and its files; its name is not free. 2. What groups have committed of it goes: a
        // later topic of the name is another. 3. The name is free. After a crash in between the next opening
        // does the rest before anybody gets the name.
        let deletion = try request { volume, id throws(LogError) in
            try volume.deleteTopic(name, holdsName: true, request: id)
        }
        var failure: StreamError?
        do throws(StreamError) {
            _ = try await deletion.value().get()
        } catch {
            // It stays, or its files do: then it is deleted all the same.
            guard engine.read({ $0.topic(name) == nil }) else { throw error }
            failure = error
        }
        do throws(StreamError) {
            try await lease.groups.topicDeleted(name)
        } catch {
            failure = failure ?? error
        }
        _ = try await request { volume, id throws(LogError) in
            try volume.releaseName(name, request: id)
        }.value().get()
        lease.pressure.catalogueChanged()
        if let failure { throw failure }
    }

    /// Log start offset ..< high watermark. Throws `unknownTopic`, `unknownPartition`.
    public nonisolated(nonsending) func offsets(of partition: TopicPartition) async throws(StreamError)
        -> Range<Offset>
    {
        try range(of: partition)
    }

    /// The offset of the first record at or after a time; nil when there is none.
    ///
    /// - Throws: `unknownTopic`, `unknownPartition`, `corrupt`, `io`.
    public nonisolated(nonsending) func offset(
        of partition: TopicPartition, at time: Timestamp
    ) async throws(StreamError) -> Offset? {
        let engine = engine
        try engine.checkOpen()
        let number = try engine.number(of: partition)
        return try await engine.onReader { () throws(StreamError) -> Offset? in
            do throws(LogError) {
                return try engine.find(time.millisecondsSince1970, number).map { Offset($0.start.offset) }
            } catch {
                throw StreamError(error, of: partition)
            }
        }
    }

    /// Deletes the records before an offset. Returns the new log start offset.
    ///
    /// Past a damaged stretch it lets the partition take appends again; on a `written` topic that was
    /// damaged when the power was lost, with the next opening of the store, which steps over the offsets that
    /// were promised.
    /// - Throws: `offsetOutOfRange`, `unknownTopic`, `unknownPartition`, `closed`.
    @discardableResult
    public nonisolated(nonsending) func deleteRecords(
        before offset: Offset, of partition: TopicPartition
    ) async throws(StreamError) -> Offset {
        try engine.checkOpen()
        let number = try engine.number(of: partition)
        let waiter: Waiter<Int64>
        do throws(LogError) {
            waiter = try engine.request { volume, id throws(LogError) in
                try volume.deleteRecords(number, before: offset.rawValue, request: id)
            }
        } catch {
            throw StreamError(error, of: partition)
        }
        return Offset(try await waiter.value().get())
    }

    // MARK: Shared with the blocking form

    /// Whether there could be such a topic: throws `illegalConfiguration`, `illegalTopicName`.
    static func check(
        _ name: String, _ partitions: Int, _ configuration: TopicConfiguration
    ) throws(StreamError) {
        try configuration.validate()
        try InternalTopic.check(name)
        if let reason = TopicName.check(name) { throw .illegalTopicName(name, reason: reason) }
        guard (1...Limits.partitionsPerTopic).contains(partitions) else {
            throw .illegalConfiguration(
                key: "partitions", value: "\(partitions)",
                reason: "accepted: 1 to \(Limits.partitionsPerTopic)")
        }
    }

    func create(
        _ name: String, _ partitions: Int, _ configuration: TopicConfiguration, isEnsured: Bool
    ) throws(StreamError) -> Waiter<Int64> {
        try engine.checkOpen()
        try Self.check(name, partitions, configuration)
        return try engine.create(name, partitions, configuration.settings, isEnsured: isEnsured)
    }

    func request(
        _ body: (inout Volume, UInt64) throws(LogError) -> Void
    ) throws(StreamError) -> Waiter<Int64> {
        do throws(LogError) {
            return try engine.request(body)
        } catch {
            throw StreamError(error, at: nil)
        }
    }

    func describe(_ name: String) throws(StreamError) -> TopicDescription {
        try engine.checkOpen()
        guard
            let topic = engine.read({ volume in volume.topic(name).map { Self.description(of: $0, volume) } })
        else {
            throw .unknownTopic(name)
        }
        return topic
    }

    func allTopics() throws(StreamError) -> [TopicDescription] {
        try engine.checkOpen()
        return engine.read { volume in volume.topics.map { Self.description(of: $0, volume) } }
    }

    func range(of partition: TopicPartition) throws(StreamError) -> Range<Offset> {
        try engine.checkOpen()
        let number = try engine.number(of: partition)
        do throws(LogError) {
            let range = try engine.read { volume throws(LogError) in try volume.offsets(number) }
            return Offset(range.lowerBound)..<Offset(range.upperBound)
        } catch {
            throw StreamError(error, of: partition)
        }
    }

    private static func description(of topic: TopicRecord, _ volume: borrowing Volume) -> TopicDescription {
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
