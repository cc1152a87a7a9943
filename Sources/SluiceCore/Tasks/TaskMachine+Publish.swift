// New tasks: checked, numbered, written down; or the one that has their unique key.

package import SluiceLog

extension TaskMachine {
    /// Publishes a task, unless another has its unique key. Throws `illegal`, `tooLarge`, `queueFull`.
    package mutating func publish(_ draft: TaskDraft, now: Instant) throws(TaskRefusal) -> Published {
        let name = try check(draft, now)
        let after = try check(draft.after, nil)
        if let other = try holder(of: draft.uniqueKey, now) { return .duplicate(of: other) }
        let (slot, definition) = add(draft, name, after, now)
        emit(.definition, slot, entries[Int(slot)].sequence, definition.bytes)
        // Given up because of another it may be removed at once.
        let task = identity(slot)
        noteChanged(slot)
        place(slot, now)
        return .accepted(task)
    }

    /// Prepares a task whose record becomes part of an atomic write: nobody sees it before `confirm`, which
    /// or `abandon` must follow. No record when another task has its unique key.
    ///
    /// - Parameter write: the write's number, of all tasks of it: they may run after one another.
    package mutating func prepare(
        _ draft: TaskDraft, write: UInt64, now: Instant
    ) throws(TaskRefusal) -> (Published, TaskRecord?) {
        let name = try check(draft, now)
        let after = try check(draft.after, write)
        if let other = try holder(of: draft.uniqueKey, now) { return (.duplicate(of: other), nil) }
        if let key = draft.uniqueKey, isEnding(key) {
            throw .illegal(
                "the task of the unique key \(key) has just ended, which is not durable yet: publish again")
        }
        let (slot, definition) = add(draft, name, after, now)
        entries[Int(slot)].isProvisional = true
        writes[slot] = write
        let key = TaskRecordKey(.definition, entries[Int(slot)].sequence)
        return (.accepted(identity(slot)), TaskRecord(key: key, value: definition.bytes))
    }

    /// The atomic write of a prepared task is durable; its definition is at an offset.
    package mutating func confirm(_ task: TaskIdentity, at offset: Int64, now: Instant) {
        guard let slot = slot(of: task.sequence), entries[Int(slot)].isProvisional else { return }
        entries[Int(slot)].isProvisional = false
        writes[slot] = nil
        entries[Int(slot)].definitionOffset = offset
        noteChanged(slot)
        place(slot, now)
    }

    /// The atomic write of a prepared task was not made.
    package mutating func abandon(_ task: TaskIdentity) {
        guard let slot = slot(of: task.sequence), entries[Int(slot)].isProvisional else { return }
        dropEntry(slot)
        // What it would have run after is not kept for it any more.
        forgetOldest()
    }

    mutating func check(_ draft: TaskDraft, _ now: Instant) throws(TaskRefusal) -> UInt32 {
        func check(_ text: String?, _ what: String) throws(TaskRefusal) {
            guard let text, !(1...TaskLimits.nameBytes).contains(text.utf8.count) else { return }
            throw .illegal("\(what) has 1 to \(TaskLimits.nameBytes) bytes, not \(text.utf8.count)")
        }
        try check(draft.name, "a task's name")
        try check(draft.group, "a task's group")
        try check(draft.tenant, "a task's tenant")
        try check(draft.uniqueKey, "a unique key")
        guard draft.payload.count <= TaskLimits.payloadBytes else {
            throw .tooLarge(bytes: draft.payload.count, limit: TaskLimits.payloadBytes)
        }
        guard (0...TaskLimits.priority).contains(draft.priority) else {
            throw .illegal("a priority is from 0 to \(TaskLimits.priority), not \(draft.priority)")
        }
        guard draft.due ?? 0 <= TaskLimits.latest, draft.expires ?? 0 <= TaskLimits.latest else {
            throw .illegal("a task is due, and expires, before the year 10000")
        }
        if let period = draft.uniquePeriod, !(1...TaskLimits.latest).contains(period) {
            throw .illegal("the period of a unique key is from a millisecond on")
        }
        guard slots.count < min(configuration.tasks, TaskLimits.tasks) else {
            throw .queueFull(limit: min(configuration.tasks, TaskLimits.tasks))
        }
        return try number(draft.name)
    }

