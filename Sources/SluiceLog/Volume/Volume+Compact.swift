// Compaction: which partition, when, and what a pass's answers bring about. Compaction/Cleaner.swift does it.
//
//   1. Slices read, write and sync a new segment beside the old ones, and read it again.
//                                     a crash here: files that nothing refers to; recovery removes them
//   2. One manifest record puts it in the place of the old ones.
//                                     a crash here: recovery goes on with 3
//   3. Rename job: the new files take the names, the old ones go. Readers get the new names after that.
//   … the next group of segments; at the end one record that says how far the partition is clean.
//
// (1) One pass at a time in the volume, one slice of it out; other jobs of the background go before it. (2)
// The rate is kept by deadlines: a slice that took many bytes puts the next one off. (3) A pass is given up
// when its partition is deleted, stopped or no longer compacted, when segments that it is changing go, on an
// error, and when the store closes: what it had not swapped is removed. (4) A pass that had no memory for all
// keys is followed by the next without regard to the dirty ratio.

extension Volume {
    /// Rolls the active segment when it has at least `rollBytes`, and cleans all before it, whatever the
    /// dirty ratio. The answer's value is the offset below which each key occurs once.
    ///
    /// Throws `unknownPartition`, `closed`, `stopped`. On a topic that is not compacted nothing is done. A
    /// failure is answered with `io`; nothing is lost by one.
    package mutating func compact(_ number: Int, rollBytes: Int64 = 1, request: UInt64) throws(LogError) {
        guard closing == .open else { throw .closed }
        if let failure { throw .stopped(failure) }
        guard partitions.indices.contains(number), let partition = partitions[number] else {
            throw .unknownPartition(topic: "", partition: number)
        }
        if let refusal = partition.refusal { throw refusal }
        guard partition.settings.isCompacted else {
            return completions.requests.append((request, .success(partition.cleaning.firstDirty)))
        }
        partitions[number]?.compactRequests.append(CompactRequest(id: request))
        if partition.active.size >= max(rollBytes, 1) { startRoll(number) }
        queueCompaction(number)
    }

    /// Puts a partition in line to be looked at.
    mutating func queueCompaction(_ number: Int) {
        guard let partition = partitions[number], !partition.isCompactQueued,
            partition.settings.isCompacted || !partition.compactRequests.isEmpty
        else { return }
        partitions[number]?.isCompactQueued = true
        compactReady.append(number)
    }

    mutating func takeCompact(now: Instant) -> CompactJob? {
        // What is being removed may have the name that a pass would write next.
        guard !isCompactOut, !isSwapOut, removals.isEmpty, !isRemoveOut, failure == nil, closing == .open,
            now.monotonicNanoseconds >= compactAt
        else { return nil }
        if endCompactionIfOver() { return nil }
        while compaction == nil, let number = compactReady.popFirst() {
            partitions[number]?.isCompactQueued = false
            if let plan = compactionPlan(number, now: now) {
                compaction = (number, Compaction(plan))
            }
        }
        guard let (number, pass) = compaction, claimOutput(of: pass, number, now: now) else { return nil }
        isCompactOut = true
        partitions[number]?.isCompacting = true
        return CompactJob(partition: number, compaction: pass, bytes: configuration.compactionSliceBytes)
    }

    /// Sees to it that the pass finds room for what it writes next; without it, it is given up for a while.
    private mutating func claimOutput(of pass: Compaction, _ number: Int, now: Instant) -> Bool {
        if compactionClaim > 0 { return true }
        let claim = pass.plan.outputClaim
        guard disk.fits(claim, .append) else {
            partitions[number]?.compactTarget = nil
            answerCompactRequests(number, .failure(noRoom))
            giveUpCompaction(isQueued: false)
            tryCompactionLater(now: now, milliseconds: Self.compactionRetryMilliseconds)
            return false
        }
        compactionClaim = claim
        disk.claim(claim)
        return true
    }

