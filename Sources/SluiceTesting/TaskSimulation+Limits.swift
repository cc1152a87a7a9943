// Limits and fair sharing in a simulated life of a queue, told the long way: every start is kept, and whoever
// might have been chosen is looked at. (11) Nothing is started beyond a limit, whatever died meanwhile. (12)
// What may be started is, or the queue knows when it may be. (13) Whoever is chosen has the fewest leases of
// those tenants that might be, and was served longest ago; of a tenant the most urgent task is.

import SluiceCore
import SluiceLog

/// What a limit is of.
enum LimitScope: Hashable {
    case queue
    case tenant(String?)
    case name(String)
}

/// Starts, and limits, as whoever watches knows them.
struct KnownStarts {
    var limits = StartLimits()
    /// Since when a bucket is filled that was empty then.
    var emptySince: [LimitScope: Int64] = [:]
    var tenantsEmptySince: Int64 = 0
    var starts: [LimitScope: [Int64]] = [:]
    /// How many of them the buckets of this life know nothing of.
    var earlier: [LimitScope: Int] = [:]
    /// When a tenant was served last, counted; of those that have had tasks ever since.
    var served: [String?: Int] = [:]
    var serial = 0
    /// Limits that were set in this life, in order, and from which on it was not answered that they are.
    var decided: [StartLimits] = [StartLimits()]
    var sure = 0

    func limit(_ scope: LimitScope) -> StartLimit {
        switch scope {
        case .queue: limits.queue
        case .tenant: limits.tenant
        case .name(let name): limits.names[name] ?? StartLimit()
        }
    }

    /// When another may start by the rates, if nothing more is before that.
    func nextStart(_ scope: LimitScope) -> Int64 {
        guard let rate = limit(scope).rate else { return .min }
        let starts = starts[scope] ?? []
        let since = if case .tenant = scope { tenantsEmptySince } else { emptySince[scope] ?? 0 }
        var moment = since + Int64(starts.count - earlier[scope, default: 0] + 1) * rate.interval
        for (index, start) in starts.enumerated() {
            moment = max(moment, start + Int64(starts.count - index + 1 - rate.burst) * rate.interval)
        }
        return moment
    }

    /// The limits are others from a moment on.
    mutating func change(_ new: StartLimits, _ moment: Int64) {
        let old = limits
        limits = new
        if old.queue.rate != new.queue.rate { clear(.queue, moment) }
        if old.tenant.rate != new.tenant.rate {
            tenantsEmptySince = moment
            for case .tenant(let name) in Array(starts.keys) { clear(.tenant(name), moment) }
        }
        for name in ["a", "b", "c"] where old.names[name]?.rate != new.names[name]?.rate {
            clear(.name(name), moment)
        }
    }

    private mutating func clear(_ scope: LimitScope, _ moment: Int64) {
        (emptySince[scope], starts[scope], earlier[scope]) = (moment, nil, nil)
    }

    /// The machine is another: all buckets are empty.
    mutating func reopen(_ new: StartLimits, _ moment: Int64) {
        change(new, moment)
        for scope in [.queue] + ["a", "b", "c"].map(LimitScope.name) { emptySince[scope] = moment }
        tenantsEmptySince = moment
        earlier = starts.mapValues(\.count)
        served = [:]
        (decided, sure) = ([new], 0)
    }
}

extension TaskSimulation {
    func administerLimits() {
        func limit(_ most: Int) -> StartLimit {
            var limit = StartLimit()
            if random.chance(0.5) { limit.concurrency = random.within(1...most) }
            if random.chance(0.4) {
                let (count, period) = random.pick([(1, 1_000), (3, 1_000), (10, 60_000), (1, 7_777)])
                limit.rate = StartRate(count: count, period: Int64(period), burst: random.within(1...3))
            }
            return limit
        }
        var limits = StartLimits()
        if random.chance(0.4) { limits.queue = limit(6) }
        if random.chance(0.6) { limits.tenant = limit(3) }
        if random.chance(0.3) { limits.names["b"] = limit(3) }
        do throws(TaskRefusal) {
            try machine.setLimits(limits, now: now)
        } catch {
            return failures.append("limits are refused: \(error)")
        }
        note("limits at \(now.monotonicNanoseconds): \(limits)")
        watched.change(limits, now.monotonicNanoseconds)
        watched.decided.append(limits)
        let last = watched.decided.count - 1
        decided { [self] in watched.sure = last }
    }

    /// After a death: limits of which it was answered that they are, or later ones, are there.
    func reopenLimits() throws {
        guard watched.decided[watched.sure...].contains(machine.limits) else {
            throw broken("limits are \(machine.limits), and were \(watched.limits)")
        }
        watched.reopen(machine.limits, now.monotonicNanoseconds)
    }

