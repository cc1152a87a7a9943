// The coordinator's timers: keys with the time at which something is due.
//
// (1) Lazy: moving a deadline later only writes the new time down, and the queue looks again when the earlier
// one comes. A heartbeat moves a deadline, so it costs two look-ups and nothing else. (2) So `next` may be
// earlier than anything that is due, by at most one time-out: a wake-up that finds nothing. (3) Due keys come
// in the order of their times, then of their setting: the same on every machine.

/// What a deadline is for.
enum DeadlineKey: Hashable, Sendable {
    case session(group: String, member: String)
    case processing(group: String, member: String)
    case pending(group: String, member: String)
    case phase(group: String)
    case expiry
}

/// A set of deadlines in monotonic nanoseconds.
struct Deadlines: Sendable {
    private struct Entry: Sendable {
        var time: Int64
        var number: UInt64
        var key: DeadlineKey
        func isBefore(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }
    private var due: [DeadlineKey: Int64] = [:]
    private var queued: [DeadlineKey: Int64] = [:]
    private var heap: [Entry] = []
    private var lastNumber: UInt64 = 0

    /// When to look next; nil when nothing is to come.
    var next: Int64? { heap.first?.time }

    /// Sets, moves or, with nil, removes a deadline.
    ///
    /// - Complexity: O(1) when it is moved later, else O(log n).
    mutating func set(_ key: DeadlineKey, _ time: Int64?) {
        due[key] = time
        guard let time else {
            dropIdle()
            return
        }
        if let earlier = queued[key], earlier <= time { return }
        push(key, time)
    }

    /// A key whose time has come; it is removed.
    mutating func popDue(_ now: Int64) -> DeadlineKey? {
        while let first = heap.first, first.time <= now {
            popFirst()
            // An entry that was overtaken by an earlier one.
            guard queued[first.key] == first.time else { continue }
            queued[first.key] = nil
            guard let time = due[first.key] else { continue }
            if time > now {
                push(first.key, time)
                continue
            }
            due[first.key] = nil
            return first.key
        }
        return nil
    }

    /// Without any deadline nobody is to be woken, not even once.
    private mutating func dropIdle() {
        if due.isEmpty {
            heap.removeAll()
            queued.removeAll()
        }
    }

    private mutating func push(_ key: DeadlineKey, _ time: Int64) {
        queued[key] = time
        lastNumber += 1
        heap.append(Entry(time: time, number: lastNumber, key: key))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func popFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
