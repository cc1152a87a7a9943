// Syncs that had no room: a disk that is full, or a quota that is used up, passes.
//
// After a failed sync the system may count as written what is not on the medium, and tell nobody again. So a
// sync alone proves nothing: what it was to cover is written once more first, the same bytes to the same
// place, and then synced.
//
//   a frame of the journal, of the manifest   the same job again: it holds all that it writes
//   a segment                                 read back from the last sync on, checked batch by batch, and
//                                             written in place; until then nobody else writes the partition
//
// (1) What waits for the sync is answered when one has succeeded; what comes meanwhile is refused. (2) Nobody
// knows whether the frame is on the medium: nothing else takes its place, or its number. (3) What is read
// back and is not what was written stops the partition, as every other error does. (4) A close tries once
// more, at once, and does not wait for room.

/// Work that is tried again.
struct Again<Job: Sendable>: Sendable {
    var job: Job
    var error: IOError
    /// Monotonic ns.
    var at: Int64
}

extension Volume {
    /// Whether what failed will be tried again.
    func passes(_ error: IOError) -> Bool { error.isNoSpace && failure == nil && closing == .open }

    private func isDue(_ time: Int64, _ now: Instant) -> Bool {
        closing != .open || now.monotonicNanoseconds >= time
    }

    /// When something is to be tried again, monotonic ns.
    var healDeadline: Int64? {
        var times = [commitAgain?.at, manifest.again?.at].compactMap { $0 }
        if !isSyncOut {
            for index in 0..<healing.count {
                guard let partition = partitions[healing[index]], mayHeal(partition) else { continue }
                times += partition.heal.map { [$0.at] } ?? []
            }
        }
        return closing == .open ? times.min() : times.min().map { _ in 0 }
    }

    private func mayHeal(_ partition: PartitionLog) -> Bool {
        !partition.isWriting && !partition.isCommitting && !partition.isGoing(leavingRecorded)
    }

    // MARK: Frames

    /// The frame had no room: it is written and synced once more. What was synced beside it is done.
    mutating func commitAgain(_ job: CommitJob, _ error: IOError, now: Instant) {
        var job = job
        job.direct = []
        job.members.removeAll(where: \.isDirect)
        job.isRepeated = true
        isCommitOut = true
        mark(job, isCommitting: true)
        waitForRoom(error)
        commitAgain = Again(job: job, error: error, at: now.monotonicNanoseconds + Self.retryNanoseconds)
    }

    mutating func takeCommitAgain(now: Instant) -> CommitJob? {
        guard failure == nil, let again = commitAgain, isDue(again.at, now) else { return nil }
        commitAgain = nil
        repeatsOut += 1
        return again.job
    }

    mutating func manifestAgain(_ job: ManifestJob, _ error: IOError, now: Instant) {
        var job = job
        job.isRepeated = true
        manifest.isOut = true
        waitForRoom(error)
        manifest.again = Again(job: job, error: error, at: now.monotonicNanoseconds + Self.retryNanoseconds)
    }

    mutating func takeManifestAgain(now: Instant) -> ManifestJob? {
        guard let again = manifest.again, isDue(again.at, now) else { return nil }
        manifest.again = nil
        repeatsOut += 1
        return again.job
    }

    /// The store stops: what was to be tried again is lost, or not known to be there.
    mutating func loseAgain() {
        if let again = commitAgain {
            commitAgain = nil
            isCommitOut = false
            mark(again.job, isCommitting: false)
            for id in again.job.groups { lostGroup(id, again.error) }
        }
        if let again = manifest.again {
            manifest.again = nil
            lostManifest(again.job, again.error)
        }
    }

    // MARK: Segments

    /// A sync of a partition's segment failed.
    mutating func failedSync(_ number: Int, _ error: IOError, now: Instant) {
        guard let partition = partitions[number], !partition.isStopped else { return stop(number, error) }
        // To read it back wants a file; a sync does not.
        let wantsFile = partition.heal != nil && error.isTooManyFiles && failure == nil && closing == .open
        guard passes(error) || wantsFile else {
            forgetBoot()
            return stop(number, error)
        }
        // First of all: nothing that follows may begin a roll, whose sync would prove nothing.
        partitions[number]?.heal = Heal(error: error, at: now.monotonicNanoseconds + Self.healNanoseconds)
        healing.append(number)
        guard partition.heal == nil else { return }
        waitForRoom(error)
        // What is not written yet would wait as long as that lasts.
        failQueue(number, .io(error))
    }

    /// The system may have dropped what it could not write: the next opening is not to believe what it shows.
    private mutating func forgetBoot() {
        let state = manifest.state
        guard failure == nil, state.bootID != Self.noBoot else { return }
        let wall = state.lastWallMilliseconds
        manifest.add(
            .opened(bootID: Self.noBoot, wallMilliseconds: wall, journalFloor: state.journalFloor), .nothing)
    }

    /// In the place of a boot's id; no system has it.
    private static var noBoot: String { "none" }

    /// The next segment to be written and synced once more, all of it behind its last sync.
    mutating func takeHeal(now: Instant) -> SyncTarget? {
        for _ in 0..<healing.count {
            guard let number = healing.popFirst() else { break }
            guard let partition = partitions[number], let heal = partition.heal else { continue }
            guard isDue(heal.at, now), mayHeal(partition) else {
                healing.append(number)
                continue
            }
            partitions[number]?.isSyncing = true
            repeatsOut += 1
            var target = partition.syncTarget(number)
            target.rewrittenFrom = partition.synced
            return target
        }
        return nil
    }

    /// Segments are larger than frames: tried less often.
    private static var healNanoseconds: Int64 { 1_000_000_000 }

    private mutating func waitForRoom(_ error: IOError) {
        if !isWaitingForRoom { completions.events.append(.syncDelayed(error)) }
        isWaitingForRoom = true
    }

    /// Something has been synced: perhaps nothing waits for room any more.
    mutating func healed() {
        guard isWaitingForRoom, repeatsOut == 0, commitAgain == nil, manifest.again == nil, healing.isEmpty
        else { return }
        isWaitingForRoom = false
        completions.events.append(.syncResumed)
    }
}

/// A partition's segment that is to be written and synced once more.
struct Heal: Sendable {
    var error: IOError
    /// Monotonic ns.
    var at: Int64
}

extension JobRunner {
    /// Writes what lies between two points of a segment once more, unchanged.
    ///
    /// Throws what reading and writing throw, and EIO when it is not whole batches that follow one another.
    func rewrite(_ target: SyncTarget, from start: RecoveryPoint, _ file: FileID) throws(IOError) {
        let path = target.file.paths.log
        var scanner = try TailScanner(path: path, files: files)
        defer { scanner.close() }
        var (position, offset) = (start.position, start.offset)
        while position < target.point.position {
            guard case .valid(let header, let bytes) = try scanner.batch(at: position, expecting: offset)
            else {
                throw .isDamaged(path)
            }
            if let error = files.writeFully(file, at: position, [bytes]).error { throw error }
            position += Int64(header.totalBytes)
            offset = header.nextOffset
        }
    }
}
