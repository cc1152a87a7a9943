// Results and their commit as one: prepared, perhaps held back for a while, submitted, answered or not.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// Commits a batch as one with its results. False when it is to be tried again, or is held back.
    func write(_ batch: Batch, _ id: Int) -> Bool {
        guard let consumer = consumers[id], !consumer.isLost, consumer.member.generation >= 0 else {
            return true
        }
        guard isPresent(batch.partition) else {
            count(.lateCommit)
            note("\(id) may not write \(batch.range): its topic is gone")
            return true
        }
        lastTicket += 1
        let ticket = lastTicket
        coordinator.commit(
            request(consumer, [batch.partition: batch.range.upperBound]), ticket: ticket, now: clock.now)
        var prepared: GroupStore?
        var refusal: GroupError?
        for effect in coordinator.takeEffects() {
            switch effect {
            case .store(let store) where store.ticket == ticket: prepared = store
            case .committed(ticket, .failure(let error)): refusal = error
            default: effects.append(effect)
            }
        }
        guard let prepared else {
            note("\(id) may not write \(batch.range) of \(batch.partition): \(refusal as Any)")
            if refusal == .rebalanceInProgress { return false }
            consumers[id]?.positions[batch.partition] = nil
            return true
        }
        note("\(id) prepares \(batch.range) of \(batch.partition)")
        consumers[id]?.inFlight += 1
        partitions[batch.partition].sought = nil
        held[id] = AtomicWrite(consumer: id, batch: batch, store: prepared)
        // The commits of other groups are prepared before it is submitted, and that may take its time.
        if random.chance(0.2) {
            count(.heldWrite)
            return false
        }
        submitHeld(id)
        return true
    }

    /// Submits what is held back, and goes on with the loop, if there is one.
    func submit(_ id: Int) {
        if let write = held[id], consumers[id]?.inHand == write.batch { finishBatch(id) }
        submitHeld(id)
    }

    func submitHeld(_ id: Int) {
        guard let write = held.removeValue(forKey: id) else { return }
        if consumers[id] == nil { count(.orphanedWrite) }
        let batch = write.batch
        guard isPresent(batch.partition) else {
            // Behind the deletion of its topic nothing in the log would take the commit back.
            count(.lateWrite)
            note("\(id) may write \(batch.range) no more: its topic is gone")
            consumers[id]?.inFlight -= 1
            coordinator.stored(write.store.id, .failed, now: clock.now)
            return goBack(write)
        }
        lastNumber += 1
        note("\(id) writes \(batch.range) of \(batch.partition) as \(lastNumber)")
        let parts = [
            AtomicPart(
                partition: number(Self.output, batch.partition % partitionCount),
                batch: self.batch(batch.values, of: 3, number: lastNumber, padding: 0)),
            AtomicPart(
                partition: number(Self.offsets, 0),
                batch: self.batch(write.store.records, of: 3, number: lastNumber)),
        ]
        writes[lastNumber] = write
        written[lastNumber] = Written(
            partition: batch.partition, range: batch.range, seeks: partitions[batch.partition].seeks.count)
        do throws(LogError) {
            try store?.volume.submit(atomic: parts, now: clock.now)
        } catch {
            answered(lastNumber, .failure(error))
        }
    }

    /// What became of an atomic write: the group learns it before the writer does.
    func answered(_ number: UInt64, _ result: Result<AppendedBatch, LogError>) {
        note("wrote \(number): \(result)")
        guard let write = writes.removeValue(forKey: number) else { return }
        consumers[write.consumer]?.inFlight -= 1
        switch result {
        case .success(let place):
            outcome.commits += 1
            if !isEnding { count(.atomicCommit) }
            coordinator.stored(write.store.id, .durable(at: place.baseOffset), now: clock.now)
        case .failure(.indeterminate):
            // The commit stays on its way.
            coordinator.stored(write.store.id, .unknown, now: clock.now)
            count(.indeterminate)
            isInDoubt = true
            goOnInDoubt(write)
        case .failure:
            coordinator.stored(write.store.id, .failed, now: clock.now)
            goBack(write)
        }
    }

    /// Its program goes back to what is committed; what it has begun behind the write is not written either.
    private func goBack(_ write: AtomicWrite) {
        let (id, partition) = (write.consumer, write.batch.partition)
        consumers[id]?.positions[partition] = nil
        if consumers[id]?.inHand?.partition == partition { consumers[id]?.inHand = nil }
        guard let next = held[id], next.batch.partition == partition else { return }
        held[id] = nil
        consumers[id]?.inFlight -= 1
        coordinator.stored(next.store.id, .failed, now: clock.now)
    }

    /// Its program does not know whether it is done.
    private func goOnInDoubt(_ write: AtomicWrite) {
        guard consumers[write.consumer] != nil else { return }
        switch random.below(3) {
        case 0:
            count(.leftInDoubt)
            leave(write.consumer)
        case 1:
            // With the next batch: what is in the journal will be there, else the store takes nothing more.
            count(.wentOnInDoubt)
        default:
            count(.wentBackInDoubt)
            consumers[write.consumer]?.positions[write.batch.partition] = nil
        }
    }
}
