// The moments of all tasks of a queue: binary heaps whose entries know their task, and tasks that know their
// place.
//
// (1) A task has at most one moment, in one of the heaps: each change of its state sets the next. (2) 16
// bytes for a moment and 4 for each slot, nothing else. (3) Equal moments come in the order of their slots'
// entering the heap only by chance: whoever needs an order has it in the ready heaps. (4) Each kind has a
// unit of its own; they are never compared.

/// What a task waits for.
enum TimerKind: Int, CaseIterable {
    /// To become due, or to expire: milliseconds of the wall clock.
    case wall = 0
    /// Its lease's end: nanoseconds of the monotonic clock.
    case lease
    /// To be removed, after it ended well or was wanted no more: milliseconds of the wall clock.
    case finished
    /// To be removed, and not before, however many there are: dead, or holding a unique key for a period.
    /// Milliseconds of the wall clock.
    case dead
}

/// The timers of a queue.
struct TaskTimers: Sendable {
    private struct Entry: Sendable {
        var time: Int64
        var slot: UInt32
    }
    private var heaps: [[Entry]] = TimerKind.allCases.map { _ in [] }
    /// By slot: the position in a heap, times 4, and the heap's kind; `absent` without a timer.
    private var places: [UInt32] = []
    private static let absent = UInt32.max

    /// How many of a kind there are. O(1).
    func count(_ kind: TimerKind) -> Int { heaps[kind.rawValue].count }

    /// The first moment of a kind.
    func next(_ kind: TimerKind) -> Int64? { heaps[kind.rawValue].first?.time }

    /// Whose moment is the first of a kind.
    func first(_ kind: TimerKind) -> UInt32? { heaps[kind.rawValue].first?.slot }

    /// The moment of a slot, in a kind.
    func time(_ slot: UInt32, _ kind: TimerKind) -> Int64? {
        guard let (heap, position) = place(slot), heap == kind.rawValue else { return nil }
        return heaps[heap][position].time
    }

    /// Sets a slot's moment; the one before, of whatever kind, does not count any more. O(log n).
    mutating func set(_ slot: UInt32, _ kind: TimerKind, _ time: Int64) {
        let heap = kind.rawValue
        if let (other, position) = place(slot) {
            if other == heap {
                heaps[heap][position].time = time
                settle(heap, position)
                return
            }
            remove(other, position)
        }
        while places.count <= Int(slot) { places.append(Self.absent) }
        heaps[heap].append(Entry(time: time, slot: slot))
        settle(heap, heaps[heap].count - 1)
    }

    /// Takes a slot's moment away, if it has one. O(log n).
    mutating func cancel(_ slot: UInt32) {
        if let (heap, position) = place(slot) { remove(heap, position) }
    }

    private func place(_ slot: UInt32) -> (heap: Int, position: Int)? {
        guard Int(slot) < places.count, places[Int(slot)] != Self.absent else { return nil }
        return (Int(places[Int(slot)] & 3), Int(places[Int(slot)] >> 2))
    }

    private mutating func remove(_ heap: Int, _ position: Int) {
        places[Int(heaps[heap][position].slot)] = Self.absent
        let last = heaps[heap].removeLast()
        guard position < heaps[heap].count else { return }
        heaps[heap][position] = last
        settle(heap, position)
    }

    /// Brings the entry at a position to where it belongs, and notes every place that changes.
    private mutating func settle(_ heap: Int, _ start: Int) {
        var position = start
        let entry = heaps[heap][position]
        while position > 0, entry.time < heaps[heap][(position - 1) / 2].time {
            put(heaps[heap][(position - 1) / 2], heap, position)
            position = (position - 1) / 2
        }
        let count = heaps[heap].count
        while true {
            var child = 2 * position + 1
            guard child < count else { break }
            if child + 1 < count, heaps[heap][child + 1].time < heaps[heap][child].time { child += 1 }
            guard heaps[heap][child].time < entry.time else { break }
            put(heaps[heap][child], heap, position)
            position = child
        }
        put(entry, heap, position)
    }

    private mutating func put(_ entry: Entry, _ heap: Int, _ position: Int) {
        heaps[heap][position] = entry
        places[Int(entry.slot)] = UInt32(position) << 2 | UInt32(heap)
    }
}
