// What may be started: limits of the queue, of each tenant, of a name; set, asked, kept when they are.
//
// (1) Concurrency is the count of leases: there is nothing else that could be forgotten when a lease ends.
// (2) Rates are buckets in memory alone, on the monotonic clock; the log has the limits. (3) What may not
// start is put aside when it comes up, and back by what makes it possible: a lease's end, or a moment, which
// `nextMonotonic` tells. So what is in the orders costs nothing until somebody asks for it.

package import SluiceLog

/// The limit of a name, and its bucket.
struct NameLimit: Sendable {
    var limit: StartLimit
    /// When the bucket is full, in nanoseconds of the monotonic clock.
    var full: Int64 = 0
}

extension TaskMachine {
    /// Sets the queue's limits; what is leased goes on, also when that is more than one allows now.
    ///
    /// A rate that changes begins with an empty bucket. Throws `illegal`.
    package mutating func setLimits(_ limits: StartLimits, now: Instant) throws(TaskRefusal) {
        if let fault = limits.fault { throw .illegal(fault) }
        guard limits != self.limits else { return }
        for name in limits.names.keys { _ = try number(name) }
        apply(limits, now)
        if !PlantedBug.limitsNotWritten.isPlanted { emit(.limits, 0, 0, limits.bytes) }
    }

    /// All has been read: buckets are empty.
    mutating func finishLoadingLimits(_ now: Instant) {
        let loaded = limits
        limits = StartLimits()
        // A name that is one too many has no tasks.
        for name in loaded.names.keys { _ = try? number(name) }
        apply(loaded, now)
    }

    private mutating func apply(_ new: StartLimits, _ now: Instant) {
        let isFull = PlantedBug.bucketFullAtOpening.isPlanted && self.limits == StartLimits()
        let moment = isFull ? 0 : now.monotonicNanoseconds
        if new.queue.rate != limits.queue.rate { queueFull = new.queue.rate?.full(fromEmptyAt: moment) ?? 0 }
        if new.tenant.rate != limits.tenant.rate {
            tenantFull = new.tenant.rate?.full(fromEmptyAt: moment) ?? 0
            for index in tenants.indices { tenants[index].full = tenantFull }
        }
        var names: [UInt32: NameLimit] = [:]
        for (name, limit) in new.names {
            guard let number = numbers[name] else { continue }
            let known = nameLimits[number]
            names[number] = NameLimit(
                limit: limit,
                full: known?.limit.rate == limit.rate
                    ? known?.full ?? 0 : limit.rate?.full(fromEmptyAt: moment) ?? 0)
        }
        (limits, nameLimits) = (new, names)
        // Whatever was put aside may be possible now.
        starts = TaskTimers()
        for index in tenants.indices {
            tenants[index].isAside = false
            let tenant = UInt32(index)
            for name in tenants[index].lanes.keys where !orders[Int(name)].contains(tenant) {
                orders[Int(name)].insert(tenant, ranks)
            }
            if index > 0, tenants[index].name != nil, tenants[index].tasks == 0 { forget(tenant) }
        }
    }

    // MARK: Whether something may start

    private enum Verdict {
        case may
        /// Not before one of its leases has ended.
        case full
        /// Not before a moment of the monotonic clock.
        case notBefore(Int64)
    }

    private static func verdict(_ limit: StartLimit, _ leased: Int, _ full: Int64, _ now: Instant) -> Verdict
    {
        if let concurrency = limit.concurrency, leased >= concurrency { return .full }
        guard let rate = limit.rate else { return .may }
        let moment = rate.nextStart(fullAt: full)
        return moment <= now.monotonicNanoseconds ? .may : .notBefore(moment)
    }

    /// Whether the queue may start another.
    mutating func mayStart(_ now: Instant) -> Bool {
        switch Self.verdict(limits.queue, leases.count, queueFull, now) {
        case .may: return true
        case .full: break
        case .notBefore(let moment):
            if counts[Int(TaskState.available.rawValue)] > 0 { starts.set(Self.queueMember, .lease, moment) }
        }
        return false
    }

    /// Those of the names of which another may be started.
    mutating func startable(_ names: [UInt32], _ now: Instant) -> [UInt32] {
        guard !nameLimits.isEmpty else { return names }
        return names.filter { name in
            guard let held = nameLimits[name] else { return true }
            switch Self.verdict(held.limit, nameLeases[Int(name)], held.full, now) {
            case .may: return true
            case .full: break
            case .notBefore(let moment):
                if orders[Int(name)].first != nil { starts.set(2 * name + 1, .lease, moment) }
            }
            return false
        }
    }

    /// Whether a tenant may start another; one that may not is put aside.
    mutating func mayStart(tenant: UInt32, _ now: Instant) -> Bool {
        let (leased, full) = (ranks[Int(tenant)].leased, tenants[Int(tenant)].full)
        switch Self.verdict(limits.tenant, leased, full, now) {
        case .may: return true
        case .full: break
        case .notBefore(let moment): starts.set(startMember(of: tenant), .lease, moment)
        }
        tenants[Int(tenant)].isAside = true
        for name in tenants[Int(tenant)].lanes.keys { orders[Int(name)].remove(tenant, ranks) }
        return false
    }

    /// A task is being given out: the buckets have one less.
    mutating func noteStart(_ slot: UInt32, _ now: Instant) {
        let (tenant, name) = (Int(entries[Int(slot)].tenant), entries[Int(slot)].name)
        served += 1
        ranks[tenant].served = served
        func taken(_ full: Int64, _ rate: StartRate?) -> Int64 {
            guard let rate else { return full }
            return max(full, now.monotonicNanoseconds) + rate.interval
        }
        queueFull = taken(queueFull, limits.queue.rate)
        tenants[tenant].full = taken(tenants[tenant].full, limits.tenant.rate)
        if let held = nameLimits[name] { nameLimits[name]?.full = taken(held.full, held.limit.rate) }
    }

    /// What may be started again by now.
    ///
    /// - Returns: how many things were done, `limit` at most.
    mutating func bringBack(_ now: Instant, limit: Int) -> Int {
        var count = 0
        while count < limit, let moment = starts.next(.lease), moment <= now.monotonicNanoseconds,
            let member = starts.first(.lease)
        {
            starts.cancel(member)
            count += 1
            // Of the queue and of names it is asked again when somebody asks.
            guard member != Self.queueMember, member % 2 == 0 else { continue }
            let tenant = member / 2 - 1
            if tenants[Int(tenant)].tasks == 0, tenant != 0 { forget(tenant) } else { bringBack(tenant) }
        }
        return count
    }

    /// A lease of a tenant has ended: if that was what it waited for it is among the others again.
    mutating func noteLeaseEnded(of tenant: UInt32) {
        guard tenants[Int(tenant)].isAside, starts.time(startMember(of: tenant), .lease) == nil,
            !PlantedBug.tenantLeftAside.isPlanted
        else { return }
        bringBack(tenant)
    }

    private mutating func bringBack(_ tenant: UInt32) {
        guard tenants[Int(tenant)].isAside else { return }
        tenants[Int(tenant)].isAside = false
        for name in tenants[Int(tenant)].lanes.keys { orders[Int(name)].insert(tenant, ranks) }
    }

    /// The queue's number among what has moments; a name's is 2n + 1, a tenant's 2n + 2.
    private static var queueMember: UInt32 { 0 }

    func startMember(of tenant: UInt32) -> UInt32 { 2 * tenant + 2 }
}
