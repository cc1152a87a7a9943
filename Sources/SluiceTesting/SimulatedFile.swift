// The bytes of one file, twice: as the medium holds them and as reads see them.
//
// (1) `pending` names the pieces of `cached` that a sync still has to write. A piece that is not in it is
//     *believed* to be on the medium; after a failed sync that belief is wrong, and nothing but a rewrite of
//     those bytes corrects it.
// (2) `cutTo` is the least size since the last sync: what `durable` holds beyond it is due to go, even when
//     the file has grown again. (3) A piece that was written twice between two syncs survives as it was last,
//     or not at all.

internal import SluiceLog

/// An inode that holds bytes.
struct SimulatedFile: Sendable {
    /// What the medium holds.
    private(set) var durable: [UInt8] = []
    /// What reads see.
    private(set) var cached: [UInt8] = []
    private var pending = PieceSet()
    /// `Int.max` when the file has not been cut.
    private var cutTo = Int.max

    /// Names of the cached tree that lead here.
    var linkCount = 0
    /// Open handles.
    var openCount = 0
    /// The handle that holds the lock.
    var lockHolder: FileID?

    var isAlive: Bool { linkCount > 0 || openCount > 0 }

    /// Bytes of the blocks that it takes; a hole takes them too, unlike a real one.
    var allocated: Int64 {
        let block = Int(SimulatedDisk.blockBytes)
        return Int64((cached.count + block - 1) / block * block)
    }

    // MARK: What calls do

    /// Writes the first `count` bytes of the slices; a gap before `position` reads as zeros.
    mutating func write(_ slices: [ByteSlice], count: Int, at position: Int) {
        guard count > 0 else { return }
        cached.lengthen(to: position + count)
        var next = position
        for slice in slices where next < position + count {
            let part = min(slice.count, position + count - next)
            cached.overwrite(at: next, with: slice, count: part)
            next += part
        }
        pending.insert(bytes: position..<position + count)
    }

    mutating func truncate(to size: Int) {
        if size > cached.count { return cached.lengthen(to: size) }
        guard size < cached.count else { return }
        cached.removeLast(cached.count - size)
        cutTo = min(cutTo, size)
        pending.remove(beyond: size)
    }

    /// Everything pending reaches the medium.
    mutating func sync() {
        cutDurable()
        durable.lengthen(to: cached.count)
        pending.forEach(within: cached.count) { durable.overwrite($0, from: cached) }
        pending.removeAll()
    }

    /// A sync that fails: the medium gets a drawn part of what was pending, and the pages are marked clean
    /// all the same.
    ///
    /// A size that did not get there stays due, as it does with the metadata of a journaling file system.
    /// - Parameter forgets: the pages are dropped too: reads see what the medium holds, and zeros behind it.
    mutating func failSync(_ random: inout SeededRandom, forgets: Bool) {
        writeSome(&random)
        if forgets {
            pending.forEach(within: cached.count) { piece in
                let kept = piece.clamped(to: 0..<durable.count)
                for index in piece { cached[index] = 0 }
                cached.overwrite(kept, from: durable)
            }
        }
        pending.removeAll()
    }

    // MARK: What the end of a machine does

    /// The power goes: a drawn part of what was pending is on the medium, and the cache is gone.
    mutating func losePower(_ random: inout SeededRandom) {
        if hasUnsynced { writeSome(&random) }
        endMachine()
    }

    /// The same; what survives is chosen: the size, then each piece.
    mutating func losePower(_ chosen: inout ChosenSurvival) {
        if hasUnsynced {
            if cutTo < durable.count || cached.count > durable.count, chosen.next() {
                cutDurable()
                durable.lengthen(to: max(durable.count, cached.count))
            }
            pending.forEach(within: min(durable.count, cached.count)) { piece in
                if chosen.next() { durable.overwrite(piece, from: cached) }
            }
        }
        endMachine()
    }

    private var hasUnsynced: Bool {
        !pending.isEmpty || cutTo != .max || cached.count != durable.count
    }

    private mutating func endMachine() {
        cached = durable
        pending.removeAll()
        cutTo = .max
        openCount = 0
        lockHolder = nil
    }

    // MARK: What a test does to the medium

    /// Changes bytes on the medium and in the cache at once, as if they had always been like that.
    mutating func damage(_ change: (inout [UInt8]) -> Void) {
        change(&durable)
        change(&cached)
        pending.remove(beyond: cached.count)
    }

    // MARK: -

    private mutating func writeSome(_ random: inout SeededRandom) {
        if cutTo < durable.count, random.chance(0.5) { cutDurable() }
        if cached.count > durable.count { durable.lengthen(to: drawSize(&random)) }
        let size = min(durable.count, cached.count)
        var survival = Survival.drawn(
            count: (size + PieceSet.pieceBytes - 1) / PieceSet.pieceBytes, from: &random)
        pending.forEach(within: size) { piece in
            if survival.next(&random) { durable.overwrite(piece, from: cached) }
        }
    }

    /// A size between the one on the medium and the one in the cache.
    private func drawSize(_ random: inout SeededRandom) -> Int {
        let drawn = random.within(durable.count...cached.count)
        switch random.below(4) {
        case 0: return durable.count
        case 1: return cached.count
        case 2: return max(durable.count, drawn / PieceSet.pieceBytes * PieceSet.pieceBytes)
        default: return drawn
        }
    }

    private mutating func cutDurable() {
        if cutTo < durable.count { durable.removeLast(durable.count - cutTo) }
        cutTo = .max
    }
}
