// A disk, the process that uses it, and what goes wrong between them: the state behind `SimulatedFileSystem`.
//
// (1) A value: a copy of it is another future. (2) Everything random comes from `random`, and is drawn in the
//     order of the calls. (3) A `FileID` is given out once, so a use after close is EBADF and never somebody
//     else's file.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import SluiceLog

struct SimulatedMachine: Sendable {
    /// An open file.
    struct Handle: Sendable {
        var file: Int
        var isWritable: Bool
        var path: String
    }

    /// What becomes of a call before it has done anything.
    enum Verdict {
        case proceeds
        case fails(Errno)
        /// The process ends in the middle of this call.
        case dies
    }

    /// No simulated file grows beyond this: its bytes are in memory.
    static let maximumFileBytes: Int64 = 1 << 32

    var disk = SimulatedDisk()
    var random: SeededRandom
    var policy: FaultPolicy
    var calls: [FileOperation: Int] = [:]
    var changeCount = 0
    /// Calls that failed by the policy, by operation and error number.
    var struck: [String: Int] = [:]
    /// Files that do not show any more what was written to them.
    var forgotten: Set<String> = []
    /// Changes still to be made before the process dies; nil is for ever.
    var changesLeft: Int?
    var isDead = false
    var bootNumber = 1
    var processID: Int32 = 1000

    private var handles: [Int32: Handle] = [:]
    private var nextHandle: Int32 = 3

    init(seed: UInt64, policy: FaultPolicy) {
        random = SeededRandom(seed: seed)
        self.policy = policy
    }

    // MARK: Before a call

    /// Counts the call and says whether it takes place.
    mutating func admit(_ operation: FileOperation, _ path: String) -> Verdict {
        if isDead { return .fails(Errno(SimulatedFileSystem.crashErrno)) }
        calls[operation, default: 0] += 1
        if operation.isChange {
            if let left = changesLeft {
                if left <= 0 {
                    isDead = true
                    return .dies
                }
                changesLeft = left - 1
            }
            changeCount += 1
        }
        for index in policy.faults.indices {
            if policy.faults[index].strikes(operation, path, &random) {
                struck["\(operation.rawValue) \(policy.faults[index].errno)", default: 0] += 1
                return .fails(Errno(policy.faults[index].errno))
            }
        }
        return .proceeds
    }

    // MARK: Handles

    func handle(_ file: FileID) throws(Errno) -> Handle {
        guard let handle = handles[file.rawValue] else { throw Errno(EBADF) }
        return handle
    }

    func path(_ file: FileID) -> String { handles[file.rawValue]?.path ?? "" }

    mutating func open(_ path: String, _ mode: OpenMode) throws(Errno) -> FileID {
        let file: Int
        switch disk.entry(path) {
        case .directory: throw Errno(EISDIR)
        case .file(let found):
            file = found
            if mode == .replace { disk.files[file].truncate(to: 0) }
        case nil:
            if mode == .read || mode == .write { _ = try disk.find(path) }
            if availableBytes == 0 { throw Errno(ENOSPC) }
            file = try disk.makeFile(path)
        }
        disk.files[file].openCount += 1
        let id = FileID(rawValue: nextHandle)
        nextHandle += 1
        handles[id.rawValue] = Handle(file: file, isWritable: mode != .read, path: path)
        return id
    }

    mutating func close(_ id: FileID) {
        guard let handle = handles.removeValue(forKey: id.rawValue) else { return }
        disk.files[handle.file].openCount -= 1
        if disk.files[handle.file].lockHolder == id { disk.files[handle.file].lockHolder = nil }
    }

    mutating func lock(_ path: String) throws(Errno) -> LockResult {
        let id = try open(path, .create)
        let file = try handle(id).file
        if disk.files[file].lockHolder != nil {
            close(id)
            return .held(
                processID: Int32(String(decoding: disk.files[file].cached.prefix { $0 != 10 }, as: UTF8.self))
            )
        }
        let line = ByteBuffer("\(processID)\n".utf8)
        disk.files[file].write([ByteSlice(line)], count: line.count, at: 0)
        disk.files[file].truncate(to: line.count)
        disk.files[file].lockHolder = id
        return .locked(id)
    }

    func lockState(_ path: String) -> LockState {
        guard case .file(let file) = disk.entry(path), disk.files[file].lockHolder != nil else {
            return .free
        }
        return .held(
            processID: Int32(String(decoding: disk.files[file].cached.prefix { $0 != 10 }, as: UTF8.self)))
    }

