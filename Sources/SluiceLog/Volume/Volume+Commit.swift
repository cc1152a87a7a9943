// Making what was written durable: one journal frame and one sync for all partitions that wait.
//
// A partition goes into the frame with everything that it has uncommitted, or is synced directly: when it has
// so much that writing it twice would cost more than a sync of its own, and on a `written` topic, whose
// earlier bytes are in no journal. Atomic writes are placed last: by then nothing uncommitted lies before
// them.

extension Volume {
    /// Puts a partition in line for the next commit, once.
    mutating func queueCommit(_ number: Int) {
        let added: Bool? = with(number) { partition in
            guard !partition.isCommitQueued, !partition.uncommitted.isEmpty else { return false }
            partition.isCommitQueued = true
            return true
        }
        if added == true { commitReady.append(number) }
    }

    mutating func takeCommit(now: Instant) -> CommitJob? {
        guard failure == nil, !isCommitOut, !(commitReady.isEmpty && groupsReady.isEmpty) else { return nil }
        journal.retry(now: now.monotonicNanoseconds)
        var plan = CommitPlan()
        planPartitions(&plan)
        let alone = plan
        if !isJournalFull { planGroups(&plan) }
        guard !plan.isEmpty else { return nil }
        var framed = plan.entries.isEmpty ? CommitJob(plan) : framed(&plan)
        // What is synced directly need not wait with an atomic write for room in the journal.
        if framed == nil, alone.entries.isEmpty, !alone.isEmpty { framed = CommitJob(alone) }
        guard let job = framed else { return nil }
        mark(job, isCommitting: true)
        for id in job.groups { groups[id]?.phase = .placed }
        commitReady.keep { number in
            guard partitions[number] != nil else { return false }
            guard
                partitions[number]?.isCommitting == true
                    || partitions[number]?.uncommitted.isEmpty == true
            else { return true }
            partitions[number]?.isCommitQueued = false
            return false
        }
        isCommitOut = true
        writesSinceCommit = 0
        return job
    }

    private mutating func planPartitions(_ plan: inout CommitPlan) {
        // What was tried in vain is not tried again before it may succeed.
        let limits = FrameLimits(
            bytes: isJournalFull ? 0 : journal.frameBytes, entries: journal.frameEntries,
            directBytes: journal.isBypassed ? 0 : min(configuration.directBytes, journal.frameBytes + 1))
        let leaving = leavingRecorded
        for index in 0..<commitReady.count {
            let number = commitReady[index]
            _ = with(number) { partition in
                guard !partition.isSyncing, !partition.isGoing(leaving) else { return }
                plan.take(partition, number, limits)
            }
        }
    }

    private mutating func planGroups(_ plan: inout CommitPlan) {
        while let id = groupsReady.first {
            guard let group = groups[id] else {
                _ = groupsReady.popFirst()
                continue
            }
            if let error = unexpectedEnd(group) {
                _ = groupsReady.popFirst()
                failGroup(id, error)
                continue
            }
            let bytes = group.parts.reduce(0) { $0 + $1.batch.bytes.count }
            let fits = plan.bytes + bytes <= journal.frameBytes || plan.entries.isEmpty
            let free = group.parts.allSatisfy { isFree($0.number, plan) }
            guard fits, free,
                plan.entries.count + group.parts.count <= journal.frameEntries || plan.entries.isEmpty
            else { return }
            _ = groupsReady.popFirst()
            for part in group.parts { place(part, of: id, &plan) }
            plan.groups.append(id)
        }
    }

    /// Whether all that lies before an atomic write in a partition is durable, or will be by this commit.
    private func isFree(_ number: Int, _ plan: CommitPlan) -> Bool {
        guard let partition = partitions[number], !partition.isSyncing, !partition.isRolling,
            partition.heal == nil
        else { return false }
        return partition.uncommitted.isEmpty || plan.members.contains { $0.partition == number }
    }

