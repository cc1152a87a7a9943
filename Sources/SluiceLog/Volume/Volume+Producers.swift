// Batches with a producer id: each is appended once, and in its producer's order.
//
//   at the head of the queue ─► append      ─► written ─► remembered
//                            ─► duplicate   ─► answered when the original is as safe as was asked
//                            ─► out of order, fenced ─► refused
//
// (1) Judged when it is at the head and no write of the partition is out: what was sent before it is in the
// segment or has failed. So nothing is remembered that is not there, and one behind a failed one is out of
// order. (2) A write takes a batch behind others only where it follows the last of its producer among them;
// else the write ends there. (3) Without a producer id a batch costs one look at a flag. (4) What the
// manifest is told belongs to a recovery point, or to a roll: `PartitionProducers`. (5) The first record
// about producers comes after the flag in `meta.properties`, by which an older build knows that it cannot
// read the manifest.

extension Volume {
    /// An id that no producer has had; nil: `reserveProducerIDs` has to be answered first.
    package mutating func takeProducerID() -> Int64? { producerIDs.take() }

    /// Makes ids ready. Answered when they are on record. Throws `closed`, `stopped`.
    package mutating func reserveProducerIDs(request: UInt64) throws(LogError) {
        guard closing == .open else { throw .closed }
        if let failure { throw .stopped(failure) }
        guard let end = producerIDs.ask() else { throw .invalidProducer(reason: "all ids have been given") }
        manifest.add(.producerIDs(below: end), .producerIDs(below: end, request: request))
    }

    /// What a partition knows of a producer; nil: nothing, or it has been forgotten.
    package func producer(_ id: Int64, of number: Int) -> ProducerState? {
        partitions.indices.contains(number) ? partitions[number]?.producers?.states[id] : nil
    }

    /// Whether a batch says which of its producer's it is. Throws `invalidProducer`.
    func checkProducer(_ batch: PreparedBatch) throws(LogError) {
        guard let fields = ProducerBatch(batch.bytes.bytes) else {
            throw .invalidProducer(reason: "a batch without a producer id, an epoch or a sequence")
        }
        let count = ProducerBatch(
            id: fields.id, epoch: fields.epoch, firstSequence: fields.firstSequence,
            records: batch.recordCount)
        guard count == fields else {
            throw .invalidProducer(reason: "a batch whose sequences are not as many as its records")
        }
    }

    // MARK: The verdict

    /// Whether the batch at the head of a queue is to be appended; else it has left the queue.
    mutating func admitHead(_ number: Int, now: Instant) -> Bool {
        guard let partition = partitions[number], case .batch(let batch, let acks)? = partition.queue.first,
            let fields = ProducerBatch(batch.bytes.bytes)
        else { return true }
        let verdict = judge(fields, in: number, now: now)
        guard verdict != .append else {
            if PlantedBug.rememberedBeforeWritten.isPlanted {
                remember(fields, at: partition.active.endOffset, batch.maxTimestamp, in: number, now: now)
            }
            return true
        }
        _ = partitions[number]?.queue.popFirst()
        disk.release(Int64(batch.reservedBytes))
        switch verdict {
        case .append: break
        case .duplicate(let original): answer(batch.origin, with: original, acks, in: number)
        // Not counted as a refusal: what is sent behind it is judged by its own sequence.
        case .outOfOrder(let expected):
            let error = LogError.outOfOrderSequence(
                producerID: fields.id, epoch: fields.epoch, sequence: fields.firstSequence,
                expected: expected)
            answer(batch.origin, .failure(error))
        case .fenced(let current):
            let error = LogError.invalidProducerEpoch(
                producerID: fields.id, epoch: fields.epoch, current: current)
            answer(batch.origin, .failure(error))
        }
        markReady(number)
        return false
    }

    /// Whether a batch may go into the same write behind others.
    func mayFollow(
        _ batch: PreparedBatch, _ placed: [PlacedBatch], in number: Int, now: Instant
    ) -> Bool {
        guard let fields = ProducerBatch(batch.bytes.bytes) else { return true }
        for earlier in placed.reversed() where earlier.isIdempotent {
            guard let before = ProducerBatch(earlier.bytes.bytes), before.id == fields.id else { continue }
            return fields.follows(before)
        }
        return judge(fields, in: number, now: now) == .append
    }

    private func judge(_ batch: ProducerBatch, in number: Int, now: Instant) -> ProducerVerdict {
        partitions[number]?.producers?.states.judge(
            batch, wall: now.wallMilliseconds, expiration: configuration.producerExpirationMilliseconds)
            ?? .append
    }

