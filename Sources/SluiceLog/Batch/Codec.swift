// The compression codecs of record batches, by Kafka's numbers.

/// How the records of a batch are compressed. Kafka: compression.type.
public enum Codec: UInt8, Sendable, Hashable, CaseIterable {
    /// Not at all.
    case none = 0
    /// RFC 1952.
    case gzip = 1
    /// Snappy blocks in xerial's framing, or one raw block.
    case snappy = 2
    /// The LZ4 frame format: the default.
    case lz4 = 3
    /// RFC 8878.
    case zstd = 4
}
