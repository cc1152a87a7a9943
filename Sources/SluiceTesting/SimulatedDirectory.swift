// The names in one directory, twice: as the medium holds them and as calls see them.
//
// (1) `cached` is `durable` with all of `pending` applied, in order. (2) Changes of one name keep their
//     order: a change survives only if every earlier un-synced change of the same names does. Changes of
//     different names survive each for itself. (3) A rename within the directory is one change of two names.

internal import SluiceLog

/// What a name leads to: an index into the disk's files or directories.
enum SimulatedEntry: Sendable, Hashable {
    case file(Int)
    case directory(Int)

    var kind: FileKind {
        switch self {
        case .file: .file
        case .directory: .directory
        }
    }
}

/// An inode that holds names.
struct SimulatedDirectory: Sendable {
    /// One name's new meaning, and a second one's that goes with it; nil is none.
    private struct Change: Sendable {
        var name: String
        var entry: SimulatedEntry?
        var second: (name: String, entry: SimulatedEntry?)?
    }

    /// What calls see.
    private(set) var cached: [String: SimulatedEntry] = [:]
    /// What the medium holds.
    private(set) var durable: [String: SimulatedEntry] = [:]
    private var pending: [Change] = []

    /// Gives a name a meaning, or takes it away.
    mutating func set(_ name: String, _ entry: SimulatedEntry?) {
        cached[name] = entry
        pending.append(Change(name: name, entry: entry))
    }

    /// Gives the meaning of `name` to `newName`: both survive or neither.
    mutating func rename(_ name: String, to newName: String) {
        let entry = cached.removeValue(forKey: name)
        cached[newName] = entry
        pending.append(Change(name: newName, entry: entry, second: (name, nil)))
    }

    /// Everything pending reaches the medium.
    mutating func sync() {
        guard !pending.isEmpty else { return }
        durable = cached
        pending.removeAll()
    }

    /// Whether a name that leads to `entry` is not on the medium yet.
    func isPending(_ entry: SimulatedEntry) -> Bool { pending.contains { $0.entry == entry } }

    /// The power goes: of the pending changes a drawn part is on the medium.
    mutating func losePower(_ random: inout SeededRandom) {
        guard !pending.isEmpty else { return }
        var survival = Survival.drawn(count: pending.count, from: &random)
        keep { survival.next(&random) }
    }

    /// The same; what survives is chosen.
    mutating func losePower(_ chosen: inout ChosenSurvival) { keep { chosen.next() } }

    private mutating func keep(_ survives: () -> Bool) {
        var lost: Set<String> = []
        for change in pending {
            let names = [change.name] + (change.second.map { [$0.name] } ?? [])
            if survives(), lost.isDisjoint(with: names) {
                durable[change.name] = change.entry
                if let second = change.second { durable[second.name] = second.entry }
            } else {
                lost.formUnion(names)
            }
        }
        cached = durable
        pending.removeAll()
    }
}
