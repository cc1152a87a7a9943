// How attempts and tasks end, and how what has ended begins anew.

package import SluiceLog

extension TaskMachine {
    /// The task is done. Throws `unknownTask`, `leaseLost`, `tooLarge`.
    package mutating func complete(
        _ lease: TaskLease, result: [UInt8], now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        guard result.count <= TaskLimits.payloadBytes else {
            throw .tooLarge(bytes: result.count, limit: TaskLimits.payloadBytes)
        }
        finish(slot, .complete, now, result: result)
    }

    /// The attempt failed: there is another after a while, or the task is dead.
    ///
    /// - Parameter retryAfter: nil: by the policy, at random up to its ceiling.
    /// - Throws: `unknownTask`, `leaseLost`.
    package mutating func fail(
        _ lease: TaskLease, cause: String, retryAfter: Int64? = nil, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        guard let policy = leases[slot]?.policy else { throw .leaseLost }
        let attempt = entries[Int(slot)].attempt
        let delay = retryAfter ?? policy.delay(behind: attempt, &random)
        endAttempt(slot, .failed, cause, delay: max(0, delay), now)
    }

    /// The task is not to be tried again. Throws `unknownTask`, `leaseLost`.
    package mutating func reject(
        _ lease: TaskLease, cause: String, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(lease)
        note(slot, .rejected, cause, now)
        finish(slot, .reject, now)
    }

    /// An attempt is over without a result.
    mutating func endAttempt(
        _ slot: UInt32, _ end: AttemptEnd, _ cause: String, delay: Int64, _ now: Instant
    ) {
        note(slot, end, cause, now)
        if end == .lost { noteRevoked(slot) }
        if end == .lost, entries[Int(slot)].losses < .max { entries[Int(slot)].losses += 1 }
        let attempts = leases[slot]?.policy.attempts ?? 1
        guard entries[Int(slot)].attempt < attempts else { return finish(slot, .exhaust, now) }
        endLease(slot)
        if PlantedBug.groupLeftEarly.isPlanted { leaveGroup(slot) }
        let wait = min(delay, TaskLimits.latest - now.wallMilliseconds)
        entries[Int(slot)].time = now.wallMilliseconds + wait
        // Cannot be refused: it was leased.
        try? move(slot, .retry)
        emitStanding(slot, now)
        becomeDue(slot, now)
        setWaitTimer(slot)
    }

    private mutating func note(_ slot: UInt32, _ end: AttemptEnd, _ cause: String, _ now: Instant) {
        let entry = entries[Int(slot)]
        histories[slot, default: TaskHistory()].add(
            TaskAttempt(
                number: entry.attempt, began: entry.time, ended: now.wallMilliseconds, end: end,
                cause: TaskLimits.cut(cause, TaskLimits.causeBytes)))
    }

    /// Brings a task into a final state, and does what belongs to that.
    mutating func finish(
        _ slot: UInt32, _ event: TaskEvent, _ now: Instant, result: [UInt8]? = nil, cause: String? = nil
    ) {
        do throws(TaskRefusal) {
            try move(slot, event)
        } catch {
            return assertionFailure("\(error)")
        }
        endLease(slot)
        entries[Int(slot)].time = now.wallMilliseconds
        emitStanding(slot, now, result: PlantedBug.resultForgotten.isPlanted ? nil : result, cause: cause)
        histories[slot] = nil
        rest(slot)
        unpin(slot)
        noteEnded(slot, now)
        forgetOldest()
    }

    /// What is left of a task in a final state: its timer, and what a redrive needs.
    mutating func rest(_ slot: UInt32) {
        leaveGroup(slot)
        let entry = entries[Int(slot)]
        var end = entry.time + (entry.state == .dead ? configuration.deadRetention : configuration.retention)
        if var extra = extras[slot] {
            extra.progress = nil
            if let until = extra.unique?.until { end = max(end, until) }
            if let claim = extra.unique, claim.until == nil, unique[claim.key] == slot {
                unique[claim.key] = nil
                noteEnding(claim.key)
            }
            extras[slot] = extra
        }
        if isPinned(slot) { return timers.cancel(slot) }
        let isExempt = entry.state == .dead || extras[slot]?.unique?.until ?? .min > entry.time
        timers.set(slot, isExempt ? .dead : .finished, end)
    }

