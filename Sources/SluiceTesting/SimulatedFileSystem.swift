// A file system in memory that a seed determines, and that can lose power. Its fault model:
//
// (1) A file has bytes on the medium and bytes in the cache; reads see the cache. A write changes the cache
//     and leaves pieces of 512 bytes pending; `sync` of the file puts them and the size on the medium. A
//     piece is atomic: it is on the medium as it was before the writes since the last sync or as it is after
//     the last of them.
// (2) A name that was made, renamed or removed is pending until `syncDirectory` of its directory; the
//     directory's own name belongs to its parent. With `FaultPolicy.fileSyncKeepsName` a file's sync takes
//     its new name along.
// (3) A power loss keeps a drawn part of what is pending: for each file each piece (none, all, a prefix, or
//     each for itself), and of its growth up to a drawn size, in which what is missing reads as zeros; a cut
//     survives or not. For each directory each change of names (as pieces, but changes of one name in their
//     order; a rename is one change within a directory, and two between directories, so that a file may end
//     with both names or none). A file without a surviving name is gone; one whose removal did not survive is
//     back with its bytes on the medium.
// (4) The death of the process loses nothing but handles, locks and files that were open without a name.
// (5) A failed `sync` marks pages clean as Linux does: the medium has a drawn part of them, the cache keeps
//     showing all, and a later `sync` that succeeds does not write the rest. Writing the bytes again makes
//     them pending again. With `FaultPolicy.failedSyncForgets` the cache shows what the medium has from then
//     on, as when the pages are needed for something else.
// (6) Any call may fail by `FaultPolicy`, once or for ever; but for `sync`, a failed call has done nothing. A
//     write may be short. A full disk takes what fits and then answers ENOSPC, to new files too.
// (7) Bits rot only where a test says so: `flipBit`, `overwrite`, `truncateDurably`.
//
// Not modelled: versions of a piece between two syncs, a medium that lies about a sync, links, permissions,
// and time.

public import SluiceLog
internal import Synchronization

