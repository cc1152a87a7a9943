// Giving tasks out, and what their holders say before they are done.

package import SluiceLog

extension TaskMachine {
    /// Gives out what is available, fits and may be started: of the tenant that is next the most urgent.
    /// Each attempt counts from here on.
    ///
    /// Near the limit of its attempts, a task of which a lease was lost is given out alone: to a host that
    /// holds nothing, and gets nothing beside it.
    package mutating func lease(_ request: LeaseRequest, now: Instant) -> [LeasedTask] {
        advance(to: now)
        guard !isPaused, hosts[request.holder.host]?.isAlone != true else { return [] }
        var policies: [UInt32: TaskRetryPolicy] = [:]
        if let others = request.others {
            for number in names.indices { policies[UInt32(number)] = others }
        }
        for handler in request.handlers {
            if let number = numbers[handler.name] { policies[number] = handler.policy }
        }
        let known = policies.keys.sorted()
        var leased: [LeasedTask] = []
        while leased.count < min(request.count, TaskLimits.leaseCount),
            let (name, first) = next(of: known, now)
        {
            let slot = first.slot
            if !entries[Int(slot)].isExpiryLifted, let expires = extras[slot]?.expires,
                expires <= now.wallMilliseconds
            {
                finish(slot, .expire, now)
                continue
            }
            let policy = policies[name] ?? TaskRetryPolicy()
            let isAlone = isDelivered(aloneWith: policy, slot)
            // It stays the first: its host gets nothing more until it has nothing left.
            if isAlone, hosts[request.holder.host]?.count ?? 0 > 0 { break }
            removeFirst(of: entries[Int(slot)].tenant, name)
            leased.append(give(slot, policy, request, now))
            if isAlone {
                hosts[request.holder.host]?.isAlone = true
                break
            }
        }
        return leased
    }

    private func isDelivered(aloneWith policy: TaskRetryPolicy, _ slot: UInt32) -> Bool {
        let entry = entries[Int(slot)]
        if PlantedBug.poisonInCompany.isPlanted { return false }
        return entry.losses > 0 && Int64(entry.attempt) + 2 >= Int64(policy.attempts)
    }

    private mutating func give(
        _ slot: UInt32, _ policy: TaskRetryPolicy, _ request: LeaseRequest, _ now: Instant
    ) -> LeasedTask {
        // Cannot be refused: it was found among the available.
        try? move(slot, .lease)
        noteStart(slot, now)
        if !PlantedBug.attemptNotCounted.isPlanted { entries[Int(slot)].attempt += 1 }
        entries[Int(slot)].deliveries += 1
        entries[Int(slot)].time = now.wallMilliseconds
        let visibility = min(max(request.visibility, 1), TaskLimits.visibilityMilliseconds)
        hold(
            slot,
            HeldLease(
                holder: request.holder, deadline: now.after(milliseconds: visibility), visibility: visibility,
                policy: policy))
        if !PlantedBug.leaseNotWritten.isPlanted { emitStanding(slot, now) }
        let entry = entries[Int(slot)]
        return LeasedTask(
            lease: TaskLease(task: identity(slot), token: entry.deliveries), name: names[Int(entry.name)],
            attempt: entry.attempt, definitionOffset: entry.definitionOffset, after: afters[slot]?.tasks ?? []
        )
    }

    mutating func hold(_ slot: UInt32, _ held: HeldLease) {
        leases[slot] = held
        hosts[held.holder.host, default: HostLeases()].count += 1
        timers.set(slot, .lease, held.deadline)
        noteLeased(slot, 1)
    }

    /// Nobody has the task any more.
    mutating func endLease(_ slot: UInt32) {
        guard let held = leases.removeValue(forKey: slot) else { return }
        timers.cancel(slot)
        hosts[held.holder.host]?.count -= 1
        hosts[held.holder.host]?.isAlone = false
        if hosts[held.holder.host]?.count == 0 { hosts[held.holder.host] = nil }
        noteLeased(slot, -1)
    }

