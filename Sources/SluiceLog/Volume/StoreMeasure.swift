// What a store's files take of the disk, by asking for each.
//
// (1) Only what is the store's: in its root the names that it gives, below `manifest`, `journal`, `topics`
// and `quarantine` everything. (2) The store may change meanwhile: what goes between a list and a question
// counts as gone. (3) A file that has lost its name and is still open is not seen.

enum StoreMeasure {
    /// Bytes of blocks; directories count too.
    ///
    /// - Complexity: a list for each directory and a status for each file.
    static func run(_ paths: StorePaths, _ files: any FileSystem) throws(IOError) -> Int64 {
        var bytes = try files.status(paths.root)?.allocated ?? 0
        for path in [paths.lock, paths.meta, paths.meta + ".tmp", paths.reserve, paths.rescuedOffsets] {
            bytes += try files.status(path)?.allocated ?? 0
        }
        for path in [paths.manifest, paths.journal, paths.topics, paths.quarantine] {
            bytes += try directory(path, files)
        }
        return bytes
    }

    /// A directory with all that is in it; 0 when there is none.
    private static func directory(_ path: String, _ files: any FileSystem) throws(IOError) -> Int64 {
        guard let status = try files.status(path) else { return 0 }
        var bytes = status.allocated
        let entries: [DirectoryEntry]
        do throws(IOError) {
            entries = try files.list(path)
        } catch {
            // EACCES: somebody else's, whatever it does here.
            if error.errno == 13 { return 0 }
            guard try files.status(path) == nil else { throw error }
            return 0
        }
        for entry in entries {
            switch entry.kind {
            case .file: bytes += try files.status("\(path)/\(entry.name)")?.allocated ?? 0
            case .directory: bytes += try directory("\(path)/\(entry.name)", files)
            case .other: break
            }
        }
        return bytes
    }
}

extension FileSystem {
    /// What the removal of a file will free, at least; 0 when that cannot be told.
    ///
    /// Blocks behind the end are not counted: they were not when the file grew.
    func removable(_ path: String) -> Int64 { remaining(path) ?? 0 }

    /// What a file takes, 0 when there is none; nil when that cannot be told.
    func remaining(all paths: [String]) -> Int64? {
        var sum: Int64 = 0
        for path in paths {
            guard let bytes = remaining(path) else { return nil }
            sum += bytes
        }
        return sum
    }

    /// The same of one file.
    func remaining(_ path: String) -> Int64? {
        do throws(IOError) {
            guard let found = try status(path), found.kind == .file else { return 0 }
            return min(found.allocated, DiskLedger.blocks(found.size))
        } catch {
            return nil
        }
    }
}
