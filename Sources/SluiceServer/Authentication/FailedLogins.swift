// How long who guesses passwords waits for an answer: a state machine without I/O.
//
//   failure 1 of an address: 100 ms · each further one twice as much · at most 5 s · forgotten after a minute
//
// (1) Only refusals wait: who has the right password is never slowed by his neighbours. (2) The table has at
// most `addresses` entries; the one that failed longest ago makes room. (3) Time is a parameter.

/// Failures by address.
struct FailedLogins: Sendable {
    private struct Entry: Sendable {
        var failures: Int
        /// Nanoseconds of the monotonic clock.
        var last: Int64
    }

    static let addresses = 1_024
    /// Kafka: connection.failed.authentication.delay.ms.
    static let firstNanoseconds: Int64 = 100_000_000
    static let mostNanoseconds: Int64 = 5_000_000_000
    static let forgottenNanoseconds: Int64 = 60_000_000_000

    private var entries: [String: Entry] = [:]

    /// An address has failed: how long it is to wait, nanoseconds.
    mutating func failed(_ address: String, now: Int64) -> Int64 {
        var entry = entries[address] ?? Entry(failures: 0, last: now)
        if now - entry.last >= Self.forgottenNanoseconds { entry.failures = 0 }
        if entries[address] == nil, entries.count >= Self.addresses { makeRoom(now: now) }
        let wait = min(Self.firstNanoseconds << Int64(min(entry.failures, 16)), Self.mostNanoseconds)
        entry.failures += 1
        entry.last = now
        entries[address] = entry
        return wait
    }

    private mutating func makeRoom(now: Int64) {
        entries = entries.filter { now - $0.value.last < Self.forgottenNanoseconds }
        while entries.count >= Self.addresses, let oldest = entries.min(by: { $0.value.last < $1.value.last })
        {
            entries[oldest.key] = nil
        }
    }

    /// How many addresses are remembered.
    var count: Int { entries.count }
}
