// Where records are: a partition, a record in it, a place to begin, a place to stop.

/// A partition of a topic.
public struct TopicPartition: Hashable, Comparable, Sendable {
    /// The topic's name.
    public var topic: String
    /// The partition's number, from 0.
    public var partition: Int

    /// The partition with this number, from 0, of this topic. It need not exist.
    public init(topic: String, partition: Int) {
        self.topic = topic
        self.partition = partition
    }

    /// By topic, then by number.
    public static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
}

extension TopicPartition: CustomStringConvertible {
    /// As its directory is named: `flights-0`.
    public var description: String { "\(topic)-\(partition)" }
}

/// What the log gave a record.
public struct RecordMetadata: Hashable, Sendable {
    /// Where it went.
    public var topicPartition: TopicPartition
    /// Its number there.
    public var offset: Offset
    /// Its time: the producer's, or that of the append where message.timestamp.type is LogAppendTime.
    public var timestamp: Timestamp

    /// A record's place and time.
    public init(topicPartition: TopicPartition, offset: Offset, timestamp: Timestamp) {
        self.topicPartition = topicPartition
        self.offset = offset
        self.timestamp = timestamp
    }
}

/// Where reading begins.
public enum Position: Hashable, Sendable {
    /// The first record that is still there. Kafka: auto.offset.reset=earliest.
    case earliest
    /// Behind the last record that is visible now. Kafka: auto.offset.reset=latest.
    case latest
    /// This record, or the next there is; `offsetOutOfRange` where the log does not reach.
    case offset(Offset)
    /// The first record whose timestamp is this or later; the end when there is none.
    case timestamp(Timestamp)
}

/// Where reading ends.
public enum ReadLimit: Hashable, Sendable {
    /// Nowhere: at the end it waits for more.
    case never
    /// At the high watermarks as they were when the consumer was made.
    case end
}
