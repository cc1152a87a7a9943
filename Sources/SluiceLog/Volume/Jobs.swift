// What the volume asks its caller to do, and what it is told of the outcome. JobRunner.swift does the work.
//
// (1) A job holds all it needs: it runs without the volume and without its lock. (2) At most one write job
// per partition, one commit, one manifest job and one job of each slow kind are out at once. (3) While one is
// out, the files that it names stay open: only the volume closes them, through a later job.

/// Which kind of thread takes a job.
public enum JobLane: Sendable {
    /// Writes and commits: someone waits for them.
    case append
    /// Manifest, syncs behind the journal, rolls, removals.
    case background
}

/// A batch on its way into a segment.
struct PlacedBatch: Sendable {
    var bytes: ByteSlice
    var origin: BatchOrigin
    var acks: Acks
    var baseOffset: Int64
    var nextOffset: Int64
    var position: Int64
    var maxTimestamp: Int64
    var leaderEpoch: Int32
    /// Set when the log gives the records their time; ms.
    var appendTime: Int64?
    /// Whether it has a producer id, and is to be remembered.
    var isIdempotent = false
}

/// A segment file: open already, or to be opened.
struct SegmentFile: Sendable {
    var paths: SegmentPaths
    var directory: String
    var id: FileID?
    /// Whether the file's name may not be on the medium yet: the directories must be synced with it.
    var isNameDirty: Bool
    /// What `partition.metadata` says, for a partition without a directory.
    var topic: UniqueID
}

public struct WriteJob: Sendable {
    var partition: Int
    var file: SegmentFile
    var position: Int64
    var batches: [PlacedBatch]
    var crc: UInt32
    var tail: IndexTail?
    /// A file to be closed first, to stay within the budget of descriptors.
    var evicted: (file: FileID, partition: Int)?
    /// The batches are in the journal already: part of an atomic write.
    var group: Int?
    /// What files may take more of the disk; so in other jobs.
    var claim: Int64
}

public struct CommitJob: Sendable {
    /// Segments that are synced before the frame is written: large writes, and what lies before an atomic
    /// write.
    var direct: [SyncTarget]
    /// The frame: header and entry table, then the bytes of the batches; nil when all of it was synced
    /// directly.
    var frame: JournalFrame?
    var journal: FileID?
    var members: [CommittedPart]
    var groups: [Int]
    /// The batches of those groups, which get their offsets here: they go to the journal first.
    var placed: [PlacedPart]
    /// Its sync had no room, and it is carried out once more.
    var isRepeated = false
}

/// A part of an atomic write with its place.
struct PlacedPart: Sendable {
    var partition: Int
    var group: Int
    var batch: PlacedBatch
}

/// A journal frame that is ready to be written.
struct JournalFrame: Sendable {
    var slot: Int
    var position: Int64
    var sequence: UInt64
    var table: [UInt8]
    var slices: [ByteSlice]
    /// Bytes in the file, padding included.
    var bytes: Int
}

/// What a commit makes durable of one partition.
struct CommittedPart: Sendable {
    var partition: Int
    var count: Int
    var endOffset: Int64
    var position: Int64
    var isDirect: Bool
}

/// A segment to be synced, and what will then be its recovery point.
struct SyncTarget: Sendable {
    var partition: Int
    var file: SegmentFile
    var point: RecoveryPoint
    /// Set after a sync that failed: what lies behind that point is written once more first.
    var rewrittenFrom: RecoveryPoint?
}

public struct SyncJob: Sendable {
    var targets: [SyncTarget]
}

public struct RollJob: Sendable {
    var partition: Int
    var file: SegmentFile
    var tail: IndexTail
    var sealed: SealedSegment
    var claim: Int64
}

public struct ManifestJob: Sendable {
    var records: [ManifestRecord]
    var frame: [UInt8]
    var sequence: UInt64
    var file: FileID
    var position: Int64
    /// The number of a new file that begins with the whole state instead.
    var replacement: Int?
    var paths: StorePaths
    var storeID: UniqueID
    var claim: Int64
    /// A sync of it has failed: whatever comes of it now, it may be on the medium.
    var isRepeated = false
    /// `meta.properties` anew, to be on the medium before the frame, and what it may take.
    var meta: [UInt8]?
    var metaClaim: Int64 = 0
}

