// Memory that all connections share: who asks for more than is left waits in line.
//
// (1) What is out never exceeds the limit, but by one that found nothing else out: it could never begin else.
// (2) First come, first served: a large one is not overtaken for ever. (3) A ticket is asked for once.

/// So many bytes, shared.
struct MemoryBudget: Sendable {
    private let limit: Int
    private(set) var used = 0
    private var waiting: [(ticket: UInt64, bytes: Int)] = []

    init(limit: Int) { self.limit = limit }

    /// Whether the bytes are granted now; else `giveBack` will name the ticket.
    mutating func take(_ bytes: Int, ticket: UInt64) -> Bool {
        guard waiting.isEmpty, fits(bytes) else {
            waiting.append((ticket, bytes))
            return false
        }
        used += bytes
        return true
    }

    /// Bytes are free again: the tickets that are granted now.
    mutating func giveBack(_ bytes: Int) -> [UInt64] {
        used -= bytes
        return grant()
    }

    /// The ticket waits no more: those that are granted now, since it was in the way.
    mutating func cancel(_ ticket: UInt64) -> [UInt64] {
        waiting.removeAll { $0.ticket == ticket }
        return grant()
    }

    private func fits(_ bytes: Int) -> Bool { used == 0 || used + bytes <= limit }

    private mutating func grant() -> [UInt64] {
        var granted: [UInt64] = []
        while let next = waiting.first, fits(next.bytes) {
            used += next.bytes
            granted.append(next.ticket)
            waiting.removeFirst()
        }
        return granted
    }
}
