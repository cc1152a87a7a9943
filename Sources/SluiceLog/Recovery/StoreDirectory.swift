// A store's directory: made, recognised, locked, opened.
//
// Making one:  1. LOCK  2. manifest/000001.log, topics/  3. a sync of these names and of the root's own
// 4. meta.properties, which makes it a store. A crash before 4 leaves a directory that holds nothing else;
//    the next
// opening begins again.
//
//   meta.properties   version=1 · store.id=<22 characters of base64url> · compat= · ro-compat= · incompat=
//
// The one flag that there is, under `incompat`: `producer-state`, once the manifest has records about
// idempotent producers.
//
// (1) A directory with anything else in it and without `meta.properties` is never touched. (2) A flag under
// `incompat` that this version does not know refuses to open, one under `ro-compat` refuses to write.

/// An opened store: the volume, and what goes with it.
package struct OpenedStore: ~Copyable {
    package var volume: Volume
    package var report: RecoveryReport
    /// Held as long as the store is open.
    package var lock: FileID
    package var storeID: UniqueID
    /// The latest time by the wall clock that the store had seen before, ms; 0 when it is new.
    package var previousWall: Int64

    /// The volume; the rest has been read.
    package consuming func intoVolume() -> Volume { volume }
}

package enum StoreDirectory {
    package static let formatVersion = 1
    /// How often a store that changes while it is verified is looked at.
    private static let verifyAttempts = 5
    private static let ownNames: Set<String> = ["LOCK", "meta.properties.tmp", "manifest", "topics"]

    /// Opens the store at `root` for writing, making it when it does not exist.
    ///
    /// Throws `notADirectory`, `notAStore`, `newerFormat`, `locked`, `io`, `corrupt`.
    /// - Parameters:
    ///   - strict: fail, before anything is changed, when acknowledged data is damaged.
    ///   - interpret: what a topic's settings, as text, mean.
    package static func open(
        _ root: String, _ files: any FileSystem, configuration: VolumeConfiguration, strict: Bool = false,
        now: Instant, random: inout some RandomNumberGenerator,
        interpret: @escaping ([TopicRecord.Setting]) -> LogSettings
    ) throws(LogError) -> OpenedStore {
        let paths = StorePaths(root)
        let isStore = try examine(paths, files, mayMake: true)
        let lock = try takeLock(paths, files)
        do throws(LogError) {
            try isStore ? keepNames(paths, files) : make(paths, files, now: now, &random)
            let storeID = try readMeta(paths, files)
            let loaded = try ManifestFile.load(paths, storeID: storeID, files)
            let planner = RecoveryPlanner(
                paths: paths, files: files, window: configuration.windowBytes, interpret: interpret)
            let plan = try planner.plan(loaded)
            if strict, let damage = plan.report.findings.first(where: \.isDamage) { throw error(for: damage) }
            let executor = RecoveryExecutor(paths: paths, files: files, configuration: configuration)
            let recovered = try executor.apply(plan, now: now)
            let report = recovered.report
            return OpenedStore(
                volume: recovered.volume, report: report, lock: lock, storeID: storeID,
                previousWall: loaded.state.lastWallMilliseconds)
        } catch {
            files.close(lock)
            throw error
        }
    }

    /// Plans what opening would do, and changes nothing. Throws as `open`, but never `locked`.
    package static func verify(
        _ root: String, _ files: any FileSystem, deep: Bool,
        interpret: @escaping ([TopicRecord.Setting]) -> LogSettings
    ) throws(LogError) -> RecoveryReport {
        let paths = StorePaths(root)
        guard try examine(paths, files, mayMake: false) else {
            throw .notAStore(path: root, reason: "it has no meta.properties")
        }
        var manifest = try ManifestFollower(
            paths, storeID: try readMeta(paths, files, mayWrite: false), files)
        let planner = RecoveryPlanner(
            paths: paths, files: files, window: VolumeConfiguration().windowBytes, interpret: interpret)
        var attempt = 0
        while true {
            attempt += 1
            let plan = try planner.plan(manifest.loaded)
            var report = plan.report
            if deep { DeepCheck(files: files).run(plan, &report) }
            // Who writes meanwhile may have rolled or removed a segment since the manifest was read.
            if attempt < verifyAttempts, report.isDamaged, try manifest.look() != .nothing { continue }
            return report
        }
    }

    static func error(for finding: RecoveryFinding) -> LogError {
        switch finding {
        case .corrupt(let file, let position, let reason):
            .corrupt(file: file, position: position, reason: reason)
        case .offline(_, _, let reason): .offline(reason: reason)
        case .sealBroken(let file, let reason): .corrupt(file: file, position: 0, reason: reason)
        default: .corrupt(file: "", position: 0, reason: finding.description)
        }
    }

    /// Whether there is a store at the root. False: it may be made there.
    static func examine(
        _ paths: StorePaths, _ files: any FileSystem, mayMake: Bool
    ) throws(LogError) -> Bool {
        var foreign: String?
        var isDirectory = true
        do throws(IOError) {
            guard let status = try files.status(paths.root) else {
                guard mayMake else { return false }
                try files.makeDirectory(paths.root)
                return false
            }
            if status.kind == .directory {
                if try files.status(paths.meta) != nil { return true }
                foreign = try files.list(paths.root).first { !ownNames.contains($0.name) }?.name
                // A store whose meta.properties is lost is not an unfinished one: nothing is to be made over
                // it.
                if foreign == nil, try files.status(paths.topics) != nil {
                    foreign = try files.list(paths.topics).first.map { "topics/\($0.name)" }
                }
            } else {
                isDirectory = false
            }
        } catch {
            throw .io(error)
        }
        guard isDirectory else { throw .notADirectory(path: paths.root) }
        if let foreign {
            throw .notAStore(path: paths.root, reason: "it holds \(foreign) and has no meta.properties")
        }
        return false
    }

    private static func takeLock(_ paths: StorePaths, _ files: any FileSystem) throws(LogError) -> FileID {
        let result: LockResult
        do throws(IOError) {
            result = try files.lock(paths.lock)
        } catch {
            throw .io(error)
        }
        switch result {
        case .locked(let file): return file
        case .held(let processID): throw .locked(path: paths.root, processID: processID)
        }
    }

    /// A process that died while it made the store may have left its names in memory alone.
    private static func keepNames(_ paths: StorePaths, _ files: any FileSystem) throws(LogError) {
        do throws(IOError) {
            try files.syncDirectory(paths.root)
        } catch {
            throw .io(error)
        }
    }

    private static func make(
        _ paths: StorePaths, _ files: any FileSystem, now: Instant, _ random: inout some RandomNumberGenerator
    ) throws(LogError) {
        let storeID = UniqueID(using: &random)
        do throws(IOError) {
            try files.makeDirectory(paths.manifest)
            try files.makeDirectory(paths.topics)
            var state = ManifestState()
            state.apply(
                .opened(bootID: files.bootID, wallMilliseconds: now.wallMilliseconds, journalFloor: 0))
            state.apply(.closed(wallMilliseconds: now.wallMilliseconds))
            try finish(paths, files, state, storeID: storeID)
        } catch {
            throw .io(error)
        }
    }

    /// Makes a store of a directory whose files are there and synced: the manifest, the names, and last
    /// `meta.properties`.
    static func finish(
        _ paths: StorePaths, _ files: any FileSystem, _ state: ManifestState, storeID: UniqueID
    ) throws(IOError) {
        let made = try ManifestFile.begin(
            paths, number: 1, sequence: 1, storeID: storeID, records: state.snapshot, files)
        files.close(made.file)
        try files.syncDirectory(parent(of: paths.root))
        try files.syncDirectory(paths.root)
        let bytes = meta(storeID, hasProducers: state.hasProducers)
        try files.replaceFile(paths.meta, in: paths.root, with: bytes)
    }

    /// What `meta.properties` says.
    static func meta(_ storeID: UniqueID, hasProducers: Bool) -> [UInt8] {
        let flags = hasProducers ? producerState : ""
        let text =
            "version=\(formatVersion)\nstore.id=\(storeID)\ncompat=\nro-compat=\nincompat=\(flags)\n"
        return Array(text.utf8)
    }

    /// A build before idempotent producers cannot read the manifest any more.
    private static let producerState = "producer-state"

    /// - Parameter mayWrite: false for who only reads: a flag under `ro-compat` does not concern him.
    package static func readMeta(
        _ paths: StorePaths, _ files: any FileSystem, mayWrite: Bool = true
    ) throws(LogError) -> UniqueID {
        let bytes: [UInt8]
        do throws(IOError) {
            bytes = try files.readAll(paths.meta, limit: 1 << 16)
        } catch {
            throw .io(error)
        }
        var properties: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            properties[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        guard let version = properties["version"].flatMap({ Int($0) }) else {
            throw .notAStore(path: paths.root, reason: "its meta.properties names no version")
        }
        let features = (mayWrite ? ["incompat", "ro-compat"] : ["incompat"]).flatMap { kind in
            (properties[kind] ?? "").split(separator: ",").map(String.init).filter { $0 != producerState }
        }
        guard version <= formatVersion, features.isEmpty else {
            throw .newerFormat(path: paths.root, version: version, features: features)
        }
        guard version == formatVersion, let id = properties["store.id"].flatMap({ UniqueID($0) }) else {
            throw .notAStore(path: paths.root, reason: "its meta.properties names no store.id of this format")
        }
        return id
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.dropLast(path.hasSuffix("/") ? 1 : 0).lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
