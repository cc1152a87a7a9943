// The messenger between the volume, the coordinator and the members: a shell without threads.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// Carries answers and effects over until there are none; answers wait in their consumer's queue.
    func carry() throws(SimulationViolation) {
        var isBusy = true
        while isBusy {
            isBusy = try drain()
            for id in consumers.keys.sorted() {
                let wanted = consumers[id]?.member.takeEffects() ?? []
                if !wanted.isEmpty { isBusy = true }
                for effect in wanted { try carry(effect, of: id) }
                forgetGivenUp(id)
            }
            effects += coordinator.takeEffects()
            if !effects.isEmpty { isBusy = true }
            while !effects.isEmpty {
                try carry(effects.removeFirst())
                effects += coordinator.takeEffects()
            }
        }
        try checkOwners()
    }

    private func forgetGivenUp(_ id: Int) {
        guard let consumer = consumers[id] else { return }
        if consumer.member.phase == .ended { return consumers[id] = nil }
        let owned = Set(consumer.member.owned.map(index))
        consumers[id]?.positions = consumer.positions.filter { owned.contains($0.key) }
        consumers[id]?.processed = consumer.processed.filter { owned.contains($0.key) }
    }

    private func carry(_ effect: MemberEffect, of id: Int) throws(SimulationViolation) {
        guard let consumer = consumers[id] else { return }
        switch effect {
        case .join(let request):
            lastTicket += 1
            consumers[id]?.ticket = lastTicket
            if request.memberID.isEmpty, let instanceID = request.instanceID,
                !(request.isReturning && isThere(instanceID))
            {
                latest[instanceID] = (id, nil)
            }
            note("\(id) joins with \(consumer.member.owned)")
            coordinator.join(request, ticket: lastTicket, now: clock.now)
        case .sync(let request):
            lastTicket += 1
            consumers[id]?.ticket = lastTicket
            note("\(id) syncs \(request.generation)")
            coordinator.sync(request, ticket: lastTicket, now: clock.now)
        case .revoke(let partitions):
            note("\(id) is to give up \(partitions)")
            consumers[id]?.isRevoking = true
        case .assign(let partitions): note("\(id) gets \(partitions)")
        case .lost(let partitions): note("\(id) lost \(partitions)")
        case .leave(let leaving): depart(leaving, consumer, id)
        case .retryLater: consumers[id]?.mustRetry = true
        case .failed(let error):
            note("\(id) failed \(error)")
            if error == .inconsistentProtocol { count(.inconsistent) }
            guard error == .fencedInstance else { return }
            let last = consumer.instanceID.flatMap { latest[$0]?.id } ?? id
            try check(last != id, 9, "\(id) was fenced, and nobody of its instance id came after it")
        }
    }

    private func isThere(_ instanceID: String) -> Bool {
        coordinator.describe(Self.groupID)?.members.contains { $0.instanceID == instanceID } ?? false
    }

    /// Its consumer is gone: a static one may come back, and keeps its place until its time is over.
    private func depart(_ leaving: LeavingMember, _ consumer: Consumer, _ id: Int) {
        var memberID = leaving.memberID
        if memberID.isEmpty {
            for case .joined(consumer.ticket, .success(let response)) in consumer.answers {
                // The answer is on its way, and meets nobody.
                memberID = response.memberID
            }
        }
        if memberID.isEmpty {
            coordinator.cancelJoin(groupID: Self.groupID, ticket: consumer.ticket, now: clock.now)
        } else if let instanceID = consumer.instanceID {
            let until = clock.now.monotonicNanoseconds + Int64(Self.processingMilliseconds) * 1_000_000
            coordinator.processing(groupID: Self.groupID, memberID: memberID, until: until)
            if latest[instanceID]?.id == id { latest[instanceID]?.leftUntil = until }
        } else {
            _ = coordinator.leave(
                groupID: Self.groupID, members: [LeavingMember(memberID: memberID)], now: clock.now)
            bury(memberID)
        }
    }

    private func carry(_ effect: GroupEffect) throws(SimulationViolation) {
        switch effect {
        case .joined(let ticket, let result):
            for id in consumers.keys.sorted() where consumers[id]?.ticket == ticket {
                consumers[id]?.answers.append(effect)
                guard case .success(let response) = result else { continue }
                identities[response.memberID] = Identity(
                    memberID: response.memberID, instanceID: consumers[id]?.instanceID,
                    generation: response.generation)
                guard response.isLeader else { continue }
                let isCooperative = Assignor(rawValue: response.protocolName)?.isCooperative ?? false
                count(isCooperative ? .cooperative : .eager)
            }
        case .synced(let ticket, _):
            for id in consumers.keys where consumers[id]?.ticket == ticket {
                consumers[id]?.answers.append(effect)
            }
        case .committed(let ticket, let result):
            if openSeeks[ticket] != nil { return sought(ticket, result) }
            if ghostTickets.remove(ticket) != nil {
                if case .success = result { throw violation(9, "one that was gone has committed") }
                return
            }
            guard let (id, offsets) = commits.removeValue(forKey: ticket) else { return }
            note("\(id) commit: \(result)")
            consumers[id]?.inFlight -= 1
            if case .success = result {
                outcome.commits += 1
                if !isEnding { count(.commit) }
                for (partition, offset) in offsets where consumers[id]?.processed[partition] == offset {
                    consumers[id]?.processed[partition] = nil
                }
            } else if consumers[id]?.isRevoking == true {
                consumers[id]?.processed = [:]
            }
        case .store(let stored):
            note("store \(stored.id): \(stored.records.count) records")
            let batch = batch(stored.records, of: 2, number: stored.id)
            let target = number(Self.offsets, 0)
            do throws(LogError) {
                try store?.volume.submit(batch, to: target, .durable)
            } catch {
                note("refused: \(error)")
                mustReopen = true
                coordinator.stored(stored.id, .failed, now: clock.now)
            }
        case .notify(_, let memberID, let notice):
            if notice != .rebalanceNeeded { bury(memberID) }
            for id in consumers.keys.sorted() where consumers[id]?.member.memberID == memberID {
                guard consumers[id]?.isLost == false else { continue }
                note("\(id) is told \(notice)")
                switch notice {
                case .rebalanceNeeded: consumers[id]?.member.rebalanceNeeded()
                case .removed: consumers[id]?.isLost = true
                case .fenced: consumers[id]?.member.fenced()
                }
            }
        case .topicForgotten(let ticket, let error): forgotten(ticket, error)
        case .offsetsDeleted, .groupDeleted: break
        }
    }

    // MARK: The volume's answers

    /// False when there were none.
    private func drain() throws(SimulationViolation) -> Bool {
        guard let completions = store?.volume.takeCompletions(), !completions.isEmpty else { return false }
        for event in completions.events { happened(event) }
        for completion in completions.appends {
            let number = completion.origin.number
            switch completion.origin.producer {
            case 1: try acknowledged(number, completion.result)
            case 2:
                note("store \(number): \(completion.result)")
                if case .success(let place) = completion.result {
                    coordinator.stored(number, .durable(at: place.baseOffset), now: clock.now)
                } else {
                    coordinator.stored(number, .failed, now: clock.now)
                }
            default: if completion.part == 1 { answered(number, completion.result) }
            }
        }
        for (request, result) in completions.requests {
            note("answer of \(request): \(result)")
            created.remove(request)
            try answeredCatalogue(request, result)
        }
        if let closed = completions.closed {
            note("closed: \(closed)")
            isClosedTold = true
        }
        return true
    }

    private func happened(_ event: VolumeEvent) {
        note("event: \(event)")
        switch event {
        case .partitionStopped, .storeStopped: mustReopen = true
        case .compacted: outcome.compactions += 1
        case .segmentsRemoved(_, _, let count, _): outcome.removals += count
        case .recordsDropped: break
        case .removalFailed, .recordsUnreadable, .compactionFailed, .scrubbed, .syncDelayed, .syncResumed:
            break
        }
    }

    private func acknowledged(
        _ number: UInt64, _ result: Result<AppendedBatch, LogError>
    ) throws(SimulationViolation) {
        note("produced \(number): \(result)")
        guard let (partition, values) = produced.removeValue(forKey: number) else {
            throw violation(8, "batch \(number) was answered twice")
        }
        guard case .success(let place) = result else { return }
        for (index, value) in values.enumerated() {
            partitions[partition].acknowledged.insert(value)
            try saw(value, at: place.baseOffset + Int64(index), in: partition)
        }
    }
}
