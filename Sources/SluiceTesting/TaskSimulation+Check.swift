// What must hold in a simulated life of a queue; the numbers are those of TaskSimulation.swift.

import SluiceCore
import SluiceLog

/// A task that was given out.
struct Grant {
    var task: LeasedTask
    var holder: TaskHolder
    /// What it was before the call, which may have been before its time came.
    var before: TaskAccount?
}

extension TaskSimulation {
    /// After every step.
    func checkState() throws {
        if let failure = failures.first { throw broken(failure) }
        for grant in grants { try check(grant) }
        grants = []
        let accounts = machine.accounts
        try checkAfter(accounts)
        let leased = accounts.filter { $0.state == .leased }
        // (5)
        forgetServed(accounts)
        let groups = leased.compactMap(\.group)
        guard Set(groups).count == groups.count else { throw broken("two tasks of a group at once") }
        // (7)
        for account in accounts {
            guard let policy = policies.first(where: { $0.name == account.name })?.policy else { continue }
            guard account.attempt <= policy.attempts else {
                throw broken("\(account.task.sequence) is tried \(account.attempt) times")
            }
        }
        // (8) A redrive brings a key back that another may have by now.
        var keys: Set<String> = []
        for account in accounts where !account.state.isFinal && !touched.contains(account.task) {
            guard let draft = drafts[account.task], let key = draft.uniqueKey, draft.uniquePeriod == nil
            else { continue }
            guard keys.insert(key).inserted || !touched.isEmpty else {
                throw broken("two tasks of the key \(key)")
            }
        }
        let counts = machine.stateCounts
        for state in TaskState.allCases {
            let count = accounts.filter { $0.state == state }.count
            let provisional = state == .scheduled ? prepared.count : 0
            guard counts[state] == count + provisional else {
                throw broken("\(count) tasks are \(state), counted are \(counts[state] ?? 0)")
            }
        }
    }

    private func check(_ grant: Grant) throws {
        let task = grant.task.lease.task
        let name = "\(task.sequence).\(grant.task.lease.token)"
        try checkBegin(grant.task)
        // (7) Each counts, from the last on.
        if let before = grant.before, grant.task.attempt != before.attempt + 1 {
            throw broken("\(name) is attempt \(grant.task.attempt) behind \(before.attempt)")
        }
        // (1) What a worker was told, but for those that gave it up, which are not in `told` any more. One
        // whose task was cancelled and redriven lost it by that.
        for other in told where other.lease.task == task && other.lease != grant.task.lease {
            if other.deadline > now.monotonicNanoseconds, !touched.contains(task) {
                throw broken("\(name) is given out while \(other.lease.token) holds")
            }
        }
        // (3) The record before the one of the lease.
        let records = (log.map { ($0.key, $0.value) } + outbox.map { ($0.key, $0.value) })
        let standings = records.filter { $0.0 == TaskRecordKey(.standing, task.sequence) }
        let due: Int64
        if standings.count > 1, let value = standings[standings.count - 2].1 {
            due = try TaskStanding(value[...]).due
        } else {
            due = drafts[task]?.due ?? .min
            if !touched.contains(task), let expires = drafts[task]?.expires, expires <= now.wallMilliseconds {
                throw broken("\(name) is given out behind its expiry")
            }
        }
        let isSure = now.wallMilliseconds >= greatestWall
        guard due <= now.wallMilliseconds || !isSure else {
            throw broken("\(name) is given out before its time")
        }
        // (7)
        guard let policy = policies.first(where: { $0.name == grant.task.name })?.policy,
            let account = machine.accounts.first(where: { $0.task == task })
        else { throw broken("\(name) is not there") }
        // (5) Also while one of the group is to be tried again.
        if let group = account.group, !touched.contains(task) {
            let other = machine.accounts.first { $0.group == group && $0.state == .retrying }
            if let other, !touched.contains(other.task) {
                throw broken("\(name) is given out while \(other.task.sequence) of its group waits")
            }
        }
        if account.losses > 0, account.attempt + 1 >= policy.attempts {
            outcome.alone += 1
            let others = machine.accounts.filter { $0.holder?.host == grant.holder.host && $0.task != task }
            guard others.isEmpty else { throw broken("\(name) is not alone with \(others[0].task.sequence)") }
        }
    }

