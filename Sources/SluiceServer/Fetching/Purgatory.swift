// Who waits for which partitions, and until when: Kafka's word for it.
//
// (1) A fetch waits from `hold` to `release`; it is woken once, by the first of its partitions that moves, by
// its deadline, or by `wakeAll`. (2) A partition is watched from the first that waits for it on, and until it
// moves while nobody does: whoever reads at the end comes again at once, and is not worth unwatching for.

/// Delayed fetches.
struct Purgatory: Sendable {
    private struct Held: Sendable {
        var partitions: [Int]
        var deadline: Int64
    }

    private var held: [UInt64: Held] = [:]
    /// Who waits, by partition; a partition that is watched has an entry.
    private var waiting: [Int: Set<UInt64>] = [:]
    private var next: UInt64 = 0

    /// A fetch waits for these, until a moment of the monotonic clock. Returns its number, and what is to be
    /// watched from now on.
    mutating func hold(_ partitions: [Int], until deadline: Int64) -> (id: UInt64, toWatch: [Int]) {
        next += 1
        held[next] = Held(partitions: partitions, deadline: deadline)
        var toWatch: [Int] = []
        for partition in partitions {
            if waiting[partition] == nil { toWatch.append(partition) }
            waiting[partition, default: []].insert(next)
        }
        return (next, toWatch)
    }

    /// It waits no more.
    mutating func release(_ id: UInt64) {
        guard let fetch = held.removeValue(forKey: id) else { return }
        for partition in fetch.partitions { waiting[partition]?.remove(id) }
    }

    /// A partition has moved: who is to be woken, and whether it need not be watched any more.
    mutating func advanced(_ partition: Int) -> (woken: [UInt64], unwatch: Bool) {
        guard let ids = waiting[partition] else { return ([], true) }
        guard !ids.isEmpty else {
            waiting[partition] = nil
            return ([], true)
        }
        for id in ids { release(id) }
        return (ids.sorted(), false)
    }

    /// Who has waited long enough.
    mutating func expire(now: Int64) -> [UInt64] {
        let due = held.filter { $0.value.deadline <= now }.map(\.key).sorted()
        for id in due { release(id) }
        return due
    }

    /// Nobody waits any more: all who did.
    mutating func wakeAll() -> [UInt64] {
        let all = held.keys.sorted()
        for id in all { release(id) }
        return all
    }

    /// When `expire` is to be called; nil when nobody waits.
    ///
    /// - Complexity: O(n) in those that wait.
    var nextDeadline: Int64? { held.values.map(\.deadline).min() }
}
