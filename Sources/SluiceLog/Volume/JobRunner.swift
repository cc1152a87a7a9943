// Does a job: the only place of the append path that calls the file system.
//
// (1) Nothing is decided here but what a failure leaves behind. (2) Directories are synced before what relies
// on their names: `topics/` before a partition's directory, that before the segment in it. (3) No state: any
// thread may run any job.

/// Runs jobs on a file system.
public struct JobRunner: Sendable {
    let files: any FileSystem
    private let storeID: UniqueID

    package init(_ files: any FileSystem, storeID: UniqueID) {
        self.files = files
        self.storeID = storeID
    }

    /// Does the job, waiting for the disk as long as it takes, and says what came of it.
    public func run(_ job: IOJob) -> IOResult {
        switch job {
        case .write(let job): .write(write(job))
        case .commit(let job): .commit(commit(job))
        case .manifest(let job): .manifest(append(job))
        case .sync(let job): .sync(sync(job.targets))
        case .roll(let job): roll(job)
        case .remove(let job): .remove(remove(job))
        case .journal(let job): .journal(makeJournal(job))
        case .measure(let job): .measure(measure(job))
        case .reserve(let job): .reserve(makeReserve(job))
        case .scrub(let job): .scrub(job.run(files))
        case .compact(let job): .compact(job.compaction.run(files, bytes: job.bytes))
        }
    }

    // MARK: Segments

    private func write(_ job: WriteJob) -> WriteResult {
        if let evicted = job.evicted { files.close(evicted.file) }
        defer { job.tail?.flush(to: job.file.paths, files) }
        var file = job.file.id
        do throws(IOError) {
            if file == nil { file = try open(job.file, isNew: job.position == 0) }
        } catch {
            return WriteResult(written: 0, crc: job.crc, file: nil, error: error)
        }
        guard let file else { return WriteResult(written: 0, crc: job.crc, file: nil, error: nil) }
        job.batches.forEach(Self.place)
        let outcome = files.writeFully(file, at: job.position, job.batches.map(\.bytes))
        // An error in the middle of a batch: the segment holds whole batches and nothing else at any instant.
        var whole = 0
        var bytes = 0
        for batch in job.batches {
            guard bytes + batch.bytes.count <= outcome.written else { break }
            bytes += batch.bytes.count
            whole += 1
        }
        var isDirty = false
        if outcome.error != nil, outcome.written > bytes, !PlantedBug.partOfBatchLeft.isPlanted {
            do throws(IOError) {
                try files.truncate(file, to: job.position + Int64(bytes))
            } catch {
                isDirty = true
            }
        }
        var crc = job.crc
        for batch in job.batches[..<whole] { crc = CRC32C.extend(crc, batch.bytes.bytes) }
        return WriteResult(written: whole, crc: crc, file: file, error: outcome.error, isDirty: isDirty)
    }

    /// Gives a batch its offset, its epoch and, where the log does that, its time.
    private static func place(_ batch: PlacedBatch) {
        let slice = batch.bytes
        slice.buffer.assign(baseOffset: batch.baseOffset, leaderEpoch: batch.leaderEpoch, at: slice.start)
        if let time = batch.appendTime { slice.buffer.setLogAppendTime(time, at: slice.start) }
    }

    /// Opens a segment; makes it, and the partition's directory, when it is the first write to it.
    private func open(_ segment: SegmentFile, isNew: Bool) throws(IOError) -> FileID {
        guard isNew else { return try files.open(segment.paths.log, .write) }
        try Self.makePartition(segment.directory, topic: segment.topic, files)
        return try files.open(segment.paths.log, .replace)
    }

    /// Makes a partition's directory, with the file that tells whose it is.
    static func makePartition(_ directory: String, topic: UniqueID, _ files: any FileSystem) throws(IOError) {
        try files.makeDirectory(directory)
        let metadata = directory + "/partition.metadata"
        if try files.status(metadata)?.size ?? 0 == 0 {
            let file = try files.open(metadata, .replace)
            defer { files.close(file) }
            // Not synced: ten thousand partitions would wait for ten thousand syncs. Recovery writes it
            // again.
            try files.writeAll(file, at: 0, Array("version: 0\ntopic_id: \(topic)\n".utf8), path: metadata)
        }
    }

    private func sync(_ targets: [SyncTarget]) -> [SyncResult] {
        var results = targets.map { target in
            var result = SyncResult(partition: target.partition, file: target.file.id, error: nil)
            do throws(IOError) {
                guard let file = target.file.id else {
                    throw IOError(operation: "fdatasync", path: target.file.paths.log, errno: 9)
                }
                if let start = target.rewrittenFrom, !PlantedBug.healWithoutRewriting.isPlanted {
                    try rewrite(target, from: start, file)
                }
            } catch {
                result.error = error
            }
            return result
        }
        let whole = results.indices.filter { results[$0].error == nil }
        if !PlantedBug.segmentWithoutSync.isPlanted {
            let errors = files.syncAll(whole.compactMap { results[$0].file })
            for (index, error) in zip(whole, errors) { results[index].error = error }
        }
        let named = whole.filter { results[$0].error == nil && targets[$0].file.isNameDirty }
        for (index, error) in zip(named, syncNames(named.map { targets[$0].file })) {
            results[index].error = error
        }
        return results
    }

