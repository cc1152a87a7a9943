// Beginning a new segment.
//
//   1. No write is taken any more; what was written becomes durable.
//   2. Roll job: the index entries are written, the log is synced.   a crash here: nothing happened
//   3. The manifest records the seal and the new base offset.        a crash here: an empty active segment
//   4. The switch in memory. The next write makes the new file.

extension Volume {
    /// Bytes that a segment may have. Kafka: segment.bytes.
    ///
    /// Where nobody has asked for that, a part of the disk's budget: a segment goes as a whole, and all
    /// active ones together, which never go, must not use it up.
    func segmentLimit(_ settings: LogSettings) -> Int64 {
        guard settings.adaptsSegments else { return settings.segmentBytes }
        let together = max(16 << 10, disk.limit / Int64(4 * max(1, activeCount)))
        return min(settings.segmentBytes, max(256 << 10, disk.limit / 64), together)
    }

    /// Kafka: segment.bytes, segment.ms, and the reach of an index entry.
    mutating func needsRoll(_ number: Int, bytes: Int, records: Int, _ timestamp: Int64) -> Bool {
        guard let settings = partitions[number]?.settings else { return false }
        let limit = segmentLimit(settings)
        return with(number) { partition in
            guard partition.active.size > 0 else { return false }
            if partition.active.size + Int64(bytes) > limit { return true }
            let reach = partition.active.endOffset - partition.active.baseOffset + Int64(records)
            if reach > Int64(Int32.max) { return true }
            // Timestamps are the users' and may be anything: the difference must not overflow.
            let first = partition.active.firstTimestamp
            let age = timestamp.subtractingReportingOverflow(first)
            return first >= 0
                && (age.overflow ? timestamp > 0 : age.partialValue > partition.settings.segmentMilliseconds)
        } == true
    }

    /// Rolls the active segment as soon as nothing of it is under way.
    mutating func startRoll(_ number: Int) {
        guard let partition = partitions[number], !partition.isRollQueued, partition.journalled == nil,
            !partition.isLeaving, !partition.isStopped
        else { return }
        partitions[number]?.isRolling = true
        guard !partition.isWriting, !partition.isCommitting, !partition.isSyncing, !partition.isClosing,
            partition.heal == nil
        else { return }
        guard partition.uncommitted.isEmpty else { return queueCommit(number) }
        partitions[number]?.isRollQueued = true
        rollReady.append(number)
    }

    mutating func takeRoll(now: Instant) -> RollJob? {
        guard failure == nil, !isRollOut else { return nil }
        while let number = rollReady.popFirst() {
            guard let partition = partitions[number] else { continue }
            isRollOut = true
            let active = partition.active
            let (tail, claim) = takeTail(number, .exempt)
            let sealed = SealedSegment(
                baseOffset: active.baseOffset, endOffset: active.endOffset, size: active.size,
                batches: active.batches, maxTimestamp: active.maxTimestamp, writtenAt: active.lastWrite,
                crc: active.crc, timeIndexSize: 0, timeIndexCRC: 0)
            return RollJob(
                partition: number, file: partition.segmentFile, tail: tail, sealed: sealed, claim: claim)
        }
        return nil
    }

    mutating func finishedRoll(_ job: RollJob, _ result: RollResult, now: Instant) {
        isRollOut = false
        disk.settle(job.claim, kept: job.claim)
        if job.file.id == nil, let file = result.file {
            // Opened for the sync alone.
            removals.append(RemoveJob(target: .segments([]), paths: paths, close: [file]))
        }
        guard let partition = partitions[job.partition] else { return }
        if let error = result.error {
            partitions[job.partition]?.isRollQueued = false
            // A file that could not be opened has not failed, nor has one that was clean: the next append
            // tries again. One that is healed is rolled then.
            if error.operation == "open" || job.file.id == nil && error.isNoSpace {
                partitions[job.partition]?.isRolling = false
                failQueue(job.partition, .io(error))
            } else {
                failedSync(job.partition, error, now: now)
            }
            settle(job.partition)
            // One that has stopped lets its file go.
            retryFiles()
            return
        }
        var sealed = job.sealed
        sealed.timeIndexSize = result.timeIndexSize
        sealed.timeIndexCRC = result.timeIndexCRC
        recordProducers(partition)
        manifest.add(.rolled(partition.key, sealed), .rolled(job.partition, sealed, job.file.id))
    }

    /// The seal is on record: the log goes on in a new segment.
    mutating func switchSegment(_ number: Int, _ sealed: SealedSegment, _ file: FileID?) {
        guard let partition = partitions[number] else { return }
        if partition.active.size > 0 { activeCount -= 1 }
        _ = with(number) { partition in
            if sealed.endOffset > partition.logStart {
                partition.sealed.append(sealed)
                partition.checked.insert(sealed.baseOffset)
            }
            let ceiling = partition.recorded.ceiling
            let lastWrite = partition.active.lastWrite
            partition.active = ActiveSegment(baseOffset: sealed.endOffset)
            partition.active.lastWrite = lastWrite
            partition.durable = LogPlace(offset: sealed.endOffset, position: 0)
            partition.synced = .start(of: sealed.endOffset)
            partition.recorded = .start(of: sealed.endOffset)
            partition.recorded.ceiling = ceiling
            partition.proven = 0
            partition.dirtySince = nil
            partition.file = nil
            partition.isNameDirty = true
            partition.isRolling = false
            partition.isRollQueued = false
            partition.producers?.recorded(through: sealed.endOffset)
        }
        answerDuplicates(number)
        if partition.file != nil {
            openCount -= 1
            openOrder.keep { $0 != number }
        }
        let gone = sealed.endOffset <= partition.logStart ? [partition.paths] : []
        if file != nil || !gone.isEmpty {
            removals.append(RemoveJob(target: .segments(gone), paths: paths, close: file.map { [$0] } ?? []))
        }
        journal.release(number, through: sealed.endOffset)
        queueCompaction(number)
        relieveRolled(number)
        settle(number)
        retryFiles()
    }
}
