// The budget of the disk as the volume keeps it: what is reserved, what jobs claim, what is measured.
// DiskLedger.swift has the arithmetic.
//
// (1) A batch holds its bytes from `submit` until it is in a write job or has been refused. A part of an
// atomic write holds them until it is in its segment, with the blocks that it may begin: it cannot be refused
// any more once it is in the journal. One that is left to the next opening keeps them, since it is appended
// then. (2) A measurement corrects what the counters cannot know: index files that a reader has rebuilt,
// files that somebody has removed. No file is removed while one is under way: it could be counted twice as
// gone.

extension Volume {
    /// What of the disk is taken, and what may be.
    package var diskUse: DiskUse { disk.use }

    /// Bytes at which a segment is closed whose topic does not say: the unit in which records go.
    package var adaptedSegmentBytes: Int64 { segmentLimit(LogSettings()) }

    /// Moves the budget: the file system's free space may be less than was hoped for, or more.
    ///
    /// Below what is taken, appends are refused until records have gone.
    package mutating func setDiskLimit(_ bytes: Int64) { disk.limit = max(0, bytes) }

    /// Sets bytes aside for a batch that will be submitted. False: there is no room, nothing was set aside.
    package mutating func reserve(_ bytes: Int) -> Bool {
        guard disk.fits(Int64(bytes), .append) else { return false }
        disk.reserve(Int64(bytes))
        return true
    }

    /// Gives back what `reserve` has set aside and no batch took over.
    package mutating func release(_ bytes: Int) { disk.release(Int64(bytes)) }

    /// Takes note of files that were made beside the log, such as a copy in the quarantine.
    package mutating func added(bytes: Int64) { disk.add(DiskLedger.blocks(bytes)) }

    var noRoom: LogError { .noRoom(usedBytes: disk.used + disk.reserved, limitBytes: disk.limit) }

    // MARK: Reserved

    /// Makes the batch hold its bytes. Throws `noRoom`; then it holds what it came with.
    mutating func admit(_ batch: inout PreparedBatch) throws(LogError) {
        let missing = Int64(batch.bytes.count - batch.reservedBytes)
        guard missing <= 0 || disk.fits(missing, batch.isExempt ? .exempt : .append) else { throw noRoom }
        missing > 0 ? disk.reserve(missing) : disk.release(-missing)
        batch.reservedBytes = batch.bytes.count
    }

    /// What each part of an atomic write is to hold. Throws `noRoom`; then nothing has changed.
    mutating func admit(_ parts: [AtomicPart]) throws(LogError) -> [Int64] {
        var fresh: Int64 = 0
        var held: Int64 = 0
        var wanted: [Int64] = []
        for part in parts {
            let bytes = Int64(part.batch.bytes.count)
            held += Int64(part.batch.reservedBytes)
            if !part.batch.isExempt { fresh += max(0, bytes - Int64(part.batch.reservedBytes)) }
            let directory = partitions[part.partition]?.directoryBytes ?? 0
            wanted.append(bytes + DiskLedger.blockBytes + directory)
        }
        let all = wanted.reduce(0, +)
        guard fresh == 0 || disk.fits(fresh, .append), all <= held || disk.fits(all - held, .exempt) else {
            throw noRoom
        }
        disk.reserve(all)
        disk.release(held)
        return wanted
    }

    /// The head of the queue finds no room after all, and with it what its producer sent after it.
    mutating func refuseHead(_ number: Int) {
        guard case .batch(let batch, _)? = partitions[number]?.queue.first else { return }
        _ = partitions[number]?.queue.popFirst()
        disk.release(Int64(batch.reservedBytes))
        refuse(batch.origin, in: number, noRoom)
        failQueue(number, noRoom, of: batch.origin.producer)
        markReady(number)
    }

    // MARK: Claimed

    /// Index entries for a job to write, and what they claim. Without room they are dropped: a look-up then
    /// reads a little more.
    mutating func takeTail(_ number: Int, _ claimant: DiskLedger.Claimant) -> (IndexTail, claim: Int64) {
        guard let tail = partitions[number]?.active.tail else { return (IndexTail(), 0) }
        guard disk.fits(tail.growth, claimant) else {
            partitions[number]?.active.dropTail()
            return (IndexTail(), 0)
        }
        disk.claim(tail.growth)
        _ = partitions[number]?.active.takeTail()
        return (tail, tail.growth)
    }

    // MARK: Measured

    mutating func takeMeasure(now: Instant) -> MeasureJob? {
        guard let time = measureDeadline, now.monotonicNanoseconds >= time else { return nil }
        isMeasureOut = true
        measuredChanges = disk.gained &+ disk.lost
        return MeasureJob(paths: paths, mark: disk.mark)
    }

    mutating func finishedMeasure(_ job: MeasureJob, _ result: Result<Int64, IOError>, now: Instant) {
        isMeasureOut = false
        measureAt = now.monotonicNanoseconds + Self.measureNanoseconds
        // What is out may be giving up the reserve file.
        guard case .success(let bytes) = result, !manifest.isOut else { return }
        disk.correct(bytes, since: job.mark)
        // What failed writes have left is counted now as it is: it may be less than was thought.
        manifest.spare = 0
        manifest.metaSpare = 0
        if !isJournalOut { journal.spare = 0 }
    }

    /// When the files are measured again, monotonic ns: while it matters, and something may have changed.
    /// What goes or is written anew is waited for; the end of that work asks again.
    var measureDeadline: Int64? {
        guard !isMeasureOut, failure == nil, closing == .open, disk.used > disk.limit / 2 else { return nil }
        guard !isRemoveOut, removals.isEmpty, !manifest.isOut else { return nil }
        // When the budget is nearly used up somebody may have made room by hand.
        let isNearlyFull = disk.used > disk.limit / 8 * 7
        return isNearlyFull || measuredChanges != disk.gained &+ disk.lost ? measureAt : nil
    }

    static var measureNanoseconds: Int64 { 60_000_000_000 }
}

extension IndexTail {
    /// What the files take more when the entries are written.
    var growth: Int64 {
        DiskLedger.growth(indexPosition, adding: Int64(index.count * IndexEntry.bytes))
            + DiskLedger.growth(timePosition, adding: Int64(time.count * TimeIndexEntry.bytes))
    }
}
