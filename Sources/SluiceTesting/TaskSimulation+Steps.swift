// What happens to the queue of a simulated life, a step at a time.

import SluiceCore
import SluiceLog

extension TaskSimulation {
    func act() throws {
        switch random.below(100) {
        case ..<18: publish()
        case ..<21: prepare()
        case ..<23: try endAtomicWrite()
        case ..<40: try lease()
        case ..<60: work()
        case ..<62: heartbeat()
        case ..<63: endHost()
        case ..<74: append()
        case ..<84: try sync()
        case ..<90: advance()
        case ..<92: administer()
        case ..<93: administerLimits()
        case ..<94: compact()
        case ..<95: administerSchedules()
        case ..<96: replayAndPause()
        case ..<98: try replay()
        default: try die()
        }
    }

    // MARK: Publishing

    private func draft() -> TaskDraft {
        let wall = now.wallMilliseconds
        var draft = TaskDraft(
            name: random.pick(["a", "b", "c"]),
            payload: (0..<random.within(0...40)).map { UInt8(truncatingIfNeeded: $0) })
        if random.chance(0.4) { draft.due = wall + Int64(random.within(-5_000...40_000)) }
        if random.chance(0.3) { draft.priority = random.below(10) }
        if random.chance(0.15) { draft.expires = wall + Int64(random.within(0...50_000)) }
        if random.chance(0.3) { draft.group = random.pick(["x", "y"]) }
        if random.chance(0.3) {
            draft.after = predecessors()
            draft.runsAnyway = random.chance(0.3)
        }
        if random.chance(0.6) { draft.tenant = random.pick(["t", "u", "v"]) }
        if random.chance(0.2) {
            draft.uniqueKey = random.pick(["k", "l"])
            if random.chance(0.5) { draft.uniquePeriod = Int64(random.within(1...30_000)) }
        }
        return draft
    }

    private func publish() {
        for _ in 0..<(random.chance(0.2) ? random.within(2...8) : 1) {
            let draft = draft()
            guard let result = try? machine.publish(draft, now: now) else { continue }
            note("publishes \(draft.name): \(result) after \(draft.after.map(\.sequence))")
            if case .accepted(let task) = result {
                drafts[task] = draft
                decided { [self] in
                    published.insert(task)
                    outcome.published += 1
                }
            } else {
                decided()
            }
        }
    }

    private func prepare() {
        writes += 1
        // What is part of the same write may be run after.
        var mine: [TaskIdentity] = []
        for _ in 0..<random.within(1...3) {
            var draft = draft()
            if random.chance(0.7) { draft.after += mine }
            guard let (result, record) = try? machine.prepare(draft, write: writes, now: now), let record
            else { continue }
            note("prepares \(result) after \(draft.after.map(\.sequence))")
            drafts[result.task] = draft
            prepared.append((result.task, record, writes))
            mine.append(result.task)
            decided()
        }
    }

    // MARK: Working

    private func lease() throws {
        let host = random.chance(0.5) ? localHost : UInt64(random.within(1...2))
        let holder = TaskHolder(host: host, worker: UInt64(random.below(2)))
        var handlers = random.chance(0.7) ? policies : [random.pick(policies)]
        var others: TaskRetryPolicy?
        if handlers.count > 1, random.chance(0.3) { others = handlers.removeFirst().policy }
        let visibility = Int64(random.pick([2_000, 10_000, 30_000]))
        let before = Dictionary(uniqueKeysWithValues: machine.accounts.map { ($0.task, $0) })
        var request = LeaseRequest(
            holder: holder, handlers: handlers, count: random.within(1...4), visibility: visibility)
        request.others = others
        let leased = try leaseWatched(request)
        guard !leased.isEmpty else { return decided() }
        note("host \(host & 0xFF) leases \(leased.map { "\($0.lease.task.sequence).\($0.lease.token)" })")
        let deadline = now.monotonicNanoseconds + visibility * 1_000_000
        for task in leased {
            grants.append(Grant(task: task, holder: holder, before: before[task.lease.task]))
        }
        let time = endings[host]
        decided { [self] in
            // Whoever asked may be gone by now.
            guard endings[host] == time else { return }
            for task in leased {
                told.append(
                    Told(lease: task.lease, holder: holder, deadline: deadline, visibility: visibility))
                outcome.leases += 1
            }
        }
    }