    private mutating func place(_ part: AtomicGroup.Part, of id: Int, _ plan: inout CommitPlan) {
        guard let partition = partitions[part.number] else { return }
        let isCovered = plan.direct.contains { $0.partition == part.number }
        let isMember = plan.members.contains { $0.partition == part.number }
        if partition.durable.offset < partition.active.endOffset, !isCovered, !isMember {
            plan.direct.append(partition.syncTarget(part.number))
        }
        let placed = PlacedBatch(
            bytes: part.batch.bytes, origin: part.batch.origin, acks: .durable,
            baseOffset: partition.active.endOffset,
            nextOffset: partition.active.endOffset + Int64(part.batch.recordCount),
            position: partition.active.size, maxTimestamp: part.appendTime ?? part.batch.maxTimestamp,
            leaderEpoch: partition.epoch, appendTime: part.appendTime)
        plan.placed.append(PlacedPart(partition: part.number, group: id, batch: placed))
        if PlantedBug.journalEntryMissing.isPlanted, plan.placed.count > 1 { return }
        plan.add(partition, [placed])
    }

    /// The job with its place in the journal; nil, with everything as it was, when there is no room now.
    private mutating func framed(_ plan: inout CommitPlan) -> CommitJob? {
        let size = Journal.frameSize(entries: plan.entries.count, bytes: plan.bytes)
        guard let switched = journal.makeRoom(size), let slot = journal.current else {
            undoPlacing(plan)
            if !isJournalFull { syncJournalHolders() }
            isJournalFull = true
            return nil
        }
        if switched { syncJournalHolders() }
        var job = CommitJob(plan)
        var table = BinaryWriter()
        table.put(plan.entries) { $1.encode(into: &$0) }
        job.frame = JournalFrame(
            slot: slot, position: journal.files[slot].position, sequence: journal.nextSequence,
            table: table.bytes, slices: plan.slices, bytes: size)
        job.journal = journal.files[slot].file
        journal.nextSequence += 1
        journal.files[slot].position += Int64(size)
        for part in plan.members where !part.isDirect {
            journal.files[slot].coverage[part.partition] = part.endOffset
        }
        for part in plan.placed { journal.files[slot].coverage[part.partition] = part.batch.nextOffset }
        return job
    }

    private mutating func undoPlacing(_ plan: CommitPlan) {
        var ready = plan.groups
        while let id = groupsReady.popFirst() { ready.append(id) }
        for id in ready { groupsReady.append(id) }
    }

    /// Asks for the syncs that free the files behind the current one.
    mutating func syncJournalHolders() {
        for number in journal.holders.sorted() {
            requestSync(number)
            if partitions[number]?.isClean == true { manifest.pendingPoints.insert(number) }
        }
        manifest.pointsAreUrgent = true
    }

    mutating func finishedCommit(_ job: CommitJob, _ result: CommitResult, now: Instant) {
        isCommitOut = false
        mark(job, isCommitting: false)
        for (target, outcome) in zip(job.direct, result.direct) {
            if let error = outcome.error {
                failedSync(target.partition, error, now: now)
            } else {
                synced(target, now: now)
            }
        }
        // A sync that must come before the frame failed: the frame was not written, the next one takes its
        // place.
        let isBlocked = job.frame != nil && !job.groups.isEmpty && result.direct.contains { $0.error != nil }
        if let error = result.error, job.frame != nil, !isBlocked, !PlantedBug.failedCommitCounts.isPlanted {
            if passes(error) {
                commitAgain(job, error, now: now)
            } else {
                for id in job.groups { lostGroup(id, error) }
                stopAll(error)
            }
        } else {
            if isBlocked, let frame = job.frame {
                journal.files[frame.slot].position = frame.position
                journal.nextSequence = frame.sequence
            }
            for part in job.members { committed(part, isWritten: !isBlocked) }
            if isBlocked {
                for id in job.groups { retryGroup(id) }
            } else {
                for part in job.placed { apply(part) }
            }
        }
        for part in job.members { settle(part.partition) }
        for target in job.direct { settle(target.partition) }
        for part in job.placed { settle(part.partition) }
        retryFiles()
        healed()
    }

    /// Notes of all partitions of a commit that it is out, or over.
    mutating func mark(_ job: CommitJob, isCommitting: Bool) {
        for part in job.members { partitions[part.partition]?.isCommitting = isCommitting }
        for target in job.direct { partitions[target.partition]?.isCommitting = isCommitting }
        for part in job.placed { partitions[part.partition]?.isCommitting = isCommitting }
    }

    /// What a partition may do again when a job of it has ended.
    mutating func settle(_ number: Int) {
        // A roll that has failed is not made again.
        if partitions[number]?.isLeaving == true { partitions[number]?.giveUpRoll() }
        continueLeaving(number)
        continueConfiguring(number)
        queueCommit(number)
        if partitions[number]?.isRolling == true { startRoll(number) }
        if partitions[number]?.compactRequests.isEmpty == false { queueCompaction(number) }
        markReady(number)
    }

