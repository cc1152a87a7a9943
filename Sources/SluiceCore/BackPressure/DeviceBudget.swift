// How much each store of a process may use of a device that they share: H, anew at every look.
//
//   capacity ├──────── used by the stores ────────┼─ others' ─┼─────────── free ───────────┤
//                                                             ├──── room ────┼── headroom ─┤
//
// The room is given out as growth: first what is accepted already, and what a store lacks of an eighth of an
// equal part, so that one that fills the device leaves something to the others; then in equal parts, to each
// up to its budget. While one fills, the room shrinks, and the limits converge.
//
// (1) Were every store to fill its limit at once, the headroom would be left: the sum of limit − used of all
// that may grow is at most free − headroom. (2) No limit is above its store's budget. Stores without one have
// 80 % of the capacity together. (3) No limit is below what the store uses, but for a budget that is: such a
// store may not grow, and nothing more is asked of it. (4) Limits move by no more than what was measured
// moved, and when a store comes by no more than the room. (5) Nothing is kept between two looks; whole bytes.
// Others on the device may take what is free: the next look sees it. (6) The limits of one look hold
// together: whoever looks puts all of them into force, since another store's old limit promises what is now
// given away.

/// A look at a device and at the stores of this process on it.
package struct DeviceBudget: Sendable {
    /// A store on the device.
    package struct Store: Hashable, Sendable {
        /// What it was told to use at most, bytes; nil: nothing, and it has a part of the default.
        package var budgetBytes: Int64?
        /// U: blocks of all its files.
        package var usedBytes: Int64
        /// Accepted and not yet written.
        package var reservedBytes: Int64

        /// A store with or without a budget of its own.
        package init(budgetBytes: Int64? = nil, usedBytes: Int64, reservedBytes: Int64 = 0) {
            self.budgetBytes = budgetBytes
            self.usedBytes = usedBytes
            self.reservedBytes = reservedBytes
        }
    }

    /// What a store may use now.
    package struct Limit: Hashable, Sendable {
        package enum Cause: Hashable, Sendable {
            /// The store's budget, or its part of the default: `busy`, for the disk.
            case budget
            /// What the device has left: `noSpace`.
            case fileSystem
        }
        /// H, bytes.
        package var bytes: Int64
        /// What would have to be raised for it to be higher.
        package var cause: Cause

        package init(bytes: Int64, cause: Cause) {
            self.bytes = bytes
            self.cause = cause
        }
    }

    /// Of the whole device, bytes.
    package var capacityBytes: Int64
    /// What the file system would still give us, bytes.
    package var freeBytes: Int64
    package var stores: [Store]

    /// A look at a device. Numbers below 0 count as 0.
    package init(capacityBytes: Int64, freeBytes: Int64, stores: [Store]) {
        self.capacityBytes = max(0, capacityBytes)
        self.freeBytes = max(0, freeBytes)
        self.stores = stores.map {
            Store(
                budgetBytes: $0.budgetBytes.map { max(0, $0) }, usedBytes: max(0, $0.usedBytes),
                reservedBytes: max(0, $0.reservedBytes))
        }
    }

    /// What is never given out: metadata and the programs beside us need it. 16 MiB, or 1 % of the capacity.
    package var headroomBytes: Int64 { max(16 << 20, capacityBytes / 100) }

    /// What the stores that have no budget of their own may use together.
    package var defaultBytes: Int64 { capacityBytes / 5 * 4 }

    /// The limit of each store, in the order of the stores.
    ///
    /// - Complexity: O(n log n).
    package var limits: [Limit] {
        let ceilings = ceilings
        let caps = stores.indices.map { max(0, ceilings[$0] - stores[$0].usedBytes) }
        let growths = Self.growths(of: stores, room: max(0, freeBytes - headroomBytes), caps: caps)
        return stores.indices.map { index in
            growths[index] < caps[index]
                ? Limit(bytes: stores[index].usedBytes + growths[index], cause: .fileSystem)
                : Limit(bytes: ceilings[index], cause: .budget)
        }
    }

    /// What each store might use if the device had room for all: its budget, or its part of the default.
    private var ceilings: [Int64] {
        let others = stores.filter { $0.budgetBytes == nil }
        let used = others.reduce(0) { Self.sum($0, $1.usedBytes) }
        let caps = others.map { Int64.max - $0.usedBytes }
        var growths = Self.growths(of: others, room: max(0, defaultBytes - used), caps: caps).makeIterator()
        return stores.map { $0.budgetBytes ?? $0.usedBytes + (growths.next() ?? 0) }
    }

    /// Parts of a room: first to those that lack, or have accepted what is not written; then equal ones.
    private static func growths(of stores: [Store], room: Int64, caps: [Int64]) -> [Int64] {
        let total = stores.reduce(room) { sum($0, $1.usedBytes) }
        let little = total / Int64(8 * max(1, stores.count))
        let lacks = stores.indices.map {
            min(max(stores[$0].reservedBytes, little - stores[$0].usedBytes, 0), caps[$0])
        }
        let first = share(room, upTo: lacks)
        let rest = share(room - first.reduce(0, +), upTo: stores.indices.map { caps[$0] - first[$0] })
        return stores.indices.map { first[$0] + rest[$0] }
    }

    /// Equal parts of a sum, but to nobody more than his cap.
    private static func share(_ bytes: Int64, upTo caps: [Int64]) -> [Int64] {
        var (shares, left, count) = (caps, bytes, Int64(caps.count))
        for index in caps.indices.sorted(by: { caps[$0] < caps[$1] }) {
            shares[index] = min(caps[index], left / count)
            left -= shares[index]
            count -= 1
        }
        return shares
    }

    /// No number of files adds up to more than there are numbers.
    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, isOver) = a.addingReportingOverflow(b)
        return isOver ? .max : sum
    }
}
