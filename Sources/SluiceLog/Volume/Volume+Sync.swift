// Syncing segments behind the journal, and the descriptors that this lets go.
//
// (1) A sync covers what had been written when it was taken. (2) Its result becomes a recovery point, which
// counts once it is on record in the manifest. (3) A file with un-synced bytes is never closed: its errors
// would go unseen.

extension Volume {
    /// Asks for a sync of a partition's segment; does nothing when there is nothing to sync.
    mutating func requestSync(_ number: Int) {
        let added: Bool? = with(number) { partition in
            if case .stopped = partition.condition { return false }
            guard partition.heal == nil, !partition.isSyncQueued, !partition.isClean, partition.file != nil
            else { return false }
            partition.isSyncQueued = true
            return true
        }
        if added == true { syncReady.append(number) }
    }

    mutating func takeSync(now: Instant) -> SyncJob? {
        guard failure == nil, !isSyncOut else { return nil }
        if let target = takeHeal(now: now) {
            isSyncOut = true
            return SyncJob(targets: [target])
        }
        var targets: [SyncTarget] = []
        var later: [Int] = []
        while targets.count < 64, let number = syncReady.popFirst() {
            guard let partition = partitions[number] else { continue }
            guard !partition.isCommitting, !partition.isRolling, !isGoing(partition) else {
                later.append(number)
                continue
            }
            partitions[number]?.isSyncQueued = false
            guard partition.file != nil, !partition.isClean, partition.heal == nil,
                partition.refusal == nil || partition.isLeaving
            else {
                continue
            }
            partitions[number]?.isSyncing = true
            partition.closeProducers()
            targets.append(
                SyncTarget(
                    partition: number, file: partition.segmentFile, point: partition.active.point(ceiling: 0))
            )
        }
        for number in later { syncReady.append(number) }
        guard !targets.isEmpty else { return nil }
        isSyncOut = true
        return SyncJob(targets: targets)
    }

    mutating func finishedSync(_ job: SyncJob, _ results: [SyncResult], now: Instant) {
        isSyncOut = false
        for (target, result) in zip(job.targets, results) {
            partitions[target.partition]?.isSyncing = false
            if let error = result.error, !PlantedBug.failedSyncCounts.isPlanted {
                failedSync(target.partition, error, now: now)
            } else {
                partitions[target.partition]?.heal = nil
                synced(target, now: now)
            }
            settle(target.partition)
        }
        retryFiles()
        healed()
    }

    /// A segment is on the medium up to the target's point.
    mutating func synced(_ target: SyncTarget, now: Instant) {
        let number = target.partition
        guard let partition = partitions[number], partition.active.baseOffset == target.point.baseOffset
        else { return }
        partitions[number]?.isNameDirty = false
        if target.point.position > partition.synced.position || partition.isNameDirty {
            partitions[number]?.synced = target.point
            manifest.pendingPoints.insert(number)
            // A batch that waited for its commit needs none now; the journal would have it below the recovery
            // point.
            becameDurable(number, LogPlace(offset: target.point.offset, position: target.point.position))
        }
        redirty(number, now: now)
    }

    /// What was written while the sync ran has its own second.
    private mutating func redirty(_ number: Int, now: Instant) {
        partitions[number]?.dirtySince = nil
        guard let partition = partitions[number], !partition.settings.isDurable, !partition.isClean else {
            return
        }
        partitions[number]?.dirtySince = now.monotonicNanoseconds
        dirty.append(number)
        if partition.active.size - partition.synced.position >= configuration.windowBytes / 4 {
            requestSync(number)
        }
    }

    /// Whether offsets below `end` may be given out: on a `written` topic only as far as the manifest
    /// promises.
    ///
    /// False when it must wait; the promise has been asked for then.
    mutating func reserveOffsets(_ number: Int, through end: Int64) -> Bool {
        guard let partition = partitions[number] else { return false }
        let ceiling = partition.recorded.ceiling
        if end + configuration.ceilingStep / 2 > ceiling {
            manifest.pendingPoints.insert(number)
            manifest.pointsAreUrgent = true
        }
        return end <= ceiling || PlantedBug.promiseIgnored.isPlanted
    }

    /// The ceiling that the next recovery point promises: ahead by a step, or by twice what the last one
    /// lasted for.
    func nextCeiling(_ partition: PartitionLog) -> Int64 {
        // On a topic that has become durable the promise stays until all that was seen by it is on the
        // medium.
        guard !partition.settings.isDurable else {
            return partition.synced.offset >= partition.recorded.ceiling ? 0 : partition.recorded.ceiling
        }
        let waiting = (0..<min(partition.queue.count, 64)).reduce(Int64(0)) { sum, index in
            switch partition.queue[index] {
            case .batch(let batch, _): sum + Int64(batch.recordCount)
            case .group(let id):
                sum
                    + Int64(
                        groups[id]?.parts.first { numbers[partition.key] == $0.number }?.batch.recordCount
                            ?? 0)
            }
        }
        let progress = 2 * (partition.active.endOffset - partition.recorded.offset)
        return max(
            partition.recorded.ceiling,
            partition.active.endOffset + max(configuration.ceilingStep, progress) + waiting)
    }

    /// Finds an open segment file that can be closed; asks for a sync when they are all dirty.
    mutating func evictFile(now: Instant) -> (file: FileID, partition: Int)? {
        guard mayEvict else { return nil }
        var dirtyFound = 0
        for _ in 0..<openOrder.count {
            guard let number = openOrder.popFirst() else { break }
            let leaving = leavingRecorded
            // Looked at where it is: of thousands of partitions a copy of each would be made for each write.
            let fate = with(number) { partition in
                guard let file = partition.file else { return FileFate.gone }
                if partition.isLeaving, leaving.contains(partition.key.topic) { return .kept }
                // A file whose sync has failed tells nothing more, and will not be written.
                let isDone = partition.isStopped || partition.isClean && partition.journalled == nil
                guard isDone, !partition.isBusy else { return partition.isClean ? .kept : .dirty }
                partition.file = nil
                partition.isClosing = true
                return .closed(file)
            }
            switch fate {
            case nil, .gone: break
            case .kept: openOrder.append(number)
            case .dirty:
                openOrder.append(number)
                guard dirtyFound < 64 else { break }
                dirtyFound += 1
                requestSync(number)
            case .closed(let file):
                openCount -= 1
                return (file, number)
            }
        }
        mayEvict = false
        return nil
    }

    private enum FileFate {
        case gone, kept, dirty
        case closed(FileID)
    }

    /// Lets partitions that waited for a descriptor try again: as many as a sync may have freed, first come
    /// first served.
    mutating func retryFiles() {
        mayEvict = true
        guard !waitingForFile.isEmpty, !PlantedBug.waitersForgotten.isPlanted else { return }
        let waiting = waitingForFile
        waitingForFile = Array(waiting.dropFirst(64))
        for number in waiting.prefix(64) { markReady(number) }
    }
}
