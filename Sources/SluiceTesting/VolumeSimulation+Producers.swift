// Idempotent producers in a simulated run, as clients are: five batches under way at most, sent again when
// the answer does not come, when it was an error, and sometimes although it has come.
//
// A submission is a batch of the producer; each time that it is sent is an attempt, with a number of its own.
// On OUT_OF_ORDER_SEQUENCE_NUMBER of its first unanswered batch the producer begins a new epoch, and gives up
// what was under way.
//
// What must hold: (20) Each batch is at most once in the log, the batches of a producer in the order of their
// sequences, without a gap, and those of an epoch before those of the next. Who sends a batch again that was
// acknowledged is told the same offset, and that it is a duplicate. A batch that is due is not out of
// order, and only one of an old epoch is fenced. No producer id is given twice.

internal import SluiceLog

/// One producer, and its one partition.
struct SimulatedProducer {
    var partition: Int
    var origin: UInt32
    var id: Int64
    var epoch: Int16 = 0
    var nextSequence: Int32 = 0
    /// Submissions of this epoch, in order.
    var batches: [Int] = []
    /// Whether something of this epoch was acknowledged that a power loss may take, and whether it may have.
    var hasWeakAnswer = false
    var mayHaveLost = false
}

/// What a submission of an idempotent producer has beside the others.
struct SimulatedBatch {
    var producer: Int
    var epoch: Int16
    var firstSequence: Int32
    var bytes: [UInt8] = []
    var maxTimestamp: Int64 = 0
    /// Attempts that have not been answered.
    var attempts = 0
    /// Whether one of those that have may have been appended.
    var mayBeThere = false
}

/// One time that a batch was sent.
struct SimulatedAttempt {
    /// The submission.
    var id: Int
    var acks: Acks
    /// Whether it had been acknowledged before.
    var isRepeated: Bool
}

extension VolumeSimulation {
    /// Attempts have numbers from here on, submissions those below.
    static let firstAttempt: UInt64 = 1 << 40

    private func isUsable(_ producer: SimulatedProducer) -> Bool {
        topics[partitions[producer.partition].topic].phase == .alive
    }

    private func isAcknowledged(_ id: Int) -> Bool {
        if case .acknowledged = submissions[id].state { true } else { false }
    }

    private func unanswered(_ producer: Int) -> [Int] {
        producers[producer].batches.filter { !isAcknowledged($0) }
    }

    private func drawProducer() -> Int? {
        let usable = producers.indices.filter { isUsable(producers[$0]) }
        return usable.isEmpty ? nil : random.pick(usable)
    }

    // MARK: Steps

    /// A producer sends its next batch, whatever has become of those before; perhaps a new producer.
    func send() throws(SimulationViolation) {
        let wantsNew = producers.count(where: isUsable) < 3 && random.chance(0.2)
        guard !wantsNew, let index = drawProducer() else { return try beginProducer() }
        guard unanswered(index).count < 5 else { return try resend() }
        let producer = producers[index]
        let count = random.within(1...4)
        submissions.append(
            SimulatedSubmission(
                partition: producer.partition, producer: producer.origin, count: count, acks: .durable,
                knownEnd: partitions[producer.partition].knownEnd, state: .failed))
        let id = submissions.count - 1
        let sequence = ProducerSequence(
            producerID: producer.id, epoch: producer.epoch, baseSequence: producer.nextSequence)
        let padding = random.pick(hasBudget ? [0, 100, 2000, 6000] : [0, 10, 100, 400, 2000])
        let prepared = batch(id, padding: padding, of: sequence)
        batches[id] = SimulatedBatch(
            producer: index, epoch: producer.epoch, firstSequence: producer.nextSequence,
            bytes: prepared.bytes.buffer.array, maxTimestamp: prepared.maxTimestamp)
        producers[index].batches.append(id)
        producers[index].nextSequence = ProducerBatch.sequence(producer.nextSequence, plus: Int64(count))
        try attempt(id)
    }

    /// A producer that has no answer sends again, in order; or it has one, and does all the same.
    func resend() throws(SimulationViolation) {
        guard let index = drawProducer() else { return }
        let recent = producers[index].batches.suffix(5)
        if random.chance(0.3), !recent.isEmpty { return try attempt(random.pick(Array(recent))) }
        let epoch = producers[index].epoch
        for id in unanswered(index) where producers[index].epoch == epoch && batches[id]?.attempts ?? 0 < 3 {
            try attempt(id)
            if files.hasCrashed { return }
        }
    }

