// Tasks in the order in which they are to be given out.
//
// (1) The greatest priority first, then the least sequence. (2) Lazy: what is no longer to be given out stays
// until it comes up, or until half of the heap is such; the owner says what counts.

/// A task's place in the order: the priority's complement above 56 bits of sequence.
struct ReadyKey: Hashable, Comparable, Sendable {
    private let bits: UInt64

    init(priority: UInt8, sequence: UInt64) {
        bits = UInt64(UInt8.max - priority) << 56 | sequence & Self.sequences
    }

    /// The sequence alone decides: within a group.
    init(sequence: UInt64) { bits = sequence & Self.sequences }

    var sequence: UInt64 { bits & Self.sequences }

    static let sequences: UInt64 = 1 << 56 - 1

    static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }
}

/// A heap of tasks that are ready.
struct ReadyHeap: Sendable {
    struct Entry: Sendable {
        var key: ReadyKey
        var slot: UInt32
    }
    private var heap: [Entry] = []
    private var stale = 0

    var first: Entry? { heap.first }
    var isEmpty: Bool { heap.isEmpty }

    mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, heap[child].key < heap[(child - 1) / 2].key {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        sink(0)
    }

    /// One of the entries does not count any more. True when it is time for `removeStale`.
    mutating func noteStale() -> Bool {
        stale += 1
        return stale > 64 && stale * 2 > heap.count
    }

    /// Takes out what does not count any more. Amortised O(1) for each that was noted.
    mutating func removeStale(_ isValid: (Entry) -> Bool) {
        stale = 0
        heap.removeAll { !isValid($0) }
        for parent in stride(from: heap.count / 2, through: 0, by: -1) { sink(parent) }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].key < heap[least].key { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
