// A copy of a store at one durable point, made beside whoever writes it.
//
//   1. A look: a consistent cut through all partitions (ReadOnlyVolume).
//   2. Sealed segments and their indexes are linked, or copied where they cannot be; the visible part of each
//      active segment is copied. Everything is synced, then the directories.
//   3. A manifest that says just this, closed. Synced.
//   4. meta.properties, which makes it a store.
//
// (1) A crash or an error before 4 leaves a directory that nobody takes for a store. (2) A segment that the
// writer removes meanwhile is gone from the cut, which is then taken anew from 1. (3) Links are safe: a
// sealed segment never changes, and its indexes are replaced by new files, never written. The active
// segment's files are copied for that reason. (4) The store id is kept: a backup that is put in the store's
// place is that store. Whoever goes on with both has two stores of one id, which nothing mistakes for each
// other: each has its own manifest and journal.

package struct StoreBackup {
    let files: any FileSystem
    let target: StorePaths
    let now: Instant

    /// Copies the store to `path`, which must not exist or be empty; only its last component is made.
    ///
    /// Throws `notAStore` when something is there, `offline` and `corrupt` when a partition cannot be copied
    /// whole, `io`. What it has made is removed again then, as far as that works.
    package static func make(
        of volume: inout ReadOnlyVolume, at path: String, _ files: any FileSystem, now: Instant
    ) throws(LogError) {
        let backup = StoreBackup(files: files, target: StorePaths(path), now: now)
        let isNew = try backup.claim()
        do throws(LogError) {
            for attempt in 1...maxAttempts {
                do throws(LogError) {
                    _ = try volume.look()
                    try backup.copy(volume)
                    return
                } catch {
                    // Removed by the writer between the look and the copy.
                    guard case .io(let cause) = error, cause.errno == IOError.notFound, attempt < maxAttempts
                    else { throw error }
                    backup.clear()
                }
            }
        } catch {
            backup.clear()
            if isNew { try? files.removeDirectory(path) }
            throw error
        }
    }

    /// A writer that deletes faster than one can link is met so often.
    private static let maxAttempts = 8

    /// Whether the directory was made here.
    func claim() throws(LogError) -> Bool {
        do throws(IOError) {
            guard let status = try files.status(target.root) else {
                try files.makeDirectory(target.root)
                return true
            }
            guard status.kind == .directory else {
                throw IOError(operation: "mkdir", path: target.root, errno: 20)
            }
            guard let found = try files.list(target.root).first else { return false }
            throw IOError(operation: Self.occupied, path: found.name, errno: 17)
        } catch {
            if error.operation == Self.occupied {
                throw .notAStore(
                    path: target.root, reason: "it holds \(error.path), and a copy needs an empty place")
            }
            throw .io(error)
        }
    }

    private static var occupied: String { "occupied" }

    /// Removes what has been made.
    private func clear() {
        func remove(_ directory: String) {
            for entry in (try? files.list(directory)) ?? [] {
                let path = "\(directory)/\(entry.name)"
                if entry.kind == .directory {
                    remove(path)
                    try? files.removeDirectory(path)
                } else {
                    try? files.remove(path)
                }
            }
        }
        // First what would make it a store.
        try? files.remove(target.meta)
        remove(target.root)
    }

    // MARK: The copy

    private func copy(_ volume: ReadOnlyVolume) throws(LogError) {
        var state = ManifestState()
        do throws(IOError) {
            try files.makeDirectory(target.manifest)
            try files.makeDirectory(target.topics)
        } catch {
            throw .io(error)
        }
        for topic in volume.topics {
            state.apply(.topicCreated(topic))
            for number in 0..<topic.partitions {
                let key = PartitionKey(topic: topic.id, partition: number)
                guard let index = volume.numbers[key], let partition = volume.partitions[index],
                    let manifest = volume.manifest.state.partitions[key]
                else { continue }
                state.partitions[key] = try copy(partition, manifest)
            }
        }
        state.apply(.producerIDs(below: volume.manifest.state.producerIDEnd))
        for record in volume.manifest.state.userRecords { state.apply(record) }
        try checkNotReplaced(volume)
        do throws(IOError) {
            try files.syncDirectory(target.topics)
            let wall = max(now.wallMilliseconds, volume.manifest.state.lastWallMilliseconds)
            state.apply(.opened(bootID: files.bootID, wallMilliseconds: wall, journalFloor: 0))
            state.apply(.closed(wallMilliseconds: wall))
            try StoreDirectory.finish(target, files, state, storeID: volume.storeID)
        } catch {
            throw .io(error)
        }
    }

    /// Throws as for a segment that was removed when compaction has given a name of the cut to another file.
    private func checkNotReplaced(_ volume: ReadOnlyVolume) throws(LogError) {
        var now = volume
        _ = try now.look()
        for index in volume.partitions.indices where volume.mayBeCompacted(index) {
            guard let before = volume.partitions[index]?.log, let log = now.partitions[index]?.log else {
                continue
            }
            let generations = Dictionary(
                log.sealed.map { ($0.baseOffset, $0.generation) }, uniquingKeysWith: { $1 })
            for sealed in before.sealed where sealed.endOffset > log.logStart {
                guard generations[sealed.baseOffset] == sealed.generation else {
                    throw .io(
                        IOError(
                            operation: "link", path: before.paths(of: sealed).log, errno: IOError.notFound))
                }
            }
        }
    }

    private func copy(
        _ partition: ReadOnlyPartition, _ before: PartitionManifest
    ) throws(LogError) -> PartitionManifest {
        let log = partition.log
        switch log.condition {
        case .online: break
        case .damaged(let range):
            throw .corrupt(file: range.file, position: range.position, reason: range.reason)
        case .offline(let reason): throw .offline(reason: reason)
        case .stopped(let error): throw .io(error)
        }
        var manifest = before
        manifest.logStart = log.logStart
        manifest.sealed = log.sealed
        manifest.recovery = .start(of: log.active.baseOffset)
        let end = log.visible
        do throws(IOError) {
            let directory = target.partition(log.topic, log.key.partition)
            guard !log.sealed.isEmpty || end.position > 0 else { return manifest }
            try JobRunner.makePartition(directory, topic: log.key.topic, files)
            try syncFile(directory + "/partition.metadata")
            for sealed in log.sealed {
                let from = log.paths(of: sealed)
                let to = SegmentPaths(directory: directory, baseOffset: sealed.baseOffset)
                try link(from.log, to: to.log)
                // Rebuilt from the log where they are missing.
                for (from, to) in [(from.index, to.index), (from.timeIndex, to.timeIndex)]
                where try files.status(from) != nil {
                    try link(from, to: to)
                }
            }
            if end.position > 0 {
                let active = try copyActive(partition, end, directory, before)
                manifest.recovery = active.segment.point(ceiling: before.recovery.ceiling)
                manifest.producers = active.producers.states
            }
            try files.syncDirectory(directory)
        } catch {
            if error.operation == Self.damage {
                throw .corrupt(
                    file: log.paths.log, position: Int64(error.errno),
                    reason: "what is there is no whole batch: \(error.path)")
            }
            throw .io(error)
        }
        manifest.damagedBelow = 0
        return manifest
    }

    private static var damage: String { "batch" }

    private func syncFile(_ path: String) throws(IOError) {
        let file = try files.open(path, .write)
        defer { files.close(file) }
        try files.sync(file)
    }

    /// A second name for a file, or a copy where the file systems differ or there are no links.
    private func link(_ path: String, to newPath: String) throws(IOError) {
        do throws(IOError) {
            return try files.link(path, to: newPath)
        } catch {
            // EIO, ENOSPC and the like would strike a copy as well, and then say so; ENOENT is told at once.
            if error.errno == IOError.notFound { throw error }
        }
        try FileCopy(files: files).copy(path, to: newPath)
    }

    /// The visible part of the active segment, batch by batch, with the batches that the journal alone has.
    private func copyActive(
        _ partition: ReadOnlyPartition, _ end: LogPlace, _ directory: String, _ before: PartitionManifest
    ) throws(IOError) -> SegmentWriter {
        let log = partition.log
        let producers = CopiedProducers(
            states: before.producers, start: before.recovery.offset, wall: now.wallMilliseconds)
        var writer = try SegmentWriter(
            directory, baseOffset: log.active.baseOffset, interval: log.settings.indexIntervalBytes,
            producers, files)
        defer { writer.close() }
        var scanner = try TailScanner(path: log.paths.log, files: files)
        defer { scanner.close() }
        if scanner.file == nil, partition.pieces.isEmpty {
            throw IOError(operation: "open", path: log.paths.log, errno: IOError.notFound)
        }
        while writer.segment.size < end.position {
            let position = writer.segment.size
            if let piece = partition.pieces.first(where: { $0.position == position }) {
                try writer.append(batchesOf: piece.bytes)
                continue
            }
            switch try scanner.batch(at: position, expecting: writer.segment.endOffset) {
            case .valid(let header, let bytes): try writer.append(header, bytes)
            case .invalid(let reason):
                throw IOError(operation: Self.damage, path: reason, errno: Int32(clamping: position))
            }
        }
        try writer.finish()
        return writer
    }
}
