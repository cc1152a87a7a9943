// From the queue into the segment.
//
// Taking a job, in order: part of an atomic write that is in the journal · a full segment is rolled · the
// disk's budget, W and the promised offsets are respected · a descriptor is found · offsets are given to as
// many batches as fit.

extension Volume {
    mutating func takeWrite(now: Instant) -> WriteJob? {
        guard failure == nil, closing != .recording, closing != .closed else { return nil }
        while let number = writeReady.popFirst() {
            switch with(number, { $0.nextWrite() }) {
            case nil, .nothing?: continue
            case .part(let batch, let group)?:
                if let job = writeJob(number, [batch], group: group, now: now) { return job }
            case .group(let group)?: arrive(number, at: group, now: now)
            case .batch(let head)?:
                if head.isIdempotent, !admitHead(number, now: now) { continue }
                if needsRoll(number, bytes: head.bytes, records: head.records, head.maxTimestamp) {
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
        guard let start = with(number, { $0.writeStart }) else { return [] }
        let settings = start.settings
        var position = start.position
        var offset = start.offset
        var bytes = 0
        var placed: [PlacedBatch] = []
        let segmentLimit = segmentLimit(settings)
        for index in 0..<min(start.queued, 64) {
            guard case .batch(let batch, let acks)? = with(number, { $0.queue[index] }) else { break }
            let size = Int64(batch.bytes.count)
            if index > 0 {
                if batch.isIdempotent, !mayFollow(batch, placed, in: number, now: now) { break }
                guard bytes + batch.bytes.count <= configuration.writeBytes else { break }
                guard position + size <= segmentLimit else { break }
                guard offset + Int64(batch.recordCount) - start.baseOffset <= Int64(Int32.max)
                else { break }
            }
            let growth = DiskLedger.growth(start.position, adding: Int64(bytes) + size)
            let claimant = batch.isExempt ? DiskLedger.Claimant.exempt : .accepted
            guard disk.fits(start.directoryBytes + growth - Int64(bytes) - size, claimant) else {
                if index == 0 { refuseHead(number) }
                break
            }
            if position + size - start.anchor > configuration.windowBytes, position > start.anchor,
                !PlantedBug.windowIgnored.isPlanted
            {
                if index == 0 { waitForWindow(number) }
                break
            }
            if !settings.isDurable, !reserveOffsets(number, through: offset + Int64(batch.recordCount)) {
                break
            }
            let time = settings.usesLogAppendTime ? now.wallMilliseconds : nil
            placed.append(
                PlacedBatch(
                    bytes: batch.bytes, origin: batch.origin, acks: acks, baseOffset: offset,
                    nextOffset: offset + Int64(batch.recordCount), position: position,
                    maxTimestamp: time ?? batch.maxTimestamp, leaderEpoch: start.epoch, appendTime: time,
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
        guard partitions[number] != nil, let first = batches.first else { return nil }
        var evicted: (file: FileID, partition: Int)?
        if partitions[number]?.file == nil {
            if openCount >= configuration.openFiles {
                guard let victim = evictFile(now: now) else {
                    waitingForFile.append(number)
                    return nil
                }
                evicted = victim
            }
            openCount += 1
        }
        if group == nil, !PlantedBug.reservationKept.isPlanted {
            for batch in batches { disk.release(Int64(batch.bytes.count)) }
        }
        writesOut += 1
        let added = batches.reduce(Int64(0)) { $0 + Int64($1.bytes.count) }
        var claim =
            PlantedBug.growthNotCounted.isPlanted ? 0 : DiskLedger.growth(first.position, adding: added)
        let begun = with(number) { partition in
            partition.beginWrite(queued: group == nil ? batches.count : 0, isFirst: first.position == 0)
        }
        guard let begun else { return nil }
        claim += begun.directoryBytes
        disk.claim(claim)
        let tail = begun.isTailFull ? takeTail(number, .append) : nil
        return WriteJob(
            partition: number, file: begun.file, position: first.position, batches: batches,
            crc: begun.crc, tail: tail?.0, evicted: evicted, group: group,
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
        guard !written.isEmpty, let settings = partitions[number]?.settings else { return }
        let stopped = with(number) { $0.refusal != nil && !$0.isLeaving } == true
        for batch in written {
            let waits = settings.answersAtCommit(batch)
            if !waits { answer(batch) }
            if stopped || failure != nil {
                guard waits else { continue }
                refuse(
                    batch.origin, in: number,
                    .indeterminate(reason: "the write ended after the partition had stopped"))
            } else if waits || settings.isDurable {
                _ = with(number) { partition in
                    partition.uncommitted.append(batch)
                    partition.uncommittedBytes += batch.bytes.count
                }
            }
        }
        queueCommit(number)
        if !settings.isDurable { wroteWithoutCommit(number, now: now) }
    }

    /// A `written` topic: visible at once, synced a little later.
    mutating func wroteWithoutCommit(_ number: Int, now: Instant) {
        completions.advanced.append(number)
        let found = with(number) { partition in
            let isNew = partition.dirtySince == nil
            if isNew { partition.dirtySince = now.monotonicNanoseconds }
            return (isNew: isNew, bytes: partition.active.size - partition.synced.position)
        }
        guard let found else { return }
        if found.isNew { dirty.append(number) }
        if found.bytes >= configuration.windowBytes / 4 { requestSync(number) }
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

// What a write needs to know of its partition. Taken where the partition lies: copies of the whole struct
// were an eighth of the time of an append to one of many partitions.

/// What a partition in line for a write has for one.
enum NextWrite {
    case nothing
    /// A part of an atomic write, from the journal.
    case part(PlacedBatch, group: Int?)
    /// At the head of the queue waits an atomic write.
    case group(Int)
    /// At the head of the queue waits a batch.
    case batch(QueueHead)
}

/// What is asked of a batch at the head of a queue.
struct QueueHead {
    var bytes: Int
    var records: Int
    var maxTimestamp: Int64
    var isIdempotent: Bool
}

extension PartitionLog {
    /// Leaves the line, and says with what.
    fileprivate mutating func nextWrite() -> NextWrite {
        isReady = false
        guard !isWriting, !isStopped, heal == nil else { return .nothing }
        if let journalled { return isPutOff ? .nothing : .part(journalled, group: heldBy) }
        guard refusal == nil, heldBy == nil, !isRolling, nextSettings == nil, let head = queue.first else {
            return .nothing
        }
        return switch head {
        case .group(let group): .group(group)
        case .batch(let batch, _):
            .batch(
                QueueHead(
                    bytes: batch.bytes.count, records: batch.recordCount, maxTimestamp: batch.maxTimestamp,
                    isIdempotent: batch.isIdempotent))
        }
    }

    /// Where the next write goes; `anchor` is what its window is counted from.
    fileprivate var writeStart: WriteStart {
        WriteStart(
            settings: settings, anchor: max(recorded.position, settings.isDurable ? proven : 0),
            baseOffset: active.baseOffset, offset: active.endOffset, position: active.size, epoch: epoch,
            directoryBytes: active.size == 0 ? directoryBytes : 0, queued: queue.count)
    }

    /// A write job is taken, with so many batches from the queue.
    fileprivate mutating func beginWrite(queued count: Int, isFirst: Bool) -> BegunWrite {
        for _ in 0..<count { _ = queue.popFirst() }
        isWriting = true
        let begun = BegunWrite(
            file: segmentFile, crc: active.crc, directoryBytes: isFirst ? directoryBytes : 0,
            isTailFull: active.tail.index.count >= ActiveSegment.unflushedEntries)
        if isFirst { directoryBytes = 0 }
        return begun
    }
}

private struct WriteStart {
    var settings: LogSettings
    var anchor: Int64
    var baseOffset: Int64
    var offset: Int64
    var position: Int64
    var epoch: Int32
    var directoryBytes: Int64
    var queued: Int
}

private struct BegunWrite {
    var file: SegmentFile
    var crc: UInt32
    var directoryBytes: Int64
    var isTailFull: Bool
}
