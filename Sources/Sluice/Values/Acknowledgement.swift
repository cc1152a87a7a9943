// What a producer may ask to be told, and what a topic promises.

/// What has happened to a record when its producer is told. Each level includes those before it.
///
/// A topic raises a weaker request to its own level, `TopicConfiguration.durability`. Kafka: acks.
public enum Acknowledgement: Int, Comparable, CaseIterable, Sendable {
    /// Nobody waits: it is accepted. Order holds all the same. Kafka: acks=0.
    case none
    /// It survives the death of the process. Kafka: acks=1.
    case written
    /// It survives a loss of power. Kafka: acks=all.
    case durable

    /// By strength.
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The least that an acknowledgement promises in a topic, and from when on readers see a record.
///
/// Nobody sees a record of a durable topic that a loss of power could take back.
public enum Durability: Hashable, CaseIterable, Sendable {
    /// It survives a loss of power.
    case durable
    /// It survives the death of the process. It reaches the disk within about a second.
    case written
}
