// Which task is next: a heap for each name, and groups of which one task is in the heaps at a time.
//
// (1) A task is in its name's heap while it is available and, with a group, is the group's current one. (2) A
// group's current task stays that until it is final or gone, also while it waits for another attempt. (3)
// What is in a heap is checked when it comes up: its slot may be another task's by then.

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
        let key = ReadyKey(priority: entry.priority, sequence: entry.sequence)
        ready[Int(entry.name)].push(.init(key: key, slot: slot))
    }

    /// A task of a name is not available any more, and its place in the heap is not worth anything.
    mutating func noteStale(_ name: UInt32) {
        var heap = ReadyHeap()
        swap(&heap, &ready[Int(name)])
        heap.noteStale { isReady($0) }
        swap(&heap, &ready[Int(name)])
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

    /// The first of the tasks that a worker with these names may get.
    mutating func next(of numbers: [UInt32]) -> (name: UInt32, entry: ReadyHeap.Entry)? {
        var best: (name: UInt32, entry: ReadyHeap.Entry)?
        for name in numbers {
            while let first = ready[Int(name)].first, !isReady(first) { ready[Int(name)].removeFirst() }
            guard let first = ready[Int(name)].first else { continue }
            if let found = best, found.entry.key < first.key { continue }
            best = (name, first)
        }
        return best
    }

    private func isAvailable(_ ready: ReadyHeap.Entry) -> Bool {
        let entry = entries[Int(ready.slot)]
        return entry.sequence & ReadyKey.sequences == ready.key.sequence && entry.state == .available
    }

    private func isReady(_ ready: ReadyHeap.Entry) -> Bool {
        guard isAvailable(ready) else { return false }
        guard let key = extras[ready.slot]?.group else { return true }
        return groups[key]?.current == ready.slot
    }
}