    /// The task that has a unique key.
    private func holder(of key: String?, _ now: Instant) throws(TaskRefusal) -> TaskIdentity? {
        guard let key, let slot = unique[key], let claim = extras[slot]?.unique else { return nil }
        if entries[Int(slot)].isProvisional {
            throw .illegal("a task of the unique key \(key) is part of an atomic write that is under way")
        }
        let isHeld =
            if let until = claim.until { now.wallMilliseconds < until } else {
                !entries[Int(slot)].state.isFinal
            }
        return isHeld ? identity(slot) : nil
    }

    private mutating func add(
        _ draft: TaskDraft, _ name: UInt32, _ after: [TaskIdentity], _ now: Instant
    ) -> (UInt32, TaskDefinition) {
        let wall = now.wallMilliseconds
        lastSequence += 1
        let slot = makeEntry(lastSequence)
        var claim: TaskDefinition.UniqueClaim?
        if let key = draft.uniqueKey {
            claim = .init(key: key, until: draft.uniquePeriod.map { min(wall + $0, TaskLimits.latest) })
        }
        let definition = TaskDefinition(
            nonce: random.next(), published: wall, due: max(draft.due ?? wall, wall),
            priority: UInt8(draft.priority), name: draft.name, payload: draft.payload[...],
            expires: draft.expires, group: draft.group, unique: claim, origin: draft.origin,
            tenant: draft.tenant,
            after: after.isEmpty ? nil : .init(tasks: after, runsAnyway: draft.runsAnyway))
        define(slot, name, definition)
        pin(slot)
        return (slot, definition)
    }

    /// What memory keeps of a definition.
    mutating func define(_ slot: UInt32, _ name: UInt32, _ definition: TaskDefinition) {
        entries[Int(slot)].nonce = definition.nonce
        entries[Int(slot)].name = name
        entries[Int(slot)].priority = definition.priority
        let tenant = retainTenant(definition.tenant)
        if entries[Int(slot)].isDefined { releaseTenant(entries[Int(slot)].tenant) }
        entries[Int(slot)].tenant = tenant
        entries[Int(slot)].isDefined = true
        if !entries[Int(slot)].hasStanding { entries[Int(slot)].time = definition.due }
        defineAfter(slot, definition)
        guard definition.expires != nil || definition.group != nil || definition.unique != nil else { return }
        var extra = extras[slot] ?? TaskExtras()
        extra.expires = definition.expires
        extra.group = definition.group
        extra.unique = definition.unique
        extras[slot] = extra
        guard let key = definition.unique?.key, !PlantedBug.uniqueKeyForgotten.isPlanted else { return }
        claim(key, slot)
    }

    /// Of several that ever had a key the last one published has it.
    private mutating func claim(_ key: String, _ slot: UInt32) {
        if let other = unique[key], entries[Int(other)].sequence > entries[Int(slot)].sequence { return }
        unique[key] = slot
    }

    /// Puts a task that is scheduled where it belongs: among the ready, or among the timers.
    mutating func place(_ slot: UInt32, _ now: Instant) {
        if waits(slot, now) { return }
        if entries[Int(slot)].time <= now.wallMilliseconds {
            set(slot, .available)
            makeReady(slot)
        }
        setWaitTimer(slot)
    }

    /// The timer of a task that waits: to become due, or to expire.
    mutating func setWaitTimer(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        let expires = entry.isExpiryLifted ? nil : extras[slot]?.expires
        let due = entry.state == .available || entry.state == .waiting ? nil : entry.time
        if let moment = [expires, due].compactMap({ $0 }).min() {
            timers.set(slot, .wall, moment)
        } else {
            timers.cancel(slot)
        }
    }

    func identity(_ slot: UInt32) -> TaskIdentity {
        TaskIdentity(sequence: entries[Int(slot)].sequence, nonce: entries[Int(slot)].nonce)
    }
}
