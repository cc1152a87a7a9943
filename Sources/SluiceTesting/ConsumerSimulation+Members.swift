// The loops of a simulated group's consumers: join, read on, process, commit, give up, leave.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    static let processingMilliseconds: Int32 = 10_000

    func startConsumer() {
        lastConsumer += 1
        let configuration = GroupMember.Configuration(
            groupID: Self.groupID, clientID: "c\(lastConsumer)",
            processingTimeoutMilliseconds: Self.processingMilliseconds, assignors: assignors)
        var member = GroupMember(
            configuration, topics: [Self.input], counts: [Self.input: Int32(partitions.count)])
        member.start()
        consumers[lastConsumer] = Consumer(member: member)
        note("start \(lastConsumer)")
    }

    /// A loop ends: what it has in hand is not processed, what it processed is committed if it can be.
    func leave(_ id: Int) {
        guard consumers[id] != nil else { return }
        note("leave \(id)")
        if random.chance(0.7) { commit(id) }
        consumers[id]?.inHand = nil
        consumers[id]?.member.leave(immediately: true)
    }

    /// The coordinator's answer reaches the member.
    func deliver(_ id: Int) {
        guard var consumer = consumers[id], !consumer.answers.isEmpty else { return }
        switch consumer.answers.removeFirst() {
        case .joined(let ticket, let result) where ticket == consumer.ticket:
            note("\(id) joined \((try? result.get().generation).map(String.init) ?? "\(result)")")
            consumer.member.joined(result)
        case .synced(let ticket, let result) where ticket == consumer.ticket:
            note("\(id) synced")
            consumer.member.synced(result)
        default: break
        }
        consumers[id] = consumer
    }

    /// Takes a batch of a partition that it owns, from where the group has committed, or where it stands.
    func takeBatch(_ id: Int) throws(SimulationViolation) {
        guard var consumer = consumers[id], consumer.inHand == nil, !consumer.isRevoking else { return }
        if consumer.isLost { return comeBack(id) }
        guard !isInDoubt else { return }
        guard let chosen = consumer.member.owned.randomElement(using: &random) else { return }
        let partition = Int(chosen.partition)
        let number = number(Self.input, partition)
        guard let range = try? store?.volume.offsets(number) else { return }
        if consumer.positions[partition] == nil {
            do throws(GroupError) {
                let found = try coordinator.committed(
                    groupID: Self.groupID, partitions: [chosen], requireStable: true)
                consumer.positions[partition] = found[0].offset?.offset ?? 0
                note("\(id) begins \(partition) at \(consumer.positions[partition] ?? 0)")
            } catch {
                return note("\(id) cannot begin \(partition): \(error)")
            }
        }
        let position = consumer.positions[partition] ?? 0
        try check(
            position >= range.lowerBound, 6,
            "\(id) is at \(position) of partition \(partition), which is \(range)")
        var values: [UInt64] = []
        for record in try read(number, from: position, atMost: random.within(1...6)) {
            try check(
                record.offset == position + Int64(values.count), 2,
                "\(id) is given offset \(record.offset) of partition \(partition) behind \(position)")
            values.append(record.number)
        }
        let batch = Batch(
            partition: partition, range: position..<(position + Int64(values.count)), values: values)
        if !values.isEmpty {
            note("\(id) takes \(batch.range) of \(partition)")
            consumer.inHand = batch
            consumer.positions[partition] = batch.range.upperBound
            coordinator.processing(
                groupID: Self.groupID, memberID: consumer.member.memberID,
                until: clock.now.monotonicNanoseconds + Int64(Self.processingMilliseconds) * 1_000_000)
        }
        consumers[id] = consumer
    }

    /// Its loop comes back after it was removed.
    private func comeBack(_ id: Int) {
        note("\(id) comes back")
        consumers[id]?.isLost = false
        consumers[id]?.inHand = nil
        consumers[id]?.positions = [:]
        consumers[id]?.processed = [:]
        consumers[id]?.isRevoking = false
        consumers[id]?.member.removed()
    }

    /// The batch in hand is processed. Where results and commits are one, that is an atomic write.
    func finishBatch(_ id: Int) {
        guard let consumer = consumers[id], let batch = consumer.inHand else { return }
        if isAtomic {
            guard write(batch, id) else { return }
        } else {
            note("\(id) has processed \(batch.range) of \(batch.partition)")
            // The removed one has processed it too, however late.
            noteProcessed(batch)
            consumers[id]?.processed[batch.partition] = batch.range.upperBound
        }
        consumers[id]?.inHand = nil
        if consumer.isLost { return comeBack(id) }
        coordinator.processing(groupID: Self.groupID, memberID: consumer.member.memberID, until: nil)
    }

    func noteProcessed(_ batch: Batch) {
        let partition = batch.partition
        if batch.range.lowerBound <= partitions[partition].processed {
            partitions[partition].processed = max(
                partitions[partition].processed, batch.range.upperBound)
        }
    }

    private func request(_ consumer: Consumer, _ offsets: [Int: Int64]) -> CommitRequest {
        let sorted = offsets.sorted { $0.key < $1.key }
        return CommitRequest(
            groupID: Self.groupID, generation: consumer.member.generation,
            memberID: consumer.member.memberID,
            offsets: sorted.map { OffsetToCommit(place($0.key), offset: $0.value) })
    }

    /// Appends the results of a batch and commits it as one. False when it is to be tried again.
    private func write(_ batch: Batch, _ id: Int) -> Bool {
        guard let consumer = consumers[id], !consumer.isLost, consumer.member.generation >= 0 else {
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
        lastNumber += 1
        note("\(id) writes \(batch.range) of \(batch.partition) as \(lastNumber)")
        let parts = [
            AtomicPart(
                partition: number(Self.output, batch.partition),
                batch: self.batch(batch.values, of: 3, number: lastNumber, padding: 0)),
            AtomicPart(
                partition: number(Self.offsets, 0),
                batch: self.batch(prepared.records, of: 3, number: lastNumber)),
        ]
        writes[lastNumber] = AtomicWrite(consumer: id, batch: batch, store: prepared)
        consumers[id]?.inFlight += 1
        do throws(LogError) {
            try store?.volume.submit(atomic: parts, now: clock.now)
        } catch {
            answered(lastNumber, .failure(error))
        }
        return true
    }

    /// Commits what was processed, and does not wait for it.
    func commit(_ id: Int) {
        guard let consumer = consumers[id], !isAtomic, !consumer.isLost, consumer.member.generation >= 0,
            !consumer.processed.isEmpty
        else { return }
        lastTicket += 1
        note("\(id) commits \(consumer.processed.sorted { $0.key < $1.key })")
        commits[lastTicket] = (id, consumer.processed)
        consumers[id]?.inFlight += 1
        let request = request(consumer, consumer.processed)
        coordinator.commit(request, ticket: lastTicket, now: clock.now)
    }

    /// Gives up what is to be given up: first the batch in hand is finished, and what is on its way answered.
    func finishRevoking(_ id: Int) {
        guard let consumer = consumers[id], consumer.isRevoking, !consumer.isLost else { return }
        if consumer.inHand != nil {
            finishBatch(id)
            if consumers[id]?.inHand != nil { consumers[id]?.inHand = nil }
        }
        if consumers[id]?.processed.isEmpty == false, consumers[id]?.inFlight == 0 { commit(id) }
        guard consumers[id]?.inFlight == 0 else { return }
        note("\(id) revoked")
        consumers[id]?.isRevoking = false
        consumers[id]?.processed = [:]
        consumers[id]?.member.revoked()
    }

    func retry(_ id: Int) {
        guard consumers[id]?.mustRetry == true else { return }
        consumers[id]?.mustRetry = false
        consumers[id]?.member.retry()
    }
}
