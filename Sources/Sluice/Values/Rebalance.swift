// Groups as a consumer sees them: what it subscribes to, and what is given to it and taken away.

/// What a member of a group reads.
public enum TopicSubscription: Hashable, Sendable {
    /// These topics, which must exist.
    case names([String])
    /// Every topic whose whole name the regular expression matches, also those made later; not the internal
    /// ones, which begin with two underscores.
    case pattern(String)
}

extension TopicSubscription: ExpressibleByArrayLiteral {
    /// `topics: ["orders", "refunds"]`
    public init(arrayLiteral topics: String...) { self = .names(topics) }
}

/// A change of what a member of a group reads.
public enum Rebalance: Hashable, Sendable {
    /// These have come. The first batch of them is delivered after the handler has returned.
    case assigned([TopicPartition])
    /// These go to others. They are yours until the handler returns: commit in it.
    case revoked([TopicPartition])
    /// These are gone already: the member took longer than its `processingTimeout`, or was replaced. What it
    /// had not committed is delivered again, elsewhere.
    case lost([TopicPartition])

    /// The partitions that came or went.
    public var partitions: [TopicPartition] {
        switch self {
        case .assigned(let partitions), .revoked(let partitions), .lost(let partitions): partitions
        }
    }
}

/// When the offsets of what a member has processed are committed.
public enum CommitPolicy: Hashable, Sendable {
    /// By itself: what the loop's body has ended with, so often, and when a partition goes and at the close.
    /// Kafka: enable.auto.commit, auto.commit.interval.ms.
    case processed(every: Duration)
    /// By `commit` alone.
    case manual
}
