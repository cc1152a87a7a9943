// How a consumer fetches, and how one in a group behaves there.

/// How a consumer fetches batches; in a group, also how it commits and how long it may take.
public struct ConsumerConfiguration: Sendable {
    /// How much is read from a partition at once: 1 KiB to 64 MiB. Kafka: max.partition.fetch.bytes.
    ///
    /// A stored batch that is larger is read whole all the same, so that a reader cannot get stuck before it.
    /// A consumer holds at most two such reads, beside the batches that the program keeps.
    public var maxBatchBytes = 1 << 20

    // In a group

    /// When processed offsets are committed; at least every 10 ms.
    public var commit = CommitPolicy.processed(every: .seconds(5))
    /// Where to begin in a partition of which the group has committed nothing. Kafka: auto.offset.reset.
    public var start = Position.earliest
    /// How long the loop may be away: in its body with a batch, or not begun again. Then the member's
    /// partitions go to others, and its commits are `fenced`. 10 ms to 24 hours. Kafka: max.poll.interval.ms.
    ///
    /// A member in the same process needs no heartbeats: nothing else ends its membership.
    public var processingTimeout = Duration.seconds(300)
    /// A name under which the member comes back: with it, a restart within the processing time moves no
    /// partition. Of two members of one name the older is fenced. Kafka: group.instance.id.
    public var instanceID: String?
    /// Awaited before partitions go and after they came; `commit` and `seek` work inside.
    public var onRebalance: (@Sendable (Rebalance, Consumer) async -> Void)?

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// Throws `illegalConfiguration` for the first property that is out of its range.
    package func validate() throws(StreamError) {
        try check(
            (1 << 10...64 << 20).contains(maxBatchBytes), "max.partition.fetch.bytes", maxBatchBytes,
            "1024 to 67108864 bytes")
        if case .processed(let interval) = commit {
            try check(interval >= .milliseconds(10), "auto.commit.interval.ms", interval, "10 ms or more")
        }
        try check(
            (Duration.milliseconds(10)...Duration.seconds(86_400)).contains(processingTimeout),
            "max.poll.interval.ms", processingTimeout, "10 ms to 24 hours")
        if let instanceID {
            try check(!instanceID.isEmpty, "group.instance.id", instanceID, "a name that is not empty")
        }
    }
}
