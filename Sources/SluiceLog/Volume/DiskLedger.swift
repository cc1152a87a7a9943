// The budget of the disk, and what of it is taken: plain arithmetic.
//
//   0 ···· used ···· reserved ·· free ·· H − R ·· blocks ·· H − 3R/4 ·· exempt ·· H − R/2 ·· manifest ·· H
//
// (1) `used` is never below what the store's files take: the growth that a job may bring is charged when the
// job is taken, and given back when it has ended without it; what is removed counts until it is gone. (2)
// `reserved` is what was accepted and is in no job yet. Each byte of it is given back once. (3) Appends keep
// used + reserved at or below H − R, exempt ones at or below H − R/2. The manifest and the recovery take from
// the last part without asking: R follows the manifest's size, so that it can always be replaced and what may
// go be recorded, and the number of partitions. (4) Nothing is latched: when there is room again, the next
// question is answered with yes. (5) A batch is accepted to the byte and written in blocks: when so many
// partitions begin a block that a quarter of R is used up by it, one that was accepted is refused after all.
// A quarter stays for what is exempt whatever appends have done: without room for a commit nothing would ever
// be freed.

/// What of the disk is taken, and what may be.
package struct DiskUse: Sendable, Hashable {
    /// H: the store's budget.
    package var limitBytes: Int64
    /// U: blocks of all files, with what jobs under way may add.
    package var usedBytes: Int64
    /// Accepted, and not yet being written.
    package var reservedBytes: Int64
    /// R: what appends leave to commits, acknowledgements and the manifest.
    package var exemptReserveBytes: Int64
}

struct DiskLedger: Sendable {
    /// What asks for room.
    enum Claimant {
        /// Appends, and whatever can wait or be left out.
        case append
        /// The blocks of what was accepted to the byte.
        case accepted
        /// What a full store must still be able to write, so that it can be drained.
        case exempt
    }

    /// What files are counted in.
    static let blockBytes: Int64 = 4096

    var limit: Int64
    /// R is at least this.
    let floor: Int64
    /// The size at which the manifest begins a new file.
    var manifestLimit: Int64
    /// Partitions there are: an opening after a loss of power may have to write a batch to each.
    var partitions = 0
    private(set) var used: Int64 = 0
    private(set) var reserved: Int64 = 0
    /// Of `used`, what jobs under way may add.
    private(set) var claimed: Int64 = 0
    /// All that was ever added to `used`, and taken from it.
    private(set) var gained: Int64 = 0
    private(set) var lost: Int64 = 0

    init(limit: Int64, floor: Int64, manifestLimit: Int64) {
        self.limit = limit
        self.floor = floor
        self.manifestLimit = manifestLimit
    }

    /// Bytes of the blocks that a file of so many bytes takes.
    static func blocks(_ bytes: Int64) -> Int64 { (bytes + blockBytes - 1) / blockBytes * blockBytes }

    /// What a file of `size` bytes takes more when `bytes` are added.
    static func growth(_ size: Int64, adding bytes: Int64) -> Int64 { blocks(size + bytes) - blocks(size) }

    /// R.
    var exemptReserve: Int64 {
        let wanted = max(
            floor, min(16 << 20, limit / 16), 4 * Self.blocks(manifestLimit + Self.blockBytes),
            Self.partitionReserve * Int64(partitions))
        return min(wanted, limit / 2)
    }

    /// Of R, for a partition.
    private static let partitionReserve = 4 * blockBytes

    /// How many partitions R has room for.
    var mostPartitions: Int { Int(limit / 2 / Self.partitionReserve) }

    var use: DiskUse {
        DiskUse(
            limitBytes: limit, usedBytes: used, reservedBytes: reserved, exemptReserveBytes: exemptReserve)
    }

    /// Whether so many bytes more would stay below what the claimant may use.
    func fits(_ bytes: Int64, _ claimant: Claimant) -> Bool {
        let kept =
            switch claimant {
            case .append: exemptReserve
            case .accepted: exemptReserve / 4 * 3
            case .exempt: exemptReserve / 2
            }
        return bytes <= limit - kept - used - reserved
    }

    /// Accepts bytes for later; whoever asks has looked whether they fit.
    mutating func reserve(_ bytes: Int64) { reserved += bytes }

    /// Gives back what was reserved.
    mutating func release(_ bytes: Int64) {
        assert(bytes <= reserved, "more is released than was reserved")
        reserved -= min(bytes, reserved)
    }

    /// A job is taken that may make files larger by so much.
    mutating func claim(_ bytes: Int64) {
        claimed += bytes
        add(bytes)
    }

    /// The job has ended: of what it claimed, `kept` is on the disk now.
    mutating func settle(_ claim: Int64, kept: Int64) {
        claimed -= claim
        kept >= claim ? add(kept - claim) : remove(claim - kept)
    }

    mutating func add(_ bytes: Int64) {
        used += bytes
        gained += bytes
    }

    /// So much is gone from the disk.
    mutating func remove(_ bytes: Int64) {
        used -= bytes
        lost += bytes
    }

    /// What was so when a measurement began.
    struct Mark: Sendable {
        var used: Int64
        var claimed: Int64
        var gained: Int64
        var lost: Int64
    }

    var mark: Mark { Mark(used: used, claimed: claimed, gained: gained, lost: lost) }

    /// Takes over what was measured, as far as changes since `mark` do not explain the difference.
    ///
    /// The measurement saw each of them, or did not; and of what had been claimed any part.
    mutating func correct(_ measured: Int64, since mark: Mark) {
        let most = measured + (lost - mark.lost) + mark.claimed
        let least = measured - (gained - mark.gained)
        if mark.used > most { used -= min(used, mark.used - most) }
        if mark.used < least { used += least - mark.used }
    }
}
