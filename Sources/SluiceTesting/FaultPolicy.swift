// What goes wrong while the machine runs.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A call of the file system, as `SimulatedFileSystem` counts, traces and fails them.
///
/// The raw value is what `IOError.operation` says: the name of the manual page.
public enum FileOperation: String, Sendable, Hashable, CaseIterable {
    case open
    case close
    case read
    case readNoWait = "preadv2"
    case write
    case size = "fstat"
    case truncate = "ftruncate"
    case allocate = "fallocate"
    case sync = "fdatasync"
    case syncDirectory = "fsync"
    case makeDirectory = "mkdir"
    case rename
    case link
    case remove = "unlink"
    case removeDirectory = "rmdir"
    case list = "opendir"
    case status = "stat"
    case lock = "flock"
    case availableBytes = "statvfs"

    /// Whether the call may change what is in a file, what a name means, or what of it is on the medium.
    ///
    /// A crash between two others leaves the same disk: only these count for
    /// `SimulatedFileSystem.crashAfterCalls`.
    public var isChange: Bool {
        switch self {
        case .open, .write, .truncate, .allocate, .sync, .syncDirectory, .makeDirectory, .rename, .link,
            .remove,
            .removeDirectory, .lock:
            true
        case .close, .read, .readNoWait, .size, .list, .status, .availableBytes:
            false
        }
    }
}

/// An error that a call gets without anything being done, `sync` excepted (see `SimulatedFileSystem`).
public struct Fault: Sendable, Hashable {
    /// Which of the matching calls fail.
    public enum Trigger: Sendable, Hashable {
        /// The n-th from now, 1 being the next.
        case call(Int)
        /// Each with this probability, however many have failed before.
        case chance(Double)
    }

    /// The call that fails.
    public var operation: FileOperation
    /// The error number it fails with.
    public var errno: Int32
    /// Which of the matching calls it strikes.
    public var trigger: Trigger
    /// Whether every matching call after the first failed one fails too.
    public var isPermanent: Bool
    /// Only calls on paths that contain this match; nil is all.
    public var pathContains: String?

    /// A fault of `operation`: by default its next call fails, once, on whatever path.
    public init(
        _ operation: FileOperation, errno: Int32, _ trigger: Trigger = .call(1), isPermanent: Bool = false,
        pathContains: String? = nil
    ) {
        self.operation = operation
        self.errno = errno
        self.trigger = trigger
        self.isPermanent = isPermanent
        self.pathContains = pathContains
    }

    /// The disk has no room for a moment, at a write to a path that contains this.
    public static func full(at path: String, _ trigger: Trigger) -> Fault {
        Fault(.write, errno: ENOSPC, trigger, pathContains: path)
    }

    /// Whether it has failed a call already.
    private var hasFired = false

    /// Whether this call is one that fails; notes that it was made.
    mutating func strikes(_ called: FileOperation, _ path: String, _ random: inout SeededRandom) -> Bool {
        guard called == operation else { return false }
        if let pathContains, !path.contains(pathContains) { return false }
        if hasFired, isPermanent { return true }
        let fires: Bool
        switch trigger {
        case .chance(let probability):
            fires = random.chance(probability)
        case .call(let left):
            trigger = .call(left - 1)
            fires = left == 1
        }
        hasFired = hasFired || fires
        return fires
    }
}

/// How a simulated disk misbehaves short of a power loss.
public struct FaultPolicy: Sendable, Hashable {
    /// Tried in this order at each call; the first that strikes decides.
    public var faults: [Fault] = []
    /// The probability that a write of two bytes or more writes only some of them.
    public var shortWriteProbability = 0.0
    /// The probability that `readNoWait` returns nil.
    public var wouldWaitProbability = 0.0
    /// Bytes that fit: the sum of the sizes of all files, open unlinked ones included. nil is no limit.
    public var capacityBytes: Int64?
    /// Whether `sync` of a file with a new name makes the directory that holds the name durable too.
    ///
    /// ext4 does that; nothing promises it. False is the pessimistic choice.
    public var fileSyncKeepsName = false

    /// Whether reads see after a failed `sync` what the medium has, not what was written.
    public var failedSyncForgets = false

    /// A disk that does all that is asked of it.
    public init() {}

    /// A disk that does all that is asked of it.
    public static var none: FaultPolicy { FaultPolicy() }

    /// A disk with the habits and the rare errors that `random` draws; a quarter of the disks has no errors
    /// at all.
    ///
    /// `capacityBytes` is left to the test, which knows how much it is about to write.
    public static func drawn(from random: inout SeededRandom) -> FaultPolicy {
        var policy = FaultPolicy()
        policy.shortWriteProbability = random.pick([0, 0, 0.05, 0.3])
        policy.wouldWaitProbability = random.pick([0, 0.2, 0.8])
        policy.fileSyncKeepsName = random.chance(0.25)
        if random.chance(0.25) { return policy }
        for _ in 0..<random.within(1...3) {
            let (operation, errno, isPermanent) = random.pick(usual)
            let trigger: Fault.Trigger =
                random.chance(0.5) ? .call(random.within(1...40)) : .chance(random.pick([0.002, 0.02]))
            policy.faults.append(
                Fault(operation, errno: errno, trigger, isPermanent: isPermanent && random.chance(0.3)))
        }
        return policy
    }

    /// What `drawn` draws from: calls and their error numbers.
    public static var usualFaults: [(FileOperation, errno: Int32)] { usual.map { ($0.0, $0.errno) } }

    /// What disks do, and whether it may stay like that.
    private static let usual: [(FileOperation, errno: Int32, isPermanent: Bool)] = [
        (.write, EIO, true), (.write, ENOSPC, true), (.sync, EIO, true), (.sync, EIO, false),
        (.sync, ENOSPC, true), (.sync, ENOSPC, false), (.sync, EDQUOT, false),
        (.syncDirectory, ENOSPC, false),
        (.syncDirectory, EIO, false), (.read, EIO, false), (.open, EMFILE, false), (.open, ENOSPC, false),
        (.truncate, EIO, false), (.rename, EIO, false), (.rename, ENOSPC, false), (.remove, EIO, false),
        (.makeDirectory, ENOSPC, false), (.allocate, ENOSPC, true), (.allocate, EOPNOTSUPP, true),
    ]
}