    /// The pass that a partition wants now; nil when it wants none.
    private mutating func compactionPlan(_ number: Int, now: Instant) -> CompactionPlan? {
        guard let partition = partitions[number] else { return nil }
        if let refusal = partition.refusal {
            answerCompactRequests(number, .failure(refusal))
            return nil
        }
        guard partition.settings.isCompacted else {
            answerCompactRequests(number, .success(partition.cleaning.firstDirty))
            return nil
        }
        // Looked at again when the roll, or the renaming, is over.
        let isAsked = !partition.compactRequests.isEmpty
        if partition.isRenaming || (isAsked && partition.isRolling) { return nil }
        let cleanable = partition.cleanable(wall: now.wallMilliseconds)
        if cleanable.count < partition.sealed.count {
            let age = now.wallMilliseconds.subtractingReportingOverflow(
                partition.sealed[cleanable.count].maxTimestamp)
            let wait = partition.settings.minCompactionLagMilliseconds.subtractingReportingOverflow(
                age.overflow ? 0 : age.partialValue)
            tryCompactionLater(now: now, milliseconds: min(max(wait.partialValue, 1_000), 3_600_000))
        }
        let end = cleanable.last?.endOffset ?? 0
        let point = partition.cleaning
        guard end > max(point.firstDirty, cleanable.first?.baseOffset ?? 0) else {
            partitions[number]?.compactTarget = nil
            answerCompactRequests(number, .success(point.firstDirty))
            return nil
        }
        answerCompactRequests(number, .success(point.firstDirty)) { $0.target ?? .max <= point.firstDirty }
        let isStillAsked = partitions[number]?.compactRequests.isEmpty == false
        let isContinued = partition.compactTarget.map { point.firstDirty < $0 } ?? false
        guard isStillAsked || isContinued || partition.isDirty(cleanable) else { return nil }
        if isStillAsked || !isContinued { partitions[number]?.compactTarget = end }
        for index in partitions[number]?.compactRequests.indices ?? 0..<0
        where partitions[number]?.compactRequests[index].target == nil {
            partitions[number]?.compactRequests[index].target = end
        }
        let id = partition.key.topic
        var settings = partition.settings
        settings.segmentBytes = segmentLimit(settings)
        return CompactionPlan(
            sources: cleanable.map { .init(sealed: $0, paths: partition.paths(of: $0)) },
            directory: partition.directory, logStart: partition.logStart, point: point,
            now: now.wallMilliseconds, settings: settings,
            memory: configuration.compactionMemoryBytes,
            hash: SipHash(storeID.high ^ id.low, storeID.low ^ id.high))
    }

    /// Gives up the pass when there is nothing more for it to do. True when it did.
    @discardableResult
    mutating func endCompactionIfOver() -> Bool {
        guard let under = compaction, !isCompactOut, !mayGoOn(under) else { return false }
        giveUpCompaction()
        return true
    }

    private func mayGoOn(_ under: (number: Int, pass: Compaction)) -> Bool {
        guard let partition = partitions[under.number], partition.refusal == nil,
            partition.settings.isCompacted
        else { return false }
        return under.pass.sourcesInHand.allSatisfy(partition.sealed.contains)
    }