/// A file system in memory, for tests of what survives: the same seed and the same calls give the same disk.
///
/// Paths are resolved from a root that exists; `/store` and `store` are the same. Everything else behaves as
/// `PosixFileSystem` does; one suite of tests runs over both.
///
/// `@unchecked Sendable`: all state is in `machine`, behind its lock, but `trace`, which is set before the
/// file system is shared. Calls from several threads are safe, but their order, and so the outcome, is no
/// longer the seed's.
public final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    /// The error number of every call from the one that `crashAfterCalls` cuts off on: no system has it.
    public static let crashErrno: Int32 = 0xDEAD

    let machine: Mutex<SimulatedMachine>

    /// Told each call before anything of it is done, with the path (a rename's old one; a file's as it was
    /// opened).
    ///
    /// It may call the file system: a `powerLoss()` here falls between two calls, and this one meets a dead
    /// handle.
    public var trace: ((FileOperation, String) -> Void)?

    /// An empty disk.
    ///
    /// - Parameters:
    ///   - seed: decides everything that is drawn.
    ///   - policy: what fails while the machine runs; by default nothing does.
    public convenience init(seed: UInt64, policy: FaultPolicy = .none) {
        self.init(SimulatedMachine(seed: seed, policy: policy))
    }

    init(_ machine: SimulatedMachine) { self.machine = Mutex(machine) }

    // MARK: Files

    /// Opens a file; ENOSPC when it would be a new one on a full disk.
    public func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        try call(.open, path) { machine throws(Errno) in try machine.open(path, mode) }
    }

    /// Closes a file, and releases its lock; does nothing with a handle that is not open.
    public func close(_ file: FileID) {
        _ = try? call(.close, file) { machine throws(Errno) in machine.close(file) }
    }

    /// Reads what is in the cache.
    public func read(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int {
        try call(.read, file) { machine throws(Errno) in
            try machine.read(file, at: position, into: buffer, offset: offset, count: count)
        }
    }

    /// As `read`, or nil with `FaultPolicy.wouldWaitProbability`.
    public func readNoWait(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int? {
        try call(.readNoWait, file) { machine throws(Errno) -> Int? in
            let probability = machine.policy.wouldWaitProbability
            if probability > 0, machine.random.chance(probability) { return nil }
            return try machine.read(file, at: position, into: buffer, offset: offset, count: count)
        }
    }

    /// Changes the cache: fault models (1) and (6).
    public func write(_ file: FileID, at position: Int64, _ slices: [ByteSlice]) throws(IOError) -> Int {
        try call(.write, file) { machine throws(Errno) in
            try machine.write(file, at: position, slices)
        } dying: { machine in
            machine.writeDying(file, at: position, slices)
        }
    }

    /// The size in the cache.
    public func size(_ file: FileID) throws(IOError) -> Int64 {
        try call(.size, file) { machine throws(Errno) in
            Int64(machine.disk.files[try machine.handle(file).file].cached.count)
        }
    }

    /// Changes the size in the cache; zeros that lengthen a file take room, unlike a real hole.
    public func truncate(_ file: FileID, to size: Int64) throws(IOError) {
        try call(.truncate, file) { machine throws(Errno) in try machine.truncate(file, to: size) }
    }

    /// Lengthens the file with zeros; ENOSPC, and nothing done, when they do not fit.
    public func allocate(_ file: FileID, bytes: Int64) throws(IOError) {
        try call(.allocate, file) { machine throws(Errno) in try machine.allocate(file, bytes: bytes) }
    }

    /// Puts what is pending on the medium, or fails as in fault model (5).
    public func sync(_ file: FileID) throws(IOError) {
        try call(.sync, file) { machine throws(Errno) in
            try machine.sync(file)
        } failing: { machine in
            machine.failSync(file)
        }
    }

    /// Takes the lock; each `processDeath()` and `powerLoss()` changes the process id in the file.
    public func lock(_ path: String) throws(IOError) -> LockResult {
        try call(.lock, path) { machine throws(Errno) in try machine.lock(path) }
    }

    /// Whether the lock is held; counted and failed as a `status`.
    public func lockState(_ path: String) throws(IOError) -> LockState {
        try call(.status, path) { machine throws(Errno) in machine.lockState(path) }
    }

    // MARK: Names

    /// Makes the names in the directory durable: fault model (2).
    public func syncDirectory(_ path: String) throws(IOError) {
        try call(.syncDirectory, path) { machine throws(Errno) in
            machine.disk.directories[try machine.disk.directory(path)].sync()
        }
    }

    /// Makes a directory; ENOSPC on a full disk.
    public func makeDirectory(_ path: String) throws(IOError) {
        try call(.makeDirectory, path) { machine throws(Errno) in try machine.makeDirectory(path) }
    }

    /// Renames: one change within a directory, two between directories.
    public func rename(_ path: String, to newPath: String) throws(IOError) {
        try call(.rename, path) { machine throws(Errno) in try machine.disk.rename(path, to: newPath) }
    }

    /// Gives a file a second name: one change.
    public func link(_ path: String, to newPath: String) throws(IOError) {
        try call(.link, path) { machine throws(Errno) in try machine.disk.link(path, to: newPath) }
    }

    /// Removes a name; the file stays for those who have it open.
    public func remove(_ path: String) throws(IOError) {
        try call(.remove, path) { machine throws(Errno) in try machine.disk.remove(path) }
    }

    /// Removes an empty directory.
    public func removeDirectory(_ path: String) throws(IOError) {
        try call(.removeDirectory, path) { machine throws(Errno) in try machine.disk.removeDirectory(path) }
    }

    /// The names as calls see them, durable or not.
    public func list(_ path: String) throws(IOError) -> [DirectoryEntry] {
        try call(.list, path) { machine throws(Errno) in
            let names = machine.disk.directories[try machine.disk.directory(path)].cached
            return names.map { DirectoryEntry(name: $0, kind: $1.kind) }.sorted()
        }
    }

    /// Kind and size as calls see them, durable or not.
    public func status(_ path: String) throws(IOError) -> FileStatus? {
        try call(.status, path) { machine throws(Errno) in
            switch machine.disk.entry(path) {
            case nil: nil
            case .directory:
                FileStatus(kind: .directory, size: 0, allocated: SimulatedDisk.blockBytes)
            case .file(let file):
                FileStatus(
                    kind: .file, size: Int64(machine.disk.files[file].cached.count),
                    allocated: machine.disk.files[file].allocated)
            }
        }
    }

    /// `FaultPolicy.capacityBytes` less the sizes of all files, or 1 TiB.
    public func availableBytes(_ path: String) throws(IOError) -> Int64 {
        try call(.availableBytes, path) { machine throws(Errno) in
            _ = try machine.disk.find(path)
            return machine.availableBytes
        }
    }

    /// Changes at each power loss.
    public var bootID: String { machine.withLock { "simulated-boot-\($0.bootNumber)" } }

    // MARK: Every call

    private func call<Result: Sendable>(
        _ operation: FileOperation, _ file: FileID,
        _ body: (inout SimulatedMachine) throws(Errno) -> Result,
        dying: (inout SimulatedMachine) -> Void = { _ in },
        failing: (inout SimulatedMachine) -> Void = { _ in }
    ) throws(IOError) -> Result {
        let path = machine.withLock { $0.path(file) }
        return try call(operation, path, body, dying: dying, failing: failing)
    }

    /// Traces, counts and perhaps fails the call; the border at which an `Errno` becomes an `IOError`.
    private func call<Result: Sendable>(
        _ operation: FileOperation, _ path: String,
        _ body: (inout SimulatedMachine) throws(Errno) -> Result,
        dying: (inout SimulatedMachine) -> Void = { _ in },
        failing: (inout SimulatedMachine) -> Void = { _ in }
    ) throws(IOError) -> Result {
        trace?(operation, path)
        do throws(Errno) {
            return try machine.withLock { machine throws(Errno) in
                switch machine.admit(operation, path) {
                case .proceeds:
                    return try body(&machine)
                case .fails(let error):
                    if !machine.isDead { failing(&machine) }
                    throw error
                case .dies:
                    dying(&machine)
                    throw Errno(Self.crashErrno)
                }
            }
        } catch {
            throw IOError(operation: operation.rawValue, path: path, errno: error.code)
        }
    }
}
