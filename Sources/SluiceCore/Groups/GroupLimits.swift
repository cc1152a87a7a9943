// The maximums of groups, with their reasons; reaching one is a named error.

/// The bounds of what a coordinator takes.
package enum GroupLimits {
    /// Bytes of a group's id: it is in the key of each of its records. Over it: `invalidGroupID`.
    package static let groupIDBytes = 1024
    /// Bytes of a commit's metadata. Kafka: offset.metadata.max.bytes. Over it: `offsetMetadataTooLarge`.
    package static let metadataBytes = 4096
    /// Bytes of a client's id that go into its member's id: that is in every request and every record.
    package static let clientIDBytes = 255
    /// Protocols that a member offers, a few times what any client does. Over it: `inconsistentProtocol`.
    package static let protocolsPerMember = 64
    /// Bytes of a string in Kafka's formats, whose length is an i16.
    package static let stringBytes = Int(Int16.max)
    /// How long the first join of a member may be held: a client that went away meanwhile is forgotten then.
    static let newMemberJoinMilliseconds: Int64 = 300_000
    /// How often expired offsets are looked for. Kafka: offsets.retention.check.interval.ms.
    static let expiryCheckMilliseconds: Int64 = 600_000
}

/// How a coordinator behaves.
package struct GroupConfiguration: Hashable, Sendable {
    /// How long an empty group keeps its offsets, in milliseconds. Kafka: offsets.retention.minutes.
    package var offsetsRetentionMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// How long an empty group waits for more members when the first is on the wire.
    /// Kafka: group.initial.rebalance.delay.ms.
    package var initialRebalanceDelayMilliseconds: Int64 = 3_000
    /// Members of one group: their subscriptions are one record. Kafka: group.max.size.
    package var maxGroupSize = 1_000
    /// What session time-outs members on the wire may ask for.
    /// Kafka: group.min.session.timeout.ms and group.max.session.timeout.ms.
    package var sessionTimeouts: ClosedRange<Int32> = 6_000...1_800_000

    /// The defaults, changed by `change`.
    package init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}
