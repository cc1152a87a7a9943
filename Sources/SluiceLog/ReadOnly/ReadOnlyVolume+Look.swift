// Looking at the store again: what has changed since the last time.
//
// Beside a writer the order makes the cut. 1. The manifest: whatever it knows to be durable was in the
// journal before it said so. 2. The sizes of segments of which everything written is visible: what an atomic
// write put there was in the journal before. 3. The journal: frames in their order, each with all parts of an
// atomic write. 4. The manifest again, and when it has changed all of it again: a frame that was overwritten
// meanwhile is covered by recovery points that the first reading had only some of, and one may be of a
// segment that it did not know. Last the segments: what of a frame is not in them yet is read from the frame.
// So no end is ahead of another by part of an atomic write.

extension ReadOnlyVolume {
    /// Takes in what the writer has done since the last look. Returns the partitions of which something
    /// visible has changed, also those that are gone.
    ///
    /// Throws `corrupt` when the manifest is damaged, `io`; what was known before stays known.
    /// - Complexity: O(partitions), with a stat(2) for each that is not durable; and the new bytes.
    package mutating func look() throws(LogError) -> [Int] {
        do throws(IOError) {
            let isHeld = try files.lockState(paths.lock) != .free
            var change = try lookAtManifest()
            let before = partitions.map { $0.map { Seen($0.log) } }
            if change != .nothing || !hasLooked { takeCatalogue() }
            var cut = Cut()
            var attempt = 1
            while isHeld, !manifest.state.isClosed {
                cut.sizes = try writtenSizes()
                cut.changed.formUnion(try journal.look(floor: manifest.state.journalFloor))
                let later = try lookAtManifest()
                if later == .nothing { break }
                takeCatalogue()
                change = change == .replaced ? .replaced : later
                attempt += 1
                // A manifest that grows at each of so many looks: what is found is true, if not of one
                // moment.
                if attempt > Self.maxAttempts { break }
            }
            let next: Stage = manifest.state.isClosed ? .closed : isHeld ? .live : .crashed
            let isNew = next != stage || change == .replaced || !hasLooked
            hasLooked = true
            stage = next
            switch next {
            case .closed: if isNew || change == .grown { takeRecoveryPoints() }
            case .crashed: if isNew || change == .grown { try takePlan(onlyDamaged: false) }
            case .live:
                if isNew { try takePlan(onlyDamaged: true) }
                try takeEnds(cut)
            }
            return partitions.indices.filter { index in
                (before.indices.contains(index) ? before[index] : nil)
                    != partitions[index].map { Seen($0.log) }
            }
        } catch {
            throw error.operation == Self.damage
                ? .corrupt(file: error.path, position: 0, reason: "the manifest is damaged") : .io(error)
        }
    }

    /// What a reader can tell.
    private struct Seen: Equatable {
        var offsets: Range<Int64>
        init(_ log: PartitionLog) { offsets = log.offsets }
    }

    /// What was read between two readings of the manifest that said the same.
    private struct Cut {
        /// Partitions with a new end in the journal.
        var changed: Set<PartitionKey> = []
        /// Of the active segments of which everything written is visible, by number.
        var sizes: [Int: Int64] = [:]
    }

    private static let maxAttempts = 64

    private static var damage: String { "manifest" }

    private mutating func lookAtManifest() throws(IOError) -> ManifestFollower.Change {
        do throws(LogError) {
            return try manifest.look()
        } catch {
            if case .io(let error) = error { throw error }
            throw IOError(operation: Self.damage, path: paths.manifest, errno: 5)
        }
    }

    /// Topics, log starts, sealed segments and settings as the manifest has them.
    private mutating func takeCatalogue() {
        let state = manifest.state
        topicIDs = Dictionary(state.topics.values.map { ($0.name, $0.id) }, uniquingKeysWith: { $1 })
        for (key, number) in numbers where state.partitions[key] == nil {
            numbers[key] = nil
            partitions[number] = nil
            journal.forget(key)
        }
        for topic in state.topics.values.sorted(by: { $0.name < $1.name }) {
            var settings = interpret(topic.settings)
            // Visible is what is written.
            if includesUnsynced { settings.isDurable = false }
            for partition in 0..<topic.partitions {
                let key = PartitionKey(topic: topic.id, partition: partition)
                guard let manifest = state.partitions[key] else { continue }
                take(key, topic, manifest, settings)
            }
        }
    }

    private mutating func take(
        _ key: PartitionKey, _ topic: TopicRecord, _ manifest: PartitionManifest, _ settings: LogSettings
    ) {
        let fresh = PartitionLog(
            key: key, topic: topic.name, directory: paths.partition(topic.name, key.partition),
            settings: settings, manifest: manifest, active: ActiveSegment(manifest.recovery))
        guard let number = numbers[key], var known = partitions[number] else {
            numbers[key] = partitions.count
            partitions.append(ReadOnlyPartition(log: fresh))
            findNames(partitions.count - 1)
            return
        }
        known.log.settings = settings
        known.log.logStart = manifest.logStart
        let isOther = known.log.sealed != manifest.sealed
        known.log.sealed = manifest.sealed
        known.log.synced = manifest.recovery
        if known.log.active.baseOffset != manifest.recovery.baseOffset {
            known.log.active = fresh.active
            known.log.durable = fresh.durable
            known.log.condition = .online
            known.pieces = []
        }
        partitions[number] = known
        if isOther || !known.log.unrenamed.isEmpty { findNames(number) }
    }

    /// Which compacted segments still have the names under which they were written.
    private mutating func findNames(_ number: Int) {
        guard let log = partitions[number]?.log else { return }
        partitions[number]?.log.unrenamed = Set(
            log.sealed.filter { sealed in
                guard sealed.generation > 0 else { return false }
                let paths = SegmentPaths(
                    directory: log.directory, baseOffset: sealed.baseOffset, generation: sealed.generation)
                return (try? files.status(paths.log)) != nil
            }.map(\.baseOffset))
    }

