// How a consumer fetches.

/// How a consumer fetches batches.
public struct ConsumerConfiguration: Hashable, Sendable {
    /// How much is read from a partition at once: 1 KiB to 64 MiB. Kafka: max.partition.fetch.bytes.
    ///
    /// A stored batch that is larger is read whole all the same, so that a reader cannot get stuck before it.
    /// A consumer holds at most two such reads, beside the batches that the program keeps.
    public var maxBatchBytes = 1 << 20

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// Throws `illegalConfiguration` for the first property that is out of its range.
    package func validate() throws(StreamError) {
        try check(
            (1 << 10...64 << 20).contains(maxBatchBytes), "max.partition.fetch.bytes", maxBatchBytes,
            "1024 to 67108864 bytes")
    }
}
