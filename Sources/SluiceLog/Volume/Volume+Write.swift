// From the queue into the segment.
//
// Taking a job, in order: part of an atomic write that is in the journal · a full segment is rolled · the
// disk's budget, W and the promised offsets are respected · a descriptor is found · offsets are given to as
// many batches as fit.

extension Volume {
    mutating func takeWrite(now: Instant) -> WriteJob? {
        guard failure == nil, closing != .recording, closing != .closed else { return nil }
        while let number = writeReady.popFirst() {
            guard var partition = partitions[number] else { continue }
            partitions[number]?.isReady = false
            partition.isReady = false
            guard !partition.isWriting, !partition.isStopped, partition.heal == nil else { continue }
            if let batch = partition.journalled {
                guard !partition.isPutOff else { continue }
                if let job = writeJob(number, [batch], group: partition.heldBy, now: now) { return job }
                continue
            }
            guard partition.refusal == nil, partition.heldBy == nil, !partition.isRolling,
                partition.nextSettings == nil
            else { continue }
            guard let head = partition.queue.first else { continue }
            switch head {
            case .group(let group): arrive(number, at: group, now: now)
            case .batch(let batch, _):
                if batch.isIdempotent, !admitHead(number, now: now) { continue }
                if needsRoll(
                    partition, bytes: batch.bytes.count, records: batch.recordCount, batch.maxTimestamp)
                {
                    startRoll(number)
                    continue
                }
                let batches = takeBatches(number, now: now)
                guard !batches.isEmpty else { continue }
                guard let job = writeJob(number, batches, group: nil, now: now) else { continue }
                return job
            }
        }
        return nil
    }

    /// The batches of one write: whole, in order, within the segment and within W; empty when it must wait.
    ///
    /// They leave the queue in `writeJob`, when nothing can be in the way any more.
    private mutating func takeBatches(_ number: Int, now: Instant) -> [PlacedBatch] {
        guard let partition = partitions[number] else { return [] }
        let anchor = max(partition.recorded.position, partition.settings.isDurable ? partition.proven : 0)
        var position = partition.active.size
        var offset = partition.active.endOffset
        var bytes = 0
        var placed: [PlacedBatch] = []
        let segmentLimit = segmentLimit(partition.settings)
        let directory = partition.active.size == 0 ? partition.directoryBytes : 0
        for index in 0..<min(partition.queue.count, 64) {
            guard case .batch(let batch, let acks) = partition.queue[index] else { break }
            let size = Int64(batch.bytes.count)
            if index > 0 {
                if batch.isIdempotent, !mayFollow(batch, placed, in: partition, now: now) { break }
                guard bytes + batch.bytes.count <= configuration.writeBytes else { break }
                guard position + size <= segmentLimit else { break }
                guard offset + Int64(batch.recordCount) - partition.active.baseOffset <= Int64(Int32.max)
                else { break }
            }
            let growth = DiskLedger.growth(partition.active.size, adding: Int64(bytes) + size)
            let claimant = batch.isExempt ? DiskLedger.Claimant.exempt : .accepted
            guard disk.fits(directory + growth - Int64(bytes) - size, claimant) else {
                if index == 0 { refuseHead(number) }
                break
            }
            if position + size - anchor > configuration.windowBytes, position > anchor,
                !PlantedBug.windowIgnored.isPlanted
            {
                if index == 0 { waitForWindow(number) }
                break
            }
            if !partition.settings.isDurable,
                !reserveOffsets(number, through: offset + Int64(batch.recordCount))
            {
                break
            }
            let time = partition.settings.usesLogAppendTime ? now.wallMilliseconds : nil
            placed.append(
                PlacedBatch(
                    bytes: batch.bytes, origin: batch.origin, acks: acks, baseOffset: offset,
                    nextOffset: offset + Int64(batch.recordCount), position: position,
                    maxTimestamp: time ?? batch.maxTimestamp, leaderEpoch: partition.epoch, appendTime: time,
                    isIdempotent: batch.isIdempotent))
            position += size
            offset += Int64(batch.recordCount)
            bytes += batch.bytes.count
        }
        return placed
    }

    /// Nothing more is written before what is written has become safe: that moves the window.
    private mutating func waitForWindow(_ number: Int) {
        guard let partition = partitions[number] else { return }
        if partition.settings.isDurable { queueCommit(number) }
        if !partition.settings.isDurable || partition.uncommitted.isEmpty {
            requestSync(number)
            manifest.pendingPoints.insert(number)
            manifest.pointsAreUrgent = true
        }
    }

