// From a task's sequence to the slot of its entry: open addressing, the keys being in the entries.
//
// (1) At most three quarters full, so 6 to 11 bytes a task, where a dictionary takes 20 to 40. (2) Removal
// shifts back: no marks are left, so a queue through which a million tasks go is as fast as a new one.

/// A hash table of slots.
struct SlotTable: Sendable {
    private var cells: [UInt32] = Array(repeating: Self.empty, count: 16)
    private(set) var count = 0
    private static let empty = UInt32.max

    /// The slot of a sequence. `sequences` tells the sequence of a slot that is in the table.
    func find(_ sequence: UInt64, _ sequences: (UInt32) -> UInt64) -> UInt32? {
        var cell = home(sequence)
        while cells[cell] != Self.empty {
            if sequences(cells[cell]) == sequence { return cells[cell] }
            cell = (cell + 1) & (cells.count - 1)
        }
        return nil
    }

    /// Adds a slot whose sequence is not in the table.
    mutating func insert(_ sequence: UInt64, _ slot: UInt32, _ sequences: (UInt32) -> UInt64) {
        if (count + 1) * 4 > cells.count * 3 {
            let old = cells
            cells = Array(repeating: Self.empty, count: old.count * 2)
            for slot in old where slot != Self.empty { place(sequences(slot), slot) }
        }
        place(sequence, slot)
        count += 1
    }

    /// Removes a sequence that is in the table.
    mutating func remove(_ sequence: UInt64, _ sequences: (UInt32) -> UInt64) {
        var hole = home(sequence)
        while cells[hole] != Self.empty, sequences(cells[hole]) != sequence {
            hole = (hole + 1) & (cells.count - 1)
        }
        guard cells[hole] != Self.empty else { return }
        count -= 1
        var cell = hole
        while true {
            cells[hole] = Self.empty
            repeat {
                cell = (cell + 1) & (cells.count - 1)
                if cells[cell] == Self.empty { return }
                // Stays if its home lies behind the hole, on the way to it.
            } while (cell - home(sequences(cells[cell]))) & (cells.count - 1)
                < (cell - hole) & (cells.count - 1)
            cells[hole] = cells[cell]
            hole = cell
        }
    }

    private mutating func place(_ sequence: UInt64, _ slot: UInt32) {
        var cell = home(sequence)
        while cells[cell] != Self.empty { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = slot
    }

    private func home(_ sequence: UInt64) -> Int {
        Int(truncatingIfNeeded: (sequence &* 0x9E37_79B9_7F4A_7C15) >> 32) & (cells.count - 1)
    }
}
