// The loops of a simulated group's consumers: join, read on, process, commit, give up, leave.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    static let processingMilliseconds: Int32 = 10_000

    func startConsumer() {
        lastConsumer += 1
        var configuration = GroupMember.Configuration(
            groupID: Self.groupID, clientID: "c\(lastConsumer)",
            processingTimeoutMilliseconds: Self.processingMilliseconds, assignors: random.pick(assignors))
        if hasStaticMembers, random.chance(0.6) {
            let instanceID = "s\(random.below(2))"
            configuration.instanceID = instanceID
            noteStart(lastConsumer, instanceID)
        }
        var member = GroupMember(
            configuration, topics: subscribed.topics, counts: subscribed.counts)
        member.start()
        consumers[lastConsumer] = Consumer(member: member)
        note("start \(lastConsumer) \(configuration.instanceID ?? "-") \(configuration.assignors)")
    }

    private func noteStart(_ id: Int, _ instanceID: String) {
        if let until = latest[instanceID]?.leftUntil {
            count(until > clock.now.monotonicNanoseconds ? .comeback : .lateComeback)
        } else if consumers.values.contains(where: { $0.instanceID == instanceID && !$0.isLost }) {
            count(.replacement)
        }
        latest[instanceID] = (id, nil)
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
        guard !consumer.isLost else {
            consumers[id]?.answers = []
            return
        }
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
        guard let chosen = consumer.member.owned.randomElement(using: &random) else { return }
        // A deleted topic is what the loop hears of.
        guard case .there = catalogue else { return }
        let partition = index(chosen)
        let number = number(partition)
        guard let range = try? store?.volume.offsets(number) else { return }
        if consumer.positions[partition] == nil {
            do throws(GroupError) {
                let found = try coordinator.committed(
                    groupID: Self.groupID, partitions: [chosen], requireStable: true)
                consumer.positions[partition] = found[0].offset?.offset ?? 0
                note("\(id) begins \(partition) at \(consumer.positions[partition] ?? 0)")
            } catch {
                if error == .unstableOffsetCommit { count(.unstable) }
                return note("\(id) cannot begin \(partition): \(error)")
            }
        }
        var position = consumer.positions[partition] ?? 0
        if position < range.lowerBound, !partitions[partition].seeks.isEmpty {
            // Sought back to what had been consumed, which may go at any time: on with what is left.
            position = range.lowerBound
            partitions[partition].seeks.append(position)
        }
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

    /// One turn of its loop, without anything in between.
    func turn(_ id: Int) throws(SimulationViolation) {
        deliver(id)
        try carry()
        finishRevoking(id)
        retry(id)
        try takeBatch(id)
        finishBatch(id)
        commit(id)
        try carry()
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
    func finishBatch(_ id: Int, isHeldLonger: Bool = false) {
        guard let consumer = consumers[id], let batch = consumer.inHand, !(isHeldLonger && held[id] != nil)
        else { return }
        let isPrepared = held[id]?.batch == batch
        submitHeld(id)
        if isPrepared {
            // It only had to be submitted.
        } else if isAtomic {
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

    func request(_ consumer: Consumer, _ offsets: [Int: Int64]) -> CommitRequest {
        let sorted = offsets.sorted { $0.key < $1.key }
        return CommitRequest(
            groupID: Self.groupID, generation: consumer.member.generation,
            memberID: consumer.member.memberID, instanceID: consumer.instanceID,
            offsets: sorted.map { OffsetToCommit(place($0.key), offset: $0.value) })
    }

    /// Commits what was processed, and does not wait for it.
    func commit(_ id: Int) {
        guard let consumer = consumers[id], !isAtomic, !consumer.isLost, consumer.member.generation >= 0,
            !consumer.processed.isEmpty
        else { return }
        let processed = consumer.processed.filter { isPresent($0.key) }
        if processed.count < consumer.processed.count { count(.lateCommit) }
        consumers[id]?.processed = processed
        guard !processed.isEmpty else { return }
        lastTicket += 1
        note("\(id) commits \(processed.sorted { $0.key < $1.key })")
        commits[lastTicket] = (id, processed)
        for partition in processed.keys { partitions[partition].sought = nil }
        consumers[id]?.inFlight += 1
        let request = request(consumer, processed)
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
