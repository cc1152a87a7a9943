// One store's append path: every partition, the journal and the manifest, as one state machine.
//
//      submit ─► queue ─► write job ─► uncommitted ─► commit job ─► durable     (a durable topic)
//                             └──────► written                                  (a `written` one)
//      atomic write ─► held at the head of its queues ─► commit job ─► write jobs ─► acknowledged
//
// Owned by one lock, or by the simulator. It does no I/O: `nextJob` says what is to be done, anyone does it
// outside the lock (JobRunner), `finished` tells the outcome. Nothing here waits, and nothing here reads a
// clock.
//
// (1) Offsets are given when a job is taken, in the order of submission, and never twice. (2) A record is
// acknowledged after the job that makes it as safe as was asked. (3) A failed write loses nothing that was
// acknowledged: its segment is cut back to whole batches. (4) After a failed sync nothing counts as on the
// medium before it has been written again and synced. Where there was no room, that is done when there is
// some; else the file is not written again, and what waited for it is indeterminate. (5) After
// `takeCompletions` every request has been answered or has a job that will answer it.
//
// The verbs: +Submit, +Write, +Commit, +Atomic, +Sync, +Roll, +Manifest, +Topics, +Retention, +Relief,
// +Compact, +Scrub, +Disk, +Heal, +Read, +Close, +Producers.

/// What became of submitted work, since the last time it was asked.
public struct Completions: Sendable {
    /// One for each batch and each atomic write.
    public var appends: [AppendCompletion] = []
    /// One for each request to the catalogue.
    public var requests: [(id: UInt64, result: Result<Int64, LogError>)] = []
    /// Partitions whose visible end has moved.
    public var advanced: [Int] = []
    public var events: [VolumeEvent] = []
    /// Set once, when the store has been closed; a failure says what kept that from being recorded.
    public var closed: Result<Void, LogError>?

    public init() {}
    public var isEmpty: Bool {
        appends.isEmpty && requests.isEmpty && advanced.isEmpty && events.isEmpty && closed == nil
    }
}

/// The answer to one submitted batch.
public struct AppendCompletion: Sendable {
    public var origin: BatchOrigin
    /// Which of an atomic write's parts; 0 for a single batch.
    public var part: Int
    public var result: Result<AppendedBatch, LogError>
}

/// Where a batch is.
public struct AppendedBatch: Hashable, Sendable {
    public var baseOffset: Int64
    /// Of the append, when the topic has message.timestamp.type=LogAppendTime; ms.
    public var appendTime: Int64?
    /// Whether it was there already: an idempotent producer has sent it again.
    public var isDuplicate = false
}

/// Something that a log or a metric should know.
public enum VolumeEvent: Sendable, Hashable {
    case partitionStopped(topic: String, partition: Int, IOError)
    case storeStopped(IOError)
    case removalFailed(IOError)
    case segmentsRemoved(topic: String, partition: Int, count: Int, bytes: Int64)
    /// Records have gone for want of room, consumed or not.
    case recordsDropped(topic: String, partition: Int, records: Int64, bytes: Int64)
    case recordsUnreadable(file: String, position: Int64, reason: String)
    /// A pass has ended: below `to` each key occurs once.
    case compacted(topic: String, partition: Int, to: Int64)
    /// What a compaction wrote could not be kept; it is tried again.
    case compactionFailed(IOError)
    /// All sealed segments have been read again since the last time.
    case scrubbed(segments: Int, bytes: Int64, damaged: Int)
    /// A sync had no room: it is tried again, with what it is to cover written anew. Told of the first.
    case syncDelayed(IOError)
    /// No sync waits for room any more.
    case syncResumed
}

public struct Volume: ~Copyable {
    let paths: StorePaths
    package let storeID: UniqueID
    let configuration: VolumeConfiguration

    var disk: DiskLedger
    var manifest: ManifestLog
    var journal: Journal
    /// By name; a deleted topic keeps its name until its directories are gone.
    var topicIDs: [String: UniqueID] = [:]
    /// By number; nil when the topic is gone. A number is not used again.
    var partitions: [PartitionLog?] = []
    var numbers: [PartitionKey: Int] = [:]

    var writeReady = RingQueue<Int>()
    var commitReady = RingQueue<Int>()
    var syncReady = RingQueue<Int>()
    var rollReady = RingQueue<Int>()
    var removals = RingQueue<RemoveJob>()
    var groups: [Int: AtomicGroup] = [:]
    var groupsReady = RingQueue<Int>()
    var nextGroup = 0
    /// Written topics with un-synced bytes, in the order in which they became dirty.
    var dirty = RingQueue<Int>()
    /// Partitions with an open segment file, longest open first.
    var openOrder = RingQueue<Int>()
    var openCount = 0
    /// Partitions with something in their active segment.
    var activeCount = 0
    var waitingForFile: [Int] = []
    /// No file could be closed, and nothing has ended since.
    var mayEvict = true
    /// Parts of atomic writes whose segment could not be written; tried again from then on, monotonic ns.
    var retries: [Int] = []
    var retryAt: Int64?

