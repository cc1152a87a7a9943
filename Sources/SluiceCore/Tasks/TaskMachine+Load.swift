// A queue out of its topic's records, whether they were compacted or not.
//
// (1) Of a key the last record counts; definition and standing come in any order. (2) A record that makes no
// sense is noted and leaves the queue usable: see `unreadable`. (3) Nothing is leased before `finishLoading`.

package import SluiceLog

extension TaskMachine {
    /// Takes a record of the topic, in the order of the log.
    package mutating func load(key: ArraySlice<UInt8>, value: ArraySlice<UInt8>?, offset: Int64) {
        let known: TaskRecordKey?
        do throws(MalformedRecord) {
            known = try TaskRecordKey(key)
        } catch {
            return unreadable.append((0, error.reason))
        }
        guard let key = known else { return }
        do throws(MalformedRecord) {
            switch key.kind {
            case .queue: try loadQueue(value)
            case .limits:
                limits =
                    try value.map { value throws(MalformedRecord) in try StartLimits(value) } ?? StartLimits()
            case .schedule: try loadSchedule(key.sequence, value)
            case .definition: try loadDefinition(key.sequence, value, offset)
            case .standing: try loadStanding(key.sequence, value, offset)
            }
        } catch {
            unreadable.append((key.sequence, error.reason))
        }
    }

    private mutating func loadQueue(_ value: ArraySlice<UInt8>?) throws(MalformedRecord) {
        guard let value else { return }
        var reader = BinaryReader(value)
        _ = try reader.integer(UInt8.self)
        isPaused = try reader.flag()
    }

    /// The slot for a record of a task; nil for a tombstone of one that is not there.
    private mutating func loadedSlot(
        _ sequence: UInt64, _ isTombstone: Bool
    ) throws(MalformedRecord) -> UInt32? {
        guard sequence < 1 << 56 else { throw MalformedRecord(reason: "a sequence of \(sequence)") }
        lastSequence = max(lastSequence, sequence)
        if let slot = slot(of: sequence) { return slot }
        return isTombstone || sequence == 0 ? nil : makeEntry(sequence)
    }

    private mutating func loadDefinition(
        _ sequence: UInt64, _ value: ArraySlice<UInt8>?, _ offset: Int64
    ) throws(MalformedRecord) {
        guard let slot = try loadedSlot(sequence, value == nil) else { return }
        guard let value else {
            // The standing's tombstone follows, or is not there any more.
            if entries[Int(slot)].isDefined { releaseTenant(entries[Int(slot)].tenant) }
            entries[Int(slot)].isDefined = false
            entries[Int(slot)].definitionOffset = -1
            if !entries[Int(slot)].hasStanding { dropEntry(slot) }
            return
        }
        entries[Int(slot)].definitionOffset = offset
        let definition = try TaskDefinition(value)
        if let origin = definition.origin {
            firedMoments[origin.schedule] = max(firedMoments[origin.schedule] ?? 0, origin.moment)
        }
        do throws(TaskRefusal) {
            define(slot, try number(definition.name), definition)
        } catch {
            throw MalformedRecord(reason: "\(error)")
        }
    }

