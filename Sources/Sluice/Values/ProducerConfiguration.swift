// How a producer collects and sends.

/// How a producer collects records into batches, and how long it waits.
public struct ProducerConfiguration: Hashable, Sendable {
    /// What has happened to a record when it is acknowledged, at least the topic's level. Kafka: acks.
    public var acknowledgement = Acknowledgement.durable
    /// The codec of the batches; nil: the topic's, lz4 where that is `producer`. Kafka: compression.type.
    public var compression: Compression?
    /// The size at which a batch is sent, uncompressed: 1 KiB to 1 MiB. Kafka: batch.size.
    ///
    /// A larger record than this goes alone in a batch of its own.
    public var batchBytes = 64 << 10
    /// How long a batch waits for more records; zero: until the writer is idle. Kafka: linger.ms.
    public var linger = Duration.zero
    /// The bytes that may be accepted and not yet acknowledged, `batchBytes` or more. Kafka: buffer.memory.
    public var bufferBytes = 32 << 20
    /// How long `append` and `send` wait for room before they throw `busy`, from zero. Kafka: max.block.ms.
    public var maxBlock = Duration.seconds(60)
    /// What happens when the store wants less than is sent; nil: what the topic says.
    public var backPressure: BackPressurePolicy?
    /// The share of what is admitted, against other producers', 1 to 100.
    public var weight = 1

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// Throws `illegalConfiguration` for the first property that is out of its range.
    package func validate() throws(StreamError) {
        try check((1 << 10...1 << 20).contains(batchBytes), "batch.size", batchBytes, "1024 to 1048576 bytes")
        try check(linger >= .zero, "linger.ms", linger, "zero or more")
        try check(
            bufferBytes >= batchBytes, "buffer.memory", bufferBytes,
            "batch.size (\(batchBytes)) bytes or more")
        try check(maxBlock >= .zero, "max.block.ms", maxBlock, "zero or more")
        try check((1...100).contains(weight), "weight", weight, "1 to 100")
        if case .buffer(let latency)? = backPressure {
            try check(
                latency >= .milliseconds(1) && latency <= .seconds(3600), "backPressure", latency,
                "a latency of 1 ms to 1 hour")
        }
    }
}

/// Throws `illegalConfiguration` unless `condition` holds.
func check(
    _ condition: Bool, _ key: String, _ value: @autoclosure () -> some CustomStringConvertible,
    _ accepted: @autoclosure () -> String
) throws(StreamError) {
    if condition { return }
    throw .illegalConfiguration(key: key, value: value().description, reason: "accepted: \(accepted())")
}
