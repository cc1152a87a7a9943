// A consumer group as an administrator sees it.

/// A consumer group: who is in it, and how far it has come.
public struct ConsumerGroupDescription: Hashable, Sendable {
    /// Where a group is in its life. Kafka's names.
    public enum State: String, Hashable, Sendable {
        /// Without members; what it has committed is kept.
        case empty = "Empty"
        /// Members are being asked to join again.
        case preparingRebalance = "PreparingRebalance"
        /// Partitions are being given out.
        case completingRebalance = "CompletingRebalance"
        /// Every member has its partitions.
        case stable = "Stable"
    }

    /// One member.
    public struct Member: Hashable, Sendable {
        /// Its id, which it was given when it joined.
        public var id: String
        /// The name under which it comes back. Kafka: group.instance.id.
        public var instanceID: String?
        /// What the client calls itself.
        public var clientID: String
        /// Where it is: an address, or `in-process`.
        public var host: String
        /// The partitions that it has.
        public var assignment: [TopicPartition]
    }

    /// How far the group has come in one partition.
    public struct Progress: Hashable, Sendable {
        /// The partition.
        public var partition: TopicPartition
        /// The offset of the record that it reads next; nil when nothing was committed.
        public var committed: Offset?
        /// Log start offset ..< high watermark; nil when the partition is not there any more.
        public var offsets: Range<Offset>?
        /// Records between what is committed, or the log's start, and the end. Kafka: lag.
        public var lag: Int64?
        /// The same in bytes of the log, as they are stored: compressed, in whole batches.
        public var lagBytes: Int64?
        /// The id of the member that has it.
        public var memberID: String?
    }

    /// The group's name.
    public var name: String
    /// Where it is in its life.
    public var state: State
    /// How often its partitions have been given out.
    public var generation: Int
    /// The assignor in force: `cooperative-sticky`, `range`, `roundrobin`; nil without members.
    public var assignor: String?
    /// Its members, in the order in which they joined.
    public var members: [Member]
    /// Every partition that is assigned or of which something was committed, in order.
    public var partitions: [Progress]

    /// Records that it has not consumed, together. Kafka: lag.
    public var lag: Int64 { partitions.reduce(0) { $0 + ($1.lag ?? 0) } }
    /// The same in bytes of the log.
    public var lagBytes: Int64 { partitions.reduce(0) { $0 + ($1.lagBytes ?? 0) } }
}
