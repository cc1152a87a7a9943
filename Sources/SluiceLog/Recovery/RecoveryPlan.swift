// What recovery found and would do. Made by RecoveryPlanner without changing anything, carried out by
// RecoveryExecutor.
//
// D: the end of the last whole journal frame, or the recovery point. R: the recovery point, up to which the
// segment is synced. W: how far beyond that anything may have been written, the window, or one batch that is
// larger, and a step over promised offsets. P: the first invalid position.
//
//   finding                                                         answer
//   P >= D, nothing valid after it                                  torn: to quarantine, cut, report
//   P >= D, valid batches after it, all within W, another boot      hole: the same
//   journal and segment differ                                      the segment is written from the journal
//   P < D; or valid data after P in the same boot, or beyond W      corrupt: no cut, appends are refused
//   a segment of the manifest is missing or short                   off line: nothing is touched
//   the tail cannot be read                                         the same; another time it may be
//   an unclean start                                                bytes from R on are written anew, synced
//   another boot, or a cut: promised offsets are missing            stepped over
//
// After a failed sync the system may drop what it has not written, and show what the medium has. The volume
// has the manifest forget the boot then, so that the next opening believes the medium alone. Where that could
// not be recorded, a torn batch may be one that was whole and seen: it counts as the same.
//
// Corrupt stays corrupt: the manifest keeps how far nothing is a torn write (`damaged`), and journal files
// that hold something of a partition that is not sound are neither used again nor passed by the floor.

/// Something that opening or verifying a store came upon.
public enum RecoveryFinding: Sendable, Hashable {
    /// The last write had not ended, or was lost with the power or by a failed sync: the bytes are not a
    /// batch, and were not acknowledged as durable.
    case torn(file: String, position: Int64, bytes: Int64)
    /// Un-synced writes before others were lost with the power; none of them was acknowledged as durable.
    case hole(file: String, position: Int64, bytes: Int64)
    /// The segment lacked what the journal has.
    case restored(file: String, position: Int64, bytes: Int64)
    /// Acknowledged bytes are damaged: appends to the partition are refused.
    case corrupt(file: String, position: Int64, reason: String)
    /// A segment is missing or short: the partition cannot be read.
    case offline(topic: String, partition: Int, reason: String)
    /// A segment that passed its time is not what was sealed.
    case sealBroken(file: String, reason: String)
    /// Offsets that may have been given out, and whose records are lost, are stepped over.
    case offsetsSkipped(topic: String, partition: Int, from: Int64, to: Int64)
    /// Frames at the end of the manifest that were being written.
    case tornManifest(bytes: Int)
    /// The journal's last frame is not whole: the write had not ended, and nobody was told that it had.
    case tornJournal(file: String, position: Int)
    /// A file that is not Sluice's, or that nothing refers to: left alone.
    case unreferenced(path: String)
    /// An index did not fit its segment and was made anew.
    case indexRebuilt(file: String)

    /// Whether data that was acknowledged is lost or cannot be read.
    public var isDamage: Bool {
        switch self {
        case .corrupt, .offline, .sealBroken: true
        case .torn, .hole, .restored, .offsetsSkipped, .tornManifest, .tornJournal, .unreferenced,
            .indexRebuilt:
            false
        }
    }
}

extension RecoveryFinding {
    /// Its case, in words.
    package var kind: String {
        switch self {
        case .torn: "torn tail"
        case .hole: "hole"
        case .restored: "restored"
        case .corrupt: "corrupt"
        case .offline: "off line"
        case .sealBroken: "seal broken"
        case .offsetsSkipped: "offsets skipped"
        case .tornManifest: "torn manifest"
        case .tornJournal: "torn journal"
        case .unreferenced: "unreferenced"
        case .indexRebuilt: "index rebuilt"
        }
    }
}