    /// A host is gone, and has nothing any more: attempts end as lost ones, at once. Without a cause it said
    /// goodbye: what it has is given back, and does not count.
    package mutating func endHost(_ host: UInt64, cause: String?, now: Instant) {
        for slot in leases.filter({ $0.value.holder.host == host }).keys.sorted() {
            let lease = TaskLease(task: identity(slot), token: entries[Int(slot)].deliveries)
            if let cause {
                endAttempt(slot, .lost, cause, delay: 0, now)
            } else {
                try? release(lease, now: now)
            }
        }
    }

    /// The slot of a task, if the lease is what holds it. Throws `unknownTask`, `leaseLost`.
    func find(_ lease: TaskLease) throws(TaskRefusal) -> UInt32 {
        let slot = try find(lease.task)
        guard leases[slot] != nil else { throw .leaseLost }
        let isHolder = entries[Int(slot)].deliveries == lease.token || PlantedBug.staleTokenHolds.isPlanted
        guard isHolder else { throw .leaseLost }
        return slot
    }

    // MARK: What holders say

    /// The holders of these leases are alive: each holds for its visibility time-out from now. Not written
    /// down. Returns those that are lost.
    package mutating func heartbeat(_ alive: [TaskLease], now: Instant) -> [TaskLease] {
        alive.filter { lease in
            guard let slot = try? find(lease), let held = leases[slot] else { return true }
            let again = now.after(milliseconds: held.visibility)
            let deadline =
                PlantedBug.heartbeatShortens.isPlanted
                ? now.after(milliseconds: held.visibility / 2) : max(held.deadline, again)
            leases[slot]?.deadline = deadline
            timers.set(slot, .lease, deadline)
            return false
        }
    }

    /// Makes a lease hold for so long from now, and for as long at each heartbeat. Throws `unknownTask`,
    /// `leaseLost`, `illegal`.
    package mutating func extend(
        _ lease: TaskLease, by visibility: Int64, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        guard (1...TaskLimits.visibilityMilliseconds).contains(visibility) else {
            throw .illegal("a visibility time-out is from 1 ms to 12 h")
        }
        leases[slot]?.visibility = visibility
        leases[slot]?.deadline = now.after(milliseconds: visibility)
        timers.set(slot, .lease, now.after(milliseconds: visibility))
        emitStanding(slot, now)
    }

    /// Notes how far a task has come; written down once a second at most. Throws `unknownTask`, `leaseLost`.
    package mutating func report(
        _ progress: TaskProgress, of lease: TaskLease, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        var extra = extras[slot] ?? TaskExtras()
        extra.progress = TaskProgress(
            fraction: progress.fraction, note: TaskLimits.cut(progress.note, TaskLimits.noteBytes))
        let isDue =
            now.monotonicNanoseconds - extra.progressStored >= TaskLimits.progressMilliseconds * 1_000_000
            || extra.progressStored == 0
        if isDue { extra.progressStored = max(1, now.monotonicNanoseconds) }
        extras[slot] = extra
        noteChanged(slot)
        if isDue { emitStanding(slot, now) }
    }

    /// Gives a task back; the attempt does not count. With a delay it is scheduled for then.
    ///
    /// Throws `unknownTask`, `leaseLost`.
    package mutating func release(
        _ lease: TaskLease, delay: Int64 = 0, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        endLease(slot)
        // 0 only by a record that somebody else made.
        if entries[Int(slot)].attempt > 0 { entries[Int(slot)].attempt -= 1 }
        let wait = min(max(delay, 0), TaskLimits.latest - now.wallMilliseconds)
        entries[Int(slot)].time = now.wallMilliseconds + wait
        try move(slot, wait > 0 ? .postpone : .release)
        if wait == 0 { makeReady(slot) }
        setWaitTimer(slot)
        emitStanding(slot, now)
    }
}
