// What a queue of messages and its caller say to each other: plain values.

/// Which record of the topic.
package struct MessageKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The partition, from 0.
    package var partition: Int
    /// The offset in it.
    package var offset: Int64

    /// The record at `offset`.
    package init(partition: Int, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }

    /// `partition-offset`.
    package var description: String { "\(partition)-\(offset)" }

    /// By partition, then by offset.
    package static func < (a: Self, b: Self) -> Bool {
        a.partition == b.partition ? a.offset < b.offset : a.partition < b.partition
    }
}

/// The right to say what becomes of a message: of one delivery, and worth nothing behind it.
package struct MessageLease: Hashable, Sendable {
    /// Which message.
    package var key: MessageKey
    /// No other lease of this process has the number.
    package var token: UInt64
    /// How often the message was delivered, this time included.
    package var deliveries: Int
}

/// What a group's commit says of a partition.
package struct StoredPosition: Hashable, Sendable {
    /// The offset that is committed.
    package var offset: Int64
    /// What is committed with it.
    package var metadata: String

    /// What a commit says.
    package init(offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

/// What is to be committed, all of it as one.
package struct MessageCommit: Hashable, Sendable {
    /// One partition's.
    package struct Part: Hashable, Sendable {
        /// The partition.
        package var partition: Int
        /// What the group must have committed, or somebody else has moved it, and nothing is to be written.
        package var expected: StoredPosition?
        /// What it is to be.
        package var position: StoredPosition
        /// What was decided up to this change is in it.
        package var version: UInt64
    }
    /// Of each partition one at most.
    package var parts: [Part] = []
    /// Messages whose records go where the dead ones go.
    package var buried: [MessageKey] = []
}

/// A message that nobody is to be given any more; its record goes where the dead ones go.
package struct DyingMessage: Hashable, Sendable {
    /// Which.
    package var key: MessageKey
    /// How often it was delivered.
    package var deliveries: Int
    /// Why it was rejected; nil when it was delivered too often.
    package var reason: String?
}

/// Why a call about a message is refused.
package enum MessageRefusal: Error, Hashable, Sendable {
    /// The lease is over, or the partition was begun anew: another may have the message.
    case leaseLost
}

/// How a queue behaves.
package struct MessageConfiguration: Hashable, Sendable {
    /// How often a message is delivered before it is dead. Kafka: group.share.delivery.count.limit.
    package var deliveryLimit = 5
    /// Records of a partition that are taken, and counted, ahead of those who ask.
    package var prefetch = 64
    /// How long a message is hidden from others. Kafka: group.share.record.lock.duration.ms.
    package var visibilityMilliseconds: Int64 = 30_000
    /// Whether what is dead is settled at once, and goes nowhere.
    package var dropsDead = false

    /// The defaults, changed as `change` says.
    package init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}