    /// A batch is in its segment.
    mutating func remember(_ batch: PlacedBatch, in number: Int, now: Instant) {
        guard let fields = ProducerBatch(batch.bytes.bytes) else { return }
        remember(fields, at: batch.baseOffset, batch.maxTimestamp, in: number, now: now)
    }

    private mutating func remember(
        _ batch: ProducerBatch, at offset: Int64, _ timestamp: Int64, in number: Int, now: Instant
    ) {
        let producers = partitions[number]?.producers ?? PartitionProducers()
        producers.add(batch, at: offset, timestamp: timestamp, wall: now.wallMilliseconds)
        partitions[number]?.producers = producers
    }

    // MARK: Duplicates

    private mutating func answer(
        _ origin: BatchOrigin, with original: KeptBatch, _ acks: Acks, in number: Int
    ) {
        guard let partition = partitions[number] else { return }
        let appendTime = partition.settings.usesLogAppendTime ? original.timestamp : nil
        let answer = AppendedBatch(
            baseOffset: original.baseOffset, appendTime: appendTime, isDuplicate: true)
        let isSafe =
            !partition.settings.answersAtCommit(acks) || original.nextOffset <= partition.durable.offset
        if isSafe || PlantedBug.duplicateAnsweredEarly.isPlanted {
            return self.answer(origin, .success(answer))
        }
        partition.producers?.waiting.append(
            WaitingDuplicate(origin: origin, original: original, answer: answer))
        // Nobody else may wait for it: on a `written` topic it would be synced when its second is over.
        if partition.uncommitted.isEmpty || !partition.settings.isDurable { requestSync(number) }
    }

    /// A partition's log is durable further than it was: answers whose original is.
    mutating func answerDuplicates(_ number: Int) {
        guard let producers = partitions[number]?.producers, let end = partitions[number]?.durable.offset
        else { return }
        for duplicate in producers.takeWaiting(through: end) {
            answer(duplicate.origin, .success(duplicate.answer))
        }
    }

    // MARK: On record

    /// Puts what has changed up to the end of a segment in line for the record of its roll.
    mutating func recordProducers(_ partition: PartitionLog) {
        partition.closeProducers()
        guard let changes = partition.producers?.changes(through: partition.active.endOffset) else { return }
        manifest.add(.producers(partition.key, changes))
    }

    /// Forgets who has been silent for too long, before all is written anew.
    mutating func expireProducers(now: Instant) {
        let wall = now.wallMilliseconds
        let expiration = configuration.producerExpirationMilliseconds
        for number in partitions.indices {
            partitions[number]?.producers?.expire(wall: wall, expiration: expiration)
        }
        manifest.state.expireProducers(wall: wall, expiration: expiration)
    }

    /// `meta.properties` with the flag, when these are the first records about producers, and what it may
    /// take.
    mutating func claimMeta(_ records: [ManifestRecord]) -> (bytes: [UInt8]?, claim: Int64) {
        guard records.contains(where: \.isAboutProducers), !manifest.state.hasProducers else {
            return (nil, 0)
        }
        let claim = max(0, DiskLedger.blockBytes - manifest.metaSpare)
        disk.claim(claim)
        return (StoreDirectory.meta(storeID, hasProducers: true), claim)
    }

    /// A file that was replaced is gone; one that could not replace it may have been begun.
    mutating func settleMeta(_ job: ManifestJob, isWritten: Bool) {
        guard job.meta != nil else { return }
        disk.settle(job.metaClaim, kept: isWritten ? -manifest.metaSpare : job.metaClaim)
        manifest.metaSpare = isWritten ? 0 : manifest.metaSpare + job.metaClaim
    }
}

extension PartitionLog {
    /// Whether somebody waits for the original of what he has sent again.
    var hasWaitingDuplicates: Bool { producers?.waiting.isEmpty == false }

    /// What is in the segment now may become the recovery point.
    func closeProducers() { producers?.close(at: active.endOffset, synced: synced.offset) }

    /// What the manifest is to be told with a recovery point.
    func changedProducers(through offset: Int64) -> ProducerStates? {
        guard let producers else { return nil }
        if PlantedBug.producersAheadOfPoint.isPlanted { return producers.states }
        return producers.changes(through: offset)
    }
}

extension ManifestRecord {
    /// Whether a build before idempotent producers cannot read it.
    var isAboutProducers: Bool {
        switch self {
        case .producerIDs, .producers: true
        default: false
        }
    }
}
