// What one pass of a compaction is to do, and what its slices answer.

/// One pass over one partition. It does not change while the pass runs.
struct CompactionPlan: Sendable {
    /// A segment with the files that it has now.
    struct Source: Sendable {
        var sealed: SealedSegment
        var paths: SegmentPaths
    }

    /// All that may be cleaned, oldest first, one behind the other.
    var sources: [Source]
    var directory: String
    var logStart: Int64
    /// How far it was cleaned before.
    var point: CleaningPoint
    /// Wall clock, ms: what delete horizons are counted from and held against.
    var now: Int64
    var settings: LogSettings
    /// Bytes of memory.
    var memory: Int
    /// What the hashes of keys are keyed with.
    var hash: SipHash

    /// The offset at which the dirty stretch begins.
    var firstDirty: Int64 { max(point.firstDirty, sources.first?.sealed.baseOffset ?? 0) }
    /// The offset behind the last segment.
    var end: Int64 { sources.last?.sealed.endOffset ?? 0 }
    /// The largest log that one group of segments may become. A batch that is compressed again may grow.
    var outputBytes: Int64 {
        let sizes = sources.map(\.sealed.size)
        let group = min(sizes.reduce(0, +), max(settings.segmentBytes, sizes.max() ?? 0))
        return group + group / 2 + 4096
    }
    /// What one group's output may take of the disk, with its indexes: an entry of each for every batch.
    var outputClaim: Int64 {
        let batches = min(
            sources.reduce(0) { $0 + $1.sealed.batches }, outputBytes / Int64(BatchLayout.headerBytes))
        return DiskLedger.blocks(outputBytes) + DiskLedger.blocks(batches * Int64(IndexEntry.bytes))
            + DiskLedger.blocks(batches * Int64(TimeIndexEntry.bytes))
    }
    /// Whether nothing that a tombstone deletes can be in a stretch that was passed over.
    var mayDropTombstones: Bool { point.damagedEnd <= logStart }
}

/// A stretch of a sealed segment that could not be read: the segment stays as it is.
struct CompactionDamage: Sendable {
    var segment: Int64
    var file: String
    var damage: SegmentDamage
    /// False: reading failed; another time it may not.
    var isLasting: Bool
}

/// What came of a slice.
enum CompactionStep: Sendable {
    /// There is more to do.
    case more
    /// Compacted segments are written, synced and checked: to be recorded, and then to take their places.
    case swap(SegmentSwap, [SegmentPaths])
    /// The pass is over; the partition is clean up to there.
    case finished(CleaningPoint)
    /// The output could not be written, or is not what it should be.
    case failed(IOError)
}

/// A slice of a pass.
public struct CompactJob: Sendable {
    var partition: Int
    var compaction: Compaction
    /// How much is read and written, about.
    var bytes: Int
}

/// What came of it.
public struct CompactResult: Sendable {
    /// Bytes that were read and written.
    var bytes: Int
    var step: CompactionStep
    /// With a swap: what the new segment takes of the disk.
    var outputBytes: Int64 = 0
    /// What could not be removed of an output that was given up.
    var leftBytes: Int64 = 0
    var damage: [CompactionDamage]
}

/// A pass under way: handed from job to job.
///
/// A class, since its map is not to be copied. `@unchecked Sendable`: the volume gives it to one job at a
/// time, and touches it only between two.
final class Compaction: @unchecked Sendable {
    let plan: CompactionPlan
    private var cleaner: Cleaner

    init(_ plan: CompactionPlan) {
        self.plan = plan
        cleaner = Cleaner(plan)
    }

    /// Goes on for about so many bytes.
    func run(_ files: any FileSystem, bytes: Int) -> CompactResult { cleaner.run(files, bytes: bytes) }

    /// Files that were being written, to be closed and removed when the pass is given up.
    func takeOutput() -> (open: FileID?, paths: SegmentPaths?) { cleaner.takeOutput() }

    /// Segments that the pass is changing now.
    var sourcesInHand: [SealedSegment] { cleaner.sourcesInHand }
}
