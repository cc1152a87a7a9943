// The manifest as it is written: what waits to be recorded, and what happens once it is.
//
// (1) One frame is out at a time; what arrives meanwhile shares the next. (2) A change counts, in memory too,
// when its frame is synced. (3) Recovery points wait for company: a little later costs nothing but a longer
// recovery.

/// What a record brings about when it is durable.
enum ManifestEffect: Sendable {
    case nothing
    case rolled(Int, SealedSegment, FileID?)
    case logStart(Int, request: UInt64?)
    /// The log start moves for want of room.
    case dropped(Int)
    case topicCreated(TopicRecord, LogSettings, request: UInt64)
    case topicConfigured(UniqueID, LogSettings, request: UInt64)
    case partitionsAdded(UniqueID, request: UInt64)
    case topicDeleted(UniqueID, request: UInt64)
    case topicForgotten(TopicRecord, request: UInt64?)
    /// The flag: the pass is over.
    case swapped(Int, SegmentSwap, isLast: Bool)
    case producerIDs(below: Int64, request: UInt64)
    case userChanged(request: UInt64)
    case closed

    /// Who asked; they are told when it fails.
    var request: UInt64? {
        switch self {
        case .logStart(_, let request), .topicForgotten(_, let request): request
        case .producerIDs(_, let request): request
        case .topicCreated(_, _, let request), .topicConfigured(_, _, let request),
            .partitionsAdded(_, let request), .topicDeleted(_, let request), .userChanged(let request):
            request
        case .nothing, .rolled, .dropped, .swapped, .closed: nil
        }
    }
}

package struct ManifestLog: Sendable {
    struct Entry: Sendable {
        var record: ManifestRecord
        var effect: ManifestEffect
    }

    package var state: ManifestState
    var number: Int
    package var file: FileID
    var position: Int64
    var nextSequence: UInt64
    var queue: [Entry] = []
    var out: [Entry] = []
    /// Each with what has changed of the partition's idempotent producers up to there.
    var pointsOut: [(number: Int, point: RecoveryPoint, producers: ProducerStates?)] = []
    /// Partitions whose synced end is ahead of what is on record.
    var pendingPoints: Set<Int> = []
    /// Someone waits for them.
    var pointsAreUrgent = false
    var lastPointAt: Int64 = 0
    var isOut = false
    /// A job whose sync had no room; it counts as out.
    var again: Again<ManifestJob>?
    /// After a failure that may pass, such as a full disk: not before, monotonic ns.
    var retryAt: Int64?
    /// A new file is begun above this size.
    var replaceAbove: Int64
    /// What the file takes of the disk, with what a failed write may have added.
    var allocated: Int64
    /// What a file that could not be begun may have left.
    var spare: Int64 = 0
    /// What a `meta.properties` that could not be written may have left.
    var metaSpare: Int64 = 0

    package init(
        state: ManifestState, number: Int, file: FileID, position: Int64, nextSequence: UInt64,
        replaceAbove: Int64
    ) {
        self.state = state
        self.number = number
        self.file = file
        self.position = position
        self.nextSequence = nextSequence
        self.replaceAbove = max(replaceAbove, 2 * position)
        allocated = DiskLedger.blocks(position)
    }

    /// What is not on record yet, in its order.
    var pending: [Entry] { out + queue }

    mutating func add(_ record: ManifestRecord, _ effect: ManifestEffect = .nothing) {
        queue.append(Entry(record: record, effect: effect))
    }

    /// Whether there is something to record now.
    func isDue(_ configuration: VolumeConfiguration, now: Int64) -> Bool {
        guard !isOut, now >= retryAt ?? .min else { return false }
        if !queue.isEmpty { return true }
        guard !pendingPoints.isEmpty else { return false }
        return pointsAreUrgent || now >= lastPointAt + configuration.recoveryPointNanoseconds
    }

    /// When that will be, without anything happening; nil: not by itself.
    func deadline(_ configuration: VolumeConfiguration) -> Int64? {
        guard !isOut else { return nil }
        if !queue.isEmpty || (!pendingPoints.isEmpty && pointsAreUrgent) { return retryAt ?? 0 }
        guard !pendingPoints.isEmpty else { return nil }
        return max(retryAt ?? 0, lastPointAt + configuration.recoveryPointNanoseconds)
    }
}
