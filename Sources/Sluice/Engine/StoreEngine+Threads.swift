// The engine's threads: what each does when there is work, and when it sleeps.
//
// (1) Nothing that a look at the volume brought about is slept on: completions are told and the other lane is
// rung first. (2) A look that found nothing rings the other lane once for each change of the volume, so that
// two lanes that wait for the same disk do not keep each other awake.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import SluiceLog
import Synchronization

extension StoreEngine {
    func appendLoop() {
        var jobs: [IOJob] = []
        var hasWorked = false
        lock.lock()
        while true {
            gather()
            takeJobs(&jobs)
            if !jobs.isEmpty {
                run(&jobs)
                hasWorked = true
                continue
            }
            if deliverRest() { continue }
            if isStopping { break }
            // The look may have asked for a sync that makes room in the journal.
            if backgroundRungAt != changes {
                backgroundRungAt = changes
                ringBackground()
            }
            appendersAsleep += 1
            if hasWorked {
                // Dozes once before it sleeps: a stream of full batches then costs a wake-up a millisecond,
                // not one each.
                appendersDozing += 1
                appendBell.wait(lock, until: Instant.monotonicNow + Self.dozeNanoseconds)
                appendersDozing -= 1
            } else {
                appendBell.wait(lock)
            }
            hasWorked = false
            appendersAsleep -= 1
        }
        lock.unlock()
    }

    /// Takes several small writes at once, so that many partitions with a record each cost one turn of the
    /// lock; a commit goes alone, since it takes long.
    private func takeJobs(_ jobs: inout [IOJob]) {
        let now = Instant.now
        while jobs.count < Self.jobsAtOnce, let job = volume.nextJob(.append, now: now) {
            jobs.append(job)
            guard case .write = job else { return }
        }
    }

    /// Before a commit, waits a moment for those that the last one answered: they are about to come again.
    private func gather() {
        let waiting = volume.waitingToCommit
        guard waiting > 0, !volume.isCommitUnderWay, !volume.hasReadyWrites, !isGathering else { return }
        defer { lastGroup = volume.waitingToCommit }
        guard waiting < lastGroup else { return }
        isGathering = true
        let deadline = Instant.monotonicNow + Self.gatherNanoseconds
        while volume.waitingToCommit < lastGroup, !volume.hasReadyWrites, Instant.monotonicNow < deadline {
            lock.unlock()
            sched_yield()
            lock.lock()
        }
        isGathering = false
    }

    private static let gatherNanoseconds: Int64 = 60_000
    private static let dozeNanoseconds: Int64 = 1_000_000
    private static let leastSleepNanoseconds: Int64 = 1_000_000
    private static let jobsAtOnce = 32

    /// Runs a job without the lock, and comes back with it.
    private func run(_ job: IOJob) {
        var jobs = [job]
        run(&jobs)
    }

    /// Runs jobs one after another without the lock, and comes back with it.
    private func run(_ jobs: inout [IOJob]) {
        lock.unlock()
        let began = Instant.monotonicNow
        let results = jobs.map(runner.run)
        lock.lock()
        let now = Instant.now
        if jobs.count == 1, case .commit = jobs[0] {
            commitSeconds += (Double(now.monotonicNanoseconds - began) / 1e9 - commitSeconds) / 8
        }
        for (job, result) in zip(jobs, results) { volume.finished(job, result, now: now) }
        jobs.removeAll(keepingCapacity: true)
        leave()
        lock.lock()
    }

    func backgroundLoop() {
        lock.lock()
        while true {
            let now = Instant.now
            enforceRetention(now)
            if let job = volume.nextJob(.background, now: now) {
                run(job)
                continue
            }
            if deliverRest() { continue }
            if isStopping { break }
            // Time may have made writes ready.
            if appendRungAt != changes {
                appendRungAt = changes
                ringAppenders()
            }
            let deadline = min(volume.nextDeadline ?? .max, retentionAt ?? .max)
            isBackgroundAsleep = true
            backgroundWakesAt = deadline
            if deadline == .max {
                backgroundBell.wait(lock)
            } else {
                backgroundBell.wait(
                    lock, until: max(deadline, now.monotonicNanoseconds + Self.leastSleepNanoseconds))
                // What time has brought is a change.
                if Instant.monotonicNow >= deadline { changes &+= 1 }
            }
            isBackgroundAsleep = false
        }
        lock.unlock()
    }

    /// Retention looks at the store when the oldest segment comes of age, at most once a minute and at least
    /// once an hour while there is something to delete.
    private func enforceRetention(_ now: Instant) {
        if let time = retentionAt, now.monotonicNanoseconds >= time {
            noteClock(now)
            volume.enforceRetention(wall: retentionWall(now))
            retentionAt = nil
        }
        guard retentionAt == nil, let expiry = volume.nextExpiry else { return }
        let wait = min(
            max(expiry.subtractingReportingOverflow(now.wallMilliseconds).partialValue, 60_000), 3_600_000)
        retentionAt = now.monotonicNanoseconds + wait * 1_000_000
    }

    /// Tells of a wall clock that has been set by more than a minute since the last look.
    private func noteClock(_ now: Instant) {
        let last = lastClock ?? openedAt
        lastClock = now
        let passed = (now.monotonicNanoseconds - last.monotonicNanoseconds) / 1_000_000
        let jump =
            now.wallMilliseconds.subtractingReportingOverflow(last.wallMilliseconds).partialValue - passed
        guard abs(jump) > 60_000 else { return }
        events.add(.clockJumped(milliseconds: jump))
    }

    /// The wall clock, not believed for an hour after the opening: it may have been set while the machine was
    /// off.
    func retentionWall(_ now: Instant) -> Int64 {
        let open = (now.monotonicNanoseconds - openedAt.monotonicNanoseconds) / 1_000_000
        guard open < 3_600_000, previousWall > 0 else { return now.wallMilliseconds }
        return min(now.wallMilliseconds, previousWall + open)
    }

    /// Submits something and runs jobs of the append lane on the calling thread until it is answered: without
    /// contention no other thread is involved. For callers without async.
    func helping<Value>(_ submit: () throws(StreamError) -> Waiter<Value>) throws(StreamError) -> Value {
        // Counted before the answer is asked for: whoever gives it afterwards sees a helper, and rings.
        helpers.add(1, ordering: .sequentiallyConsistent)
        lock.withLock { helpersFree += 1 }
        defer {
            helpers.subtract(1, ordering: .sequentiallyConsistent)
            lock.withLock {
                helpersFree -= 1
                ring()
            }
        }
        let waiter = try submit()
        lock.lock()
        while waiter.result == nil {
            if let job = volume.nextJob(.append, now: .now) {
                helpersFree -= 1
                // What else there is to do is not left until this one is done.
                ring()
                run(job)
                helpersFree += 1
                continue
            }
            if deliverRest() { continue }
            helpersFree -= 1
            ring()
            helperBell.wait(lock)
            helpersFree += 1
        }
        lock.unlock()
        guard let result = waiter.result else { throw .closed }
        return try result.get()
    }
}