    mutating func makeDirectory(_ path: String) throws(Errno) {
        if availableBytes == 0, disk.entry(path) == nil { throw Errno(ENOSPC) }
        try disk.makeDirectory(path)
    }

    // MARK: Bytes

    var availableBytes: Int64 {
        guard let capacity = policy.capacityBytes else { return 1 << 40 }
        return max(0, capacity - disk.usedBytes)
    }

    func read(
        _ id: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(Errno) -> Int {
        let file = try handle(id).file
        guard position >= 0 else { throw Errno(EINVAL) }
        let size = disk.files[file].cached.count
        guard position < size else { return 0 }
        let start = Int(position)
        let end = start + min(count, size - start)
        buffer.receive(at: offset, start..<end, of: disk.files[file].cached)
        return end - start
    }

    mutating func write(_ id: FileID, at position: Int64, _ slices: [ByteSlice]) throws(Errno) -> Int {
        let handle = try writable(id)
        let total = slices.reduce(0) { $0 + $1.count }
        guard position >= 0 else { throw Errno(EINVAL) }
        guard total > 0 else { return 0 }
        guard position <= Self.maximumFileBytes - Int64(total) else { throw Errno(EFBIG) }
        var count = total
        if policy.capacityBytes != nil {
            let end = Int64(disk.files[handle.file].cached.count) + availableBytes
            guard position < end else { throw Errno(ENOSPC) }
            count = Int(min(Int64(total), end - position))
        }
        if count > 1, policy.shortWriteProbability > 0, random.chance(policy.shortWriteProbability) {
            count = random.within(1...count - 1)
        }
        disk.files[handle.file].write(slices, count: count, at: Int(position))
        return count
    }

    /// The process dies while it writes: the kernel has taken a drawn part of the bytes, half the time none.
    mutating func writeDying(_ id: FileID, at position: Int64, _ slices: [ByteSlice]) {
        let total = slices.reduce(0) { $0 + $1.count }
        guard random.chance(0.5), let handle = try? writable(id), policy.capacityBytes == nil else { return }
        guard position >= 0, position <= Self.maximumFileBytes - Int64(total) else { return }
        disk.files[handle.file].write(slices, count: random.within(0...total), at: Int(position))
    }

    mutating func truncate(_ id: FileID, to size: Int64) throws(Errno) {
        let handle = try writable(id)
        guard size >= 0 else { throw Errno(EINVAL) }
        guard size <= Self.maximumFileBytes else { throw Errno(EFBIG) }
        disk.files[handle.file].truncate(to: Int(size))
    }

    mutating func allocate(_ id: FileID, bytes: Int64) throws(Errno) {
        let handle = try writable(id)
        guard bytes > 0 else { throw Errno(EINVAL) }
        guard bytes <= Self.maximumFileBytes else { throw Errno(EFBIG) }
        let size = Int64(disk.files[handle.file].cached.count)
        guard bytes > size else { return }
        guard policy.capacityBytes == nil || bytes - size <= availableBytes else { throw Errno(ENOSPC) }
        disk.files[handle.file].truncate(to: Int(bytes))
    }

    mutating func sync(_ id: FileID) throws(Errno) {
        let file = try handle(id).file
        disk.files[file].sync()
        if policy.fileSyncKeepsName { disk.syncNames(of: file) }
    }

    mutating func failSync(_ id: FileID) {
        guard let file = try? handle(id).file else { return }
        disk.files[file].failSync(&random, forgets: policy.failedSyncForgets)
        if policy.failedSyncForgets { forgotten.insert(path(id)) }
    }

    private func writable(_ id: FileID) throws(Errno) -> Handle {
        let handle = try handle(id)
        guard handle.isWritable else { throw Errno(EBADF) }
        return handle
    }

    // MARK: Ends

    /// The process is gone, by whatever end: so are its handles and locks.
    mutating func endProcess() {
        for handle in handles.values {
            disk.files[handle.file].openCount = 0
            disk.files[handle.file].lockHolder = nil
        }
        handles.removeAll()
        isDead = false
        changesLeft = nil
        processID += 1
    }

    /// The power goes, and comes back.
    mutating func losePower() {
        endProcess()
        disk.losePower(&random)
        bootNumber += 1
    }

    /// The same; bits say what survives. Returns how many bits were asked for.
    mutating func losePower(_ bits: UInt64) -> Int {
        endProcess()
        var chosen = ChosenSurvival(bits: bits)
        disk.losePower(&chosen)
        bootNumber += 1
        return chosen.count
    }
}
