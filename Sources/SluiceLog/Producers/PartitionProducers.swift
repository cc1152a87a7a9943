// A partition's idempotent producers while the volume runs: what is known, what the manifest lacks of it, and
// who waits for an original.
//
//   | recorded: in the manifest | closed: as it was at a sync's end | changed since
//                               ^ recovery point that may come next ^ active.endOffset
//
// (1) The manifest has what is known exactly as it was at the recovery point: what lies behind that is read
// again at an opening, and may be cut. So what has changed is copied when a sync is taken, and recorded with
// the recovery point that comes of it. (2) At most three copies: one for the record that is out, one for the
// last sync that has ended, one for the sync that is out. Older ones are taken into the next. (3) A class, so
// that a partition without producers has one word for it, and a copy of a partition copies no dictionary. It
// belongs to the volume that made it, as the rest of the partition does; a view of a store that somebody else
// writes has none.

/// Somebody who has sent a batch again, and whose original is not as safe yet as he asked.
struct WaitingDuplicate {
    var origin: BatchOrigin
    var original: KeptBatch
    var answer: AppendedBatch
}

final class PartitionProducers: @unchecked Sendable {
    /// As of the log end offset.
    private(set) var states: ProducerStates
    /// Whose state has changed since the last closed one.
    private var changed: Set<Int64>
    private var closed: [(offset: Int64, states: ProducerStates)] = []
    /// In no order.
    var waiting: [WaitingDuplicate] = []

    /// - Parameter isRecorded: whether the manifest has all of it.
    init(_ states: ProducerStates = ProducerStates(), isRecorded: Bool = true) {
        self.states = states
        changed = isRecorded ? [] : Set(states.byID.keys)
    }

    /// Remembers a batch that has been written.
    func add(_ batch: ProducerBatch, at baseOffset: Int64, timestamp: Int64, wall: Int64) {
        states.add(batch, at: baseOffset, timestamp: timestamp, wall: wall)
        changed.insert(batch.id)
    }

    /// Copies that are held for recovery points.
    var copies: Int { closed.count }

    func expire(wall: Int64, expiration: Int64) { states.expire(wall: wall, expiration: expiration) }

    /// Everything below `offset`, the present end, may become the recovery point.
    ///
    /// - Parameter synced: the end of the last sync: no recovery point will be below it.
    func close(at offset: Int64, synced: Int64) {
        guard !changed.isEmpty else { return }
        closed.append((offset, states.only(changed)))
        changed.removeAll(keepingCapacity: true)
        var kept: [(offset: Int64, states: ProducerStates)] = []
        for next in closed {
            // What no recovery point will be at is part of the next, and so is one that ends where it does.
            if let last = kept.last, next.offset <= synced || last.offset == next.offset {
                kept[kept.count - 1].offset = next.offset
                kept[kept.count - 1].states.merge(next.states)
            } else {
                kept.append(next)
            }
        }
        closed = kept
    }

    /// What has to be recorded with a recovery point at `offset`; nil: nothing.
    func changes(through offset: Int64) -> ProducerStates? {
        var changes = ProducerStates()
        for part in closed where part.offset <= offset { changes.merge(part.states) }
        return changes.isEmpty ? nil : changes
    }

    /// Those whose original ends at or before `end`; they wait no more.
    func takeWaiting(through end: Int64) -> [WaitingDuplicate] {
        let done = waiting.filter { $0.original.nextOffset <= end }
        if !done.isEmpty { waiting.removeAll { $0.original.nextOffset <= end } }
        return done
    }

    /// All who wait; they do no more.
    func takeWaiting() -> [BatchOrigin] {
        defer { waiting = [] }
        return waiting.map(\.origin)
    }

    /// All up to `offset` is on record.
    func recorded(through offset: Int64) { closed.removeAll { $0.offset <= offset } }
}
