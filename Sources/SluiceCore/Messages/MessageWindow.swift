// One partition of a queue of messages: the records that have been taken and are not settled.
//
//     taken ─► counting ─► ready ─► leased ─► settled                      (accepted: it leaves the window)
//                 ▲                   │ └───► dying ─► buried ─► settled   (rejected, or delivered too often)
//              reading ◄── free ◄─────┤
//                            ▲        ▼
//                            └──── waiting                                 (released for later)
//
// (1) A record below `next` without an entry is settled: accepted, dead, or not there any more. (2) What is
// committed is a snapshot of this, so no change can be left out of it; `version` counts the changes that a
// commit must say, `durable` is the last that one has said. (3) A delivery is in a durable commit before its
// record is `ready`. (4) `reserved` is never less than what the entries take in a commit at the worst.

import SluiceLog

struct MessageWindow: Sendable {
    enum State: Hashable, Sendable {
        /// To be given out again to whoever asks.
        case free
        /// Not before this moment of the wall clock, in milliseconds since 1970.
        case waiting(until: Int64)
        /// Its record is being read, for somebody who asks.
        case reading
        /// Its delivery is counted as of this version.
        case counting(UInt64)
        /// Its delivery is counted, and nobody has it.
        case ready
        /// Until a moment of the monotonic clock, in nanoseconds.
        case leased(token: UInt64, until: Int64)
        /// It is to go where the dead ones go.
        case dying
        /// It goes there with the commit that is under way, which does not say it any more.
        case buried
    }

    struct Entry: Sendable {
        let offset: Int64
        var deliveries: Int
        var state: State
    }

    /// In the order of their offsets, all below `next`.
    private(set) var entries: [Entry] = []
    /// The first offset that was never taken.
    private(set) var next: Int64
    /// Changes that a commit must say.
    private(set) var version: UInt64 = 0
    /// The last version that a durable commit has said.
    var durable: UInt64 = 0
    /// What the group has committed, as far as is known.
    var stored: StoredPosition?
    /// Records that are counted or being counted, and that nobody has.
    private(set) var ahead = 0
    /// No lease ends before this moment of the monotonic clock.
    private(set) var nextDeadline = Int64.max
    /// No record's moment comes before this one of the wall clock.
    private(set) var nextMoment = Int64.max
    private var reserved = 0

    /// The window that a commit says; without one it begins at `start`, and that is to be committed.
    init(_ stored: StoredPosition?, start: Int64, limit: Int) {
        self.stored = stored
        guard let stored else {
            next = start
            version = 1
            return
        }
        let window = StoredWindow(base: stored.offset, metadata: stored.metadata)
        next = window.end
        for entry in window.entries {
            let state: State =
                if entry.deliveries >= limit {
                    .dying
                } else if let moment = entry.moment {
                    .waiting(until: moment)
                } else {
                    .free
                }
            entries.append(Entry(offset: entry.offset, deliveries: entry.deliveries, state: state))
            if case .waiting(let moment) = state { nextMoment = min(nextMoment, moment) }
        }
        reserve()
    }

    var isDirty: Bool { version > durable }

    /// The first record that is not settled.
    var base: Int64 { entries.first?.offset ?? next }

    // MARK: Entries

    /// Where the entry of an offset is; nil when it is settled, or was never taken.
    func index(of offset: Int64) -> Int? {
        let index = place(of: offset)
        return index < entries.count && entries[index].offset == offset ? index : nil
    }

    private func place(of offset: Int64) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func set(_ state: State, at index: Int) {
        ahead -= entries[index].isAhead ? 1 : 0
        entries[index].state = state
        ahead += entries[index].isAhead ? 1 : 0
        switch state {
        case .leased(_, let deadline): nextDeadline = min(nextDeadline, deadline)
        case .waiting(let moment): nextMoment = min(nextMoment, moment)
        default: break
        }
    }

    /// A commit must say something new.
    mutating func change() { version += 1 }

    /// The record is settled.
    mutating func settle(at index: Int) {
        ahead -= entries[index].isAhead ? 1 : 0
        entries.remove(at: index)
        // What its distance took may stay reserved: two distances together take no more than their sum.
        reserved -= MessageLimits.entryBytes
        change()
    }

    /// The commit that is about to be made does not say the record any more.
    mutating func bury(at index: Int) {
        change()
        set(.buried, at: index)
    }

