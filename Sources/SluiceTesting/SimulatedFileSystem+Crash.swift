// What a test does to the machine: ends it, looks at it, damages it, and tries several futures of it.

internal import SluiceLog
internal import Synchronization

extension SimulatedFileSystem {
    // MARK: Ends

    /// Cuts the power and boots again: fault model (3). Handles and locks are gone, `bootID` is another.
    public func powerLoss() { machine.withLock { $0.losePower() } }

    /// Cuts the power as `powerLoss()` does, but keeps what `keeping` says instead of what is drawn.
    ///
    /// - Parameter keeping: bit n says whether the n-th thing that was not synced is on the medium; bit 63
    ///   says it of all from there on. The things are: for each directory each change of names; for each file
    ///   its size, if that has changed, then each piece of 512 bytes.
    /// - Returns: how many such things there were. A test of every subset runs with 0 first.
    @discardableResult
    public func powerLoss(keeping: UInt64) -> Int { machine.withLock { $0.losePower(keeping) } }

    /// Kills the process and starts another: fault model (4). `bootID` stays; handles and locks are gone.
    public func processDeath() { machine.withLock { $0.endProcess() } }

    /// How many more changes (`FileOperation.isChange`) are made before the process dies; nil, the usual, is
    /// for ever.
    ///
    /// The change after them, and every call of any kind from there on, throws `crashErrno` and does nothing;
    /// but if it is a write, a drawn part of its bytes may be in the cache. Follow with `powerLoss()` or
    /// `processDeath()`, which set this to nil again. A test of every moment runs with 0, 1, 2 … until
    /// `hasCrashed` stays false.
    public var crashAfterCalls: Int? {
        get { machine.withLock { $0.changesLeft } }
        set { machine.withLock { $0.changesLeft = newValue } }
    }

    /// Whether `crashAfterCalls` has cut a call off since the last `powerLoss()` or `processDeath()`.
    public var hasCrashed: Bool { machine.withLock { $0.isDead } }

    // MARK: Faults

    /// What fails while the machine runs. Its faults count down here: what is read is what is left of them.
    public var policy: FaultPolicy {
        get { machine.withLock { $0.policy } }
        set { machine.withLock { $0.policy = newValue } }
    }

    /// Adds a fault to the policy: by default the next call of `operation` fails, once.
    public func fail(
        _ operation: FileOperation, errno: Int32, _ trigger: Fault.Trigger = .call(1),
        isPermanent: Bool = false,
        pathContains: String? = nil
    ) {
        let fault = Fault(
            operation, errno: errno, trigger, isPermanent: isPermanent, pathContains: pathContains)
        machine.withLock { $0.policy.faults.append(fault) }
    }

    // MARK: Counting

    /// The calls of `operation` so far, those that failed by `policy` included.
    public func callCount(_ operation: FileOperation) -> Int {
        machine.withLock { $0.calls[operation, default: 0] }
    }

    /// The calls so far that `FileOperation.isChange` is true of: the moments between which power may fail.
    public var changeCount: Int { machine.withLock { $0.changeCount } }

    /// The calls so far that failed by `policy`: by operation and error number, as in `fdatasync 5`.
    public var faultCounts: [String: Int] { machine.withLock { $0.struck } }

    /// The files of which a failed sync has dropped pages; empty it when that has been dealt with.
    var forgotten: Set<String> {
        get { machine.withLock { $0.forgotten } }
        set { machine.withLock { $0.forgotten = newValue } }
    }

    /// What files and directories are made of, in bytes.
    public static let blockBytes: Int64 = SimulatedDisk.blockBytes

    /// What all files and directories take in blocks of 4,096 bytes, open unlinked files included.
    public var allocatedBytes: Int64 { machine.withLock { $0.disk.allocatedBytes } }

    // MARK: Futures

    /// Another file system in the same state, open handles and locks included; `trace` is not copied.
    ///
    /// - Parameter seed: what is drawn from here on; nil draws what the original will.
    /// - Complexity: O(1); the bytes of a file are copied when either side changes them.
    public func copy(seed: UInt64? = nil) -> SimulatedFileSystem {
        var machine = machine.withLock { $0 }
        if let seed { machine.random = SeededRandom(seed: seed) }
        return SimulatedFileSystem(machine)
    }

    // MARK: The disk at rest

    /// Every file below a directory, directory by directory, sorted.
    func files(below path: String) -> [String] {
        ((try? list(path)) ?? []).flatMap { entry -> [String] in
            let name = "\(path)/\(entry.name)"
            return entry.kind == .directory ? files(below: name) : [name]
        }
    }

    /// The bytes of a file as reads see them; nil when there is no such file.
    public func contents(_ path: String) -> [UInt8]? {
        machine.withLock { machine in
            guard case .file(let file) = machine.disk.entry(path) else { return nil }
            return machine.disk.files[file].cached
        }
    }

    /// The bytes that the medium holds of the file that `path` leads to now, whether or not that name is
    /// durable.
    public func durableContents(_ path: String) -> [UInt8]? {
        machine.withLock { machine in
            guard case .file(let file) = machine.disk.entry(path) else { return nil }
            return machine.disk.files[file].durable
        }
    }

    /// Flips bit `bit` (0 is the least) of byte `byte`, on the medium and in the cache.
    /// - Precondition: the file has that byte.
    public func flipBit(_ path: String, byte: Int, bit: Int) {
        precondition((0..<8).contains(bit))
        precondition(byte >= 0 && byte < contents(path)?.count ?? 0, "\(path) has no byte \(byte)")
        damage(path) { bytes in
            if byte < bytes.count { bytes[byte] ^= 1 << UInt8(bit) }
        }
    }

    /// Cuts a file to `size`, or lengthens it with zeros, on the medium and in the cache.
    /// - Precondition: there is such a file.
    public func truncateDurably(_ path: String, to size: Int) {
        precondition(size >= 0)
        damage(path) { bytes in
            bytes.removeLast(max(0, bytes.count - size))
            bytes.lengthen(to: size)
        }
    }

    /// Puts `newBytes` at `position`, on the medium and in the cache; the file grows when they reach beyond
    /// its end.
    /// - Precondition: there is such a file.
    public func overwrite(_ path: String, at position: Int, with newBytes: [UInt8]) {
        precondition(position >= 0)
        damage(path) { bytes in
            bytes.lengthen(to: position + newBytes.count)
            bytes.replaceSubrange(position..<position + newBytes.count, with: newBytes)
        }
    }

    private func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
        machine.withLock { machine in
            guard case .file(let file) = machine.disk.entry(path) else {
                preconditionFailure("there is no file \(path) to damage")
            }
            machine.disk.files[file].damage(change)
        }
    }
}