    /// Makes the names of segments durable: in the partition's directory, and the partition's in its own.
    private func syncNames(_ segments: [SegmentFile]) -> [IOError?] {
        func parent(_ directory: String) -> String {
            String(directory[..<(directory.lastIndex(of: "/") ?? directory.endIndex)])
        }
        var directories: [String] = []
        if !PlantedBug.partitionNameNotSynced.isPlanted {
            directories += Set(segments.map { parent($0.directory) }).sorted()
        }
        if !PlantedBug.segmentNameNotSynced.isPlanted { directories += segments.map(\.directory) }
        var failed: [String: IOError] = [:]
        for (directory, error) in zip(directories, files.syncAllDirectories(directories)) {
            if let error { failed[directory] = error }
        }
        return segments.map { failed[$0.directory] ?? failed[parent($0.directory)] }
    }

    private func roll(_ job: RollJob) -> IOResult {
        job.tail.flush(to: job.file.paths, files)
        var result = RollResult(file: job.file.id)
        do throws(IOError) {
            // Closed to save descriptors since the last write: it was clean then, and is opened to be told so
            // again.
            let file = if let open = job.file.id { open } else { try files.open(job.file.paths.log, .write) }
            result.file = file
            if !PlantedBug.rollWithoutSync.isPlanted { try files.sync(file) }
            if job.file.isNameDirty, let error = syncNames([job.file])[0] { throw error }
        } catch {
            result.error = error
            return .roll(result)
        }
        // An index that cannot be read is rebuilt when it is needed.
        if let bytes = try? files.readAll(job.file.paths.timeIndex) {
            result.timeIndexSize = Int64(bytes.count)
            result.timeIndexCRC = CRC32C.checksum(bytes.span.bytes)
        }
        return .roll(result)
    }

    // MARK: Journal and manifest

    private func commit(_ job: CommitJob) -> CommitResult {
        let direct = sync(job.direct)
        guard let frame = job.frame, let file = job.journal else {
            return CommitResult(direct: direct, error: nil)
        }
        // What precedes an atomic write in a partition must be durable before it.
        if let failed = direct.first(where: { $0.error != nil })?.error, !job.groups.isEmpty {
            return CommitResult(direct: direct, error: failed)
        }
        for part in job.placed { Self.place(part.batch) }
        let table = ByteSlice(ByteBuffer(frame.table))
        let header = Frame.header(
            .journal, sequence: frame.sequence, storeID: storeID, payload: [table] + frame.slices)
        let outcome = files.writeFully(
            file, at: frame.position, [ByteSlice(ByteBuffer(header)), table] + frame.slices)
        if let error = outcome.error { return CommitResult(direct: direct, error: error) }
        do throws(IOError) {
            if !PlantedBug.commitWithoutSync.isPlanted { try files.sync(file) }
            return CommitResult(direct: direct, error: nil)
        } catch {
            return CommitResult(direct: direct, error: error)
        }
    }

    private func measure(_ job: MeasureJob) -> Result<Int64, IOError> {
        do throws(IOError) { return .success(try StoreMeasure.run(job.paths, files)) } catch {
            return .failure(error)
        }
    }

    private func makeJournal(_ job: JournalJob) -> JournalResult {
        do throws(IOError) {
            try files.makeDirectory(job.paths.journal)
            let file = try files.open(job.paths.journal(job.number), .replace)
            do throws(IOError) {
                try writeZeros(file, count: job.bytes)
                try files.sync(file)
                if !PlantedBug.journalNameNotSynced.isPlanted { try files.syncDirectory(job.paths.journal) }
                try files.syncDirectory(job.paths.root)
            } catch {
                files.close(file)
                // Nobody is to take it for a good one: what of it is on the medium nobody knows.
                try? files.remove(job.paths.journal(job.number))
                throw error
            }
            return JournalResult(file: .success(file))
        } catch {
            // On a full disk half a file of zeros is in everybody's way.
            try? files.remove(job.paths.journal(job.number))
            let left = files.remaining(job.paths.journal(job.number)) ?? DiskLedger.blocks(Int64(job.bytes))
            return JournalResult(file: .failure(error), left: left)
        }
    }