    private func beginProducer() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        guard let id = store?.volume.takeProducerID() else {
            _ = try ask(.producerIDs) { request throws(LogError) in
                try store?.volume.reserveProducerIDs(request: request)
            }
            return try drain()
        }
        try check(givenIDs.insert(id).inserted, 20, "producer id \(id) was given twice")
        let origin = UInt32(200 + producers.count)
        producers.append(SimulatedProducer(partition: random.pick(usable), origin: origin, id: id))
        // Some are near the end of the sequences.
        if random.chance(0.2) {
            producers[producers.count - 1].nextSequence = Int32.max - Int32(random.below(12))
        }
        note("producer \(id) of partition \(producers[producers.count - 1].partition)")
    }

    /// Sends a batch, the first time or again.
    private func attempt(_ id: Int) throws(SimulationViolation) {
        let submission = submissions[id]
        guard let number = number(submission.partition), let known = batches[id] else {
            throw violation(10, "the topic of partition \(submission.partition) is not there")
        }
        let acks = random.pick([Acks.written, .durable, .durable])
        let key = Self.firstAttempt + nextAttempt
        nextAttempt += 1
        var batch = PreparedBatch(
            bytes: ByteSlice(ByteBuffer(known.bytes)), recordCount: submission.count,
            maxTimestamp: known.maxTimestamp,
            origin: BatchOrigin(producer: submission.producer, number: key))
        batch.isIdempotent = true
        guard reserve(&batch) else { return note("no room for \(id)") }
        note(
            "send \(id) of producer \(submission.producer), epoch \(known.epoch), sequence "
                + "\(known.firstSequence), \(submission.count) records, \(acks)")
        if !isAcknowledged(id) {
            if submission.state == .indeterminate { batches[id]?.mayBeThere = true }
            submissions[id].state = .pending
        }
        batches[id]?.attempts += 1
        attempts[key] = SimulatedAttempt(id: id, acks: acks, isRepeated: isAcknowledged(id))
        var refusal: LogError?
        do throws(LogError) {
            try store?.volume.submit(batch, to: number, acks)
        } catch {
            refusal = error
        }
        if let refusal {
            try checkRefusal([id], refusal)
            try answered(attempt: key, .failure(refusal))
        }
        try drain()
    }

    // MARK: Answers

    /// What became of an attempt.
    func answered(
        attempt key: UInt64, _ result: Result<AppendedBatch, LogError>
    ) throws(SimulationViolation) {
        guard let attempt = attempts.removeValue(forKey: key), let batch = batches[attempt.id] else {
            throw violation(8, "attempt \(key) was answered twice, or never made")
        }
        let id = attempt.id
        batches[id]?.attempts -= 1
        switch result {
        case .success(let place): try acknowledged(attempt, place)
        case .failure(.outOfOrderSequence(_, _, let sequence, let expected)):
            try check(
                mayBeOutOfOrder(id, batch), 20, "batch \(id), sequence \(sequence), is due; said: \(expected)"
            )
            let isFirst = unanswered(batch.producer).first.map { $0 >= id } ?? true
            if batch.epoch == producers[batch.producer].epoch, isFirst { begin(epochOf: batch.producer) }
        case .failure(.invalidProducerEpoch(_, _, let current)):
            try check(
                batch.epoch < producers[batch.producer].epoch, 20,
                "batch \(id) of epoch \(batch.epoch) is fenced by \(current)")
        case .failure(.indeterminate):
            batches[id]?.mayBeThere = true
            isUnclean = true
        case .failure: break
        }
        if submissions[id].state == .pending, batches[id]?.attempts == 0 {
            submissions[id].state = batches[id]?.mayBeThere == true ? .indeterminate : .failed
        }
    }

    private func acknowledged(
        _ attempt: SimulatedAttempt, _ place: AppendedBatch
    ) throws(SimulationViolation) {
        let id = attempt.id
        let submission = submissions[id]
        if case .acknowledged(let base) = submission.state {
            try check(
                place.baseOffset == base && (place.isDuplicate || !attempt.isRepeated), 20,
                "batch \(id) is at \(base), and was acknowledged again at \(place)")
        }
        submissions[id].state = .acknowledged(base: place.baseOffset)
        let topic = topics[partitions[submission.partition].topic]
        guard topic.phase == .alive else { return }
        let isDurable = attempt.acks == .durable || topic.isSurelyDurable
        if !isDurable, let producer = batches[id]?.producer { producers[producer].hasWeakAnswer = true }
        for index in 0..<submission.count {
            let offset = place.baseOffset + Int64(index)
            // What compaction has taken is a duplicate all the same.
            let isGone = partitions[submission.partition].entries[offset]?.safety == .lost
            if isGone, topic.hadCompaction { continue }
            try saw(
                UInt64(id) << 16 | UInt64(index), at: offset,
                in: submission.partition, isDurable ? .durable : .written)
        }
    }

    /// Whether it is no surprise that another sequence is due.
    private func mayBeOutOfOrder(_ id: Int, _ batch: SimulatedBatch) -> Bool {
        let producer = producers[batch.producer]
        guard batch.epoch == producer.epoch, let place = producer.batches.firstIndex(of: id) else {
            return true
        }
        if producer.mayHaveLost || producer.batches.count - place > 5 { return true }
        if producer.batches[..<place].contains(where: { !isAcknowledged($0) }) { return true }
        // With nothing known of the producer a later one may have been taken first.
        return !isAcknowledged(id)
            && producer.batches[(place + 1)...].contains { submissions[$0].state != .failed }
    }

    private func begin(epochOf producer: Int) {
        producers[producer].epoch += 1
        producers[producer].nextSequence = 0
        producers[producer].batches = []
        producers[producer].hasWeakAnswer = false
        producers[producer].mayHaveLost = false
        note("producer \(producers[producer].id) begins epoch \(producers[producer].epoch)")
    }

    // MARK: Checks

    /// Holds the batches of producers in a log against each other.
    func checkSequences(
        _ index: Int, _ found: [(offset: Int64, record: UInt64)]
    ) throws(SimulationViolation) {
        var seen: Set<UInt64> = []
        var last: [Int: (id: Int, batch: SimulatedBatch)] = [:]
        let hasGaps = topics[partitions[index].topic].hadCompaction
        for (offset, record) in found {
            try check(
                seen.insert(record).inserted, 20,
                "record \(record & 0xFFFF) of batch \(record >> 16) is there twice, again at \(offset)")
            let id = Int(record >> 16)
            guard let batch = batches[id], last[batch.producer]?.id != id else { continue }
            if let (before, other) = last[batch.producer], !hasGaps {
                let next = ProducerBatch.sequence(other.firstSequence, plus: Int64(submissions[before].count))
                let isNext =
                    batch.epoch == other.epoch
                    ? batch.firstSequence == next : batch.epoch > other.epoch && batch.firstSequence == 0
                try check(
                    isNext, 20,
                    "batch \(id), epoch \(batch.epoch), sequence \(batch.firstSequence), is at \(offset) behind "
                        + "batch \(before), epoch \(other.epoch), sequence \(other.firstSequence)")
            }
            last[batch.producer] = (id, batch)
        }
    }

    /// Whoever had sent something does not know what became of it.
    func forgetAttempts() {
        attempts = [:]
        for id in batches.keys {
            if batches[id]?.attempts ?? 0 > 0 { batches[id]?.mayBeThere = true }
            batches[id]?.attempts = 0
        }
    }

    /// What of the producers' batches an opening has left.
    func settleProducers(lostPower: Bool) {
        for id in batches.keys where submissions[id].state == .failed { batches[id]?.mayBeThere = false }
        guard lostPower else { return }
        for index in producers.indices where producers[index].hasWeakAnswer {
            producers[index].mayHaveLost = true
        }
        // Sent again, what the power took is appended again.
        for (id, _) in batches where isLost(id) {
            submissions[id].state = .failed
            batches[id]?.mayBeThere = false
        }
    }

    /// Whether nothing is left of what was acknowledged.
    private func isLost(_ id: Int) -> Bool {
        guard case .acknowledged(let base) = submissions[id].state else { return false }
        let entries = partitions[submissions[id].partition].entries
        return (base..<base + Int64(submissions[id].count)).allSatisfy { entries[$0]?.safety == .lost }
    }

    /// On a whole machine producers that send again come to an end: all is there, or an epoch begins.
    func finishProducers() throws(SimulationViolation) {
        guard !isFailed else { return }
        for index in producers.indices where isUsable(producers[index]) {
            let partition = producers[index].partition
            let limit = topics[partitions[partition].topic].settings.maxMessageBytes
            let isSmall = producers[index].batches.allSatisfy { batches[$0]?.bytes.count ?? 0 <= limit }
            guard !partitions[partition].isStopped, isSmall else { continue }
            let epoch = producers[index].epoch
            // Two rounds: one that was lost keeps those behind it from being appended at first.
            for _ in 0..<2 {
                for id in unanswered(index) where producers[index].epoch == epoch { try attempt(id) }
                try quiesce()
            }
            if let id = unanswered(index).first, !hasBudget {
                throw violation(9, "batch \(id) was sent again to a whole machine: \(submissions[id].state)")
            }
        }
    }
}
