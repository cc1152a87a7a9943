// Appends to several partitions, all of them or none.
//
//   queued in each partition ─► at the head of all queues ─► one journal frame, synced ─► written to the
//   segments ─► answered
//
// (1) A partition at whose head an atomic write waits takes no write jobs: its place is decided by what was
// queued before. Groups are queued in all their partitions under one lock, so that none waits for another in
// a circle.
// (2) Once the frame is synced the write is decided. A segment that cannot be written then is tried again;
// until that succeeds, or the next opening writes it from the journal, the partition takes nothing else, and
// refuses what is queued.

/// An atomic write on its way.
struct AtomicGroup {
    enum Phase {
        /// In its queues, or at the head of them.
        case queued
        /// In the frame of a commit that is out: it can be refused no more, nobody knows what the medium has.
        case placed
        /// The frame is on the medium: it will be in its segments, after the next opening at the latest.
        case journalled
    }
    struct Part {
        var number: Int
        var batch: PreparedBatch
        var expecting: Int64?
        var appendTime: Int64?
        /// Bytes that are held for it on the disk, until it is in its segment.
        var reserved: Int64
    }
    var parts: [Part]
    /// Partitions at whose head it has arrived.
    var arrived: Set<Int> = []
    /// Parts that are not in their segments yet.
    var left = 0
    var isAnswered = false
    var phase = Phase.queued
    var appended: [Int: AppendedBatch] = [:]
}

/// One partition's part of an atomic write.
public struct AtomicPart: Sendable {
    public var partition: Int
    public var batch: PreparedBatch
    /// The offset at which the partition must end, or nothing is appended.
    public var expecting: Int64?
    public init(partition: Int, batch: PreparedBatch, expecting: Int64? = nil) {
        self.partition = partition
        self.batch = batch
        self.expecting = expecting
    }
}

extension Volume {
    /// Queues an append to several partitions, at most one batch for each, that happens as a whole or not at
    /// all.
    ///
    /// It is always durable. One completion per part, all successes or all failures.
    /// Throws, and takes nothing: as `submit`; `tooLarge` above `Limits.atomicBytes` together.
    public mutating func submit(atomic parts: [AtomicPart], now: Instant) throws(LogError) {
        guard !parts.isEmpty else { return }
        precondition(Set(parts.map(\.partition)).count == parts.count, "one batch for each partition")
        do throws(LogError) {
            try checkAtomic(parts)
            queue(parts, reserved: try admit(parts), now: now)
        } catch {
            disk.release(parts.reduce(0) { $0 + Int64($1.batch.reservedBytes) })
            throw error
        }
    }

    private func checkAtomic(_ parts: [AtomicPart]) throws(LogError) {
        var bytes = 0
        for part in parts {
            try checkAppend(part.partition, bytes: part.batch.bytes.count)
            bytes += part.batch.bytes.count
        }
        guard bytes <= journal.frameBytes else { throw .tooLarge(bytes: bytes, limit: journal.frameBytes) }
        guard parts.count <= journal.frameEntries else {
            throw .tooLarge(
                bytes: parts.count * JournalEntry.bytes, limit: journal.frameEntries * JournalEntry.bytes)
        }
    }

    private mutating func queue(_ parts: [AtomicPart], reserved: [Int64], now: Instant) {
        let id = nextGroup
        nextGroup += 1
        groups[id] = AtomicGroup(
            parts: zip(parts, reserved).map { part, reserved in
                let usesAppendTime = partitions[part.partition]?.settings.usesLogAppendTime == true
                return AtomicGroup.Part(
                    number: part.partition, batch: part.batch, expecting: part.expecting,
                    appendTime: usesAppendTime ? now.wallMilliseconds : nil, reserved: reserved)
            }, left: parts.count)
        for part in parts {
            partitions[part.partition]?.queue.append(.group(id))
            markReady(part.partition)
        }
    }

    /// The group is at the head of a partition's queue, and no write of that partition is out.
    mutating func arrive(_ number: Int, at id: Int, now: Instant) {
        guard let group = groups[id], let part = group.parts.first(where: { $0.number == number }),
            let partition = partitions[number]
        else {
            // It failed meanwhile.
            _ = partitions[number]?.queue.popFirst()
            markReady(number)
            return
        }
        if needsRoll(
            number, bytes: part.batch.bytes.count, records: part.batch.recordCount, part.batch.maxTimestamp)
        {
            startRoll(number)
            return
        }
        if !partition.settings.isDurable,
            !reserveOffsets(number, through: partition.active.endOffset + Int64(part.batch.recordCount))
        {
            return
        }
        partitions[number]?.heldBy = id
        groups[id]?.arrived.insert(number)
        if groups[id]?.arrived.count == group.parts.count { groupsReady.append(id) }
    }