public struct RemoveJob: Sendable {
    enum Target: Sendable {
        case segments([SegmentPaths])
        case topic(TopicRecord)
        /// At the close: index entries that are still in memory.
        case tails([(SegmentPaths, IndexTail)])
        /// Compacted segments take the names of those that they replace.
        case swapped(RenameJob)
    }
    var target: Target
    var paths: StorePaths
    /// Closed first.
    var close: [FileID] = []
    /// Of a compaction that is given up: goes with its files. Of index entries: what they take.
    var claim: Int64 = 0
}

struct RenameJob: Sendable {
    var partition: Int
    var renames: [(base: Int64, from: SegmentPaths, to: SegmentPaths)]
    var removed: [SegmentPaths]
}

public struct JournalJob: Sendable {
    var paths: StorePaths
    var number: Int
    var bytes: Int
    var claim: Int64
}

/// Asks all files what they take.
public struct MeasureJob: Sendable {
    var paths: StorePaths
    var mark: DiskLedger.Mark
}

/// One piece of work for a thread that may wait for the disk.
public enum IOJob: Sendable {
    case write(WriteJob)
    case commit(CommitJob)
    case manifest(ManifestJob)
    case sync(SyncJob)
    case roll(RollJob)
    case remove(RemoveJob)
    /// Makes a journal file, full of zeros.
    case journal(JournalJob)
    /// A slice of a compaction.
    case compact(CompactJob)
    /// Looks what the files take of the disk.
    case measure(MeasureJob)
    /// Reads a slice of a sealed segment again.
    case scrub(ScrubJob)
    /// Makes the reserve file.
    case reserve(ReserveJob)

    /// Whether it is carried out once more, since a sync had no room.
    var isRepeated: Bool {
        switch self {
        case .commit(let job): job.isRepeated
        case .manifest(let job): job.isRepeated
        case .sync(let job): job.targets.contains { $0.rewrittenFrom != nil }
        default: false
        }
    }

    /// A write of batches from the queue, which makes no room anywhere.
    var isPlainWrite: Bool { if case .write(let job) = self { job.group == nil } else { false } }
}

/// What came of a job. Of the same case as the job.
public enum IOResult: Sendable {
    case write(WriteResult)
    case commit(CommitResult)
    case manifest(ManifestResult)
    case sync([SyncResult])
    case roll(RollResult)
    case remove(RemoveResult)
    case journal(JournalResult)
    case compact(CompactResult)
    case measure(Result<Int64, IOError>)
    case scrub(ScrubResult)
    case reserve(ReserveResult)
}

public struct WriteResult: Sendable {
    /// Whole batches that are in the file.
    var written: Int
    var crc: UInt32
    var file: FileID?
    var error: IOError?
    /// The file could not be cut back to a whole batch: what is behind is not known.
    var isDirty = false
}

public struct CommitResult: Sendable {
    var direct: [SyncResult]
    /// nil when there was no frame, or it is on the medium.
    var error: IOError?
}

public struct RollResult: Sendable {
    /// The segment's file, when it was open or could be opened.
    var file: FileID?
    var error: IOError?
    /// Bytes and CRC-32C of the finished time index.
    var timeIndexSize: Int64 = 0
    var timeIndexCRC: UInt32 = 0
}

public struct SyncResult: Sendable {
    var partition: Int
    var file: FileID?
    var error: IOError?
}

public struct ManifestResult: Sendable {
    var place: Result<ManifestPlace, IOError>
    /// The reserve file was given up: so much is free.
    var freed: Int64 = 0
    /// Whether `meta.properties` could not be written: of the frame nothing was.
    var isMetaMissing = false
}

public struct ManifestPlace: Sendable {
    var file: FileID
    var position: Int64
    /// Whether the file that was replaced is gone.
    var isOldGone = false
}

public struct RemoveResult: Sendable {
    var error: IOError?
    /// What went, in bytes of blocks.
    var freed: Int64 = 0
}

public struct JournalResult: Sendable {
    var file: Result<FileID, IOError>
    /// What a file that could not be finished takes, when it could not be removed either.
    var left: Int64 = 0
}
