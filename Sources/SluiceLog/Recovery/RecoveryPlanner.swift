// Reads a store and decides what is to be done: RecoveryPlan.swift has the table. Changes nothing.

struct RecoveryPlanner {
    let paths: StorePaths
    let files: any FileSystem
    let window: Int64
    /// What a topic's settings, as text, mean.
    let interpret: ([TopicRecord.Setting]) -> LogSettings

    func plan(_ loaded: LoadedManifest) throws(LogError) -> RecoveryPlan {
        do throws(IOError) {
            return try read(loaded)
        } catch {
            throw .io(error)
        }
    }

    private func read(_ loaded: LoadedManifest) throws(IOError) -> RecoveryPlan {
        let state = loaded.state
        var plan = RecoveryPlan(
            loaded: loaded, isUnclean: !state.isClosed, isSameBoot: state.bootID == files.bootID)
        if loaded.tornBytes > 0 { plan.findings.append(.tornManifest(bytes: loaded.tornBytes)) }
        plan.leaving = state.leaving.values.sorted { $0.name < $1.name }
        plan.lastJournalSequence = state.journalFloor
        let journal = try readJournal(state, &plan)
        for topic in state.topics.values.sorted(by: { $0.name < $1.name }) {
            let settings = interpret(topic.settings)
            for number in 0..<topic.partitions {
                let key = PartitionKey(topic: topic.id, partition: number)
                guard let manifest = state.partitions[key] else { continue }
                let partition = PartitionPlan(
                    key: key, topic: topic.name, directory: paths.partition(topic.name, number),
                    settings: settings,
                    manifest: manifest, active: ActiveSegment(manifest.recovery),
                    producers: manifest.producers, fileSize: 0)
                plan.partitions.append(try self.plan(partition, journal[key] ?? [], &plan))
            }
        }
        try listForeign(&plan)
        return plan
    }

    /// The entries of whole frames that are not in the segments for certain, by partition and position.
    private func readJournal(
        _ state: ManifestState, _ plan: inout RecoveryPlan
    ) throws(IOError) -> [PartitionKey: [(entry: JournalEntry, bytes: ByteSlice)]] {
        var found: [PartitionKey: [Int64: (sequence: UInt64, entry: JournalEntry, bytes: ByteSlice)]] = [:]
        guard try files.status(paths.journal) != nil else { return [:] }
        var broken: [(file: String, position: Int, sequence: UInt64)] = []
        for name in try files.list(paths.journal) where name.kind == .file {
            let bytes = try files.readAll("\(paths.journal)/\(name.name)")
            plan.bytesRead += Int64(bytes.count)
            let scan = Frame.scan(.journal, storeID: plan.loaded.storeID, in: bytes)
            for frame in scan.frames where frame.sequence > state.journalFloor {
                plan.lastJournalSequence = max(plan.lastJournalSequence, frame.sequence)
                for (entry, data) in Self.entries(of: frame) {
                    guard let partition = state.partitions[entry.key] else { continue }
                    // A roll is on record before the next segment has anything.
                    if entry.segmentBase > partition.recovery.baseOffset {
                        plan.unknownSegments[entry.key] = entry.segmentBase
                    }
                    guard entry.segmentBase == partition.recovery.baseOffset,
                        entry.position >= partition.recovery.position,
                        (found[entry.key]?[entry.position]?.sequence ?? 0) < frame.sequence
                    else { continue }
                    plan.journalled[name.name, default: []].insert(entry.key)
                    let kept = ByteSlice(ByteBuffer(data))
                    found[entry.key, default: [:]][entry.position] = (frame.sequence, entry, kept)
                }
            }
            let path = "\(paths.journal)/\(name.name)"
            broken += scan.broken.map { (path, $0.position, $0.sequence) }
        }
        for frame in broken where plan.isUnclean && frame.sequence > plan.lastJournalSequence {
            plan.findings.append(.tornJournal(file: frame.file, position: frame.position))
        }
        return found.mapValues { entries in
            entries.values.sorted { $0.entry.position < $1.entry.position }.map { ($0.entry, $0.bytes) }
        }
    }

