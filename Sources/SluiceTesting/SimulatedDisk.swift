// The tree of names and the files they lead to: what calls on paths do, without faults, handles or counting.
//
// (1) Inodes are indices into two arrays; directory 0 is the root. (2) An inode that no name of the cached
//     tree leads to stays until the next power loss, since a removal that was not durable brings it back. (3)
//     Paths are resolved from the root, relative ones too; `.` and `..` are resolved in the text.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import SluiceLog

/// A system error number on its way to the border, where `SimulatedFileSystem` adds the call and the path.
struct Errno: Error, Hashable {
    var code: Int32
    init(_ code: Int32) { self.code = code }
}

/// Everything that has a name, and what of it the medium holds.
struct SimulatedDisk: Sendable {
    var files: [SimulatedFile] = []
    var directories: [SimulatedDirectory] = [SimulatedDirectory()]
    private var freeFiles: [Int] = []
    private var freeDirectories: [Int] = []

    /// The sum of the sizes of the files that somebody can still read.
    var usedBytes: Int64 {
        files.reduce(0) { $0 + ($1.isAlive ? Int64($1.cached.count) : 0) }
    }

    /// What everything takes of the medium in whole blocks: files that somebody can still read, and
    /// directories that a name leads to, but for the root.
    var allocatedBytes: Int64 {
        var bytes: Int64 = 0
        for file in files where file.isAlive { bytes += file.allocated }
        for directory in directories {
            for case .directory in directory.cached.values { bytes += Self.blockBytes }
        }
        return bytes
    }

    /// What files and directories are made of.
    static let blockBytes: Int64 = 4096

    // MARK: Looking up

    /// What `path` leads to; nil when that or a directory on the way is missing.
    func entry(_ path: String) -> SimulatedEntry? { try? find(path) }

    /// What `path` leads to; ENOENT when it is missing, ENOTDIR when a file is on the way.
    func find(_ path: String) throws(Errno) -> SimulatedEntry { try find(Self.components(path)[...]) }

    /// The directory `path`; ENOENT or ENOTDIR when it is none.
    func directory(_ path: String) throws(Errno) -> Int { try directory(Self.components(path)[...]) }

    private func directory(_ components: ArraySlice<String>) throws(Errno) -> Int {
        guard case .directory(let index) = try find(components) else { throw Errno(ENOTDIR) }
        return index
    }

    private func find(_ components: ArraySlice<String>) throws(Errno) -> SimulatedEntry {
        var entry = SimulatedEntry.directory(0)
        for name in components {
            guard case .directory(let index) = entry else { throw Errno(ENOTDIR) }
            guard let next = directories[index].cached[name] else { throw Errno(ENOENT) }
            entry = next
        }
        return entry
    }

    /// The directory that holds the last name of `path`, which need not exist, and that name; EBUSY for the
    /// root.
    private func place(_ path: String) throws(Errno) -> (directory: Int, name: String) {
        let components = Self.components(path)
        guard let name = components.last else { throw Errno(EBUSY) }
        return (try directory(components.dropLast()), name)
    }

