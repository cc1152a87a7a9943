// Copies whatever is good from a damaged store into a new one. Neither manifest nor journal nor
// meta.properties need be whole: the directories say which partitions there are, the batches where they
// belong.
//
//   1. Topics: from the manifest where it can be read; else from the directories `<topic>-<partition>` and
//      the partition.metadata in them, with default settings.
//   2. Each partition: the batches of its segments in the order of the files, each with the right CRC and a
//      base offset that has not been passed; between them what the journal has. What is missing in between
//      becomes a control batch that spans it, as in a recovery: every record keeps its offset.
//   3. A manifest, closed; last meta.properties: before that the target is no store.
//
// (1) The source is only read. (2) Every byte that is not copied is told: file, position, count, reason. (3)
// The records that retention or a deletion had let go stay so, where the manifest says where the log began.

/// What became of a store that was salvaged.
package enum SalvageNote: Sendable, Hashable {
    /// A partition that is in the new store.
    case copied(topic: String, partition: Int, offsets: Range<Int64>, batches: Int64, records: Int64)
    /// Bytes that are not.
    case lost(file: String, position: Int64, bytes: Int64, reason: String)
    /// Offsets of which nothing was found; a control batch steps over them.
    case gap(topic: String, partition: Int, offsets: Range<Int64>)
    /// Something that was not there to be had, and what stands for it.
    case replaced(file: String, reason: String)

    /// Whether records may be missing because of it.
    package var isLoss: Bool {
        switch self {
        case .lost, .gap: true
        case .copied, .replaced: false
        }
    }
}

extension SalvageNote: CustomStringConvertible {
    package var description: String {
        switch self {
        case .copied(let topic, let partition, let offsets, let batches, let records):
            "\(topic)-\(partition): offsets \(offsets.lowerBound) to \(offsets.upperBound), \(batches) batches, "
                + "\(records) records"
        case .lost(let file, let position, let bytes, let reason):
            "lost: \(bytes) bytes at \(position) of \(file): \(reason)"
        case .gap(let topic, let partition, let offsets):
            "lost: offsets \(offsets.lowerBound) to \(offsets.upperBound - 1) of \(topic)-\(partition): nothing whole "
                + "was found"
        case .replaced(let file, let reason): "\(file): \(reason)"
        }
    }
}