    private mutating func loadStanding(
        _ sequence: UInt64, _ value: ArraySlice<UInt8>?, _ offset: Int64
    ) throws(MalformedRecord) {
        guard let slot = try loadedSlot(sequence, value == nil) else { return }
        leases[slot] = nil
        histories[slot] = nil
        guard let value else {
            entries[Int(slot)].hasStanding = false
            if !entries[Int(slot)].isDefined { dropEntry(slot) }
            return
        }
        entries[Int(slot)].hasStanding = true
        entries[Int(slot)].standingOffset = offset
        let standing: TaskStanding
        do throws(MalformedRecord) {
            standing = try TaskStanding(value)
        } catch {
            loaded(slot, TaskState.dead)
            throw error
        }
        // Nobody writes that a task waits: it follows from those it runs after.
        guard standing.state != .waiting else {
            loaded(slot, TaskState.dead)
            throw MalformedRecord(reason: "a standing of a task that waits")
        }
        loaded(slot, standing.state)
        entries[Int(slot)].losses = standing.losses
        // Whatever the record says, there is room to count on.
        entries[Int(slot)].attempt = min(standing.attempt, .max >> 1)
        entries[Int(slot)].deliveries = min(standing.deliveries, .max >> 1)
        entries[Int(slot)].time = min(max(standing.due, 0), TaskLimits.latest)
        entries[Int(slot)].isExpiryLifted = standing.isExpiryLifted
        if !standing.state.isFinal {
            histories[slot] = standing.history
            if let progress = standing.progress { extras[slot, default: TaskExtras()].progress = progress }
        }
        if let terms = standing.lease, standing.state == .leased {
            // The deadline is set when all is loaded.
            leases[slot] = HeldLease(
                holder: terms.holder, deadline: 0,
                visibility: min(max(terms.visibility, 1), TaskLimits.visibilityMilliseconds),
                policy: terms.policy)
        }
    }

    private mutating func loaded(_ slot: UInt32, _ state: TaskState) {
        counts[Int(entries[Int(slot)].state.rawValue)] -= 1
        counts[Int(state.rawValue)] += 1
        entries[Int(slot)].state = state
    }

    /// No sequence up to this one is given out: a machine before this one did, and its task may not be in the
    /// log yet.
    package mutating func skipSequences(to sequence: UInt64) { lastSequence = max(lastSequence, sequence) }

    /// All records have been given: sets timers, ends the leases of this host's earlier lives, gives others
    /// their time anew.
    package mutating func finishLoading(now: Instant) {
        let all = entries.indices.map { UInt32($0) }.filter { entries[Int($0)].sequence != 0 }
        for slot in all where !entries[Int(slot)].isDefined { dropUndefined(slot) }
        let live = all.filter { entries[Int($0)].sequence != 0 }
            .sorted { entries[Int($0)].sequence < entries[Int($1)].sequence }
        // Whoever has begun is its group's current one: first those that are at it, then those that wait.
        for state in [TaskState.leased, .retrying, .scheduled, .available] {
            for slot in live where entries[Int(slot)].state == state && entries[Int(slot)].deliveries > 0 {
                if let key = extras[slot]?.group, groups[key] == nil { groups[key] = KeyGroup(current: slot) }
            }
        }
        finishLoadingLimits(now)
        // What ends now is followed when it is looked at the time again.
        isFollowing = true
        defer { isFollowing = false }
        for slot in live where !entries[Int(slot)].state.isFinal { pin(slot) }
        for slot in live { resume(slot, now) }
        let lost = leases.filter { $0.value.holder.isLocal && $0.value.holder.host != localHost }.keys
            .sorted()
        for slot in lost { endAttempt(slot, .lost, "the program that ran it has ended", delay: 0, now) }
        forgetOldest()
        finishLoadingSchedules()
    }

    /// A standing without its task.
    private mutating func dropUndefined(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        leases[slot] = nil
        // A definition that cannot be read is left to a version that can.
        if entry.definitionOffset < 0, entry.hasStanding { emit(.standing, slot, entry.sequence, nil) }
        dropEntry(slot)
    }

    private mutating func resume(_ slot: UInt32, _ now: Instant) {
        let state = entries[Int(slot)].state
        if state == .leased {
            guard var held = leases.removeValue(forKey: slot) else { return }
            held.deadline = now.after(milliseconds: held.visibility)
            return hold(slot, held)
        }
        if state.isFinal { return rest(slot) }
        if waits(slot, now) { return }
        if state == .available { makeReady(slot) } else { becomeDue(slot, now) }
        setWaitTimer(slot)
    }
}

extension TaskHolder {
    /// Whether it is, or was, a worker in the process that had the store open: such hosts have the top bit.
    package var isLocal: Bool { host >> 63 == 1 }
}
