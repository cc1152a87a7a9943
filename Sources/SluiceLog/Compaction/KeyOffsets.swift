// The last offset of each key in the stretch of a log that is being cleaned. Kafka: SkimpyOffsetMap.
//
//   a slot, 24 bytes:   | hash of the key, 128 bits | offset i64, -1: empty |
//
// (1) Open addressing, one step at a time, at most nine slots of ten in use. (2) As many slots as the budget
// has room for, or as there are offsets, whichever is less. (3) Keys themselves are not kept: two keys of one
// hash would be one key (SipHash.swift has the odds).

/// Keys, by their hashes, with an offset each.
struct KeyOffsets: ~Copyable {
    private struct Slot {
        var high: UInt64
        var low: UInt64
        var offset: Int64
    }

    /// Bytes of a slot.
    static let slotBytes = 24

    private var slots: [Slot]
    /// Keys that are in it.
    private(set) var count = 0
    /// Keys that fit.
    let limit: Int

    /// An empty map of at most `budget` bytes, for at most `keys` keys. At least one key fits.
    init(budget: Int, keys: Int64) {
        let most = max(2, budget / Self.slotBytes)
        let wanted = keys < Int64(most) ? Int(max(keys, 1)) * 10 / 9 + 2 : most
        slots = Array(repeating: Slot(high: 0, low: 0, offset: -1), count: min(most, wanted))
        limit = max(1, slots.count * 9 / 10)
    }

    /// Takes note of a later offset of a key. False, and nothing changes, when the key is new and there is no
    /// room.
    mutating func set(_ hash: KeyHash, _ offset: Int64) -> Bool {
        var index = start(hash)
        while slots[index].offset >= 0 {
            if slots[index].high == hash.high, slots[index].low == hash.low {
                slots[index].offset = offset
                return true
            }
            index += 1
            if index == slots.count { index = 0 }
        }
        guard count < limit else { return false }
        slots[index] = Slot(high: hash.high, low: hash.low, offset: offset)
        count += 1
        return true
    }

    /// The last offset of a key; nil when it is not in the map.
    func offset(of hash: KeyHash) -> Int64? {
        var index = start(hash)
        while slots[index].offset >= 0 {
            if slots[index].high == hash.high, slots[index].low == hash.low { return slots[index].offset }
            index += 1
            if index == slots.count { index = 0 }
        }
        return nil
    }

    private func start(_ hash: KeyHash) -> Int {
        Int(hash.high.multipliedFullWidth(by: UInt64(slots.count)).high)
    }
}
