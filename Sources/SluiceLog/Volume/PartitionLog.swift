// The state of one partition: one struct, its verbs in the files Volume+*.swift.
//
//   | sealed … sealed |  active: synced | journalled | written | being written | queued
//   ^ log start                         ^ recovery   ^ durable  ^ end
//
// (1) logStart <= durable.offset <= active.endOffset. (2) `queue` has no offsets; they are given when a write
// job is taken, and taken back by nobody: a failed write gives none. (3) `uncommitted` is what is in the
// segment and waits for a commit, in order. (4) While `isRolling`, `isRemoving` or `held`, no write job is
// taken.

/// Where a submitted batch comes from, so that its sender can be told.
public struct BatchOrigin: Hashable, Sendable {
    /// A number that the shell gave to the sender.
    public var producer: UInt32
    /// The sender's own number for the batch.
    public var number: UInt64
    public init(producer: UInt32, number: UInt64) {
        self.producer = producer
        self.number = number
    }
}

/// What an acknowledgement waits for. Kafka: acks.
public enum Acks: Int, Comparable, Sendable {
    /// Kafka: acks=0. The answer comes as for `written`; nobody need wait for it.
    case none
    /// Kafka: acks=1. The bytes are in the segment: they survive the process.
    case written
    /// Kafka: acks=all. The bytes are on the medium: they survive a loss of power.
    case durable
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A sealed batch that wants to be appended.
public struct PreparedBatch: Sendable {
    /// One whole batch; its base offset and epoch will be overwritten.
    public var bytes: ByteSlice
    public var recordCount: Int
    public var maxTimestamp: Int64
    public var origin: BatchOrigin
    /// Bytes that its sender has reserved for it; `submit` takes them over, whatever comes of it.
    public var reservedBytes = 0
    /// How many of its sender's batches had been refused in this partition, as far as the sender knew when it
    /// began this one. One that was begun in ignorance is refused as well: the order is kept. nil: that does
    /// not concern it.
    public var refusalsSeen: UInt32?
    /// What a full store must take, so that it can be drained: commits, acknowledgements, dead letters.
    public var isExempt = false
    /// Whether it has a producer id, by which it is appended once: `Volume+Producers.swift`.
    public var isIdempotent = false
    public init(bytes: ByteSlice, recordCount: Int, maxTimestamp: Int64, origin: BatchOrigin) {
        self.bytes = bytes
        self.recordCount = recordCount
        self.maxTimestamp = maxTimestamp
        self.origin = origin
    }
}

/// A place in a log: the offset, and where its segment has it.
struct LogPlace: Hashable, Sendable {
    var offset: Int64
    var position: Int64
}

/// A stretch of the active segment that is damaged although it was acknowledged.
package struct DamagedRange: Hashable, Sendable {
    package var file: String
    package var position: Int64
    /// The first position behind it that is whole again.
    package var endPosition: Int64
    /// The first offset behind it.
    package var endOffset: Int64
    package var reason: String
    /// Offsets that were promised may be lost: when its records are given up, the next opening steps over
    /// them, and no append is taken before.
    package var endsWithOpening = false
}

/// Somebody who waits for a compaction.
struct CompactRequest {
    var id: UInt64
    /// Answered when the partition is clean up to there; nil until a pass is planned for it.
    var target: Int64?
}

struct PartitionLog {
    enum Condition {
        case online
        /// Reads outside the range work; appends do not.
        case damaged(DamagedRange)
        /// A sync or a cut failed: nothing is written until the store is opened again.
        case stopped(IOError)
        /// A segment is missing or short.
        case offline(String)
    }

    enum Queued {
        case batch(PreparedBatch, Acks)
        /// This partition's part of an atomic write; the batch is in the group.
        case group(Int)
    }

    struct Refusals {
        var count: UInt32
        var error: LogError
    }

    let key: PartitionKey
    let topic: String
    let directory: String
    var settings: LogSettings
    /// Settings by which the topic is durable no more: in force once nothing waits for a commit.
    var nextSettings: LogSettings?
    var condition = Condition.online
    var epoch: Int32
    var logStart: Int64
    var sealed: [SealedSegment] { didSet { sealedBytes = Self.sums(of: sealed) } }
    /// For each sealed segment the bytes up to its end.
    private(set) var sealedBytes: [Int64] = []
    var active: ActiveSegment
    /// The end of what would survive a loss of power.
    var durable: LogPlace
    /// The end of what a recovery would know to be durable: of the last journal frame, or `recorded`. Behind
    /// it a direct sync may have made more durable.
    var proven: Int64
    /// What a finished sync covers, and what of it the manifest has on record.
    var synced: RecoveryPoint
    var recorded: RecoveryPoint

