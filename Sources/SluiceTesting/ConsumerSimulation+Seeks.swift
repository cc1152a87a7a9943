// What comes from outside of a simulated group: seeks, and commits of those who are not in it any more.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// Sets the positions of some partitions to offsets that are there, as an administrator does.
    func seek() throws(SimulationViolation) {
        guard isSought, case .there = catalogue else { return }
        var targets: [Int: Int64] = [:]
        for partition in live where random.chance(0.6) {
            let found = try? store?.volume.offsets(number(partition))
            guard let range = found else { continue }
            targets[partition] = random.pick([
                range.lowerBound, range.upperBound, range.lowerBound + Int64(random.below(range.count + 1)),
            ])
        }
        guard !targets.isEmpty else { return }
        let sorted = targets.sorted { $0.key < $1.key }
        let hasOwners = consumers.values.contains { !$0.isLost && !$0.member.owned.isEmpty }
        lastTicket += 1
        let ticket = lastTicket
        note("seek \(sorted)")
        coordinator.seek(
            groupID: Self.groupID, to: sorted.map { OffsetToCommit(place($0.key), offset: $0.value) },
            ticket: ticket, now: clock.now)
        for effect in coordinator.takeEffects() {
            if case .committed(ticket, .failure(let error)) = effect {
                note("refused: \(error)")
                if error == .nonEmptyGroup { count(.refusedSeek) }
                return
            }
            effects.append(effect)
        }
        try check(!hasOwners, 4, "a group was sought whose members own partitions")
        openSeeks[ticket] = targets
        for (partition, target) in sorted {
            partitions[partition].seeks.append(target)
            partitions[partition].sought = nil
        }
    }

    /// A seek was answered. When it could not be stored it may be found at the next opening.
    func sought(_ ticket: UInt64, _ result: Result<[RefusedPartition], GroupError>) {
        note("seek: \(result)")
        guard case .success = result, let targets = openSeeks.removeValue(forKey: ticket) else { return }
        count(.seek)
        for (partition, target) in targets.sorted(by: { $0.key < $1.key }) {
            if target < partitions[partition].committed { count(.seekBack) }
            partitions[partition].sought = target
            adopt(target, partition)
        }
    }

    /// From here on the group goes: what lies before counts as processed.
    func adopt(_ target: Int64, _ partition: Int) {
        partitions[partition].committed = target
        partitions[partition].processed = max(partitions[partition].processed, target)
    }

    /// Whether a seek that has no answer, or none that is certain, would have set it.
    func isOpen(_ target: Int64, _ partition: Int) -> Bool {
        openSeeks.values.contains { $0[partition] == target }
    }

    // MARK: The dead

    /// It can be in the group no more, whatever its program believes.
    func bury(_ memberID: String) {
        guard let identity = identities[memberID] else { return }
        ghosts.append(identity)
        if ghosts.count > 6 { ghosts.removeFirst() }
    }

    /// One that is gone commits something that nobody has read.
    func haunt() {
        guard !ghosts.isEmpty else { return }
        let ghost = random.pick(ghosts)
        let partition = random.pick(Array(live))
        count(.ghost)
        lastTicket += 1
        note("\(ghost.memberID.prefix(6)) commits after its end")
        ghostTickets.insert(lastTicket)
        coordinator.commit(
            CommitRequest(
                groupID: Self.groupID, generation: ghost.generation, memberID: ghost.memberID,
                instanceID: ghost.instanceID,
                offsets: [OffsetToCommit(place(partition), offset: partitions[partition].end + 1_000)]),
            ticket: lastTicket, now: clock.now)
    }
}
