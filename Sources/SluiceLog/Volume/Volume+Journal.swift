// Making the journal's files: the first at the first durable append, the next before it is needed.

extension Volume {
    mutating func takeJournal(now: Instant) -> JournalJob? {
        guard failure == nil, !isJournalOut, journal.isFileWanted || journal.wantsNext,
            now.monotonicNanoseconds >= journal.retryAt ?? .min
        else { return nil }
        let claim = journalClaim
        guard journal.files.count < mostJournalFiles, disk.fits(claim, .append) else {
            block(noRoom, now: now)
            return nil
        }
        isJournalOut = true
        disk.claim(claim)
        return JournalJob(
            paths: paths, number: (journal.files.map(\.number).max() ?? -1) + 1, bytes: journal.bytes,
            claim: claim)
    }

    /// What another file takes of the disk.
    private var journalClaim: Int64 {
        let file = max(0, DiskLedger.blocks(Int64(journal.bytes)) - journal.spare)
        return file + (journal.hasDirectory ? 0 : DiskLedger.blockBytes)
    }

    /// Files that there may be: those that nobody can free any more do not count.
    private var mostJournalFiles: Int {
        configuration.journalFiles + journal.files.count - usableJournalFiles
    }

    /// Files that are free, or will be: every partition with something in them can still be synced.
    private var usableJournalFiles: Int {
        journal.files.count { file in
            file.coverage.keys.allSatisfy { number in
                guard let partition = partitions[number] else { return true }
                return partition.refusal == nil || partition.isLeaving
            }
        }
    }

    mutating func finishedJournal(_ job: JournalJob, _ result: JournalResult, now: Instant) {
        isJournalOut = false
        switch result.file {
        case .success(let file):
            disk.settle(job.claim, kept: job.claim)
            journal.hasDirectory = true
            journal.spare = 0
            journal.retryAt = nil
            journal.isBlocked = false
            journal.isFileWanted = false
            journal.files.append(JournalFile(number: job.number, file: file))
        case .failure(let error):
            let isMade = !journal.hasDirectory && error.operation != "mkdir"
            let directory = isMade ? DiskLedger.blockBytes : 0
            disk.settle(job.claim, kept: directory + result.left - journal.spare)
            if isMade { journal.hasDirectory = true }
            journal.spare = result.left
            block(.io(error), now: now)
        }
    }

    /// There is no room for another file now.
    ///
    /// Without a journal a sync of each segment makes single batches durable; an atomic write needs one.
    private mutating func block(_ error: LogError, now: Instant) {
        isJournalFull = false
        // One that was to be ready in time is not missed yet.
        journal.isBlocked = journal.isFileWanted && !journal.files.isEmpty
        journal.isFileWanted = false
        journal.retryAt = now.monotonicNanoseconds + Self.retryNanoseconds
        if journal.isBlocked { syncJournalHolders() }
        guard usableJournalFiles == 0 else { return }
        while let id = groupsReady.popFirst() { failGroup(id, error) }
    }
}