extension RecoveryFinding: CustomStringConvertible {
    /// What was found, where, and what follows.
    public var description: String {
        switch self {
        case .torn(let file, let position, let bytes):
            "torn tail: \(bytes) bytes at \(position) of \(file) are not a whole batch; none of "
                + "them was acknowledged as durable, and they go to the quarantine"
        case .hole(let file, let position, let bytes):
            "hole: writes at \(position) of \(file) were lost with the power; the \(bytes) bytes from there on, "
                + "none of them acknowledged as durable, go to the quarantine"
        case .restored(let file, let position, let bytes):
            "restored: \(bytes) bytes at \(position) of \(file) came from the journal"
        case .corrupt(let file, let position, let reason):
            "CORRUPT: \(file) is damaged at byte \(position): \(reason); the partition takes no appends until "
                + "records up to there are deleted"
        case .offline(let topic, let partition, let reason): "OFF LINE: \(topic)-\(partition): \(reason)"
        case .sealBroken(let file, let reason): "CORRUPT: \(file) is not what was sealed: \(reason)"
        case .offsetsSkipped(let topic, let partition, let from, let to):
            "\(topic)-\(partition): offsets \(from) to \(to - 1) are skipped; they may have been given out, "
                + "and their records lost"
        case .tornManifest(let bytes):
            "the manifest ends in \(bytes) bytes of a write that was never acknowledged"
        case .tornJournal(let file, let position):
            "the frame at \(position) of \(file) is not whole; it was never acknowledged"
        case .unreferenced(let path): "\(path) belongs to nothing and is left alone"
        case .indexRebuilt(let file): "\(file) was rebuilt from its segment"
        }
    }
}

/// What opening or verifying a store found.
public struct RecoveryReport: Sendable {
    /// Whether the store had been closed properly.
    public var wasClosed: Bool
    public var findings: [RecoveryFinding]
    /// Bytes that were read to find out.
    public var bytesRead: Int64
    public var topics: Int
    public var partitions: Int
    public var segments: Int

    /// Whether acknowledged data is lost or unreadable.
    public var isDamaged: Bool { findings.contains(where: \.isDamage) }
}

/// What is to be done with one partition.
struct PartitionPlan {
    var key: PartitionKey
    var topic: String
    var directory: String
    var settings: LogSettings
    var manifest: PartitionManifest
    /// The active segment as it will be, index entries behind the recovery point included.
    var active: ActiveSegment
    /// Its idempotent producers, as of its end.
    var producers: ProducerStates
    /// Batches that the journal has and the segment lacks.
    var rewrites: [(position: Int64, bytes: ByteSlice)] = []
    /// From here on the file goes to the quarantine.
    var cut: (position: Int64, bytes: Int64)?
    /// Offsets to be stepped over by a control batch.
    var skipTo: Int64?
    var condition = PartitionLog.Condition.online
    /// What a first write would have to make: `PartitionLog.directoryBytes`.
    var directoryBytes = 2 * DiskLedger.blockBytes
    /// Bytes of the segment's file as it is.
    var fileSize: Int64
    /// Files of segments that the manifest has let go, and of compactions that were not recorded.
    var leftovers: [String] = []
    /// Compacted segments that are in force and whose files have not got their names yet.
    var unrenamed: Set<Int64> = []
    var findings: [RecoveryFinding] = []

    var paths: SegmentPaths { SegmentPaths(directory: directory, baseOffset: active.baseOffset) }

    /// The files that a sealed segment has now.
    func paths(of sealed: SealedSegment) -> SegmentPaths {
        guard unrenamed.contains(sealed.baseOffset) else {
            return SegmentPaths(directory: directory, baseOffset: sealed.baseOffset)
        }
        return SegmentPaths(
            directory: directory, baseOffset: sealed.baseOffset, generation: sealed.generation)
    }

    /// Whether it is left as it is: what the journal has of it must stay there.
    var isUnsound: Bool { if case .online = condition { false } else { true } }

    /// Whether the log was changed, so that a reader may have seen another one.
    var changesLog: Bool { !rewrites.isEmpty || cut != nil || skipTo != nil }
}

/// All of it.
struct RecoveryPlan {
    var loaded: LoadedManifest
    var partitions: [PartitionPlan] = []
    var findings: [RecoveryFinding] = []
    /// Topics whose deletion is to be finished.
    var leaving: [TopicRecord] = []
    var lastJournalSequence: UInt64 = 0
    /// For each file of the journal the partitions of which it has something that counts.
    var journalled: [String: Set<PartitionKey>] = [:]
    var isUnclean: Bool
    var isSameBoot: Bool
    /// Partitions of which the journal has records in a segment that the manifest does not know.
    var unknownSegments: [PartitionKey: Int64] = [:]
    var bytesRead: Int64 = 0

    var report: RecoveryReport {
        RecoveryReport(
            wasClosed: !isUnclean, findings: findings + partitions.flatMap(\.findings), bytesRead: bytesRead,
            topics: loaded.state.topics.count, partitions: partitions.count,
            segments: partitions.reduce(0) { $0 + $1.manifest.sealed.count + ($1.active.size > 0 ? 1 : 0) })
    }
}
