// Directories and what is in them.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import CSluiceSystem

extension PosixFileSystem {
    /// fsync(2) of the directory; on Darwin fcntl(2) with F_FULLFSYNC.
    ///
    /// When no descriptor is left for it, syncfs(2) through an open file below it: a sync that failed for
    /// want of a descriptor would have to be taken for one that failed, and that is final.
    public func syncDirectory(_ path: String) throws(IOError) {
        let directory: Int32
        do throws(IOError) {
            directory = try systemOpenDirectory(path)
        } catch  where error.isTooManyFiles {
            // Every open file below it is on its file system.
            let done = try paths.withFile(in: path) { file throws(IOError) in
                _ = try systemCall("syncfs", path) { sluice_syncfs(file) }
            }
            guard done else { throw error }
            return
        }
        defer { systemClose(directory) }
        _ = try systemCall("fsync", path) { sluice_fullsync(directory) }
    }

    /// mkdir(2) with mode 0755 under the umask.
    public func makeDirectory(_ path: String) throws(IOError) {
        do throws(IOError) {
            _ = try systemCall("mkdir", path) { mkdir(path, 0o755) }
        } catch  where error.errno == EEXIST {
            guard try status(path)?.kind == .directory else { throw error }
        }
    }

    /// rename(2). An error names the old path.
    public func rename(_ path: String, to newPath: String) throws(IOError) {
        try systemRename(path, newPath)
    }

    /// link(2).
    public func link(_ path: String, to newPath: String) throws(IOError) {
        try systemLink(path, newPath)
    }

    /// unlink(2).
    public func remove(_ path: String) throws(IOError) {
        do throws(IOError) {
            _ = try systemCall("unlink", path) { unlink(path) }
        } catch  where Self.meansMissing(error) {}
    }

    /// rmdir(2).
    public func removeDirectory(_ path: String) throws(IOError) {
        do throws(IOError) {
            _ = try systemCall("rmdir", path) { rmdir(path) }
        } catch  where error.errno == ENOENT {}
    }

    /// readdir(3), sorted. A name that is not UTF-8 is repaired, and so cannot be opened.
    public func list(_ path: String) throws(IOError) -> [DirectoryEntry] {
        guard let stream = opendir(path) else {
            throw IOError(operation: "opendir", path: path, errno: errno)
        }
        defer { closedir(stream) }
        var entries: [DirectoryEntry] = []
        while true {
            // The end and an error look alike but for errno.
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw IOError(operation: "readdir", path: path, errno: errno) }
                return entries.sorted()
            }
            let name = String(cString: sluice_entry_name(entry))
            if name == "." || name == ".." { continue }
            let kind =
                switch Int(sluice_entry_kind(entry)) {
                case SLUICE_ENTRY_FILE: FileKind.file
                case SLUICE_ENTRY_DIRECTORY: FileKind.directory
                // A symbolic link, or a file system that does not say: what it leads to decides, as it does
                // in `status`.
                case SLUICE_ENTRY_UNKNOWN: try status("\(path)/\(name)")?.kind ?? .other
                default: FileKind.other
                }
            entries.append(DirectoryEntry(name: name, kind: kind))
        }
    }

    /// stat(2): of what a symbolic link leads to.
    public func status(_ path: String) throws(IOError) -> FileStatus? {
        var information = stat()
        do throws(IOError) {
            _ = try systemCall("stat", path) { stat(path, &information) }
        } catch  where Self.meansMissing(error) {
            return nil
        }
        // In units of 512 bytes, whatever the file system's own are.
        let allocated = Int64(information.st_blocks) * 512
        switch information.st_mode & S_IFMT {
        case S_IFREG:
            return FileStatus(kind: .file, size: Int64(information.st_size), allocated: allocated)
        case S_IFDIR: return FileStatus(kind: .directory, size: 0, allocated: allocated)
        default: return FileStatus(kind: .other, size: 0, allocated: 0)
        }
    }

    /// statvfs(3): what is left to users without privileges.
    public func availableBytes(_ path: String) throws(IOError) -> Int64 {
        var information = statvfs()
        _ = try systemCall("statvfs", path) { statvfs(path, &information) }
        let (bytes, overflow) = UInt64(information.f_bavail).multipliedReportingOverflow(
            by: UInt64(information.f_frsize))
        return overflow ? .max : Int64(clamping: bytes)
    }

    /// Nothing has that name: it is not there, or a file is where a directory on the way should be.
    private static func meansMissing(_ error: IOError) -> Bool {
        error.errno == ENOENT || error.errno == ENOTDIR
    }
}