    var compactReady = RingQueue<Int>()
    /// The pass that is under way.
    var compaction: (number: Int, pass: Compaction)?
    /// What its next output may take of the disk; 0 while it may begin none.
    var compactionClaim: Int64 = 0
    /// Not before, monotonic ns: the rate.
    var compactAt: Int64 = 0
    /// When all partitions are looked at again.
    var compactRetryAt: Int64?
    var isCompactOut = false
    /// A pass waits for its record.
    var isSwapOut = false

    /// When the files are measured again at the earliest, monotonic ns; what had changed at the last time.
    var measureAt: Int64 = 0
    var measuredChanges: Int64?
    var isMeasureOut = false
    var reserveFile = ReserveFile()
    var scrub = Scrub()
    var producerIDs: ProducerIDs

    /// A commit whose frame had no room; it counts as out.
    var commitAgain: Again<CommitJob>?
    /// Partitions whose segment is to be written and synced once more, in the order in which that is due.
    var healing = RingQueue<Int>()
    /// Jobs that are out once more, since their sync had no room.
    var repeatsOut = 0
    /// `syncDelayed` was told, `syncResumed` was not.
    package internal(set) var isWaitingForRoom = false

    /// The last frame found no room in the journal, and no job has ended since that may have made some.
    var isJournalFull = false
    var isCommitOut = false
    var isSyncOut = false
    var isRollOut = false
    var isRemoveOut = false
    var isJournalOut = false
    var writesOut = 0
    var writesSinceCommit = 0
    /// The journal or the manifest failed: nothing is written until the store is opened again.
    var failure: IOError?
    /// Topics that are being deleted, and who asked.
    var leavingRequests: [UniqueID: UInt64] = [:]
    var leavingRecorded: Set<UniqueID> = []
    /// Names of topics that are on their way out, and what comes after them.
    var leavingNames = LeavingNames()
    var closing = Closing.open
    /// Decided when nothing is written any more.
    var closesClean = false
    var isCloseTold = false
    var completions = Completions()

    enum Closing { case open, draining, syncing, recording, closed }

    init(
        paths: StorePaths, storeID: UniqueID, configuration: VolumeConfiguration, manifest: ManifestLog,
        journal: Journal, partitions: consuming [PartitionLog], usedBytes: Int64,
        reserveBytes: Int64
    ) {
        self.paths = paths
        self.storeID = storeID
        self.configuration = configuration
        disk = DiskLedger(
            limit: configuration.diskBytes, floor: configuration.exemptBytes,
            manifestLimit: manifest.replaceAbove)
        disk.add(usedBytes)
        measuredChanges = disk.gained
        reserveFile.bytes = reserveBytes
        self.manifest = manifest
        self.journal = journal
        producerIDs = ProducerIDs(end: manifest.state.producerIDEnd)
        for topic in manifest.state.topics.values { topicIDs[topic.name] = topic.id }
        for partition in partitions {
            numbers[partition.key] = self.partitions.count
            self.partitions.append(partition)
        }
        disk.partitions = numbers.count
        activeCount = self.partitions.count { $0?.active.size ?? 0 > 0 }
        for number in self.partitions.indices { queueCompaction(number) }
    }

    /// What has been answered since the last call. To be asked after each call that changes the volume.
    public mutating func takeCompletions() -> Completions {
        guard !completions.isEmpty else { return Completions() }
        let taken = completions
        completions = Completions()
        return taken
    }

    /// The next piece of work for a thread of that kind, or nil when there is none now.
    ///
    /// Every job that is taken must be finished, whatever comes of it. What is found out on the way may
    /// answer a request (ask for the completions) or be work for the other lane (ask that too), also when
    /// there is no job.
    public mutating func nextJob(_ lane: JobLane, now: Instant) -> IOJob? {
        if let job = takeJob(lane, now: now) { return job }
        // What was refused on the way may have been the last that a close waited for.
        guard closing != .open, closing != .closed else { return nil }
        advanceClosing(now: now)
        return takeJob(lane, now: now)
    }

