// The upper waist: what a program needs of a back end. One directory is the first of them.

/// Streams of records, wherever they are kept. Take `any Streams` where either back end will do.
///
/// Others may wrap one; they cannot invent one, since producers and consumers are made by the library alone.
public protocol Streams: Sendable {
    /// A producer for one topic. A topic is never made by this.
    ///
    /// - Throws: `unknownTopic`, `illegalConfiguration`, `closed`.
    nonisolated(nonsending) func producer(
        for topic: String, configuration: ProducerConfiguration
    ) async throws(StreamError) -> Producer

    /// Reads all partitions of a topic; belongs to no group, commits nothing.
    ///
    /// - Throws: `unknownTopic`, `offsetOutOfRange`, `corrupt`, `offline`, `closed`.
    nonisolated(nonsending) func consumer(
        of topic: String, from position: Position, until limit: ReadLimit
    ) async throws(StreamError) -> Consumer

    /// Reads the partitions given; belongs to no group, commits nothing.
    ///
    /// - Throws: `unknownTopic`, `unknownPartition`, `offsetOutOfRange`, `illegalConfiguration`, `corrupt`,
    ///   `closed`.
    nonisolated(nonsending) func consumer(
        of partitions: [TopicPartition], from position: Position, until limit: ReadLimit,
        configuration: ConsumerConfiguration
    ) async throws(StreamError) -> Consumer

    /// A member of a group: it reads the partitions that the group gives it, and commits how far it has come.
    ///
    /// It joins when a loop over it begins. A member with the same `instanceID` is replaced; the old one's
    /// loop and calls throw `fenced`.
    /// - Throws: `unknownTopic`, `illegalConfiguration`, `closed`.
    nonisolated(nonsending) func consumer(
        group: String, topics: TopicSubscription, configuration: ConsumerConfiguration
    ) async throws(StreamError) -> Consumer

    /// Topics, their partitions and their configuration.
    var admin: Admin { get }

    /// What holds the producers of a topic up: the rule in force, its numbers, the forecast, what to do.
    ///
    /// - Throws: `unknownTopic`, `closed`.
    nonisolated(nonsending) func pressure(on topic: String) async throws(StreamError) -> PressureReport

    /// Flushes producers, ends consumers, closes. A second call does nothing; not to be cancelled.
    nonisolated(nonsending) func close() async throws(StreamError)
}

extension Streams {
    /// A producer with the default configuration.
    public nonisolated(nonsending) func producer(for topic: String) async throws(StreamError) -> Producer {
        try await producer(for: topic, configuration: .init())
    }

    /// Reads all partitions of a topic: from its beginning, without end, unless told otherwise.
    public nonisolated(nonsending) func consumer(
        of topic: String, from position: Position = .earliest
    ) async throws(StreamError) -> Consumer {
        try await consumer(of: topic, from: position, until: .never)
    }

    /// Reads all partitions of a topic from its beginning.
    public nonisolated(nonsending) func consumer(
        of topic: String, until limit: ReadLimit
    ) async throws(StreamError) -> Consumer {
        try await consumer(of: topic, from: .earliest, until: limit)
    }

    /// Reads the partitions given: from their beginning, without end, unless told otherwise.
    public nonisolated(nonsending) func consumer(
        of partitions: [TopicPartition], from position: Position = .earliest, until limit: ReadLimit = .never
    ) async throws(StreamError) -> Consumer {
        try await consumer(of: partitions, from: position, until: limit, configuration: .init())
    }

    /// A member of a group, with the default configuration.
    public nonisolated(nonsending) func consumer(
        group: String, topics: TopicSubscription
    ) async throws(StreamError) -> Consumer {
        try await consumer(group: group, topics: topics, configuration: .init())
    }
}
