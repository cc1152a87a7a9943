// What a topic's configuration means to the engine. The layer above parses and prints it; here are plain
// numbers.

/// The part of a topic's configuration that the log obeys.
public struct LogSettings: Sendable, Hashable {
    /// Kafka: segment.bytes.
    public var segmentBytes: Int64 = 128 << 20
    /// Nobody has asked for that size: segments are smaller where the disk's budget is, since they go as a
    /// whole.
    public var adaptsSegments = true
    /// Kafka: segment.ms.
    public var segmentMilliseconds: Int64 = 7 * 86_400_000
    /// Kafka: index.interval.bytes.
    public var indexIntervalBytes: Int64 = 4096
    /// Kafka: retention.ms; nil keeps records for ever.
    public var retentionMilliseconds: Int64? = 7 * 86_400_000
    /// Kafka: retention.bytes, of each partition; nil is without bound.
    public var retentionBytes: Int64?
    /// sluice.retention.min.ms: what is younger is kept whatever the disk says; nil: as
    /// `retentionMilliseconds`.
    public var promiseMilliseconds: Int64?
    /// Kafka: max.message.bytes, of a stored batch.
    public var maxMessageBytes = 1 << 20
    /// sluice.durability=durable: what is visible, and the least that an acknowledgement means.
    public var isDurable = true
    /// Kafka: message.timestamp.type=LogAppendTime.
    public var usesLogAppendTime = false
    /// Kafka: cleanup.policy has `delete`: segments go by age and by size.
    public var isDeleted = true
    /// Kafka: cleanup.policy has `compact`: of each key the last record stays.
    public var isCompacted = false
    /// Kafka: delete.retention.ms.
    public var deleteRetentionMilliseconds: Int64 = 86_400_000
    /// Kafka: min.cleanable.dirty.ratio.
    public var minDirtyRatio = 0.5
    /// Kafka: min.compaction.lag.ms.
    public var minCompactionLagMilliseconds: Int64 = 0
    /// sluice.retention=until-consumed: segments go below the consumed floor, and not otherwise.
    public var isUntilConsumed = false

    public init() {}

    /// Bytes of the largest batch that is taken.
    var batchBytes: Int { min(maxMessageBytes, Limits.batchBytes) }
}

/// What the engine does not ask of a topic but of the machine. The simulator draws tiny ones.
public struct VolumeConfiguration: Sendable {
    /// Bytes of a journal file, where the disk's budget is not small.
    public var journalBytes = 8 << 20
    /// A partition with at least so many bytes to commit has its segment synced instead of journalled:
    /// written once.
    public var directBytes = 256 << 10
    /// W: bytes that may be written beyond what is known to be synced.
    public var windowBytes: Int64 = 16 << 20
    /// sluice flush.ms: how long a `written` topic stays dirty.
    public var flushNanoseconds: Int64 = 1_000_000_000
    /// The least time between two manifest records that only move recovery points.
    public var recoveryPointNanoseconds: Int64 = 50_000_000
    /// Segment files that may be open for writing at once.
    public var openFiles = 256
    /// The manifest begins a new file when it has grown to this.
    public var manifestBytes: Int64 = 4 << 20
    /// Bytes taken into one write to a segment.
    public var writeBytes = 1 << 20
    /// How far ahead of the end offsets are promised on a `written` topic.
    public var ceilingStep: Int64 = 65_536
    /// Memory of one compaction: its map of keys has seven eighths of it. One runs at a time.
    public var compactionMemoryBytes = 32 << 20
    /// Bytes that compaction reads and writes in a second; 0: as many as it can.
    public var compactionBytesPerSecond: Int64 = 50 << 20
    /// H: what the store's files may take of the disk together. Appends are refused before it is reached.
    public var diskBytes = Int64.max
    /// The least of it that appends leave to commits, acknowledgements and the manifest.
    public var exemptBytes: Int64 = 1 << 20
    /// The most that the reserve file has: what is given up when the file system is full.
    public var reserveBytes: Int64 = 16 << 20
    /// The least that must be gained by rolling a segment before its time, when room is needed.
    public var rollBytes: Int64 = 1 << 20
    /// Bytes that one job of a compaction reads and writes, before the thread looks for other work.
    public var compactionSliceBytes = 1 << 20
    /// How often sealed segments are read again; 0: never.
    public var scrubMilliseconds: Int64 = 7 * 86_400_000
    /// Bytes that this reads in a second.
    public var scrubBytesPerSecond: Int64 = 5_000_000
    /// Bytes that one job of it reads.
    public var scrubSliceBytes: Int64 = 1 << 20
    /// How long an idempotent producer that appends nothing is remembered, ms. Kafka:
    /// producer.id.expiration.ms.
    public var producerExpirationMilliseconds: Int64 = 86_400_000

    public init() {}
}

extension VolumeConfiguration {
    /// Bytes of the reserve file: a 64th of the budget, a block at least; none without a budget.
    var reserveFileBytes: Int64 {
        guard diskBytes < .max else { return 0 }
        let block = DiskLedger.blockBytes
        return min(reserveBytes, max(diskBytes / 64, block)) / block * block
    }

    /// Bytes of a journal file: a sixteenth of the budget at most, but room for the largest atomic write.
    var journalFileBytes: Int {
        let share = max(Int64(2 * Limits.atomicBytes), diskBytes / 16 / 4096 * 4096)
        return min(journalBytes, Int(clamping: share))
    }

    /// Journal files that there may be: an eighth of the budget, but two.
    var journalFiles: Int {
        max(2, min(Journal.maxFiles, Int(clamping: diskBytes / 8 / Int64(max(1, journalFileBytes)))))
    }

    /// The size at which the manifest begins a new file: small beside the budget, since both files must find
    /// room in what appends leave (DiskLedger).
    var manifestLimit: Int64 {
        min(manifestBytes, max(exemptBytes, min(16 << 20, diskBytes / 16)) / 8)
    }
}
