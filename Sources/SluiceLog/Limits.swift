// Every maximum of the engine, with its reason. Reaching one is an error with a name, or the signal to wait.

/// The bounds of what the engine takes, holds and writes at once.
public enum Limits {
    /// Partitions of one topic: a topic's partitions are made in one manifest record.
    public static let partitionsPerTopic = 100_000
    /// Bytes of one stored batch, whatever `max.message.bytes` says: it must fit well into a journal.
    public static let batchBytes = 8 << 20
    /// Bytes of one atomic write: one journal frame, synced at once.
    public static let atomicBytes = 1 << 20
    /// Kafka: the greatest segment that 32-bit positions in an index can address.
    public static let segmentBytes = Int64(Int32.max)
    /// Bytes that a batch may have when decompressed: a small hostile batch must not take the memory.
    public static let decompressedBatchBytes = 64 << 20
    /// Offsets that may be missing in one place: a wrong number must not make a log of control batches.
    package static let skippedOffsets = Int64(1) << 36
    /// No log ends behind this: there is room for as many records again as anyone will append.
    package static let endOffset = Int64.max - (1 << 48)
    /// Bytes of what back pressure keeps: a small record of the manifest.
    package static let pressureBytes = 256 << 10
    /// Idempotent producers that one partition remembers, 300 bytes each in memory and in the manifest: who
    /// is idle for longest is forgotten first.
    package static let producersPerPartition = 2048
    /// Bytes of producers that one frame of the manifest takes, but for those of one partition: it asks
    /// nobody for room.
    static let producerBytesPerFrame = 256 << 10
    /// Users of one store: all are in the manifest's first frame.
    package static let users = 1_000
    /// Bytes of one user's name and credentials.
    package static let userBytes = 4 << 10
    /// A file of topic, journal or manifest bytes that is read whole at opening.
    package static let manifestBytes = Int64(1) << 30
}