    private func append(_ job: ManifestJob) -> ManifestResult {
        var isMetaMissing = job.meta != nil
        let (place, freed) = withReserve(job.paths.reserve) { () throws(IOError) in
            if let meta = job.meta, isMetaMissing {
                try files.replaceFile(job.paths.meta, in: job.paths.root, with: meta)
                isMetaMissing = false
            }
            if let number = job.replacement {
                let made = try ManifestFile.begin(
                    job.paths, number: number, sequence: job.sequence, storeID: job.storeID,
                    records: job.records,
                    files)
                files.close(job.file)
                // The new file is in force; the old one would only be read if this one were torn, which it is
                // not.
                let isGone = (try? files.remove(job.paths.manifest(number - 1))) != nil
                return ManifestPlace(file: made.file, position: made.size, isOldGone: isGone)
            }
            try files.writeAll(job.file, at: job.position, job.frame, path: job.paths.manifest)
            if !PlantedBug.manifestWithoutSync.isPlanted { try files.sync(job.file) }
            return ManifestPlace(file: job.file, position: job.position + Int64(job.frame.count))
        }
        return ManifestResult(place: place, freed: freed, isMetaMissing: isMetaMissing)
    }

    // MARK: Removal

    private func remove(_ job: RemoveJob) -> RemoveResult {
        for file in job.close { files.close(file) }
        var result = RemoveResult()
        do throws(IOError) {
            switch job.target {
            case .tails(let tails): for (paths, tail) in tails { tail.flush(to: paths, files) }
            case .segments(let segments):
                for path in segments.flatMap(\.all) { try remove(path, &result.freed) }
            case .swapped(let job):
                for rename in job.renames {
                    // An index that could not be renamed is still there.
                    let names = rename.from.all + rename.to.all
                    let before = names.reduce(0) { $0 + files.removable($1) }
                    try Self.rename(rename.from, to: rename.to, files)
                    // Where that cannot be told the next measurement does.
                    result.freed += max(0, before - (files.remaining(all: names) ?? before))
                }
                // What stays is removed at the next opening: the segment is in force by its name.
                for path in job.removed.flatMap(\.all) { try? remove(path, &result.freed) }
            case .topic(let topic): try Self.removeDirectories(of: topic, job.paths, files, &result.freed)
            }
        } catch {
            result.error = error
        }
        return result
    }

    private func remove(_ path: String, _ freed: inout Int64) throws(IOError) {
        let bytes = files.removable(path)
        try files.remove(path)
        freed += bytes
    }

    /// Gives a compacted segment the names of the one that it replaces. May be done again after a crash.
    ///
    /// The log first: an index of the wrong log is a hint that is not believed.
    static func rename(
        _ new: SegmentPaths, to old: SegmentPaths, _ files: any FileSystem
    ) throws(IOError) {
        if try files.status(new.log) != nil { try files.rename(new.log, to: old.log) }
        for (from, to) in [(new.index, old.index), (new.timeIndex, old.timeIndex)] {
            // A segment may have no entries, and then no index.
            if (try? files.status(from)) == nil {
                try? files.remove(to)
            } else {
                try? files.rename(from, to: to)
            }
        }
    }

    /// Removes what is left of a deleted topic. May be done again after a crash at any point.
    ///
    /// 1. Rename each directory: from here on a new topic may take the name. 2. Remove the files. 3. Remove
    ///    the
    /// directory. The manifest forgets the topic after that; until then the next opening comes here again.
    static func removeDirectories(
        of topic: TopicRecord, _ paths: StorePaths, _ files: any FileSystem, _ freed: inout Int64
    ) throws(IOError) {
        for partition in 0..<topic.partitions {
            let live = paths.partition(topic.name, partition)
            let leaving = paths.leaving(topic.name, partition, topic.id)
            guard try files.status(live) != nil else { continue }
            // The name stays taken until the topic is forgotten, so only an unreadable owner is to be
            // doubted.
            let owner = try owner(of: live, files)
            if owner == nil || owner == topic.id { try files.rename(live, to: leaving) }
        }
        try files.syncDirectory(paths.topics)
        for partition in 0..<topic.partitions {
            let leaving = paths.leaving(topic.name, partition, topic.id)
            guard try files.status(leaving) != nil else { continue }
            // Last the file that tells whose directory it is.
            for entry in try files.list(leaving) where entry.kind == .file {
                let bytes = files.removable("\(leaving)/\(entry.name)")
                try files.remove("\(leaving)/\(entry.name)")
                freed += bytes
            }
            let bytes = (try? files.status(leaving))??.allocated ?? 0
            try files.removeDirectory(leaving)
            freed += min(bytes, DiskLedger.blockBytes)
        }
        try files.syncDirectory(paths.topics)
    }

    /// The topic id in a directory's `partition.metadata`; nil when there is none that can be read.
    static func owner(of directory: String, _ files: any FileSystem) throws(IOError) -> UniqueID? {
        guard try files.status(directory + "/partition.metadata") != nil else { return nil }
        let text = String(
            decoding: try files.readAll(directory + "/partition.metadata", limit: 4096), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("topic_id: ") {
            return UniqueID(line.dropFirst("topic_id: ".count))
        }
        return nil
    }
}