    private mutating func committed(_ part: CommittedPart, isWritten: Bool) {
        let counts: Bool? = with(part.partition) { partition in
            guard partition.refusal == nil || partition.isLeaving else { return false }
            // Not written, or not synced: it stays uncommitted and goes into the next frame, or is healed.
            guard part.isDirect ? partition.heal == nil : isWritten else { return false }
            if !part.isDirect { partition.proven = max(partition.proven, part.position) }
            return true
        }
        guard counts == true else { return }
        becameDurable(part.partition, LogPlace(offset: part.endOffset, position: part.position))
    }

    /// A partition's log is on the medium up to there: answers what has waited for that.
    mutating func becameDurable(_ number: Int, _ end: LogPlace) {
        guard let settings = partitions[number]?.settings else { return }
        while let batch = with(number, { $0.takeCommitted(through: end.offset) }) ?? nil {
            if settings.answersAtCommit(batch) { answer(batch) }
        }
        guard end.offset > partitions[number]?.durable.offset ?? .max else { return }
        partitions[number]?.durable = end
        if settings.isDurable { completions.advanced.append(number) }
        answerDuplicates(number)
    }
}

/// What one frame of the journal may hold, and from which size on a partition has a sync of its own.
struct FrameLimits {
    var bytes: Int
    var entries: Int
    var directBytes: Int
}

extension PartitionLog {
    /// The next batch in line that is on the medium when the log is up to `end`.
    fileprivate mutating func takeCommitted(through end: Int64) -> PlacedBatch? {
        guard let batch = uncommitted.first, batch.nextOffset <= end else { return nil }
        _ = uncommitted.popFirst()
        uncommittedBytes -= batch.bytes.count
        return batch
    }

    /// A sync of the segment up to its end.
    func syncTarget(_ number: Int) -> SyncTarget {
        closeProducers()
        return SyncTarget(partition: number, file: segmentFile, point: active.point(ceiling: 0))
    }
}

/// What the next commit will hold, before a place in the journal is found for it.
struct CommitPlan {
    var direct: [SyncTarget] = []
    var entries: [JournalEntry] = []
    var slices: [ByteSlice] = []
    var bytes = 0
    var members: [CommittedPart] = []
    var groups: [Int] = []
    var placed: [PlacedPart] = []

    var isEmpty: Bool { members.isEmpty && groups.isEmpty }

    /// Takes what a partition has uncommitted, if it has its place in this commit.
    mutating func take(_ partition: borrowing PartitionLog, _ number: Int, _ limits: FrameLimits) {
        guard let first = partition.uncommitted.first else { return }
        let size = partition.uncommittedBytes
        // With something between the durable end and the first that waits, or behind that and not waiting,
        // as on a topic that was `written` a moment ago, the journal alone would have a hole.
        let isDirect =
            !partition.settings.isDurable || partition.durable.offset < first.baseOffset
            || first.position + Int64(size) != partition.active.size || size >= limits.directBytes
        // Its file is synced when it has been written again.
        guard !isDirect || partition.heal == nil else { return }
        guard isDirect || bytes + size <= limits.bytes && entries.count < limits.entries else { return }
        members.append(
            CommittedPart(
                partition: number, count: partition.uncommitted.count,
                endOffset: partition.active.endOffset, position: partition.active.size, isDirect: isDirect))
        if isDirect { direct.append(partition.syncTarget(number)) } else { add(partition) }
    }

    /// One entry for batches that lie one after another.
    mutating func add(_ partition: PartitionLog, _ batches: [PlacedBatch]? = nil) {
        let batches = batches ?? (0..<partition.uncommitted.count).map { partition.uncommitted[$0] }
        guard let first = batches.first, let last = batches.last else { return }
        let length = batches.reduce(0) { $0 + $1.bytes.count }
        entries.append(
            JournalEntry(
                key: partition.key, segmentBase: partition.active.baseOffset, baseOffset: first.baseOffset,
                nextOffset: last.nextOffset, position: first.position, length: length))
        slices.append(contentsOf: batches.map(\.bytes))
        bytes += length
    }
}

extension CommitJob {
    init(_ plan: CommitPlan) {
        self.init(
            direct: plan.direct, frame: nil, journal: nil, members: plan.members, groups: plan.groups,
            placed: plan.placed)
    }
}
