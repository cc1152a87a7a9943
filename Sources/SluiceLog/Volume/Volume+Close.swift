// Closing: what was submitted is finished, everything is synced, and the manifest says so.
//
//   draining   nothing new is taken; queues and commits run empty
//   syncing    every segment is synced
//   recording  index entries are written; recovery points and the close go into the manifest
//
// What cannot be closed well does not keep the rest: all else is synced and recorded, then the close says why
// the manifest does not call the store closed.
//
// A store that is not closed loses nothing: its next opening has more to read.

extension Volume {
    /// Begins to close. `Completions.closed` tells the end; jobs must be run until then.
    public mutating func close(now: Instant) {
        guard closing == .open else { return }
        closing = .draining
        giveUpCompaction()
        for number in partitions.indices { answerCompactRequests(number, .failure(.closed)) }
        refuseCreations(.closed)
        advanceClosing(now: now)
    }

    /// Whether it has been closed, well or not.
    public var isClosed: Bool { closing == .closed }

    mutating func advanceClosing(now: Instant) {
        if closing == .draining, isDrained {
            closing = .syncing
        }
        // A part of an atomic write that was tried again may have made one dirty since.
        if closing == .syncing, isDrained, !PlantedBug.closeWithoutSync.isPlanted {
            for number in partitions.indices { requestSync(number) }
        }
        if closing == .syncing, isDrained, failure != nil || isSynced {
            closing = .recording
            closesClean = failure == nil && !isUnclean
            var tails: [(SegmentPaths, IndexTail)] = []
            var claims: Int64 = 0
            for number in partitions.indices {
                guard let paths = partitions[number]?.paths else { continue }
                let (tail, claim) = takeTail(number, .exempt)
                guard !tail.isEmpty else { continue }
                tails.append((paths, tail))
                claims += claim
            }
            removals.append(RemoveJob(target: .tails(tails), paths: paths, claim: claims))
            manifest.pointsAreUrgent = true
            if closesClean {
                manifest.add(.closed(wallMilliseconds: now.wallMilliseconds), .closed)
            }
        }
        if closing == .recording, removals.isEmpty, !isRemoveOut, !manifest.isOut,
            failure != nil || !closesClean
        {
            closing = .closed
        }
        if closing == .closed, !isCloseTold, removals.isEmpty, !isRemoveOut {
            isCloseTold = true
            completions.closed = closesClean && failure == nil ? .success(()) : .failure(uncleanReason)
        }
    }

    private var isDrained: Bool {
        guard writesOut == 0, !isCommitOut, !isSyncOut, !isRollOut, !isJournalOut, !isCompactOut,
            !isMeasureOut, !reserveFile.isOut
        else { return false }
        if failure != nil { return true }
        guard groups.values.allSatisfy(\.isAnswered), leavingRequests.isEmpty, rollReady.isEmpty,
            manifest.queue.isEmpty, !manifest.isOut,
            removals.isEmpty, !isRemoveOut
        else { return false }
        return partitions.allSatisfy { partition in
            guard let partition else { return true }
            if case .stopped = partition.condition { return true }
            // Left to the next opening; what was queued behind it has been refused.
            if partition.journalled != nil { return partition.queue.count <= 1 }
            return partition.queue.isEmpty && partition.uncommitted.isEmpty && !partition.isRolling
                && !partition.hasWaitingDuplicates
        }
    }

    private var isSynced: Bool {
        partitions.allSatisfy { partition in
            guard let partition, !PlantedBug.closeWithoutSync.isPlanted else { return true }
            if case .stopped = partition.condition { return true }
            return partition.isClean || partition.file == nil
        }
    }

    /// What kept the close from being recorded.
    private var uncleanReason: LogError {
        if let failure { return .stopped(failure) }
        for case .stopped(let error)? in partitions.map({ $0?.condition }) { return .stopped(error) }
        return .indeterminate(
            reason:
                "an atomic write is in the journal, and not in all of its segments; the next opening appends "
                + "it")
    }

    /// Whether the next opening has something to mend: then the manifest must not call the store closed.
    private var isUnclean: Bool {
        !groups.isEmpty
            || partitions.contains { partition in
                if case .stopped = partition?.condition { true } else { false }
            }
    }

    /// Every file that is open, to be closed by the caller once the volume is done with.
    package var openFiles: [FileID] {
        [manifest.file] + journal.files.map(\.file) + partitions.compactMap { $0?.file }
    }
}