    /// What that commit has buried is settled; or, when it was not written, is to die again.
    mutating func endBurials(isDone: Bool) {
        for index in entries.indices.reversed() where entries[index].state == .buried {
            if isDone || PlantedBug.refusedBurialKept.isPlanted {
                entries.remove(at: index)
                reserved -= MessageLimits.entryBytes
            } else {
                set(.dying, at: index)
            }
        }
    }

    /// Counts a delivery, which is not to be told before a commit has said it.
    mutating func count(at index: Int) {
        entries[index].deliveries += PlantedBug.deliveryNotCounted.isPlanted ? 0 : 1
        change()
        set(.counting(version), at: index)
    }

    /// Takes back a delivery that nobody heard of.
    mutating func uncount(at index: Int) {
        entries[index].deliveries -= 1
        change()
        set(.free, at: index)
    }

    // MARK: Taking

    /// Records that may be taken now, for so many that may be taken ahead.
    mutating func room(_ prefetch: Int) -> Int {
        let room = min(prefetch - ahead, MessageLimits.inFlight - entries.count)
        guard room > 0 else { return 0 }
        // 10: the bytes of any distance.
        let most = MessageLimits.reserveBytes - MessageLimits.entryBytes - 10
        if reserved > most { reserve() }
        return reserved > most ? 0 : room
    }

    /// Takes the record at an offset, the first at or behind `next`.
    mutating func take(_ offset: Int64) {
        precondition(offset >= next, "a record is taken twice")
        let distance = offset - (entries.last.map { $0.offset + 1 } ?? offset)
        reserved += MessageLimits.entryBytes + StoredWindow.size(distance)
        entries.append(Entry(offset: offset, deliveries: 0, state: .free))
        next = offset + 1
        count(at: entries.count - 1)
    }

    /// There is no record from `next` up to an offset.
    mutating func skip(to offset: Int64) {
        guard offset > next else { return }
        next = offset
        change()
    }

    private mutating func reserve() {
        let all = entries.map { StoredWindow.Entry(offset: $0.offset, deliveries: $0.deliveries) }
        reserved = StoredWindow(end: next, entries: all).reserve
    }

    // MARK: Time

    /// Does what is due. Gives the indices of the leases that have ended, and of the moments that have come,
    /// in order; they are as they were.
    mutating func due(_ now: Instant) -> [Int] {
        // Moments are 12 hours ahead at most: one that is further away was made by a clock that was set back.
        let latest = now.wallMilliseconds + MessageLimits.visibilityMilliseconds
        let isDue =
            now.monotonicNanoseconds >= nextDeadline || now.wallMilliseconds >= nextMoment
            || nextMoment > latest && nextMoment != .max
        guard isDue else { return [] }
        (nextDeadline, nextMoment) = (.max, .max)
        var due: [Int] = []
        for index in entries.indices {
            switch entries[index].state {
            case .leased(_, let deadline):
                if deadline <= now.monotonicNanoseconds {
                    due.append(index)
                } else {
                    nextDeadline = min(nextDeadline, deadline)
                }
            case .waiting(let moment):
                if moment <= now.wallMilliseconds {
                    due.append(index)
                } else {
                    set(.waiting(until: min(moment, latest)), at: index)
                }
            default: break
            }
        }
        return due
    }

    // MARK: Committing

    /// What a commit says.
    func position(_ now: Instant) -> StoredPosition {
        let latest = now.wallMilliseconds + MessageLimits.visibilityMilliseconds
        var window = StoredWindow(end: next)
        window.entries.reserveCapacity(entries.count)
        for entry in entries where entry.state != .buried {
            var moment: Int64?
            if case .waiting(let until) = entry.state, until > now.wallMilliseconds,
                !PlantedBug.delayNotCommitted.isPlanted
            {
                moment = min(until, latest)
            }
            window.entries.append(
                StoredWindow.Entry(offset: entry.offset, deliveries: entry.deliveries, moment: moment))
        }
        if PlantedBug.windowNotCommitted.isPlanted { window.entries = [] }
        return StoredPosition(offset: window.base, metadata: window.metadata)
    }
}

extension MessageWindow.Entry {
    fileprivate var isAhead: Bool {
        switch state {
        case .counting, .ready: true
        default: false
        }
    }
}
