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
            || (!isJournalOut && (journal.isFileWanted || journal.wantsNext))
    }

    /// Batches and atomic writes that a next commit would take: what a thread that gathers looks at.
    public var waitingToCommit: Int { commitReady.count + groupsReady.count }

    /// Whether writes are queued or under way for a partition.
    public func isIdle(_ number: Int) -> Bool {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return true }
        return partition.queue.isEmpty && !partition.isWriting && partition.uncommitted.isEmpty
    }

    /// When the oldest segment that retention by age may delete will be old enough, ms; nil when there is
    /// none.
    public var nextExpiry: Int64? {
        var earliest: Int64?
        for partition in partitions {
            guard let partition, let age = partition.settings.retentionMilliseconds else { continue }
            var time: Int64?
            if let oldest = partition.sealed.first {
                time = max(oldest.maxTimestamp, oldest.writtenAt)
            } else if partition.active.size > 0 {
                time = max(partition.active.maxTimestamp, partition.active.lastWrite)
            }
            guard let time else { continue }
            let due = time.addingReportingOverflow(age)
            if !due.overflow { earliest = min(earliest ?? .max, due.partialValue) }
        }
        return earliest
    }
}

extension Volume {
    /// Whether a commit is out.
    public var isCommitUnderWay: Bool { isCommitOut }

    /// Whether a write can be taken, as far as is known.
    public var hasReadyWrites: Bool { !writeReady.isEmpty }
}
