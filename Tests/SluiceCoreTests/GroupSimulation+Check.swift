// The simulation's messenger between coordinator and members, and what it checks.

import SluiceCore
import SluiceLog
import SluiceTesting

extension GroupSimulation {
    // MARK: Carrying effects

    /// Carries effects over until there are none; answers wait in their consumer's queue.
    func carry() throws {
        var isBusy = true
        while isBusy {
            isBusy = false
            for id in consumers.keys.sorted() {
                let effects = consumers[id]?.member.takeEffects() ?? []
                if !effects.isEmpty { isBusy = true }
                for effect in effects { carry(effect, of: id) }
                forgetGivenUp(id)
                if let consumer = consumers[id], consumer.member.phase == .ended,
                    consumer.answers.isEmpty || !consumer.member.memberID.isEmpty
                {
                    consumers[id] = nil
                }
            }
            let effects = coordinator.takeEffects()
            if !effects.isEmpty { isBusy = true }
            for effect in effects { try carry(effect) }
        }
    }

    private func forgetGivenUp(_ id: Int) {
        guard let consumer = consumers[id] else { return }
        let owned = consumer.member.owned
        consumers[id]?.positions = consumer.positions.filter { owned.contains($0.key) }
    }

    private func carry(_ effect: MemberEffect, of id: Int) {
        guard let consumer = consumers[id] else { return }
        switch effect {
        case .join(var request):
            lastTicket += 1
            consumers[id]?.ticket = lastTicket
            request.isLocal = consumer.isLocal
            request.clientHost = "/127.0.0.1"
            request.sessionTimeoutMilliseconds = 10_000
            request.requiresKnownMemberID = !consumer.isLocal
            note("\(id) joins as \(request.memberID.suffix(6)) with \(consumer.member.owned)")
            coordinator.join(request, ticket: lastTicket, now: now)
        case .sync(let request):
            lastTicket += 1
            consumers[id]?.ticket = lastTicket
            note("\(id) syncs \(request.generation), \(request.assignments.count) assignments")
            coordinator.sync(request, ticket: lastTicket, now: now)
        case .revoke(let partitions):
            note("\(id) is to give up \(partitions)")
            consumers[id]?.isRevoking = true
        case .assign(let partitions): note("\(id) gets \(partitions)")
        case .lost(let partitions):
            note("\(id) lost \(partitions)")
            consumers[id]?.isRevoking = false
        case .leave(let leaving):
            note("\(id) leaves")
            if leaving.memberID.isEmpty {
                coordinator.cancelJoin(groupID: Self.groupID, ticket: consumer.ticket, now: now)
            } else {
                _ = coordinator.leave(groupID: Self.groupID, members: [leaving], now: now)
            }
        case .retryLater: consumers[id]?.mustRetry = true
        case .failed(let error): note("\(id) failed \(error)")
        }
    }

    private func carry(_ effect: GroupEffect) throws {
        switch effect {
        case .joined(let ticket, _), .synced(let ticket, _):
            for id in consumers.keys where consumers[id]?.ticket == ticket {
                consumers[id]?.answers.append(effect)
            }
        case .committed(let ticket, let result):
            if refusedTickets.remove(ticket) != nil, case .success = result {
                throw broken("a commit of an earlier generation, or of one without assignments, was taken")
            }
            if let id = commitTickets.removeValue(forKey: ticket) {
                consumers[id]?.commitsInFlight -= 1
                if case .failure(let error) = result { note("\(id) commit \(error)") }
            }
        case .store(let store):
            inFlight.append(InFlight(store: store, base: logEnd))
            logEnd += Int64(store.records.count)
        case .notify(_, let memberID, let notice):
            for id in consumers.keys.sorted() where consumers[id]?.member.memberID == memberID {
                note("\(id) is told \(notice)")
                switch notice {
                case .rebalanceNeeded: consumers[id]?.member.rebalanceNeeded()
                case .fenced:
                    consumers[id]?.member.fenced()
                    consumers[id]?.answers = []
                case .removed: lose(id)
                }
            }
        case .topicForgotten(let ticket, let error):
            guard let topic = deletions.removeValue(forKey: ticket) else {
                throw broken("the deletion \(ticket) was answered twice, or before a restart")
            }
            note("\(topic) is forgotten, \(error.map { "\($0)" } ?? "all of it")")
            // What could not be stored is tried again, as at the next opening.
            if error != nil { forget(topic) }
        case .offsetsDeleted, .groupDeleted: break
        }
    }

    // MARK: What holds