package struct Salvage {
    let source: StorePaths
    let target: StorePaths
    let files: any FileSystem
    let now: Instant
    let interpret: ([TopicRecord.Setting]) -> LogSettings
    let report: (SalvageNote) -> Void
    /// What the journal has, by partition and base offset.
    var journal: [PartitionKey: [Int64: ByteSlice]] = [:]

    /// Copies the good of the store at `source` to `path`, which must not exist or be empty. Returns whether
    /// nothing was lost.
    ///
    /// Throws `notADirectory`, `notAStore` when there is nothing like a store or `path` is taken; `io` for
    /// the target. What was copied by then stays and is no store.
    /// - Parameters:
    ///   - interpret: what a topic's settings, as text, mean.
    ///   - report: told of everything, in the order in which it is found.
    package static func run(
        _ source: String, to path: String, _ files: any FileSystem, now: Instant,
        random: inout some RandomNumberGenerator, interpret: @escaping ([TopicRecord.Setting]) -> LogSettings,
        report: @escaping (SalvageNote) -> Void
    ) throws(LogError) -> Bool {
        var isWhole = true
        var salvage = Salvage(
            source: StorePaths(source), target: StorePaths(path), files: files, now: now,
            interpret: interpret,
            report: { note in
                if note.isLoss { isWhole = false }
                report(note)
            })
        try salvage.run(&random)
        return isWhole
    }

    private mutating func run(_ random: inout some RandomNumberGenerator) throws(LogError) {
        _ = try StoreBackup(files: files, target: target, now: now).claim()
        let storeID = readID()
        let found = readManifest(storeID)
        var topics: [(topic: TopicRecord, partitions: [Int32])] = []
        do throws(IOError) {
            guard try files.status(source.topics)?.kind == .directory else {
                throw IOError(operation: Self.nothing, path: source.root, errno: 2)
            }
            topics = try findTopics(found, &random)
            try readJournal(storeID)
            try files.makeDirectory(target.manifest)
            try files.makeDirectory(target.topics)
        } catch {
            guard error.operation == Self.nothing else { throw .io(error) }
            throw .notAStore(path: source.root, reason: "it has no directory topics/")
        }
        var state = ManifestState()
        do throws(IOError) {
            for record in found?.userRecords ?? [] { state.apply(record) }
            for (topic, partitions) in topics {
                state.apply(.topicCreated(topic))
                for number in partitions {
                    let key = PartitionKey(topic: topic.id, partition: number)
                    state.partitions[key] = try copy(key, topic, found?.partitions[key])
                }
            }
            // Where the manifest is lost, the ids that can be seen are what is known of those given.
            let seen = state.partitions.values.flatMap(\.producers.byID.keys).max()
            let end = (seen ?? -1).addingReportingOverflow(1 + ProducerIDs.block)
            state.apply(
                .producerIDs(
                    below: max(found?.producerIDEnd ?? 0, seen == nil || end.overflow ? 0 : end.partialValue))
            )
            try files.syncDirectory(target.topics)
            let wall = max(now.wallMilliseconds, found?.lastWallMilliseconds ?? 0)
            state.apply(.opened(bootID: files.bootID, wallMilliseconds: wall, journalFloor: 0))
            state.apply(.closed(wallMilliseconds: wall))
            try StoreDirectory.finish(target, files, state, storeID: storeID ?? UniqueID(using: &random))
        } catch {
            throw .io(error)
        }
    }

    private static var nothing: String { "nothing" }

    // MARK: What there is

    private func readID() -> UniqueID? {
        do throws(LogError) {
            return try StoreDirectory.readMeta(source, files, mayWrite: false)
        } catch {
            report(
                .replaced(
                    file: source.meta, reason: "\(error.description); the new store has an id of its own"))
            return nil
        }
    }

    /// The manifest's state as far as its frames are whole; nil when not even its first is.
    private func readManifest(_ storeID: UniqueID?) -> ManifestState? {
        for number in ((try? ManifestFile.numbers(source, files)) ?? []).reversed() {
            let path = source.manifest(number)
            guard let bytes = try? files.readAll(path, limit: Limits.manifestBytes) else {
                report(.replaced(file: path, reason: "it cannot be read"))
                continue
            }
            let scan = Frame.scan(.manifest, storeID: storeID, in: bytes)
            guard let first = scan.frames.first, first.position == 0 else {
                report(.replaced(file: path, reason: "its first record is damaged"))
                continue
            }
            var state = ManifestState()
            var end = 0
            for frame in scan.frames where frame.position == end {
                var reader = BinaryReader(frame.payload)
                while reader.left > 0, let record = try? ManifestRecord(from: &reader) { state.apply(record) }
                end = frame.end
            }
            if end < scan.end {
                report(
                    .replaced(file: path, reason: "a record at \(end) is damaged; what follows is not used"))
            }
            return state
        }
        report(.replaced(file: source.manifest, reason: "there is no manifest; topics get default settings"))
        return nil
    }

    /// Topics and their partitions: of the manifest, then of directories that it does not know.
    private func findTopics(
        _ state: ManifestState?, _ random: inout some RandomNumberGenerator
    ) throws(IOError) -> [(topic: TopicRecord, partitions: [Int32])] {
        var topics: [String: (topic: TopicRecord, partitions: [Int32])] = [:]
        for topic in state?.topics.values.sorted(by: { $0.name < $1.name }) ?? [] {
            topics[topic.name] = (topic, Array(0..<topic.partitions))
        }
        for entry in try files.list(source.topics) where entry.kind == .directory {
            let path = "\(source.topics)/\(entry.name)"
            guard let dash = entry.name.lastIndex(of: "-"), dash > entry.name.startIndex,
                let number = Int32(entry.name[entry.name.index(after: dash)...]), number >= 0,
                number < Int32(Limits.partitionsPerTopic)
            else {
                if !entry.name.hasSuffix("-delete") {
                    report(.replaced(file: path, reason: "no partition has such a name; it is left out"))
                }
                continue
            }
            let name = String(entry.name[..<dash])
            if let known = topics[name], known.partitions.contains(number) { continue }
            if let known = topics[name], state?.topics[known.topic.id] != nil {
                report(.replaced(file: path, reason: "the manifest does not know the partition"))
            }
            let owner = (try? JobRunner.owner(of: path, files)) ?? nil
            var found =
                topics[name] ?? (
                    TopicRecord(
                        id: owner ?? UniqueID(using: &random), name: name, partitions: 0, settings: []), []
                )
            found.topic.partitions = max(found.topic.partitions, number + 1)
            found.partitions = Array(0..<found.topic.partitions)
            topics[name] = found
        }
        return topics.values.sorted { $0.topic.name < $1.topic.name }
    }

    /// The batches that whole frames of the journal have.
    private mutating func readJournal(_ storeID: UniqueID?) throws(IOError) {
        guard try files.status(source.journal) != nil else { return }
        var newest: [PartitionKey: [Int64: UInt64]] = [:]
        for entry in try files.list(source.journal) where entry.kind == .file {
            guard let bytes = try? files.readAll("\(source.journal)/\(entry.name)") else { continue }
            for frame in Frame.scan(.journal, storeID: storeID, in: bytes).frames {
                for (entry, data) in RecoveryPlanner.entries(of: frame) {
                    var rest = ByteSlice(ByteBuffer(data))
                    while let header = try? BatchHeader(rest.bytes), header.totalBytes <= rest.count {
                        let batch = ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes)
                        if newest[entry.key]?[header.baseOffset] ?? 0 < frame.sequence,
                            BatchHeader.crcMatches(batch.bytes)
                        {
                            newest[entry.key, default: [:]][header.baseOffset] = frame.sequence
                            journal[entry.key, default: [:]][header.baseOffset] = batch
                        }
                        rest.start += header.totalBytes
                        rest.count -= header.totalBytes
                    }
                }
            }
        }
    }

    private func copy(
        _ key: PartitionKey, _ topic: TopicRecord, _ known: PartitionManifest?
    ) throws(IOError) -> PartitionManifest {
        var copy = SalvagedPartition(
            self, key, topic: topic.name, interpret(topic.settings), known, journal[key] ?? [:])
        return try copy.run()
    }
}
