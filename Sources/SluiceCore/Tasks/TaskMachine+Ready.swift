// Which task is next: of the tenant that is next the most urgent, of a group one at a time.
//
// (1) A task is in its tenant's lane of its name while it is available and, with a group, is the group's
// current one. (2) A group's current task stays that until it is final or gone, also while it waits for
// another attempt. (3) What is in a lane is checked when it comes up: its slot may be another task's by then.
// (4) A choice is O(log n) in the tenants that have something ready and O(k) in the names that are asked for:
// nothing that is kept by a limit is looked at twice.

import SluiceLog

/// The tasks of one group.
struct KeyGroup: Sendable {
    /// The one that may run.
    var current: UInt32?
    /// Those that are available and wait for it, in the order of their publishing.
    var waiting = ReadyHeap()
}

extension TaskMachine {
    /// A task has become available.
    mutating func makeReady(_ slot: UInt32) {
        let entry = entries[Int(slot)]
        if let key = extras[slot]?.group {
            var group = groups[key] ?? KeyGroup()
            if group.current == nil { group.current = slot }
            let isCurrent = group.current == slot
            if !isCurrent {
                group.waiting.push(.init(key: ReadyKey(sequence: entry.sequence), slot: slot))
            }
            groups[key] = group
            if !isCurrent { return }
        }
        push(slot)
    }

    /// Ends what a task is to its group: the next one may run.
    mutating func leaveGroup(_ slot: UInt32) {
        guard let key = extras[slot]?.group, var group = groups[key], group.current == slot else { return }
        group.current = nil
        while let first = group.waiting.first {
            group.waiting.removeFirst()
            guard first.slot != slot, isAvailable(first), extras[first.slot]?.group == key else { continue }
            group.current = first.slot
            break
        }
        guard let next = group.current else {
            groups[key] = nil
            return
        }
        groups[key] = group
        makeReady(next)
    }

    /// The task that a worker with these names may get next; it stays where it is.
    mutating func next(
        of numbers: [UInt32], _ now: Instant
    ) -> (name: UInt32, entry: ReadyHeap.Entry)? {
        guard mayStart(now) else { return nil }
        let names = startable(numbers, now)
        while let tenant = firstTenant(of: names) {
            // One that may not is put aside, and another is the first.
            guard mayStart(tenant: tenant, now) else { continue }
            var best: (name: UInt32, entry: ReadyHeap.Entry)?
            for name in names {
                guard let first = firstReady(of: tenant, name) else { continue }
                if let found = best, found.entry.key < first.key { continue }
                best = (name, first)
            }
            return best
        }
        return nil
    }

    private func isAvailable(_ ready: ReadyHeap.Entry) -> Bool {
        let entry = entries[Int(ready.slot)]
        return entry.sequence & ReadyKey.sequences == ready.key.sequence && entry.state == .available
    }

    func isReady(_ ready: ReadyHeap.Entry) -> Bool {
        guard isAvailable(ready) else { return false }
        guard let key = extras[ready.slot]?.group else { return true }
        return groups[key]?.current == ready.slot
    }
}