    func check() throws {
        try checkOwners()
        let current = visible()
        for (partition, offset) in seen
        where current[partition] ?? -1 < offset && !isDeleting(partition.topic)
            && offset >= start(of: partition.topic)
        {
            throw broken("\(partition) went back from \(offset) to \(current[partition] ?? -1)")
        }
        for (partition, offset) in current
        where offset < start(of: partition.topic) && !isDeleting(partition.topic) {
            throw broken("\(partition) is at \(offset), of a topic that was deleted")
        }
        seen = current
    }

    private func checkOwners() throws {
        let members = Set(coordinator.describe(Self.groupID)?.members.map(\.memberID) ?? [])
        var owners: [GroupPartition: Int] = [:]
        for (id, consumer) in consumers.sorted(by: { $0.key < $1.key }) {
            // One on the wire that was put out and does not know it yet can do no harm: it is fenced.
            guard consumer.isLocal || members.contains(consumer.member.memberID) else { continue }
            for partition in consumer.member.owned {
                if let other = owners.updateValue(id, forKey: partition) {
                    throw broken("\(partition) is owned by \(other) and \(id)")
                }
            }
        }
    }

    func visible() -> [GroupPartition: Int64] {
        let committed = (try? coordinator.committed(groupID: Self.groupID)) ?? []
        return Dictionary(
            uniqueKeysWithValues: committed.compactMap { entry in
                entry.offset.map { (entry.partition, $0.offset) }
            })
    }

    /// The simple version: the last record of each key among those that were reported.
    func checkVisible() throws {
        var folded: [GroupPartition: Int64] = [:]
        for (record, _, isReported) in log.sorted(by: { $0.offset < $1.offset }) where isReported {
            guard case .offset(_, let partition) = try GroupRecordKey(record.key[...]) else { continue }
            folded[partition] = try record.value.map { try CommittedOffset($0[...]).offset }
        }
        // What is being taken back shows no more, and may still be in the log.
        func isKept(_ entry: (key: GroupPartition, value: Int64)) -> Bool { !isDeleting(entry.key.topic) }
        let (visible, durable) = (visible().filter(isKept), folded.filter(isKept))
        if durable != visible { throw broken("visible are \(visible), durable are \(durable)") }
    }

    // MARK: The end

    /// Nothing happens any more but what was begun.
    func settle() throws {
        isQuiet = true
        note("quiet")
        tellTopics()
        for _ in 0..<150 {
            step += 1
            for id in consumers.keys.sorted() {
                while consumers[id]?.answers.isEmpty == false {
                    try deliver(id)
                    try carry()
                }
            }
            while !inFlight.isEmpty { try finishStore(fails: false) }
            for id in consumers.keys.sorted() { finishRevoking(id) }
            retryAll()
            try carry()
            try pass(milliseconds: 1_000)
            try check()
        }
        try checkVisible()
        try checkSettled()
    }

    private func checkSettled() throws {
        for (id, consumer) in consumers where consumer.member.phase != .stable {
            throw broken("\(id) is still \(consumer.member.phase)")
        }
        let state = coordinator.describe(Self.groupID)?.state
        if state != nil, state != (consumers.isEmpty ? .empty : .stable) {
            throw broken("the group is \(state?.rawValue ?? "")")
        }
        var owned: Set<GroupPartition> = []
        for consumer in consumers.values { owned.formUnion(consumer.member.owned) }
        let topics = Set(consumers.values.flatMap(\.member.topics))
        for topic in topics {
            for partition in 0..<(counts[topic] ?? 0)
            where !owned.contains(GroupPartition(topic: topic, partition: partition)) {
                throw broken("\(topic)-\(partition) has no owner")
            }
        }
        for (id, consumer) in consumers {
            let foreign = consumer.member.owned.filter { !consumer.member.topics.contains($0.topic) }
            if !foreign.isEmpty { throw broken("\(id) owns \(foreign) without subscribing") }
        }
        try checkBalance(topics)
    }

    private func checkBalance(_ topics: Set<String>) throws {
        guard consumers.values.allSatisfy({ Set($0.member.topics) == topics }) else { return }
        let isSticky = consumers.values.allSatisfy { $0.member.configuration.assignors[0].isCooperative }
        for topic in isSticky ? [nil] : topics.map(Optional.some) {
            let loads = consumers.values.map { consumer in
                consumer.member.owned.count { topic == nil || $0.topic == topic }
            }
            if let least = loads.min(), let most = loads.max(), most - least > 1 {
                throw broken("the loads of \(topic ?? "all topics") are \(loads.sorted())")
            }
        }
    }
}