    mutating func finishedCompact(_ job: CompactJob, _ result: CompactResult, now: Instant) {
        isCompactOut = false
        let number = job.partition
        partitions[number]?.isCompacting = false
        disk.add(result.leftBytes)
        let rate = configuration.compactionBytesPerSecond
        if rate > 0 {
            compactAt = now.monotonicNanoseconds + Int64(result.bytes) * 1_000_000 / max(rate / 1000, 1)
        }
        for found in result.damage {
            // One that retention has taken meanwhile is not damaged.
            guard let partition = partitions[number],
                let sealed = partition.sealed.first(where: { $0.baseOffset == found.segment })
            else { continue }
            let isThatFile = !partition.isRenaming && partition.paths(of: sealed).log == found.file
            noteDamage(
                found.damage, isLasting: found.isLasting && isThatFile, in: partition, of: found.segment,
                file: found.file)
        }
        switch result.step {
        case .more: break
        case .swap(let swap, let paths):
            disk.settle(compactionClaim, kept: result.outputBytes)
            compactionClaim = 0
            let isHere = partitions[number].map { partition in
                swap.removed.allSatisfy { base in partition.sealed.contains { $0.baseOffset == base } }
            }
            if isHere == true, failure == nil, let key = partitions[number]?.key {
                isSwapOut = true
                manifest.add(.swapped(key, swap), .swapped(number, swap, isLast: false))
            } else {
                removals.append(RemoveJob(target: .segments(paths), paths: self.paths))
                giveUpCompaction()
            }
        case .finished(let point):
            compaction = nil
            endCompactionClaim()
            guard let key = partitions[number]?.key, failure == nil else { break }
            isSwapOut = true
            let swap = SegmentSwap(point: point)
            manifest.add(.swapped(key, swap), .swapped(number, swap, isLast: true))
        case .failed(let error):
            if partitions[number] != nil {
                completions.events.append(.compactionFailed(error))
                partitions[number]?.compactTarget = nil
                answerCompactRequests(number, .failure(.io(error)))
            }
            giveUpCompaction(isQueued: false)
            tryCompactionLater(now: now, milliseconds: Self.compactionRetryMilliseconds)
        }
        // Before the deletion of its topic goes on: the output is removed before the directory.
        if closing != .open || failure != nil { giveUpCompaction() }
        endCompactionIfOver()
        settle(number)
    }

    private static var compactionRetryMilliseconds: Int64 { 10_000 }

    /// What a pass has done so far stays; what it has not swapped is removed.
    mutating func giveUpCompaction(isQueued: Bool = true) {
        guard !isCompactOut, let (number, pass) = compaction else { return }
        compaction = nil
        let (file, paths) = pass.takeOutput()
        if file != nil || paths != nil {
            removals.append(
                RemoveJob(
                    target: .segments(paths.map { [$0] } ?? []), paths: self.paths,
                    close: file.map { [$0] } ?? [], claim: compactionClaim))
            compactionClaim = 0
        }
        endCompactionClaim()
        if isQueued { queueCompaction(number) }
    }

    private mutating func endCompactionClaim() {
        disk.settle(compactionClaim, kept: 0)
        compactionClaim = 0
    }

    /// The swap is on record: the partition has the new segments.
    mutating func swapped(_ number: Int, _ swap: SegmentSwap, isLast: Bool) {
        isSwapOut = false
        guard let before = partitions[number] else { return }
        partitions[number]?.sealed.apply(swap, logStart: before.logStart)
        partitions[number]?.cleaning = swap.point
        partitions[number]?.checked.subtract(swap.removed)
        // What it wrote has been read again.
        partitions[number]?.checked.formUnion(swap.added.map(\.baseOffset))
        if !swap.added.isEmpty { takePlaces(number, before, swap) }
        guard isLast else { return }
        completions.events.append(
            .compacted(topic: before.topic, partition: Int(before.key.partition), to: swap.point.firstDirty))
        queueCompaction(number)
    }