    var queue = RingQueue<Queued>()
    /// By sender: how many of its batches were refused, and why the last one was.
    var refusals: [UInt32: Refusals] = [:]
    var uncommitted = RingQueue<PlacedBatch>()
    var uncommittedBytes = 0
    /// The part of an atomic write that is in the journal, not yet in the segment.
    var journalled: PlacedBatch?
    /// Its segment could not be written; it is tried again in a while.
    var isPutOff = false

    var file: FileID?
    var isNameDirty = true
    /// What the first write makes beside the segment: the directory, and a small file that tells whose it is.
    var directoryBytes = 2 * DiskLedger.blockBytes
    /// nil until a batch with a producer id is appended.
    var producers: PartitionProducers?
    /// Bytes that were appended since the opening.
    var appendedBytes: Int64 = 0
    var isReady = false
    var isWriting = false
    var isCommitting = false
    var isSyncing = false
    /// Its file was taken for want of descriptors, and the job that closes it is out: until then what is
    /// removed is not gone.
    var isClosing = false
    /// Its last sync had no room: it is written by nobody before it has been healed.
    var heal: Heal?
    var isRolling = false
    var isRollQueued = false
    /// At the head of the queue waits an atomic write; or its commit is under way.
    var heldBy: Int?
    var isCommitQueued = false
    var isSyncQueued = false
    var isLeaving = false
    /// When the oldest un-synced byte of a `written` topic was written; monotonic ns.
    var dirtySince: Int64?

    /// How far it is compacted.
    var cleaning: CleaningPoint
    /// Base offsets of compacted segments whose files have not got their names yet.
    var unrenamed: Set<Int64> = []
    /// A job that gives them their names is queued or out.
    var isRenaming = false
    var isCompactQueued = false
    /// A slice of a compaction is out.
    var isCompacting = false
    /// Passes follow each other until it is clean up to there.
    var compactTarget: Int64?
    var compactRequests: [CompactRequest] = []
    /// Base offsets of sealed segments that need no reading before the next pass of the scrub: read since the
    /// opening, or written.
    var checked: Set<Int64> = []
    /// Until-consumed retention: what lies below has been consumed by all who count; nil: not known.
    var consumedFloor: Int64?
    /// The greatest log start that retention has asked for; on record soon.
    var askedStart: Int64 = 0
    /// What ends at or below that is dropped as soon as it is sealed.
    var dropsThrough: Int64 = 0

    init(
        key: PartitionKey, topic: String, directory: String, settings: LogSettings,
        manifest: PartitionManifest,
        active: ActiveSegment
    ) {
        self.key = key
        self.topic = topic
        self.directory = directory
        self.settings = settings
        epoch = manifest.epoch
        logStart = manifest.logStart
        sealed = manifest.sealed
        sealedBytes = Self.sums(of: manifest.sealed)
        cleaning = manifest.cleaning
        self.active = active
        durable = LogPlace(offset: active.endOffset, position: active.size)
        proven = active.size
        synced = active.point(ceiling: manifest.recovery.ceiling)
        recorded = manifest.recovery
    }

    private static func sums(of segments: [SealedSegment]) -> [Int64] {
        var sum: Int64 = 0
        return segments.map { segment in
            sum += segment.size
            return sum
        }
    }

    var paths: SegmentPaths { SegmentPaths(directory: directory, baseOffset: active.baseOffset) }

    var segmentFile: SegmentFile {
        SegmentFile(paths: paths, directory: directory, id: file, isNameDirty: isNameDirty, topic: key.topic)
    }

    /// The high watermark: what readers see ends here.
    var visible: LogPlace {
        settings.isDurable && !PlantedBug.showBeforeDurable.isPlanted
            ? durable : LogPlace(offset: active.endOffset, position: active.size)
    }

    /// Whether the deletion of its topic is being recorded: its files are about to be closed.
    func isGoing(_ recorded: Set<UniqueID>) -> Bool { isLeaving && recorded.contains(key.topic) }

    var isStopped: Bool { if case .stopped = condition { true } else { false } }

    /// A roll that has no job yet will not happen.
    mutating func giveUpRoll() {
        if !isRollQueued { isRolling = false }
    }

    /// Whether any job that names its files is out.
    var isBusy: Bool { isClosing || isWriting || isCommitting || isSyncing || isRolling }

    /// Whether all that was written is known to be on the medium in the segment itself.
    var isClean: Bool { active.size == 0 || (synced.position == active.size && !isNameDirty) }

    /// Why nothing can be appended; nil when it can.
    var refusal: LogError? {
        switch condition {
        case .online: isLeaving ? .unknownTopic(topic) : nil
        case .damaged(let range): .corrupt(file: range.file, position: range.position, reason: range.reason)
        case .stopped(let error): .stopped(error)
        case .offline(let reason): .offline(reason: reason)
        }
    }
}