    /// The store is closed: every segment is as the manifest says.
    private mutating func takeRecoveryPoints() {
        for number in partitions.indices {
            guard let key = partitions[number]?.log.key, let found = manifest.state.partitions[key] else {
                continue
            }
            partitions[number]?.log.active = ActiveSegment(found.recovery)
            partitions[number]?.log.durable = LogPlace(
                offset: found.recovery.offset, position: found.recovery.position)
            partitions[number]?.pieces = []
        }
        markDamaged()
    }

    /// A closed store may have damage that no recovery point covers: what is below it is read around.
    private mutating func markDamaged() {
        guard manifest.state.partitions.values.contains(where: { $0.damagedBelow > 0 }) else { return }
        try? takePlan(onlyDamaged: true)
    }

    /// What a recovery would make of it: of all partitions, or of those alone that the manifest knows to be
    /// damaged, which do not change.
    private mutating func takePlan(onlyDamaged: Bool) throws(IOError) {
        let isDamaged = manifest.state.partitions.values.contains { $0.damagedBelow > 0 }
        if onlyDamaged, !isDamaged { return }
        let planner = RecoveryPlanner(
            paths: paths, files: files, window: VolumeConfiguration().windowBytes, interpret: interpret)
        let plan: RecoveryPlan
        do throws(LogError) {
            plan = try planner.plan(manifest.loaded)
        } catch {
            if case .io(let error) = error { throw error }
            return
        }
        for planned in plan.partitions where !onlyDamaged || planned.manifest.damagedBelow > 0 {
            guard let number = numbers[planned.key] else { continue }
            partitions[number]?.log.condition = planned.condition
            partitions[number]?.log.active = planned.active
            partitions[number]?.log.durable = LogPlace(
                offset: planned.active.endOffset, position: planned.active.size)
            partitions[number]?.pieces = planned.rewrites.map { JournalPiece(position: $0.0, bytes: $0.1) }
        }
    }

    // MARK: Live

    /// New ends: of the journal and the recovery points, and of the segments where written is visible.
    private mutating func takeEnds(_ cut: Cut) throws(IOError) {
        for number in partitions.indices {
            guard let log = partitions[number]?.log, case .online = log.condition,
                let recovery = manifest.state.partitions[log.key]?.recovery
            else { continue }
            var durable = LogPlace(offset: recovery.offset, position: recovery.position)
            var source: JournalSource?
            for end in [journal.ends[log.key], told[log.key]] {
                guard let end, end.segmentBase == recovery.baseOffset else { continue }
                if end.place.position > durable.position { (durable, source) = (end.place, end.source) }
            }
            let hasMoved = durable != log.durable || cut.changed.contains(log.key)
            guard hasMoved || !log.settings.isDurable else { continue }
            try takeEnd(number, durable, source, written: cut.sizes[number] ?? 0)
        }
    }

    private func writtenSizes() throws(IOError) -> [Int: Int64] {
        var sizes: [Int: Int64] = [:]
        for number in partitions.indices {
            guard let log = partitions[number]?.log, !log.settings.isDurable, case .online = log.condition
            else { continue }
            sizes[number] = try files.status(log.paths.log)?.size ?? 0
        }
        return sizes
    }

    private mutating func takeEnd(
        _ number: Int, _ durable: LogPlace, _ source: JournalSource?, written: Int64
    ) throws(IOError) {
        guard var partition = partitions[number] else { return }
        let path = partition.log.paths.log
        var size = try files.status(path)?.size ?? 0
        if size < partition.log.active.size, partition.pieces.isEmpty {
            // Cut back, or not there yet: begun again from what is known to be in it.
            guard let recovery = manifest.state.partitions[partition.log.key]?.recovery else { return }
            partition.log.active = ActiveSegment(recovery)
        }
        if size >= partition.log.active.size { partition.pieces = [] }
        // An atomic write is in the journal first; the segment has it in a moment, or at the next opening.
        if durable.position > size, let source {
            if let piece = try journal.piece(source) {
                partition.pieces = [piece]
            } else {
                // Overwritten, and so in the segment since.
                size = try files.status(path)?.size ?? 0
            }
        }
        if durable.position <= max(size, partition.pieces.last?.end ?? 0) {
            if durable.position > partition.log.active.size {
                partition.log.active.size = durable.position
                partition.log.active.endOffset = durable.offset
                // Not known without reading it; a search by time then looks.
                partition.log.active.maxTimestamp = .max
            }
            partition.log.durable = durable
        }
        if partition.log.settings.isDurable {
            // What a crash had left, and was shown, is being made durable now.
            partition.log.durable = LogPlace(
                offset: partition.log.active.endOffset, position: partition.log.active.size)
        } else if written > partition.log.active.size, partition.pieces.isEmpty {
            try scan(&partition.log, path, through: written)
        }
        partitions[number] = partition
    }

    /// Takes whole, valid batches behind what is known, up to what was there when the cut was taken. What is
    /// not one is being written.
    private func scan(_ log: inout PartitionLog, _ path: String, through end: Int64) throws(IOError) {
        var scanner = try TailScanner(path: path, files: files)
        defer { scanner.close() }
        while case .valid(let header, _) = try scanner.batch(
            at: log.active.size, expecting: log.active.endOffset),
            log.active.size + Int64(header.totalBytes) <= end
        {
            log.active.add(
                bytes: header.totalBytes, nextOffset: header.nextOffset, maxTimestamp: header.maxTimestamp,
                interval: .max)
        }
    }
}