    private static func components(_ path: String) -> [String] {
        var components: [String] = []
        // By bytes: to compare characters took a sixth of a simulation's time.
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            switch String(Substring(part)) {
            case ".": break
            case "..": _ = components.popLast()
            case let name: components.append(name)
            }
        }
        return components
    }

    // MARK: Changing names

    /// A new, empty file of a name that nothing has.
    mutating func makeFile(_ path: String) throws(Errno) -> Int {
        let (directory, name) = try place(path)
        let file: Int
        if let free = freeFiles.popLast() {
            file = free
        } else {
            file = files.count
            files.append(SimulatedFile())
        }
        files[file].linkCount = 1
        directories[directory].set(name, .file(file))
        return file
    }

    mutating func makeDirectory(_ path: String) throws(Errno) {
        switch entry(path) {
        case .directory: return
        case .file: throw Errno(EEXIST)
        case nil: break
        }
        let (parent, name) = try place(path)
        let directory: Int
        if let free = freeDirectories.popLast() {
            directory = free
        } else {
            directory = directories.count
            directories.append(SimulatedDirectory())
        }
        directories[parent].set(name, .directory(directory))
    }

    mutating func rename(_ path: String, to newPath: String) throws(Errno) {
        let old = try place(path)
        guard let entry = directories[old.directory].cached[old.name] else { throw Errno(ENOENT) }
        let new = try place(newPath)
        let replaced = directories[new.directory].cached[new.name]
        guard replaced != entry else { return }
        switch (entry, replaced) {
        case (_, nil), (.file, .file): break
        case (.file, .directory): throw Errno(EISDIR)
        case (.directory, .file): throw Errno(ENOTDIR)
        case (.directory, .directory(let index)):
            guard directories[index].cached.isEmpty else { throw Errno(ENOTEMPTY) }
        }
        if case .directory = entry, Self.components(newPath).starts(with: Self.components(path)) {
            throw Errno(EINVAL)
        }
        if case .file(let index) = replaced { files[index].linkCount -= 1 }
        if old.directory == new.directory {
            directories[old.directory].rename(old.name, to: new.name)
        } else {
            directories[new.directory].set(new.name, entry)
            directories[old.directory].set(old.name, nil)
        }
    }

    mutating func link(_ path: String, to newPath: String) throws(Errno) {
        guard case .file(let index) = try find(path) else { throw Errno(EPERM) }
        let new = try place(newPath)
        guard directories[new.directory].cached[new.name] == nil else { throw Errno(EEXIST) }
        files[index].linkCount += 1
        directories[new.directory].set(new.name, .file(index))
    }

    mutating func remove(_ path: String) throws(Errno) {
        switch entry(path) {
        case nil: return
        case .directory: throw Errno(EISDIR)
        case .file(let file):
            let (directory, name) = try place(path)
            directories[directory].set(name, nil)
            files[file].linkCount -= 1
        }
    }

    mutating func removeDirectory(_ path: String) throws(Errno) {
        switch entry(path) {
        case nil: return
        case .file: throw Errno(ENOTDIR)
        case .directory(let index):
            let (directory, name) = try place(path)
            guard directories[index].cached.isEmpty else { throw Errno(ENOTEMPTY) }
            directories[directory].set(name, nil)
        }
    }

    // MARK: Durability

    /// Makes durable the names of every directory in which a name of `file` is not durable yet.
    mutating func syncNames(of file: Int) {
        for index in directories.indices where directories[index].isPending(.file(file)) {
            directories[index].sync()
        }
    }

    /// The power goes. What no surviving name leads to is gone.
    mutating func losePower(_ random: inout SeededRandom) {
        for index in directories.indices { directories[index].losePower(&random) }
        for index in files.indices { files[index].losePower(&random) }
        removeUnreached()
    }

    /// The same; what survives is chosen.
    mutating func losePower(_ chosen: inout ChosenSurvival) {
        for index in directories.indices { directories[index].losePower(&chosen) }
        for index in files.indices { files[index].losePower(&chosen) }
        removeUnreached()
    }

    private mutating func removeUnreached() {
        for index in files.indices { files[index].linkCount = 0 }
        var reached: Set = [0]
        var waiting = [0]
        while let directory = waiting.popLast() {
            for entry in directories[directory].cached.values {
                switch entry {
                case .file(let file): files[file].linkCount += 1
                case .directory(let next): if reached.insert(next).inserted { waiting.append(next) }
                }
            }
        }
        freeFiles = files.indices.filter { files[$0].linkCount == 0 }
        for index in freeFiles { files[index] = SimulatedFile() }
        freeDirectories = directories.indices.filter { !reached.contains($0) }
        for index in freeDirectories { directories[index] = SimulatedDirectory() }
    }
}
