// Tasks that run after others: waiting for them, going on when they have ended, given up when one has failed.
//
// (1) That a task waits, and that it does no more, is not written: it follows from its definition, from its
// having no standing yet, and from the states of those it runs after. (2) So those are kept as long as one
// that runs after them is unfinished: they are pinned, and have no timer that would remove them. (3) What a
// failure does to others is written, as their own end. It goes on from task to task by a list, not by calls:
// a chain of any length needs no stack, and one call does no more of it than `followersAtOnce`; `nextWall`
// tells that there is more. (4) A task runs after tasks that were published before it, so nothing can wait
// for itself, whatever the log says.

import SluiceLog

/// What a task runs after.
struct Predecessors: Sendable {
    var tasks: [TaskIdentity]
    var runsAnyway: Bool
    /// Sequences of those that have not ended, of a task that waits.
    var open: Set<UInt64> = []
    /// Whether they are pinned by it.
    var isPinning = false
}

/// What runs after a task.
struct Followers: Sendable {
    /// Their sequences, in the order of publishing; some may have ended.
    var sequences: [UInt64] = []
    /// How many have not.
    var unfinished = 0
}

/// A task that has ended, and whose followers are to be looked at from one on.
struct Ending: Sendable {
    var slot: UInt32
    var sequence: UInt64
    var next = 0
}

extension TaskMachine {
    /// What a task is told to run after, each once. Throws `illegal`, `unknownPredecessor`.
    ///
    /// - Parameter write: the atomic write that the task is part of, if it is part of one.
    func check(_ after: [TaskIdentity], _ write: UInt64?) throws(TaskRefusal) -> [TaskIdentity] {
        guard after.count <= TaskLimits.predecessors else {
            throw .illegal("a task runs after \(TaskLimits.predecessors) others at most, not \(after.count)")
        }
        var seen: Set<TaskIdentity> = []
        for task in after where seen.insert(task).inserted {
            guard let slot = slot(of: task.sequence), entries[Int(slot)].nonce == task.nonce else {
                throw .unknownPredecessor(task)
            }
            guard !entries[Int(slot)].isProvisional || writes[slot] == write && write != nil else {
                throw .illegal("\(task.text) is part of an atomic write that is under way")
            }
            // An atomic write may be durable before it.
            guard write == nil || entries[Int(slot)].isProvisional || entries[Int(slot)].definitionOffset >= 0
            else { throw .illegal("\(task.text) is not durable yet: publish again") }
        }
        return after.filter { seen.remove($0) != nil }
    }

    /// What memory keeps of what a task runs after.
    mutating func defineAfter(_ slot: UInt32, _ definition: TaskDefinition) {
        // While loading the last definition counts; what is pinned is so by this one.
        guard afters[slot]?.isPinning != true else { return }
        afters[slot] = definition.after.map { Predecessors(tasks: $0.tasks, runsAnyway: $0.runsAnyway) }
    }

    private func predecessor(_ task: TaskIdentity, of slot: UInt32) -> UInt32? {
        // Only what was there before: no bytes of a log make a circle.
        guard task.sequence < entries[Int(slot)].sequence, let found = self.slot(of: task.sequence),
            entries[Int(found)].nonce == task.nonce
        else { return nil }
        return found
    }

    // MARK: Pins

    /// Keeps those that an unfinished task runs after.
    mutating func pin(_ slot: UInt32) {
        guard let after = afters[slot], !after.isPinning else { return }
        afters[slot]?.isPinning = true
        for task in after.tasks {
            guard let found = predecessor(task, of: slot) else { continue }
            followers[found, default: Followers()].unfinished += 1
            followers[found]?.sequences.append(entries[Int(slot)].sequence)
            forgetEnded(found)
            if entries[Int(found)].state.isFinal { rest(found) }
        }
    }

    /// Of what runs after a task, and comes and goes as long as that is kept, those that have ended are
    /// forgotten. Amortised O(1).
    private mutating func forgetEnded(_ slot: UInt32) {
        guard let held = followers[slot], held.sequences.count > 64,
            held.sequences.count > 2 * held.unfinished, !hasEndings
        else { return }
        let unfinished = held.sequences.filter { sequence in
            self.slot(of: sequence).map { !entries[Int($0)].state.isFinal } ?? false
        }
        followers[slot]?.sequences = unfinished
    }

    /// A task has ended, or is gone: what it ran after is kept for the others alone.
    mutating func unpin(_ slot: UInt32) {
        guard let after = afters[slot], after.isPinning else { return }
        afters[slot]?.isPinning = false
        afters[slot]?.open = []
        for task in after.tasks {
            guard let found = predecessor(task, of: slot), followers[found] != nil else { continue }
            followers[found]?.unfinished -= 1
            guard followers[found]?.unfinished == 0 else { continue }
            followers[found] = nil
            // Its time may have gone by meanwhile.
            if entries[Int(found)].state.isFinal { rest(found) }
        }
    }

