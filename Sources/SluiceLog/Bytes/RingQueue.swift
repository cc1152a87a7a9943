// A first-in first-out queue in one array that wraps around.
//
// (1) No allocation once it has grown to what is needed. (2) Emptied, it keeps at most `keptSlots`: a
// partition that was busy once does not hold memory for ever.

/// A queue with constant-time ends.
struct RingQueue<Element> {
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0
    private static var keptSlots: Int { 16 }

    init() {}

    var isEmpty: Bool { count == 0 }
    var first: Element? { count == 0 ? nil : slots[head] }
    var last: Element? { count == 0 ? nil : self[count - 1] }

    /// The element at `index`, counted from the front.
    subscript(index: Int) -> Element {
        precondition(index < count)
        guard let element = slots[(head + index) % slots.count] else { preconditionFailure("an empty slot") }
        return element
    }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) % slots.count] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = (head + 1) % slots.count
        count -= 1
        if count == 0, slots.count > Self.keptSlots { self = RingQueue() }
        return element
    }

    mutating func removeAll() { self = RingQueue() }

    /// Keeps what satisfies the condition, in order.
    mutating func keep(where condition: (Element) -> Bool) {
        var kept = RingQueue()
        while let element = popFirst() {
            if condition(element) { kept.append(element) }
        }
        self = kept
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(4, slots.count * 2))
        for index in 0..<count { larger.append(self[index]) }
        larger.append(contentsOf: repeatElement(nil, count: max(4, slots.count * 2) - count))
        slots = larger
        head = 0
    }
}

extension RingQueue: Sendable where Element: Sendable {}