    /// The partition whose end is not the one that the caller has seen.
    func unexpectedEnd(_ group: AtomicGroup) -> LogError? {
        for part in group.parts {
            guard let expected = part.expecting, let partition = partitions[part.number] else { continue }
            if partition.active.endOffset != expected {
                return .unexpectedEnd(
                    topic: partition.topic, partition: Int(partition.key.partition),
                    is: partition.active.endOffset)
            }
        }
        return nil
    }

    /// Refuses the group as a whole, if nothing of it can be in the journal; else its commit decides.
    mutating func failGroup(_ id: Int, _ error: LogError) {
        guard let group = groups[id], group.phase == .queued else { return }
        dropGroup(id, error)
    }

    private mutating func dropGroup(_ id: Int, _ error: LogError) {
        answerGroup(id, error)
        guard let group = groups.removeValue(forKey: id) else { return }
        disk.release(group.parts.reduce(0) { $0 + $1.reserved })
        for part in group.parts {
            // Order holds: what a producer has queued behind a part that failed to be written fails with it.
            switch error {
            case .io, .noRoom: failQueue(part.number, error, of: part.batch.origin.producer, behind: id)
            default: break
            }
            release(part.number, from: id)
        }
    }

    /// Answers all parts with an error, once.
    private mutating func answerGroup(_ id: Int, _ error: LogError) {
        guard let group = groups[id], !group.isAnswered else { return }
        groups[id]?.isAnswered = true
        for (index, part) in group.parts.enumerated() {
            answer(part.batch.origin, .failure(error), part: index)
        }
    }

    /// The frame could not be synced: nobody knows whether the group will be there.
    mutating func lostGroup(_ id: Int, _ error: IOError) {
        dropGroup(
            id, .indeterminate(reason: "\(error.operation) of \(error.path) failed with error \(error.errno)")
        )
    }

    /// The frame was not written; the group goes into another.
    mutating func retryGroup(_ id: Int) {
        guard let group = groups[id] else { return }
        groups[id]?.phase = .queued
        for part in group.parts {
            if let refusal = partitions[part.number]?.refusal { return failGroup(id, refusal) }
        }
        if let failure { return failGroup(id, .stopped(failure)) }
        groupsReady.append(id)
    }

    /// The group is in the journal and cannot go into its segments before the next opening.
    mutating func leaveToRecovery(_ id: Int, _ error: IOError) {
        answerGroup(
            id,
            .indeterminate(reason: "it will be appended at the next opening: \(error.path) cannot be written")
        )
    }

    private mutating func release(_ number: Int, from id: Int) {
        _ = with(number) { partition in
            if partition.heldBy == id {
                partition.heldBy = nil
                partition.journalled = nil
            }
            partition.queue.keep { if case .group(id) = $0 { false } else { true } }
        }
        settle(number)
    }

    /// The frame is on the medium: the group's batches go into their segments.
    mutating func apply(_ part: PlacedPart) {
        groups[part.group]?.phase = .journalled
        partitions[part.partition]?.journalled = part.batch
        if let failure { return leaveToRecovery(part.group, failure) }
        markReady(part.partition)
    }

    /// One part was written to its segment, or could not be.
    mutating func finishedPart(_ number: Int, of id: Int, _ result: WriteResult, now: Instant) {
        guard groups[id] != nil else { return }
        guard result.written > 0, let batch = partitions[number]?.journalled else {
            partitions[number]?.isPutOff = true
            retries.append(number)
            retryAt = min(retryAt ?? .max, now.monotonicNanoseconds + Self.retryNanoseconds)
            if let error = result.error {
                let reason =
                    "it is in the journal and will be appended when \(error.path) can be written again"
                answerGroup(id, .indeterminate(reason: reason))
                // What waits behind it would fail alike, and would wait as long as that lasts.
                failQueue(number, .io(error))
            }
            return
        }
        _ = with(number) { partition in
            partition.journalled = nil
            partition.heldBy = nil
            _ = partition.queue.popFirst()
            partition.durable = LogPlace(offset: partition.active.endOffset, position: partition.active.size)
            partition.proven = max(partition.proven, partition.active.size)
        }
        completions.advanced.append(number)
        answerDuplicates(number)
        if partitions[number]?.settings.isDurable == false { wroteWithoutCommit(number, now: now) }
        groups[id]?.left -= 1
        for index in groups[id]?.parts.indices ?? 0..<0 where groups[id]?.parts[index].number == number {
            disk.release(groups[id]?.parts[index].reserved ?? 0)
            groups[id]?.parts[index].reserved = 0
        }
        groups[id]?.appended[number] = AppendedBatch(
            baseOffset: batch.baseOffset, appendTime: batch.appendTime)
        guard let done = groups[id], done.left == 0 else { return }
        groups[id] = nil
        guard !done.isAnswered else { return }
        for (index, part) in done.parts.enumerated() {
            guard let appended = done.appended[part.number] else { continue }
            answer(part.batch.origin, .success(appended), part: index)
        }
    }

    static var retryNanoseconds: Int64 { 100_000_000 }
}