    /// What a frame says, entry by entry; empty when its payload is not ours to understand.
    static func entries(of frame: Frame) -> [(JournalEntry, ArraySlice<UInt8>)] {
        var reader = BinaryReader(frame.payload)
        guard
            let entries = try? reader.array(
                minimumBytes: JournalEntry.bytes,
                { reader throws(MalformedRecord) in try JournalEntry(from: &reader) })
        else { return [] }
        var position = frame.payload.startIndex + 4 + entries.count * JournalEntry.bytes
        var result: [(JournalEntry, ArraySlice<UInt8>)] = []
        for entry in entries {
            guard entry.length <= frame.payload.endIndex - position else { return [] }
            result.append((entry, frame.payload[position..<(position + entry.length)]))
            position += entry.length
        }
        return result
    }

    private func plan(
        _ before: PartitionPlan, _ journal: [(entry: JournalEntry, bytes: ByteSlice)],
        _ plan: inout RecoveryPlan
    ) throws(IOError) -> PartitionPlan {
        var partition = before
        partition.active.lastWrite = plan.loaded.state.lastWallMilliseconds
        try findUnrenamed(&partition)
        if let reason = try missing(partition) {
            partition.condition = .offline(reason)
            partition.findings.append(
                .offline(topic: partition.topic, partition: Int(partition.key.partition), reason: reason))
            return partition
        }
        for sealed in partition.manifest.sealed {
            guard let damage = partition.manifest.damage[sealed.baseOffset] else { continue }
            partition.findings.append(
                .sealBroken(
                    file: partition.paths(of: sealed).log,
                    reason: "at byte \(damage.position): \(damage.reason)"))
        }
        var scanner = try TailScanner(path: partition.paths.log, files: files, entries: journal)
        defer { scanner.close() }
        partition.fileSize = scanner.size
        let recovery = partition.manifest.recovery
        guard scanner.size >= recovery.position else {
            let reason =
                "\(partition.paths.log) has \(scanner.size) bytes, \(recovery.position) were synced"
            partition.condition = .offline(reason)
            partition.findings.append(
                .offline(topic: partition.topic, partition: Int(partition.key.partition), reason: reason))
            return partition
        }
        do throws(IOError) {
            try TailPlanner(window: window, isSameBoot: plan.isSameBoot).run(&partition, &scanner)
        } catch {
            // Bytes that cannot be read may be there another time, and nobody knows the end of the log:
            // nothing is cut, restored or appended, and no request lifts that.
            partition.condition = .stopped(error)
            partition.rewrites = []
            partition.findings.append(
                .corrupt(
                    file: partition.paths.log, position: partition.active.size,
                    reason: "reading failed with error \(error.errno)"))
        }
        if let base = plan.unknownSegments[partition.key] {
            partition.condition = .stopped(.isDamaged(paths.manifest))
            partition.findings.append(
                .corrupt(
                    file: paths.manifest, position: 0,
                    reason: "the journal has records of segment \(base) of \(partition.topic)-"
                        + "\(partition.key.partition), of which the manifest knows nothing"))
        }
        plan.bytesRead += scanner.bytesRead
        planSkip(&partition, plan)
        return partition
    }

    /// On a topic that is `written`, or was, offsets that were promised may have been seen before power was
    /// lost, or a sync failed.
    private func planSkip(_ partition: inout PartitionPlan, _ plan: RecoveryPlan) {
        // Of one that was damaged nobody knows in which boot its records were lost.
        let wasDamaged = partition.manifest.damagedBelow > partition.manifest.recovery.position
        let mayLack = plan.isUnclean && (!plan.isSameBoot || partition.cut != nil) || wasDamaged
        guard mayLack, partition.manifest.recovery.ceiling > partition.active.endOffset else { return }
        if case .damaged(var range) = partition.condition {
            range.endsWithOpening = true
            partition.condition = .damaged(range)
        }
        guard case .online = partition.condition else { return }
        partition.skipTo = partition.manifest.recovery.ceiling
        partition.findings.append(
            .offsetsSkipped(
                topic: partition.topic, partition: Int(partition.key.partition),
                from: partition.active.endOffset,
                to: partition.manifest.recovery.ceiling))
    }

