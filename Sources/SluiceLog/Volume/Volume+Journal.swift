// Making the journal's files: the first at the first durable append, the next before it is needed.

extension Volume {
    mutating func takeJournal(now: Instant) -> JournalJob? {
        guard failure == nil, !isJournalOut, journal.isFileWanted || journal.wantsNext,
            now.monotonicNanoseconds >= journal.retryAt ?? .min, journal.files.count < Journal.maxFiles
        else { return nil }
        journal.isFileWanted = false
        isJournalOut = true
        return JournalJob(
            paths: paths, number: (journal.files.map(\.number).max() ?? -1) + 1, bytes: journal.bytes)
    }

    mutating func finishedJournal(_ job: JournalJob, _ result: Result<FileID, IOError>, now: Instant) {
        isJournalOut = false
        switch result {
        case .success(let file):
            journal.retryAt = nil
            journal.files.append(JournalFile(number: job.number, file: file))
        case .failure(let error):
            journal.retryAt = now.monotonicNanoseconds + Self.retryNanoseconds
            // Without a journal a sync of each segment makes single batches durable; an atomic write needs
            // one.
            guard journal.isMissing else { return }
            while let id = groupsReady.popFirst() { failGroup(id, .io(error)) }
        }
    }
}