    /// Removes what is kept beyond the limit, the first to go first.
    mutating func forgetOldest() {
        while timers.count(.finished) > configuration.kept, let slot = timers.first(.finished) {
            remove(slot)
        }
    }

    /// Removes a task: two tombstones.
    mutating func remove(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        noteChanged(slot)
        emit(.definition, slot, entry.sequence, nil)
        if entry.hasStanding { emit(.standing, slot, entry.sequence, nil) }
        dropEntry(slot)
    }

    // MARK: What others want

    /// Wants a task no more: it is not begun, and who has it loses it. Throws `unknownTask`, `notPossible`.
    package mutating func cancel(_ task: TaskIdentity, now: Instant) throws(TaskRefusal) {
        let slot = try find(task)
        let state = entries[Int(slot)].state
        guard state.after(.cancel) != nil else { throw .notPossible(.cancel, state) }
        noteRevoked(slot)
        finish(slot, .cancel, now)
    }

    /// Gives a task that was given up, cancelled or expired another life, its attempts counted from 0; its
    /// expiry does not count any more. Throws `unknownTask`, `notPossible`.
    ///
    /// - Parameter history: what the log has of its attempts, so that it is kept.
    package mutating func redrive(
        _ task: TaskIdentity, history: TaskHistory? = nil, now: Instant
    ) throws(TaskRefusal) {
        let slot = try find(task)
        try move(slot, .redrive)
        entries[Int(slot)].attempt = 0
        entries[Int(slot)].losses = 0
        entries[Int(slot)].isExpiryLifted = true
        entries[Int(slot)].time = now.wallMilliseconds
        histories[slot] = history
        if let key = extras[slot]?.unique?.key, unique[key] == nil { unique[key] = slot }
        makeReady(slot)
        setWaitTimer(slot)
        emitStanding(slot, now)
        pin(slot)
        noteBegunAnew(slot)
    }

    /// Puts another definition in the place of a task's: of one that is to be run anew, with another payload.
    ///
    /// - Parameter definition: what the log has of the task, changed.
    /// - Throws: `unknownTask`; `notPossible` unless it can be redriven; `tooLarge`.
    package mutating func edit(
        _ task: TaskIdentity, _ definition: TaskDefinition
    ) throws(TaskRefusal) {
        let slot = try find(task)
        let state = entries[Int(slot)].state
        guard state.after(.redrive) != nil else { throw .notPossible(.redrive, state) }
        guard definition.payload.count <= TaskLimits.payloadBytes else {
            throw .tooLarge(bytes: definition.payload.count, limit: TaskLimits.payloadBytes)
        }
        precondition(definition.nonce == task.nonce, "the definition is another task's")
        emit(.definition, slot, task.sequence, definition.bytes)
    }

    /// Does not wait for a task's time. Throws `unknownTask`, `notPossible`.
    package mutating func hurry(_ task: TaskIdentity, now: Instant) throws(TaskRefusal) {
        let slot = try find(task)
        try move(slot, .hurry)
        entries[Int(slot)].time = now.wallMilliseconds
        makeReady(slot)
        setWaitTimer(slot)
        emitStanding(slot, now)
    }

    /// Removes a task in a final state before its time. Throws `unknownTask`, `illegal`.
    package mutating func purge(_ task: TaskIdentity) throws(TaskRefusal) {
        let slot = try find(task)
        guard entries[Int(slot)].state.isFinal else {
            throw .illegal("a task that is not done is cancelled before it is removed")
        }
        guard !isPinned(slot) else {
            throw .illegal("a task that another runs after is not removed before that one has ended")
        }
        remove(slot)
    }

    /// Gives nothing out, or does again; what is leased goes on.
    package mutating func pause(_ isPaused: Bool) {
        guard self.isPaused != isPaused else { return }
        self.isPaused = isPaused
        emit(.queue, 0, 0, [1, isPaused ? 1 : 0])
    }
}
