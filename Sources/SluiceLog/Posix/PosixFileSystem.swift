// The real file system: each method is one system call, and the loop or the translation that the contract
// asks for.
//
// (1) `FileID.rawValue` is the descriptor. (2) Nothing is cached but the paths of open files, for errors. (3)
//     May be called from several threads at once; a descriptor that one closes while another uses it is the
//     caller's error.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import CSluiceSystem

/// Files and directories of the operating system, Linux's or Darwin's.
///
/// A class since `FileSystem` is one: every part of a store holds the same. `Sendable` since its only mutable
/// state, the table of paths, is behind a lock; that lock is taken at open, at close and for an error, never
/// for a read or a write.
public final class PosixFileSystem: FileSystem {
    /// Slices that one pwritev(2) takes. Linux's and Darwin's IOV_MAX, which their Swift modules lack.
    static let maximumVectorCount = 1024

    let paths = OpenPaths()

    /// The kernel's name for this boot, read once; `unknown` where there is none.
    public let bootID: String

    /// The file system of this machine; relative paths are the process's.
    public init() { bootID = Self.readBootID() }

    // MARK: Open files

    /// open(2), not inherited by child processes; new files are 0644 under the umask.
    public func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .create: O_RDWR | O_CREAT
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        return remember(try systemOpen(path, flags), path)
    }

    /// close(2). The id is the next file's as soon as this returns.
    public func close(_ file: FileID) {
        // Forgotten first: once the descriptor is closed, its number may be another file's.
        paths[file.rawValue] = nil
        systemClose(file.rawValue)
    }

    func remember(_ descriptor: Int32, _ path: String) -> FileID {
        paths[descriptor] = path
        return FileID(rawValue: descriptor)
    }

    func path(_ file: FileID) -> String {
        paths[file.rawValue] ?? "descriptor \(file.rawValue)"
    }

    // MARK: Bytes

    /// pread(2) until all is read or the file ends.
    public func read(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int {
        try buffer.receive(at: offset, count: count) { memory throws(IOError) in
            var received = 0
            while received < count {
                let got = try systemCall("read", path(file)) {
                    pread(
                        file.rawValue, memory.baseAddress! + received, count - received,
                        off_t(position) + off_t(received))
                }
                if got == 0 { break }
                received += got
            }
            return received
        }
    }

    /// preadv2(2) with RWF_NOWAIT until all is read or the file ends; nil when a page is not in memory.
    ///
    /// Where the system or the file system has no such call, pread(2): never nil.
    public func readNoWait(
        _ file: FileID, at position: Int64, into buffer: ByteBuffer, offset: Int, count: Int
    ) throws(IOError) -> Int? {
        let received = try buffer.receive(at: offset, count: count) { memory throws(IOError) in
            var received = 0
            while received < count {
                // Short when the next page is not in memory: the call after it says EAGAIN, and end of file
                // says 0.
                let got: Int
                do throws(IOError) {
                    got = try systemCall("preadv2", path(file)) {
                        sluice_pread_nowait(
                            file.rawValue, memory.baseAddress! + received, count - received,
                            off_t(position) + off_t(received))
                    }
                } catch  where error.errno == EAGAIN {
                    return -1
                }
                if got == 0 { break }
                received += got
            }
            return received
        }
        return received < 0 ? nil : received
    }

    /// One pwritev(2) of the first 1,024 slices that are not empty; a short write is returned as it is.
    public func write(_ file: FileID, at position: Int64, _ slices: [ByteSlice]) throws(IOError) -> Int {
        // Empty slices are left out: 1,024 of them would make a write of nothing look like a full disk.
        let parts = slices.count { $0.count > 0 }
        guard parts > 0 else { return 0 }
        let written = try withExtendedLifetime(slices) { () throws(IOError) in
            try systemCall("write", path(file)) {
                withUnsafeTemporaryAllocation(of: iovec.self, capacity: min(parts, Self.maximumVectorCount)) {
                    vectors in
                    var count = 0
                    for slice in slices where slice.count > 0 && count < vectors.count {
                        let base = UnsafeMutableRawPointer(mutating: slice.pointer.baseAddress)
                        vectors.initializeElement(at: count, to: iovec(iov_base: base, iov_len: slice.count))
                        count += 1
                    }
                    return pwritev(file.rawValue, vectors.baseAddress!, Int32(count), off_t(position))
                }
            }
        }
        // No file system does that; a caller that loops until all is written must not loop for ever if one
        // does.
        guard written > 0 else { throw IOError(operation: "write", path: path(file), errno: EIO) }
        return written
    }

    /// fstat(2).
    public func size(_ file: FileID) throws(IOError) -> Int64 {
        var information = stat()
        _ = try systemCall("fstat", path(file)) { fstat(file.rawValue, &information) }
        return Int64(information.st_size)
    }

    /// ftruncate(2).
    public func truncate(_ file: FileID, to size: Int64) throws(IOError) {
        _ = try systemCall("ftruncate", path(file)) { ftruncate(file.rawValue, off_t(size)) }
    }

    /// fallocate(2); on Darwin EOPNOTSUPP.
    public func allocate(_ file: FileID, bytes: Int64) throws(IOError) {
        _ = try systemCall("fallocate", path(file)) { sluice_allocate(file.rawValue, off_t(bytes)) }
    }

    /// fdatasync(2); on Darwin fcntl(2) with F_FULLFSYNC.
    public func sync(_ file: FileID) throws(IOError) {
        _ = try systemCall("fdatasync", path(file)) { sluice_datasync(file.rawValue) }
    }
}