    /// The names change hands by a job; until then readers use the new files by their temporary names.
    private mutating func takePlaces(_ number: Int, _ before: PartitionLog, _ swap: SegmentSwap) {
        var job = RenameJob(partition: number, renames: [], removed: [])
        for sealed in swap.added {
            let new = SegmentPaths(
                directory: before.directory, baseOffset: sealed.baseOffset, generation: sealed.generation)
            if partitions[number]?.sealed.contains(sealed) == true {
                partitions[number]?.unrenamed.insert(sealed.baseOffset)
                job.renames.append((sealed.baseOffset, new, before.paths(at: sealed.baseOffset)))
            } else {
                job.removed.append(new)
            }
        }
        for old in before.sealed where swap.removed.contains(old.baseOffset) {
            let paths = before.paths(of: old)
            let isReplaced = paths.suffix.isEmpty && job.renames.contains { $0.base == old.baseOffset }
            if !isReplaced { job.removed.append(paths) }
            // Its renaming had failed: the segment before it is there as well.
            let isTaken = job.renames.contains { $0.base == old.baseOffset }
            if !paths.suffix.isEmpty, !isTaken { job.removed.append(before.paths(at: old.baseOffset)) }
            if partitions[number]?.sealed.contains(where: { $0.baseOffset == old.baseOffset }) != true {
                partitions[number]?.unrenamed.remove(old.baseOffset)
            }
        }
        partitions[number]?.isRenaming = true
        removals.append(RemoveJob(target: .swapped(job), paths: paths))
    }

    mutating func finishedRenames(_ job: RenameJob, _ error: IOError?) {
        partitions[job.partition]?.isRenaming = false
        if error == nil {
            for rename in job.renames { partitions[job.partition]?.unrenamed.remove(rename.base) }
        }
        queueCompaction(job.partition)
    }

    mutating func answerCompactRequests(
        _ number: Int, _ result: Result<Int64, LogError>,
        where isDone: (CompactRequest) -> Bool = { _ in true }
    ) {
        let waiting = partitions[number]?.compactRequests ?? []
        guard !waiting.isEmpty else { return }
        partitions[number]?.compactRequests = waiting.filter { !isDone($0) }
        for request in waiting where isDone(request) { completions.requests.append((request.id, result)) }
    }

    /// All partitions are looked at again after a while.
    private mutating func tryCompactionLater(now: Instant, milliseconds: Int64) {
        let time = now.monotonicNanoseconds + milliseconds * 1_000_000
        compactRetryAt = min(compactRetryAt ?? .max, time)
    }

    mutating func retryCompactions(now: Instant) {
        guard let time = compactRetryAt, now.monotonicNanoseconds >= time else { return }
        compactRetryAt = nil
        for number in partitions.indices { queueCompaction(number) }
    }

    /// When a slice can be taken without anything happening; nil: not by itself.
    var compactionDeadline: Int64? {
        guard closing == .open, !isCompactOut, !isSwapOut else { return nil }
        if compaction != nil || !compactReady.isEmpty { return compactAt }
        return compactRetryAt
    }
}

extension PartitionLog {
    /// The files that a sealed segment has now.
    func paths(of sealed: SealedSegment) -> SegmentPaths {
        guard unrenamed.contains(sealed.baseOffset) else { return paths(at: sealed.baseOffset) }
        return SegmentPaths(
            directory: directory, baseOffset: sealed.baseOffset, generation: sealed.generation)
    }

    func paths(at baseOffset: Int64) -> SegmentPaths {
        SegmentPaths(directory: directory, baseOffset: baseOffset)
    }

    /// The segments that are old enough. Kafka: min.compaction.lag.ms.
    func cleanable(wall: Int64) -> [SealedSegment] {
        let lag = settings.minCompactionLagMilliseconds
        guard lag > 0 else { return sealed }
        return Array(sealed.prefix { $0.maxTimestamp <= wall.subtractingReportingOverflow(lag).partialValue })
    }

    /// Kafka: min.cleanable.dirty.ratio.
    func isDirty(_ cleanable: [SealedSegment]) -> Bool {
        var clean: Int64 = 0
        var dirty: Int64 = 0
        for segment in cleanable {
            if segment.endOffset > cleaning.firstDirty {
                dirty += segment.size
            } else {
                clean += segment.size
            }
        }
        return dirty > 0 && Double(dirty) >= settings.minDirtyRatio * Double(clean + dirty)
    }
}