    /// (4) After a death: what was answered is so.
    func checkAnswered() throws {
        for task in published.sorted(by: { $0.sequence < $1.sequence }) {
            let state = (try? machine.status(of: task))?.state
            if state == nil {
                // Removed, so it had ended; by its retention, by the limit on how many are kept, or by hand.
                continue
            }
            guard let end = ended[task], !touched.contains(task) else { continue }
            guard state == end else {
                throw broken("\(task.sequence) was \(end), and is \(state.map { "\($0)" } ?? "gone")")
            }
            guard end == .succeeded else { continue }
            let standing = log.last { $0.key == TaskRecordKey(.standing, task.sequence) }?.value
            let result = try standing.map { try TaskStanding($0[...]) }?.result
            guard result.map(Array.init) == results[task] else {
                throw broken("\(task.sequence) has returned something else")
            }
        }
        for task in published where (try? machine.status(of: task)) == nil {
            // A tombstone is in the log, or was compacted away with all else of the task.
            let definition = TaskRecordKey(.definition, task.sequence)
            // What was kept beyond the limit goes at the opening.
            let isRemoved = outbox.contains { $0.key == definition && $0.value == nil }
            let last = try log.last { $0.key == definition }?.value.map { try TaskDefinition($0[...]).nonce }
            // Another nonce: a number is given out again once nothing of its task is left.
            if last == task.nonce, !isRemoved {
                throw broken("\(task.sequence) was published and is lost")
            }
            if !removedOnce.contains(task.sequence), !isRemoved,
                !log.contains(where: { $0.key == definition })
            {
                throw broken("\(task.sequence) was published and has vanished")
            }
        }
    }

    /// (6) A machine made from all that was decided agrees with the one that decided.
    func replay() throws {
        // What the wall clock has undone follows from a time that was; an atomic write is in no outbox.
        guard now.wallMilliseconds >= greatestWall, prepared.isEmpty else { return }
        for _ in 0..<1_000 {
            machine.advance(to: now)
            decided()
        }
        var other = TaskMachine(configuration: configuration, seed: 1, localHost: localHost)
        load(&other, with: outbox)
        let records = other.takeRecords()
        guard records.isEmpty else {
            let key = records[0].key
            let all = (log.map { ($0.offset, $0.key, $0.value) } + outbox.map { (-1, $0.key, $0.value) })
                .filter { $0.1.sequence == key.sequence }
            throw broken("a replay stores \(records), having read \(all)")
        }
        let (live, again) = (machine.accounts, other.accounts)
        outcome.replays += 1
        for (one, two) in zip(live, again) where one != two {
            throw broken("live \(one)\nreplayed \(two)")
        }
        guard machine.scheduleList == other.scheduleList else {
            throw broken("schedules are \(machine.scheduleList), replayed \(other.scheduleList)")
        }
        guard machine.limits == other.limits else {
            throw broken("limits are \(machine.limits), replayed \(other.limits)")
        }
        guard live.count == again.count, machine.isPaused == other.isPaused else {
            throw broken("live are \(live.count) tasks, replayed \(again.count)")
        }
    }

    /// (9) Good workers, and no more deaths.
    func settle() throws {
        machine.pause(false)
        try checkMoments()
        for one in machine.scheduleList { try machine.removeSchedule(one.schedule.name) }
        known = []
        decided()
        while !prepared.isEmpty { try endAtomicWrite() }
        told = []
        for round in 0..<10_000 {
            step += 1
            pass(20_000)
            machine.advance(to: now)
            decided()
            let leased = try leaseWatched(
                LeaseRequest(
                    holder: TaskHolder(host: localHost, worker: 9), handlers: policies, count: 50,
                    visibility: 10_000))
            for task in leased { try machine.complete(task.lease, result: [], now: now) }
            decided()
            while !outbox.isEmpty { append() }
            try sync()
            let left = machine.accounts.filter { !$0.state.isFinal }
            if left.isEmpty { break }
            if round == 9_999 { throw broken("\(left.count) tasks never end: \(left[0])") }
        }
        for account in machine.accounts { outcome.endings[account.state.rawValue, default: 0] += 1 }
        guard answers.isEmpty else { throw broken("\(answers.count) answers are never given") }
        try replay()
    }
}
