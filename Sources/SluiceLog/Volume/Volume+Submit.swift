// Taking batches, and failing them.

extension Volume {
    /// Queues a batch for a partition. The answer comes as a completion with the batch's origin.
    ///
    /// Throws, and takes nothing: `unknownPartition`, `tooLarge`, `corrupt`, `stopped`, `offline`, `closed`,
    /// `noRoom` when the disk's budget is used up and the bytes were not reserved. What was reserved for the
    /// batch is taken over, or given back when it is refused, now or later.
    /// - Complexity: O(1).
    public mutating func submit(_ batch: PreparedBatch, to number: Int, _ acks: Acks) throws(LogError) {
        var batch = batch
        do throws(LogError) {
            try checkAppend(number, bytes: batch.bytes.count)
            try checkOrder(number, batch)
            if batch.isIdempotent { try checkProducer(batch) }
            try admit(&batch)
        } catch {
            disk.release(Int64(batch.reservedBytes))
            noteRefusal(number, batch.origin, error)
            throw error
        }
        partitions[number]?.queue.append(.batch(batch, acks))
        markReady(number)
    }

    /// Why a batch may not be queued behind those of its sender that were refused.
    private func checkOrder(_ number: Int, _ batch: PreparedBatch) throws(LogError) {
        guard let seen = batch.refusalsSeen,
            let refusals = partitions[number]?.refusals[batch.origin.producer], refusals.count != seen
        else { return }
        throw refusals.error
    }

    private mutating func noteRefusal(_ number: Int, _ origin: BatchOrigin, _ error: LogError) {
        _ = with(number) { partition in
            let before = partition.refusals[origin.producer]?.count ?? 0
            partition.refusals[origin.producer] = .init(count: before &+ 1, error: error)
        }
    }

    /// Answers a single batch with an error.
    mutating func refuse(_ origin: BatchOrigin, in number: Int, _ error: LogError) {
        noteRefusal(number, origin, error)
        answer(origin, .failure(error))
    }

    /// Forgets a sender that will send no more.
    public mutating func forget(producer: UInt32, in numbers: [Int]) {
        for number in numbers { _ = with(number) { $0.refusals[producer] = nil } }
    }

    /// Why an append of so many bytes to the partition cannot even be queued.
    func checkAppend(_ number: Int, bytes: Int) throws(LogError) {
        guard closing == .open else { throw .closed }
        guard partitions.indices.contains(number), let settings = partitions[number]?.settings else {
            throw .unknownPartition(topic: "", partition: number)
        }
        if let failure { throw .stopped(failure) }
        if let refusal = partitions[number]?.refusal { throw refusal }
        if let heal = partitions[number]?.heal { throw .io(heal.error) }
        if let again = commitAgain, settings.isDurable { throw .io(again.error) }
        let limit = settings.batchBytes
        guard bytes <= limit else { throw .tooLarge(bytes: bytes, limit: limit) }
    }

    /// Puts a partition in line for a write job, once.
    mutating func markReady(_ number: Int) {
        let wants: Bool? = with(number) { partition in
            guard !partition.isReady, !partition.isWriting else { return false }
            // A part that is in the journal is written before anything else, a roll included.
            let mayTake = partition.heldBy == nil && !partition.isRolling && !partition.queue.isEmpty
            guard partition.journalled != nil || mayTake else { return false }
            partition.isReady = true
            return true
        }
        if wants == true { writeReady.append(number) }
    }

    mutating func answer(_ origin: BatchOrigin, _ result: Result<AppendedBatch, LogError>, part: Int = 0) {
        completions.appends.append(AppendCompletion(origin: origin, part: part, result: result))
    }

    mutating func answer(_ batch: PlacedBatch) {
        answer(
            batch.origin, .success(AppendedBatch(baseOffset: batch.baseOffset, appendTime: batch.appendTime)))
    }

    /// Fails what waits in a partition's queue: all of it, or what one producer put there, perhaps behind a
    /// group.
    mutating func failQueue(
        _ number: Int, _ error: LogError, of producer: UInt32? = nil, behind first: Int? = nil
    ) {
        var failed: [BatchOrigin] = []
        var failedGroups: [Int] = []
        var released: Int64 = 0
        var isBehind = first == nil
        let groups = self.groups
        _ = with(number) { partition in
            partition.queue.keep { queued in
                switch queued {
                case .batch(let batch, _):
                    guard isBehind, producer == nil || batch.origin.producer == producer else { return true }
                    failed.append(batch.origin)
                    released += Int64(batch.reservedBytes)
                    return false
                case .group(let group):
                    // Removed from the queue by the failing of the group, which looks into it.
                    let part = groups[group]?.parts.first { $0.number == number }
                    if isBehind, producer == nil || part?.batch.origin.producer == producer {
                        failedGroups.append(group)
                    }
                    if group == first { isBehind = true }
                    return true
                }
            }
        }
        disk.release(released)
        for origin in failed { refuse(origin, in: number, error) }
        for group in failedGroups { failGroup(group, error) }
    }

    /// A sync or a cut failed: the partition is not written again before the next opening.
    mutating func stop(_ number: Int, _ error: IOError) {
        guard let partition = partitions[number] else { return }
        if case .stopped = partition.condition { return }
        if case .offline = partition.condition { return }
        partitions[number]?.condition = .stopped(error)
        partitions[number]?.heal = nil
        partitions[number]?.giveUpRoll()
        completions.events.append(
            .partitionStopped(topic: partition.topic, partition: Int(partition.key.partition), error))
        failUncommitted(number, error)
        failQueue(number, .stopped(error))
        if partition.journalled != nil, let group = partition.heldBy { leaveToRecovery(group, error) }
        answerCompactRequests(number, .failure(.stopped(error)))
    }

    mutating func failUncommitted(_ number: Int, _ error: IOError) {
        var waiting: [BatchOrigin] = []
        _ = with(number) { partition in
            while let batch = partition.uncommitted.popFirst() {
                if partition.settings.answersAtCommit(batch) { waiting.append(batch.origin) }
            }
            partition.uncommittedBytes = 0
            waiting += partition.producers?.takeWaiting() ?? []
        }
        let reason = "\(error.operation) of \(error.path) failed with error \(error.errno)"
        for origin in waiting { refuse(origin, in: number, .indeterminate(reason: reason)) }
    }

    /// The journal or the manifest failed: nothing can be made durable any more.
    mutating func stopAll(_ error: IOError) {
        guard failure == nil else { return }
        failure = error
        completions.events.append(.storeStopped(error))
        loseAgain()
        for number in partitions.indices where partitions[number] != nil {
            failUncommitted(number, error)
            failQueue(number, .stopped(error))
            answerCompactRequests(number, .failure(.stopped(error)))
        }
        isSwapOut = false
        giveUpCompaction()
        for group in groups.keys.sorted() {
            failGroup(group, .stopped(error))
            if groups[group]?.phase == .journalled { leaveToRecovery(group, error) }
        }
        failRequests(error)
    }
}

extension LogSettings {
    /// Whether a batch that is in the segment has not been answered yet.
    func answersAtCommit(_ batch: PlacedBatch) -> Bool { answersAtCommit(batch.acks) }

    /// Whether what is asked for is more than that the batch is in the segment.
    func answersAtCommit(_ acks: Acks) -> Bool {
        if PlantedBug.acknowledgeAtWrite.isPlanted { return false }
        return isDurable ? acks != .none : acks == .durable
    }
}