    private mutating func takeJob(_ lane: JobLane, now: Instant) -> IOJob? {
        switch lane {
        case .append:
            // A commit waits for the writes that are ready, so that they share its sync; not for ever. One
            // that refuses an atomic write makes others ready.
            repeat {
                if writeReady.isEmpty || writesSinceCommit >= 64, let job = takeCommit(now: now) {
                    return .commit(job)
                }
                if let job = takeWrite(now: now) {
                    writesSinceCommit += 1
                    return .write(job)
                }
                if let job = takeCommit(now: now) { return .commit(job) }
            } while failure == nil && !writeReady.isEmpty && closing != .recording && closing != .closed
            return takeJournal(now: now).map(IOJob.journal)
        case .background:
            tick(now: now)
            if let job = takeCommitAgain(now: now) { return .commit(job) }
            if let job = takeManifest(now: now) { return .manifest(job) }
            if let job = takeJournal(now: now) { return .journal(job) }
            if let job = takeRoll(now: now) { return .roll(job) }
            if let job = takeSync(now: now) { return .sync(job) }
            if let job = takeRemove() { return .remove(job) }
            if let job = takeReserve(now: now) { return .reserve(job) }
            if let job = takeMeasure(now: now) { return .measure(job) }
            if let job = takeCompact(now: now) { return .compact(job) }
            if let job = takeScrub(now: now) { return .scrub(job) }
            // A pass that is over is to be recorded.
            return takeManifest(now: now).map(IOJob.manifest)
        }
    }

    /// Tells what came of a job that was taken.
    public mutating func finished(_ job: IOJob, _ result: IOResult, now: Instant) {
        if job.isRepeated { repeatsOut -= 1 }
        switch (job, result) {
        case (.write(let job), .write(let result)): finishedWrite(job, result, now: now)
        case (.commit(let job), .commit(let result)): finishedCommit(job, result, now: now)
        case (.manifest(let job), .manifest(let result)): finishedManifest(job, result, now: now)
        case (.sync(let job), .sync(let results)): finishedSync(job, results, now: now)
        case (.roll(let job), .roll(let result)): finishedRoll(job, result, now: now)
        case (.remove(let job), .remove(let result)): finishedRemove(job, result)
        case (.reserve(let job), .reserve(let result)): finishedReserve(job, result, now: now)
        case (.measure(let job), .measure(let result)): finishedMeasure(job, result, now: now)
        case (.journal(let job), .journal(let result)): finishedJournal(job, result, now: now)
        case (.compact(let job), .compact(let result)): finishedCompact(job, result, now: now)
        case (.scrub(let job), .scrub(let result)): finishedScrub(job, result, now: now)
        default: preconditionFailure("a job was finished with the result of another kind")
        }
        if !job.isPlainWrite { isJournalFull = false }
        advanceClosing(now: now)
    }

    /// When `nextJob(.background)` should be asked again although nothing happened; monotonic ns. nil: not at
    /// all.
    public var nextDeadline: Int64? {
        guard failure == nil else { return nil }
        var deadline = retryAt
        func consider(_ time: Int64?) { if let time { deadline = min(deadline ?? .max, time) } }
        if let first = dirty.first, let since = partitions[first]?.dirtySince {
            consider(since + configuration.flushNanoseconds)
        }
        consider(manifest.deadline(configuration))
        consider(compactionDeadline)
        consider(measureDeadline)
        consider(healDeadline)
        consider(scrubDeadline)
        if wantsReserve { consider(reserveFile.retryAt) }
        if !isJournalOut, journal.isFileWanted || journal.wantsNext { consider(journal.retryAt) }
        return deadline
    }

    /// Does what time brings: syncs what has been dirty long enough, tries again what failed.
    mutating func tick(now: Instant) {
        retryCompactions(now: now)
        while let first = dirty.first {
            if let since = partitions[first]?.dirtySince {
                guard now.monotonicNanoseconds >= since + configuration.flushNanoseconds else { break }
                requestSync(first)
            }
            _ = dirty.popFirst()
        }
        if let time = retryAt, now.monotonicNanoseconds >= time {
            retryAt = nil
            let again = retries
            retries = []
            for number in again {
                partitions[number]?.isPutOff = false
                markReady(number)
            }
        }
    }

    /// Changes a partition that exists; does nothing for one that has been deleted.
    mutating func with<R>(_ number: Int, _ body: (inout PartitionLog) -> R) -> R? {
        guard partitions.indices.contains(number), partitions[number] != nil else { return nil }
        return body(&partitions[number]!)
    }

    /// The number of a partition in the calls of this type.
    public func number(topic: String, partition: Int) throws(LogError) -> Int {
        guard let id = topicIDs[topic], manifest.state.topics[id] != nil else { throw .unknownTopic(topic) }
        guard let number = numbers[PartitionKey(topic: id, partition: Int32(truncatingIfNeeded: partition))],
            partitions[number] != nil, partition >= 0, partition <= Int(Int32.max)
        else { throw .unknownPartition(topic: topic, partition: partition) }
        return number
    }
}
