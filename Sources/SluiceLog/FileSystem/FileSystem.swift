// The lower waist: every byte that the engine reads or writes passes through here.
//
// (1) Files are integers (`FileID`), not objects: a handle that is `~Copyable` behind an existential does not
//     compile on Swift 6.3. (2) Calls are synchronous and may be made from several threads at once; two
//     writers of one file are the caller's error. (3) Nothing here retries but EINTR. (4) Paths are strings,
//     absolute or relative to the process.

/// An open file, from `open` or `lock` until `close`.
///
/// Drop every copy at close: the number may be the next file's, and a call with it would reach that one.
public struct FileID: Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }
}

/// How a file is opened. All files may be read.
public enum OpenMode: Sendable {
    /// It must exist; only reading.
    case read
    /// It must exist; reading and writing.
    case write
    /// Made when it is missing; reading and writing; what it holds stays.
    case create
    /// Made when it is missing, emptied when it is not.
    case replace
}

/// What a path names.
public enum FileKind: Sendable, Hashable { case file, directory, other }

/// Kind and length of what a path names.
public struct FileStatus: Sendable, Hashable {
    public var kind: FileKind
    /// Bytes; 0 for what is not a file.
    public var size: Int64
    /// Bytes of the blocks that it takes on the medium, also when it is a directory: `st_blocks`.
    public var allocated: Int64
    public init(kind: FileKind, size: Int64, allocated: Int64) {
        self.kind = kind
        self.size = size
        self.allocated = allocated
    }
}

/// A name within a directory, and what it is.
public struct DirectoryEntry: Sendable, Hashable, Comparable {
    public var name: String
    public var kind: FileKind
    public init(name: String, kind: FileKind) {
        self.name = name
        self.kind = kind
    }
    public static func < (a: Self, b: Self) -> Bool { a.name < b.name }
}

/// A failed call to the file system: which, on what, and the system's error number.
public struct IOError: Error, Hashable, Sendable {
    /// The call, as its manual page is named: `write`, `fdatasync`, `rename` …
    public var operation: String
    public var path: String
    /// The system's error number, Linux's or Darwin's own.
    public var errno: Int32
    public init(operation: String, path: String, errno: Int32) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }
}

/// The outcome of asking for the store's lock.
public enum LockResult: Sendable {
    /// Held until the file is closed.
    case locked(FileID)
    /// Another process has it; its id when the file says so.
    case held(processID: Int32?)
}

/// Whether someone holds the store's lock.
public enum LockState: Sendable, Hashable {
    case free
    /// A process has it; its id when the file says so.
    case held(processID: Int32?)
}

/// Files and directories as the engine needs them.
///
/// `PosixFileSystem` is the real one, `SimulatedFileSystem` (SluiceTesting) the one that loses power.
public protocol FileSystem: AnyObject, Sendable {
    /// Opens a file. A new file's name is durable only after `syncDirectory` of its directory.
    func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID
    func close(_ file: FileID)
    /// Reads up to `count` bytes at `position` to `buffer[offset...]`, and returns how many: fewer only at
    /// the end of the file. `offset + count` is at most the buffer's capacity; its `count` grows to cover
    /// what was read.
    func read(_ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int)
        throws(IOError) -> Int
    /// As `read`, but nil when that would wait for the disk.
    func readNoWait(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int?
    /// Writes the slices one after another at `position` and returns the bytes written, which may be fewer
    /// (then the next call tells why). Throws when not one byte could be written.
    func write(_ file: FileID, at position: Int64, _ slices: [ByteSlice]) throws(IOError) -> Int
    func size(_ file: FileID) throws(IOError) -> Int64
    func truncate(_ file: FileID, to size: Int64) throws(IOError)
    /// fallocate(2): the file has at least so many bytes, and room on the disk for each; new ones are zeros.
    ///
    /// ENOSPC, and then some may be there. EOPNOTSUPP: bytes must be written instead.
    func allocate(_ file: FileID, bytes: Int64) throws(IOError)
    /// fdatasync(2): contents and size are on the medium on return. After a failure nothing is known of what
    /// was written.
    func sync(_ file: FileID) throws(IOError)
    /// `sync` of each of them, all at once where that is faster: one result for each, in their order.
    func syncAll(_ files: [FileID]) -> [IOError?]
    /// Names made, renamed and removed in the directory are on the medium on return.
    func syncDirectory(_ path: String) throws(IOError)
    /// `syncDirectory` of each of them, as `syncAll`.
    func syncAllDirectories(_ paths: [String]) -> [IOError?]
    /// Makes one directory; succeeds when it exists.
    func makeDirectory(_ path: String) throws(IOError)
    /// Renames, replacing a file of the new name.
    func rename(_ path: String, to newPath: String) throws(IOError)
    /// Removes a file; succeeds when there is none.
    func remove(_ path: String) throws(IOError)
    /// Removes an empty directory; succeeds when there is none.
    func removeDirectory(_ path: String) throws(IOError)
    /// The names in a directory, sorted, without `.` and `..`.
    func list(_ path: String) throws(IOError) -> [DirectoryEntry]
    /// nil when there is nothing of that name.
    func status(_ path: String) throws(IOError) -> FileStatus?
    /// Makes the file when it is missing, takes the lock on it, and writes the process id into it.
    func lock(_ path: String) throws(IOError) -> LockResult
    /// Whether the lock is held, without keeping it, making a file or writing: works on read-only media too.
    func lockState(_ path: String) throws(IOError) -> LockState
    /// Gives a file a second name, which must be free. EXDEV, EPERM and their like: it must be copied
    /// instead.
    func link(_ path: String, to newPath: String) throws(IOError)
    /// Bytes that this process may still write to the file system that holds `path`.
    func availableBytes(_ path: String) throws(IOError) -> Int64
    /// Tells boots of the machine apart: pages that a failed sync left in memory do not outlive one.
    var bootID: String { get }
}