    /// Compacted segments that were recorded and not renamed: their files are still there by that name.
    private func findUnrenamed(_ partition: inout PartitionPlan) throws(IOError) {
        for sealed in partition.manifest.sealed where sealed.generation > 0 {
            let paths = SegmentPaths(
                directory: partition.directory, baseOffset: sealed.baseOffset, generation: sealed.generation)
            if try files.status(paths.log) != nil { partition.unrenamed.insert(sealed.baseOffset) }
        }
    }

    private func missing(_ partition: PartitionPlan) throws(IOError) -> String? {
        for sealed in partition.manifest.sealed {
            let path = partition.paths(of: sealed).log
            guard let status = try files.status(path) else { return "\(path) is missing" }
            if status.size < sealed.size {
                return "\(path) has \(status.size) bytes, \(sealed.size) were sealed"
            }
        }
        return nil
    }

    /// Lists what is in `topics/` and belongs to nothing, and what a removal left behind.
    private func listForeign(_ plan: inout RecoveryPlan) throws(IOError) {
        guard try files.status(paths.topics) != nil else { return }
        var known: [String: Int] = [:]
        for (index, partition) in plan.partitions.enumerated() { known[partition.directory] = index }
        var leaving: Set<String> = []
        for topic in plan.leaving {
            for number in 0..<topic.partitions {
                leaving.insert(paths.leaving(topic.name, number, topic.id))
                leaving.insert(paths.partition(topic.name, number))
            }
        }
        for entry in try files.list(paths.topics) {
            let path = "\(paths.topics)/\(entry.name)"
            guard let index = known[path] else {
                if !leaving.contains(path) { plan.findings.append(.unreferenced(path: path)) }
                continue
            }
            // Not synced when it was made: a power loss may have taken it, or what was in it.
            let isNamed = try files.status("\(path)/partition.metadata")?.size ?? 0 > 0
            plan.partitions[index].directoryBytes = isNamed ? 0 : DiskLedger.blockBytes
            for file in try files.list(path) where file.name != "partition.metadata" {
                let name = "\(path)/\(file.name)"
                switch plan.partitions[index].standing(of: file.name) {
                case .used: break
                case .leftover: plan.partitions[index].leftovers.append(name)
                case .foreign: plan.findings.append(.unreferenced(path: name))
                }
            }
        }
    }
}

extension PartitionPlan {
    /// What a file in the partition's directory is.
    fileprivate enum Standing { case used, leftover, foreign }

    /// Ours and of no use is only what the manifest tells so: segments below the first one, segments that a
    /// compacted one has taken in, and compactions up to the one that may have been under way.
    fileprivate func standing(of file: String) -> Standing {
        guard let name = SegmentPaths.parse(file) else { return .foreign }
        let base = name.baseOffset
        let first = manifest.sealed.first?.baseOffset ?? manifest.recovery.baseOffset
        let sealed = manifest.sealed.first { $0.baseOffset <= base && base < $0.endOffset }
        if let generation = name.generation {
            if sealed?.baseOffset == base, sealed?.generation == generation {
                // An index whose log has its name already.
                return unrenamed.contains(base) ? .used : .leftover
            }
            let isOurs = generation <= manifest.cleaning.generation + 1
            return isOurs && base < manifest.recovery.baseOffset ? .leftover : .foreign
        }
        if base == manifest.recovery.baseOffset || sealed?.baseOffset == base { return .used }
        if base < first { return .leftover }
        return (sealed?.generation ?? 0) > 0 ? .leftover : .foreign
    }
}

extension PartitionPlan {
    mutating func markCorrupt(_ range: DamagedRange) {
        // Nobody misses it: the records up to there were deleted since.
        if manifest.logStart >= range.endOffset { return }
        condition = .damaged(range)
        findings.append(.corrupt(file: range.file, position: range.position, reason: range.reason))
    }
}