    /// Whether an unfinished task runs after this one.
    func isPinned(_ slot: UInt32) -> Bool {
        followers[slot] != nil && !PlantedBug.predecessorRemoved.isPlanted
    }

    // MARK: Waiting

    /// Has a task that was not begun wait for those that have not ended; or gives it up.
    ///
    /// - Returns: false when there is nothing to wait for.
    mutating func waits(_ slot: UInt32, _ now: Instant) -> Bool {
        guard let after = afters[slot], !entries[Int(slot)].hasStanding else { return false }
        var open: Set<UInt64> = []
        for task in after.tasks {
            if let found = predecessor(task, of: slot) {
                let state = entries[Int(found)].state
                if !state.isFinal {
                    open.insert(task.sequence)
                    continue
                }
                if state == .succeeded { continue }
            }
            // It did not end well, or the log has it no more.
            if !after.runsAnyway {
                giveUp(slot, becauseOf: task, now)
                return true
            }
        }
        guard !open.isEmpty else { return false }
        if PlantedBug.firstOfAllIsEnough.isPlanted, open.count < after.tasks.count { return false }
        afters[slot]?.open = open
        // Cannot be refused: it was not begun.
        try? move(slot, .wait)
        setWaitTimer(slot)
        return true
    }

    private mutating func giveUp(_ slot: UInt32, becauseOf task: TaskIdentity, _ now: Instant) {
        let state = self.slot(of: task.sequence).map { "\(entries[Int($0)].state)" } ?? "gone"
        finish(slot, .cancel, now, cause: "\(task.text), which it runs after, is \(state)")
    }

    /// A task has another life: those that have not begun wait for it.
    mutating func noteBegunAnew(_ slot: UInt32) {
        let task = identity(slot)
        for sequence in followers[slot]?.sequences ?? [] {
            guard let follower = self.slot(of: sequence), isUnbegun(follower) else { continue }
            afters[follower]?.open.insert(task.sequence)
            guard entries[Int(follower)].state != .waiting else { continue }
            // Cannot be refused: it is scheduled or available.
            try? move(follower, .wait)
            leaveGroup(follower)
            setWaitTimer(follower)
        }
    }

    /// Whether the log has nothing of it but its definition.
    private func isUnbegun(_ slot: UInt32) -> Bool {
        let entry = entries[Int(slot)]
        return !entry.hasStanding && !entry.isProvisional && !entry.state.isFinal
    }

    // MARK: Going on

    /// A task has ended: those that run after it are looked at, here or by who has called this.
    mutating func noteEnded(_ slot: UInt32, _ now: Instant) {
        guard followers[slot] != nil else { return }
        endings.append(Ending(slot: slot, sequence: entries[Int(slot)].sequence))
        guard !isFollowing else { return }
        _ = follow(now, limit: TaskLimits.followersAtOnce)
    }

    /// Does what follows from tasks that have ended. Returns how much that was.
    mutating func follow(_ now: Instant, limit: Int) -> Int {
        isFollowing = true
        defer { isFollowing = false }
        var count = 0
        while endingsHead < endings.count, count < limit {
            let ending = endings[endingsHead]
            guard entries[Int(ending.slot)].sequence == ending.sequence,
                entries[Int(ending.slot)].state.isFinal,
                let sequences = followers[ending.slot]?.sequences, ending.next < sequences.count
            else {
                endingsHead += 1
                continue
            }
            endings[endingsHead].next += 1
            count += 1
            guard let follower = slot(of: sequences[ending.next]), isUnbegun(follower) else { continue }
            count += follow(follower, identity(ending.slot), entries[Int(ending.slot)].state, now)
        }
        if endingsHead == endings.count { (endings, endingsHead) = ([], 0) }
        return count
    }

    /// One has ended that a task runs after. Returns what it costs beside.
    private mutating func follow(
        _ slot: UInt32, _ task: TaskIdentity, _ state: TaskState, _ now: Instant
    ) -> Int {
        // Nothing is held of it while it is changed: its set would be copied.
        guard let runsAnyway = afters[slot]?.runsAnyway else { return 0 }
        if state != .succeeded, !runsAnyway, !PlantedBug.failureNotPassedOn.isPlanted {
            giveUp(slot, becauseOf: task, now)
            return afters[slot]?.tasks.count ?? 0
        }
        guard afters[slot]?.open.remove(task.sequence) != nil, entries[Int(slot)].state == .waiting,
            afters[slot]?.open.isEmpty == true || PlantedBug.firstOfAllIsEnough.isPlanted
        else { return 0 }
        // Cannot be refused: it waits.
        try? move(slot, .proceed)
        place(slot, now)
        return 0
    }

    /// Whether there is something left to follow.
    var hasEndings: Bool { endingsHead < endings.count }

    /// Those that a task waits for, 16 at most.
    func awaited(_ slot: UInt32) -> [TaskIdentity] {
        guard entries[Int(slot)].state == .waiting, let after = afters[slot] else { return [] }
        return Array(after.tasks.lazy.filter { after.open.contains($0.sequence) }.prefix(16))
    }
}
