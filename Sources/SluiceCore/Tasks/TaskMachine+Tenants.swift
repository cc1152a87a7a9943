// Tenants: whose tasks those of a queue are, numbered as long as there are any.
//
// (1) Number 0 is of the tasks that have none, and is always there. (2) A tenant is forgotten with its last
// task, or once its bucket is full after that: one that comes again has no more than it had. (3) A lane is
// what a tenant has ready of one name; there is none that is empty, and a tenant that is not aside is in the
// order of exactly those names of which it has a lane.

import SluiceLog

/// A tenant of a queue.
struct Tenant: Sendable {
    /// nil: of the tasks without one; or the number is free.
    var name: String?
    /// Its tasks, in every state.
    var tasks = 0
    /// What it has ready, by the number of the name.
    var lanes: [UInt32: ReadyHeap] = [:]
    /// When its bucket is full, in nanoseconds of the monotonic clock.
    var full: Int64 = 0
    /// Its limit is reached: it is in no order.
    var isAside = false
}

extension TaskMachine {
    /// The number of a tenant, which has one task more.
    mutating func retainTenant(_ name: String?) -> UInt32 {
        let number = tenantNumber(name)
        tenants[Int(number)].tasks += 1
        // One that has been gone, or is new, comes behind those that are waiting.
        if tenants[Int(number)].tasks == 1 {
            served += 1
            ranks[Int(number)].served = served
            starts.cancel(startMember(of: number))
            tenants[Int(number)].isAside = false
        }
        return number
    }

    private mutating func tenantNumber(_ name: String?) -> UInt32 {
        guard let name else { return 0 }
        if let number = tenantNumbers[name] { return number }
        let number = freeTenants.popLast() ?? UInt32(tenants.count)
        if Int(number) == tenants.count {
            tenants.append(Tenant())
            ranks.append(TenantRank())
        }
        tenants[Int(number)].name = name
        tenants[Int(number)].full = tenantFull
        tenantNumbers[name] = number
        return number
    }

    /// A tenant has one task less, which is in none of its lanes that count.
    mutating func releaseTenant(_ number: UInt32) {
        tenants[Int(number)].tasks -= 1
        guard tenants[Int(number)].tasks == 0 else { return }
        for name in tenants[Int(number)].lanes.keys { orders[Int(name)].remove(number, ranks) }
        tenants[Int(number)].lanes = [:]
        guard number != 0 else { return }
        // As full as one that comes for the first time.
        guard limits.tenant.rate != nil, tenants[Int(number)].full > tenantFull else { return forget(number) }
        starts.set(startMember(of: number), .lease, tenants[Int(number)].full)
    }

    /// Gives a tenant's number back.
    mutating func forget(_ number: UInt32) {
        if let name = tenants[Int(number)].name { tenantNumbers[name] = nil }
        tenants[Int(number)] = Tenant()
        ranks[Int(number)] = TenantRank()
        starts.cancel(startMember(of: number))
        freeTenants.append(number)
    }

    /// A lease of a task began (1) or ended (−1).
    mutating func noteLeased(_ slot: UInt32, _ change: Int) {
        let (tenant, name) = (entries[Int(slot)].tenant, entries[Int(slot)].name)
        nameLeases[Int(name)] += change
        ranks[Int(tenant)].leased += change
        settle(tenant)
        if change < 0 { noteLeaseEnded(of: tenant) }
    }

    /// A tenant's rank has changed.
    mutating func settle(_ tenant: UInt32) {
        // Alone it is the first of every order.
        guard tenants.count > 1, !PlantedBug.tenantNotSettled.isPlanted else { return }
        for name in tenants[Int(tenant)].lanes.keys { orders[Int(name)].settle(tenant, ranks) }
    }

    // MARK: Lanes

    /// Puts a task among what its tenant has ready.
    mutating func push(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        let key = ReadyKey(priority: entry.priority, sequence: entry.sequence)
        let tenant = Int(entry.tenant)
        tenants[tenant].lanes[entry.name, default: ReadyHeap()].push(.init(key: key, slot: slot))
        guard !tenants[tenant].isAside, !orders[Int(entry.name)].contains(entry.tenant) else { return }
        orders[Int(entry.name)].insert(entry.tenant, ranks)
    }

    /// The first task of a lane goes out of it.
    mutating func removeFirst(of tenant: UInt32, _ name: UInt32) {
        tenants[Int(tenant)].lanes[name]?.removeFirst()
        if tenants[Int(tenant)].lanes[name]?.isEmpty == true { removeLane(tenant, name) }
    }

    private mutating func removeLane(_ tenant: UInt32, _ name: UInt32) {
        tenants[Int(tenant)].lanes[name] = nil
        orders[Int(name)].remove(tenant, ranks)
    }

    /// A task that was available is not any more, or is gone: its place in the lane is not worth anything.
    mutating func noteStale(_ entry: TaskEntry) {
        let (tenant, name) = (Int(entry.tenant), entry.name)
        guard tenants[tenant].lanes[name]?.noteStale() == true,
            var lane = tenants[tenant].lanes.removeValue(forKey: name)
        else { return }
        lane.removeStale { isReady($0) }
        if lane.isEmpty {
            orders[Int(name)].remove(entry.tenant, ranks)
        } else {
            tenants[tenant].lanes[name] = lane
        }
    }

    /// The first of what a tenant has ready of a name.
    mutating func firstReady(of tenant: UInt32, _ name: UInt32) -> ReadyHeap.Entry? {
        while let first = tenants[Int(tenant)].lanes[name]?.first {
            if isReady(first) { return first }
            removeFirst(of: tenant, name)
        }
        return nil
    }

    /// Who is next of those that have something ready of these names.
    mutating func firstTenant(of names: [UInt32]) -> UInt32? {
        var best: UInt32?
        for name in names {
            while let tenant = orders[Int(name)].first {
                // Otherwise its lane was of no worth, and it is out of the order.
                guard firstReady(of: tenant, name) != nil else { continue }
                if best.map({ ranks[Int(tenant)] < ranks[Int($0)] }) ?? true { best = tenant }
                break
            }
        }
        return best
    }
}
