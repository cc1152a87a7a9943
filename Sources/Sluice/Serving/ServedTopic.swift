// Topics as a server knows them: by name and by identity, with the numbers of their partitions.

package import SluiceCore
package import SluiceLog

/// A topic, as of one moment.
package struct ServedTopic: Sendable {
    /// The name.
    package var name: String
    /// The identity, which no other topic has.
    package var id: UniqueID
    /// The volume's number of each partition.
    package var numbers: [Int]
    /// How it is configured.
    package var settings: TopicSettings
    /// As it is recorded.
    let record: TopicRecord
    /// The volume's number of a partition; nil when there is none.
    package func number(_ partition: Int32) -> Int? {
        let index = Int(partition)
        return numbers.indices.contains(index) ? numbers[index] : nil
    }

    /// Whether the store keeps it for itself: its records are not for clients to write.
    package var isInternal: Bool { InternalTopic.isInternal(name) }
}

extension ServedStore {
    /// The topic of that name; nil when there is none.
    package func topic(_ name: String) -> ServedTopic? {
        engine.read { volume in volume.topic(name).flatMap { Self.served($0, volume) } }
    }

    /// The topic of that identity; nil when there is none.
    package func topic(_ id: UniqueID) -> ServedTopic? {
        engine.read { volume in volume.topic(id).flatMap { Self.served($0, volume) } }
    }

    /// Whether the topic is still as it was when it was looked up: so it need not be looked up again.
    package func isCurrent(_ topic: ServedTopic) -> Bool {
        engine.read { volume in volume.topic(topic.name) == topic.record }
    }

    /// Every topic, by name.
    package var topics: [ServedTopic] {
        engine.read { volume in volume.topics.compactMap { Self.served($0, volume) } }
    }

    private static func served(_ topic: TopicRecord, _ volume: borrowing Volume) -> ServedTopic? {
        let numbers = (0..<Int(topic.partitions)).compactMap {
            try? volume.number(topic: topic.name, partition: $0)
        }
        guard numbers.count == Int(topic.partitions) else { return nil }
        return ServedTopic(
            name: topic.name, id: topic.id, numbers: numbers,
            settings: TopicSettings(stored: topic.settings), record: topic)
    }

    /// Makes a topic. Returns when it is durable. Throws as `Admin.createTopic`.
    package nonisolated(nonsending) func createTopic(
        _ name: String, partitions: Int, _ settings: TopicSettings
    ) async throws(StreamError) {
        try await store.admin.createTopic(
            name, partitions: partitions, configuration: TopicConfiguration(settings: settings))
    }

    /// Whether a topic of that name could be made: throws what `createTopic` would, and makes none.
    package func checkTopic(
        _ name: String, partitions: Int, _ settings: TopicSettings
    ) throws(StreamError) {
        try Admin.check(name, partitions, TopicConfiguration(settings: settings))
        let other = engine.read { volume in StoreEngine.topic(inTheWayOf: name, volume)?.name }
        if let other { throw .topicExists(other) }
    }

    /// Gives a topic other settings. Throws as `Admin.alterTopic`.
    package nonisolated(nonsending) func alterTopic(
        _ name: String, _ settings: TopicSettings
    ) async throws(StreamError) {
        try await store.admin.alterTopic(name) { $0.settings = settings }
    }
}

// MARK: Partitions

/// How far a partition goes.
package struct PartitionEnds: Sendable, Hashable {
    /// The first offset that is kept.
    package var logStart: Int64
    /// The offset behind the last record that readers may see.
    package var highWatermark: Int64
    /// The epoch that new batches get.
    package var leaderEpoch: Int32
}

extension ServedStore {
    /// Where partitions begin and end, all of one moment. nil: there is no such partition any more.
    package func ends(of numbers: [Int]) -> [PartitionEnds?] {
        engine.read { volume in
            numbers.map { number in
                guard let offsets = try? volume.offsets(number), let epoch = try? volume.leaderEpoch(number)
                else { return nil }
                return PartitionEnds(
                    logStart: offsets.lowerBound, highWatermark: offsets.upperBound, leaderEpoch: epoch)
            }
        }
    }

    /// Bytes that the segments of partitions have.
    package func bytes(of numbers: [Int]) -> [Int64] {
        engine.read { volume in numbers.map { (try? volume.logBytes($0)) ?? 0 } }
    }

    /// The first record at or after a time; nil when there is none. Reads the disk: for `onReader`.
    package func record(atTime timestamp: Int64, in number: Int) throws(LogError) -> TimedOffset? {
        try engine.find(timestamp, number).map {
            TimedOffset(offset: $0.start.offset, timestamp: $0.timestamp)
        }
    }

    /// The greatest timestamp of a partition, and its first record; nil without records. For `onReader`.
    package func latestRecord(in number: Int) throws(LogError) -> TimedOffset? {
        let start = try engine.offsets(number).lowerBound
        var greatest: Int64?
        var view = try engine.segment(number, at: start)
        while let segment = view {
            greatest = max(greatest ?? .min, segment.maxTimestamp)
            view = try engine.segment(number, after: segment)
        }
        guard let greatest else { return nil }
        return try record(atTime: greatest, in: number)
    }

    /// Where an epoch ended: the greatest epoch that is not above it, and the offset behind that. For
    /// `onReader`.
    ///
    /// - Returns: nil for an epoch above the partition's.
    package func end(
        ofEpoch epoch: Int32, in number: Int
    ) throws(LogError) -> (epoch: Int32, endOffset: Int64)? {
        guard let ends = ends(of: [number])[0] else {
            throw .unknownPartition(topic: "", partition: number)
        }
        if epoch > ends.leaderEpoch { return nil }
        if epoch == ends.leaderEpoch { return (epoch, ends.highWatermark) }
        // The last segment that does not begin with a greater epoch has the end, or it is the end.
        var last: SegmentView?
        var view = try engine.segment(number, at: ends.logStart)
        while let segment = view {
            guard let first = try engine.reader.firstEpoch(in: segment), first <= epoch else { break }
            last = segment
            view = try engine.segment(number, after: segment)
        }
        guard let last else { return (epoch, ends.logStart) }
        return try engine.reader.end(ofEpoch: epoch, in: last)
    }
}

/// A record's place and time.
package struct TimedOffset: Sendable, Hashable {
    /// The offset.
    package var offset: Int64
    /// The timestamp, in milliseconds since 1970.
    package var timestamp: Int64
}