    /// Tenants that have no tasks any more come as new ones.
    func forgetServed(_ accounts: [TaskAccount]) {
        guard !watched.served.isEmpty else { return }
        let there = Set(accounts.map(\.tenant) + prepared.map { drafts[$0.task]?.tenant })
        watched.served = watched.served.filter { there.contains($0.key) }
    }

    /// Leases, and looks at what was chosen.
    func leaseWatched(_ request: LeaseRequest) throws -> [LeasedTask] {
        // Whatever is due is so before it is looked.
        machine.advance(to: now)
        let before = machine.accounts
        forgetServed(before)
        let leased = machine.lease(request, now: now)
        guard !machine.isPaused else { return leased }
        try checkStarts(leased, request, before)
        return leased
    }

    private func checkStarts(
        _ leased: [LeasedTask], _ request: LeaseRequest, _ before: [TaskAccount]
    ) throws {
        let names = request.others == nil ? Set(request.handlers.map(\.name)) : ["a", "b", "c"]
        var counts: [LimitScope: Int] = [:]
        func count(_ account: TaskAccount, _ scopes: (LimitScope) -> Void) {
            for scope in [.queue, .tenant(account.tenant), .name(account.name)] as [LimitScope] {
                scopes(scope)
            }
        }
        for account in before where account.state == .leased {
            count(account) { counts[$0, default: 0] += 1 }
        }
        func mayStart(_ scope: LimitScope) -> Bool {
            counts[scope, default: 0] < watched.limit(scope).concurrency ?? .max
                && watched.nextStart(scope) <= now.monotonicNanoseconds
        }
        // Whose turn in its group it is is not looked at.
        var candidates = before.filter {
            $0.state == .available && $0.group == nil && names.contains($0.name)
                && $0.expires ?? .max > now.wallMilliseconds
        }
        for task in leased {
            guard let chosen = before.first(where: { $0.task == task.lease.task }) else {
                throw broken("\(task.lease.task.sequence) was not there, and is given out")
            }
            count(chosen) { scope in
                if !mayStart(scope) {
                    failures.append(
                        "\(scope): \(task.name) is started beyond \(watched.limit(scope)), with "
                            + "\(counts[scope] ?? 0) leased, at \(now.monotonicNanoseconds), may be at "
                            + "\(watched.nextStart(scope))")
                }
            }
            for other in candidates where mayStart(.tenant(other.tenant)) && mayStart(.name(other.name)) {
                check(chosen, other, counts)
            }
            count(chosen) { scope in
                counts[scope, default: 0] += 1
                watched.starts[scope, default: []].append(now.monotonicNanoseconds)
            }
            watched.serial += 1
            watched.served[chosen.tenant] = watched.serial
            outcome.shared += candidates.contains { $0.tenant != chosen.tenant } ? 1 : 0
            candidates.removeAll { $0.task == chosen.task }
        }
        guard leased.count < request.count, !candidates.isEmpty else { return }
        // One that is to be alone keeps its host from the others.
        let isDisturbed = before.contains { account in
            guard let policy = policies.first(where: { $0.name == account.name })?.policy else {
                return false
            }
            return account.losses > 0 && account.attempt + 2 >= policy.attempts
        }
        guard !isDisturbed else { return }
        var earliest = Int64.max
        for other in candidates {
            let scopes = [.queue, .tenant(other.tenant), .name(other.name)] as [LimitScope]
            let isFull = scopes.contains { counts[$0, default: 0] >= watched.limit($0).concurrency ?? .max }
            if !isFull { earliest = min(earliest, scopes.map { watched.nextStart($0) }.max() ?? .max) }
        }
        outcome.limited += 1
        guard earliest > now.monotonicNanoseconds else {
            throw broken("there is a task that might be started, and is not: \(candidates[0])")
        }
        if earliest < .max, machine.nextMonotonic ?? .max > earliest {
            throw broken("a task may be started at \(earliest), and the queue looks at it later")
        }
    }

    /// (13)
    private func check(_ chosen: TaskAccount, _ other: TaskAccount, _ counts: [LimitScope: Int]) {
        if other.tenant == chosen.tenant {
            let isBefore =
                other.priority != chosen.priority
                ? other.priority > chosen.priority : other.task.sequence < chosen.task.sequence
            guard isBefore else { return }
            return failures.append("\(chosen.task.sequence) goes before \(other.task.sequence)")
        }
        let (mine, others) = (
            counts[.tenant(chosen.tenant), default: 0], counts[.tenant(other.tenant), default: 0]
        )
        if mine < others { return }
        if mine == others {
            guard let mine = watched.served[chosen.tenant], let others = watched.served[other.tenant],
                others < mine
            else { return }
        }
        failures.append("\(chosen.tenant ?? "-") is served before \(other.tenant ?? "-")")
    }
}
