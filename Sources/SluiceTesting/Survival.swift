// How much of what was not synced reaches the medium.

/// Decides, change by change in their order, which un-synced changes survive. Drawn anew for every file and
/// directory, since a power loss that keeps all of one file and nothing of its neighbour finds what an even
/// mixture never shows.
enum Survival {
    case nothing
    case everything
    /// The first so many, as a disk does that works in order: the tail is torn.
    case prefix(Int)
    /// Each for itself, with this probability: reordered writes.
    case each(Double)

    /// A way to survive, for about `count` changes.
    static func drawn(count: Int, from random: inout SeededRandom) -> Survival {
        switch random.below(6) {
        case 0: .nothing
        case 1: .everything
        case 2, 3: .prefix(random.within(0...count))
        default: .each(random.pick([0.1, 0.5, 0.9]))
        }
    }

    /// Whether the next change survives.
    mutating func next(_ random: inout SeededRandom) -> Bool {
        switch self {
        case .nothing: return false
        case .everything: return true
        case .prefix(let left):
            if left > 0 { self = .prefix(left - 1) }
            return left > 0
        case .each(let probability): return random.chance(probability)
        }
    }
}

/// Which un-synced changes survive, one bit for each, in the order in which they are asked for.
struct ChosenSurvival {
    let bits: UInt64
    /// How many have been asked for.
    private(set) var count = 0

    init(bits: UInt64) { self.bits = bits }

    /// Whether the next change survives; from the 64th on the last bit says it.
    mutating func next() -> Bool {
        defer { count += 1 }
        return bits >> UInt64(min(count, 63)) & 1 == 1
    }
}