    /// A worker says something of a task that it has, or had.
    private func work() {
        guard let index = told.indices.randomElement(using: &random) else { return }
        var worker = told[index]
        if random.chance(0.1), worker.lease.token > 1 { worker.lease.token -= 1 }
        let (task, lease) = (worker.lease.task, worker.lease)
        let account = machine.accounts.first { $0.task == task }
        let isHolder = account?.state == .leased && account?.deliveries == lease.token
        var isEnd = true
        let now = now
        do throws(TaskRefusal) {
            switch random.below(10) {
            case ..<4:
                let result = (0..<random.below(20)).map { _ in UInt8(random.below(256)) }
                try machine.complete(lease, result: result, now: now)
                note("completes \(task.sequence).\(lease.token)")
                decided { [self] in
                    outcome.completions += 1
                    if let state = ended[task], state == .succeeded, !touched.contains(task) {
                        throw broken("\(task.sequence) is done twice")
                    }
                    ended[task] = .succeeded
                    results[task] = result
                }
            case ..<6:
                let after = random.chance(0.2) ? Int64(random.below(5_000)) : nil
                try machine.fail(lease, cause: "went wrong", retryAfter: after, now: now)
                note("fails \(task.sequence).\(lease.token)")
                decided()
            case ..<7:
                try machine.reject(lease, cause: "never", now: now)
                note("rejects \(task.sequence).\(lease.token)")
                decided { [self] in ended[task] = .dead }
            case ..<8:
                try machine.release(lease, delay: Int64(random.pick([0, 0, 4_000])), now: now)
                note("releases \(task.sequence).\(lease.token)")
                decided()
            case ..<9:
                isEnd = false
                try machine.extend(lease, by: 20_000, now: now)
                note("extends \(task.sequence).\(lease.token)")
                told[index].deadline = min(told[index].deadline, now.monotonicNanoseconds + 20_000_000_000)
                decided { [self] in
                    guard let index = told.firstIndex(where: { $0.lease == lease }) else { return }
                    told[index].deadline = now.monotonicNanoseconds + 20_000_000_000
                    told[index].visibility = 20_000
                }
            default:
                isEnd = false
                let progress = TaskProgress(fraction: Double(random.below(100)) / 100, note: "on it")
                try machine.report(progress, of: lease, now: now)
                decided()
            }
            if !isHolder {
                failures.append("\(task.sequence).\(lease.token) is spoken of by one who does not hold it")
            }
            if isEnd { told.removeAll { $0.lease == lease } }
        } catch {
            if isHolder, error == .leaseLost || error == .unknownTask {
                failures.append("the holder of \(task.sequence).\(lease.token) is refused: \(error)")
            }
            outcome.fenced += 1
            decided()
            // Told that it is lost, a worker stops; with a wrong token it was only pretending.
            if told.indices.contains(index), lease == told[index].lease { told.remove(at: index) }
        }
    }

    private func heartbeat() {
        let host = random.chance(0.5) ? localHost : UInt64(random.within(1...2))
        let mine = told.indices.filter { told[$0].holder.host == host }
        let lost = Set(machine.heartbeat(mine.map { told[$0].lease }, now: now))
        for index in mine where !lost.contains(told[index].lease) {
            let deadline = now.monotonicNanoseconds + told[index].visibility * 1_000_000
            told[index].deadline = max(told[index].deadline, deadline)
        }
        told.removeAll { lost.contains($0.lease) }
        decided()
    }

    /// A process is gone, with all its workers; or it says goodbye.
    private func endHost() {
        let host = random.chance(0.2) ? localHost : UInt64(random.within(1...2))
        let isSudden = random.chance(0.5)
        note("host \(host & 0xFF) \(isSudden ? "vanishes" : "leaves")")
        machine.endHost(host, cause: isSudden ? "gone" : nil, now: now)
        told.removeAll { $0.holder.host == host }
        if machine.accounts.contains(where: { $0.holder?.host == host }) {
            failures.append("a host that is gone has a task")
        }
        outcome.vanished += 1
        endings[host, default: 0] += 1
        decided()
    }

    // MARK: Time and administration

    private func advance() {
        if random.chance(0.05) {
            pass(0, wall: Int64(random.within(-20_000...20_000)))
            note("the wall clock jumps to \(now.wallMilliseconds)")
        } else {
            pass(Int64(random.pick([1, 100, 1_000, 5_000, 30_000])))
        }
        machine.advance(to: now)
        decided()
    }

    private func administer() {
        guard let task = machine.accounts.randomElement(using: &random)?.task else { return }
        let now = now
        switch random.below(7) {
        case 6:
            let key = TaskRecordKey(.definition, task.sequence)
            let stored = outbox.last { $0.key == key }?.value ?? log.last { $0.key == key }?.value
            guard let value = stored, var definition = try? TaskDefinition(value[...]) else { break }
            definition.payload = [1, 2]
            guard (try? machine.edit(task, definition)) != nil else { break }
            note("edits \(task.sequence)")
            outcome.edited += 1
        case ..<3:
            guard (try? machine.cancel(task, now: now)) != nil else { break }
            note("cancels \(task.sequence)")
            cancelling.insert(task)
            decided { [self] in ended[task] = .cancelled }
        case 3:
            guard (try? machine.redrive(task, now: now)) != nil else { break }
            note("redrives \(task.sequence)")
            touched.insert(task)
        case 4:
            if (try? machine.hurry(task, now: now)) != nil { note("hurries \(task.sequence)") }
        default:
            guard (try? machine.purge(task)) != nil else { break }
            note("purges \(task.sequence)")
            touched.insert(task)
        }
        decided()
    }

    private func replayAndPause() {
        machine.pause(!machine.isPaused)
        note("paused: \(machine.isPaused)")
        decided()
    }
}
