// What there may be to do, so that the shell wakes threads only when it helps.

extension Volume {
    /// Whether a thread of the append lane may find a job. True too often costs a wake-up, false too often a
    /// hang.
    public var mayHaveAppendJob: Bool {
        !writeReady.isEmpty || journal.isFileWanted
            || (!isCommitOut && !(commitReady.isEmpty && groupsReady.isEmpty))
    }

    /// Likewise for the background lane, as far as it needs no waiting: `nextDeadline` tells the rest.
    public var mayHaveBackgroundJob: Bool {
        (!manifest.isOut && !manifest.queue.isEmpty) || (!rollReady.isEmpty && !isRollOut)
            || (!syncReady.isEmpty && !isSyncOut) || (!removals.isEmpty && !isRemoveOut)
            || (wantsReserve && reserveFile.retryAt == nil)
            || (!isJournalOut && (journal.isFileWanted || journal.wantsNext))
    }

    /// Batches and atomic writes that a next commit would take: what a thread that gathers looks at.
    public var waitingToCommit: Int { commitReady.count + groupsReady.count }

    /// Whether writes are queued or under way for a partition.
    public func isIdle(_ number: Int) -> Bool {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return true }
        return partition.queue.isEmpty && !partition.isWriting && partition.uncommitted.isEmpty
            && !partition.hasWaitingDuplicates
    }

    /// When retention by age may delete the oldest segment, or the active one is old enough to be closed for
    /// a compaction, ms; nil when there is nothing to wait for.
    public var nextExpiry: Int64? {
        var earliest: Int64?
        for partition in partitions {
            guard let time = partition?.nextExpiry else { continue }
            earliest = min(earliest ?? .max, time)
        }
        return earliest
    }
}

extension PartitionLog {
    fileprivate var nextExpiry: Int64? {
        var earliest: Int64?
        func consider(_ time: Int64, plus age: Int64) {
            let due = time.addingReportingOverflow(age)
            if !due.overflow { earliest = min(earliest ?? .max, due.partialValue) }
        }
        if settings.isDeleted, !settings.isUntilConsumed, let age = settings.retentionMilliseconds {
            if let oldest = sealed.first {
                consider(max(oldest.maxTimestamp, oldest.writtenAt), plus: age)
            } else if active.size > 0 {
                consider(max(active.maxTimestamp, active.lastWrite), plus: age)
            }
        }
        if settings.isCompacted, active.size > 0 {
            consider(active.lastWrite, plus: settings.segmentMilliseconds)
        }
        return earliest
    }
}

extension Volume {
    /// Whether a commit is out.
    public var isCommitUnderWay: Bool { isCommitOut }

    /// Whether a pass over a partition has begun and not ended, or one is in line.
    package var isCompactionUnderWay: Bool { compaction != nil || !compactReady.isEmpty }

    /// Whether a write can be taken, as far as is known.
    public var hasReadyWrites: Bool { !writeReady.isEmpty }
}