    private mutating func writeJob(
        _ number: Int, _ batches: [PlacedBatch], group: Int?, now: Instant
    ) -> WriteJob? {
        guard let partition = partitions[number], let first = batches.first else { return nil }
        var evicted: (file: FileID, partition: Int)?
        if partition.file == nil {
            if openCount >= configuration.openFiles {
                guard let victim = evictFile(now: now) else {
                    waitingForFile.append(number)
                    return nil
                }
                evicted = victim
            }
            openCount += 1
        }
        if group == nil {
            for batch in batches {
                _ = partitions[number]?.queue.popFirst()
                if !PlantedBug.reservationKept.isPlanted { disk.release(Int64(batch.bytes.count)) }
            }
        }
        partitions[number]?.isWriting = true
        writesOut += 1
        let added = batches.reduce(Int64(0)) { $0 + Int64($1.bytes.count) }
        var claim =
            PlantedBug.growthNotCounted.isPlanted ? 0 : DiskLedger.growth(first.position, adding: added)
        if first.position == 0 {
            claim += partition.directoryBytes
            partitions[number]?.directoryBytes = 0
        }
        disk.claim(claim)
        let isTailFull = partition.active.tail.index.count >= ActiveSegment.unflushedEntries
        let tail = isTailFull ? takeTail(number, .append) : nil
        return WriteJob(
            partition: number, file: partition.segmentFile, position: first.position, batches: batches,
            crc: partition.active.crc, tail: tail?.0, evicted: evicted, group: group,
            claim: claim + (tail?.claim ?? 0))
    }

    /// What of a write's claim is on the disk now.
    private func kept(_ job: WriteJob, _ result: WriteResult) -> Int64 {
        guard !result.isDirty else { return job.claim }
        func growth(_ batches: some Sequence<PlacedBatch>) -> Int64 {
            DiskLedger.growth(job.position, adding: batches.reduce(0) { $0 + Int64($1.bytes.count) })
        }
        return job.claim - growth(job.batches) + growth(job.batches.prefix(result.written))
    }

    mutating func finishedWrite(_ job: WriteJob, _ result: WriteResult, now: Instant) {
        let number = job.partition
        writesOut -= 1
        disk.settle(job.claim, kept: kept(job, result))
        if let evicted = job.evicted {
            partitions[evicted.partition]?.isClosing = false
            settle(evicted.partition)
        }
        if job.file.id == nil {
            if result.file == nil {
                openCount -= 1
                // What of its directory was made is not known, and a measurement may count less than was
                // claimed: the next try claims it again, and a later measurement corrects that.
                if job.position == 0 { partitions[number]?.directoryBytes = 2 * DiskLedger.blockBytes }
            } else {
                openOrder.append(number)
                partitions[number]?.file = result.file
                if job.position == 0 { partitions[number]?.isNameDirty = true }
            }
        }
        partitions[number]?.isWriting = false
        if result.isDirty, let error = result.error { stop(number, error) }
        let written = job.batches[..<result.written]
        for batch in written { added(batch, to: number, now: now) }
        if result.written > 0 { partitions[number]?.active.crc = result.crc }
        if let group = job.group {
            finishedPart(number, of: group, result, now: now)
        } else {
            acknowledgeWritten(number, written, now: now)
            if let error = result.error { failedWrite(job, result, error) }
        }
        retryFiles()
        settle(number)
    }

    private mutating func added(_ batch: PlacedBatch, to number: Int, now: Instant) {
        if partitions[number]?.active.size == 0 { activeCount += 1 }
        _ = with(number) { partition in
            partition.active.add(
                bytes: batch.bytes.count, nextOffset: batch.nextOffset, maxTimestamp: batch.maxTimestamp,
                interval: partition.settings.indexIntervalBytes)
            partition.active.lastWrite = now.wallMilliseconds
            partition.appendedBytes += Int64(batch.bytes.count)
        }
        if batch.isIdempotent { remember(batch, in: number, now: now) }
    }

    private mutating func acknowledgeWritten(_ number: Int, _ written: ArraySlice<PlacedBatch>, now: Instant)
    {
        guard !written.isEmpty, let partition = partitions[number] else { return }
        let stopped = partition.refusal != nil && !partition.isLeaving
        for batch in written {
            let waits = partition.answersAtCommit(batch)
            if !waits { answer(batch) }
            if stopped || failure != nil {
                guard waits else { continue }
                refuse(
                    batch.origin, in: number,
                    .indeterminate(reason: "the write ended after the partition had stopped"))
            } else if waits || partition.settings.isDurable {
                partitions[number]?.uncommitted.append(batch)
                partitions[number]?.uncommittedBytes += batch.bytes.count
            }
        }
        if partitions[number]?.uncommitted.isEmpty == false { queueCommit(number) }
        if !partition.settings.isDurable { wroteWithoutCommit(number, now: now) }
    }

    /// A `written` topic: visible at once, synced a little later.
    mutating func wroteWithoutCommit(_ number: Int, now: Instant) {
        completions.advanced.append(number)
        guard let partition = partitions[number] else { return }
        if partition.dirtySince == nil {
            partitions[number]?.dirtySince = now.monotonicNanoseconds
            dirty.append(number)
        }
        if partition.active.size - partition.synced.position >= configuration.windowBytes / 4 {
            requestSync(number)
        }
    }

    /// What was not written is refused, and with it what the same producers sent after it: order holds.
    private mutating func failedWrite(_ job: WriteJob, _ result: WriteResult, _ error: IOError) {
        let answerError: LogError =
            result.isDirty
            ? .indeterminate(reason: "\(error.operation) of \(error.path) failed, and could not be undone")
            : .io(error)
        var producers: Set<UInt32> = []
        for batch in job.batches[result.written...] {
            refuse(batch.origin, in: job.partition, answerError)
            producers.insert(batch.origin.producer)
        }
        guard !PlantedBug.orderForgotten.isPlanted else { return }
        for producer in producers.sorted() { failQueue(job.partition, .io(error), of: producer) }
    }
}
