// What happens because time passes.

package import SluiceLog

extension TaskMachine {
    /// Does what is due, at most 2,000 things; more is told by `nextWall` and `nextMonotonic`.
    package mutating func advance(to now: Instant) {
        var left = TaskLimits.timersAtOnce - fire(now)
        left -= bringBack(now, limit: left)
        isFollowing = true
        defer { isFollowing = false }
        while left > 0, let end = timers.next(.lease), end <= now.monotonicNanoseconds,
            let slot = timers.first(.lease)
        {
            left -= 1
            endAttempt(slot, .lost, "the lease ended: its worker died or was silent", delay: 0, now)
        }
        while left > 0, let moment = timers.next(.wall), moment <= now.wallMilliseconds,
            let slot = timers.first(.wall)
        {
            left -= 1
            wake(slot, now)
        }
        for kind in [TimerKind.finished, .dead] {
            while left > 0, let moment = timers.next(kind), moment <= now.wallMilliseconds,
                let slot = timers.first(kind)
            {
                left -= 1
                remove(slot)
            }
        }
        _ = follow(now, limit: max(left, 1))
    }

    private mutating func wake(_ slot: UInt32, _ now: Instant) {
        if !entries[Int(slot)].isExpiryLifted, let expires = extras[slot]?.expires,
            expires <= now.wallMilliseconds
        {
            return finish(slot, .expire, now)
        }
        becomeDue(slot, now)
        setWaitTimer(slot)
    }

    /// A task that waits and whose time has come is available. Not written down: it follows from the time.
    mutating func becomeDue(_ slot: UInt32, _ now: Instant) {
        let entry = entries[Int(slot)]
        let early: Int64 = PlantedBug.taskDueEarly.isPlanted ? 1_000 : 0
        guard entry.time <= now.wallMilliseconds + early, entry.state.after(.due) != nil else { return }
        // Cannot be refused: it was asked.
        try? move(slot, .due)
        makeReady(slot)
    }
}
