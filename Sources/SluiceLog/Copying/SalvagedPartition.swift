// One partition on its way into a new store: Salvage.swift has the rules.
//
// (1) `next` is the offset behind what has been written: no batch begins before it, and one that begins
// behind it comes after a control batch. (2) A segment of the source is one of the copy, so far as it has
// anything good.

struct SalvagedPartition {
    private let salvage: Salvage
    private let key: PartitionKey
    private let topic: String
    private let settings: LogSettings
    private let known: PartitionManifest?
    private let journal: [Int64: ByteSlice]
    private let source: String
    private let target: String
    private var writer: SegmentWriter?
    /// nil before the first batch, when the manifest does not say where the log began.
    private var next: Int64?
    private var sealed: [SealedSegment] = []
    private var epoch: Int32
    private var producers: CopiedProducers
    private var records: Int64 = 0
    private var batches: Int64 = 0

    init(
        _ salvage: Salvage, _ key: PartitionKey, topic: String, _ settings: LogSettings,
        _ known: PartitionManifest?, _ journal: [Int64: ByteSlice]
    ) {
        self.salvage = salvage
        self.key = key
        self.topic = topic
        self.settings = settings
        self.known = known
        self.journal = journal
        source = salvage.source.partition(topic, key.partition)
        target = salvage.target.partition(topic, key.partition)
        epoch = known?.epoch ?? 0
        // As the log has them: what of it is lost is to be sent again.
        producers = CopiedProducers(states: ProducerStates(), start: 0, wall: salvage.now.wallMilliseconds)
        next = known.map { $0.sealed.first?.baseOffset ?? $0.recovery.baseOffset }
    }

    private var files: any FileSystem { salvage.files }

    /// Copies, and says what the manifest is to know of it.
    mutating func run() throws(IOError) -> PartitionManifest {
        let segments = try segments()
        if next == nil { next = segments.first?.base ?? journal.keys.min() }
        for (index, (base, paths)) in segments.enumerated() {
            guard base - (next ?? base) <= Limits.skippedOffsets else {
                salvage.report(
                    .lost(
                        file: paths.log, position: 0, bytes: 0, reason: "no log has a segment so far ahead"))
                continue
            }
            // What is missing before it belongs to the segment before.
            try takeJournal(below: base)
            try fill(to: base)
            try roll()
            try copy(paths.log, before: index + 1 < segments.count ? segments[index + 1].base : nil)
        }
        // What was acknowledged last may be in the journal alone.
        try takeJournal()
        if let known { try fill(upTo: max(known.recovery.offset, known.sealed.last?.endOffset ?? 0)) }
        return try finish()
    }

    /// The segments there are, ascending. Of one that compaction has rewritten and not yet renamed, the new
    /// file, if the manifest says that it counts.
    private func segments() throws(IOError) -> [(base: Int64, paths: SegmentPaths)] {
        guard try files.status(source)?.kind == .directory else { return [] }
        let generations = Dictionary(
            (known?.sealed ?? []).map { ($0.baseOffset, $0.generation) }, uniquingKeysWith: { $1 })
        var found: [Int64: SegmentPaths] = [:]
        for entry in try files.list(source) {
            guard let name = SegmentPaths.parse(entry.name), name.kind == "log" else { continue }
            if let generation = name.generation {
                guard generations[name.baseOffset] == generation else { continue }
                found[name.baseOffset] = SegmentPaths(
                    directory: source, baseOffset: name.baseOffset, generation: generation)
            } else if found[name.baseOffset] == nil {
                found[name.baseOffset] = SegmentPaths(directory: source, baseOffset: name.baseOffset)
            }
        }
        // Records before this are deleted, and no loss.
        let start = known?.sealed.first?.baseOffset ?? known?.recovery.baseOffset ?? 0
        return found.filter { $0.key >= start }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// - Parameter limit: where the next segment begins.
    private mutating func copy(_ path: String, before limit: Int64?) throws(IOError) {
        var scanner: TailScanner
        do throws(IOError) {
            scanner = try TailScanner(path: path, files: files)
        } catch {
            return salvage.report(
                .lost(file: path, position: 0, bytes: 0, reason: "reading failed with error \(error.errno)"))
        }
        defer { scanner.close() }
        var position: Int64 = 0
        while position < scanner.size {
            switch look(&scanner, position) {
            case .valid(let header, _):
                let start = position
                position += Int64(header.totalBytes)
                // The search has moved the window.
                guard let offset = offset(of: header, at: start, before: limit, &scanner),
                    case .valid(var header, let bytes) = look(&scanner, start)
                else {
                    salvage.report(
                        .lost(
                            file: path, position: start, bytes: position - start,
                            reason: "its offset, \(header.baseOffset), does not fit those around it"))
                    continue
                }
                if offset != header.baseOffset {
                    salvage.report(
                        .replaced(
                            file: path,
                            reason:
                                "the batch at \(start) has offset \(header.baseOffset); those around it say "
                                + "\(offset), which it gets"))
                    bytes.buffer.assign(
                        baseOffset: offset, leaderEpoch: header.partitionLeaderEpoch, at: bytes.start)
                    header.baseOffset = offset
                }
                try take(header, bytes)
            case .invalid(let reason):
                let end = nextBatch(&scanner, after: position)?.0 ?? scanner.size
                salvage.report(.lost(file: path, position: position, bytes: end - position, reason: reason))
                position = end
            }
        }
    }

    /// The base offset of a batch, which its CRC does not cover: as it is written, where what comes before
    /// and after it allows that; as those say, where they agree; else nil.
    private func offset(
        of header: BatchHeader, at position: Int64, before limit: Int64?, _ scanner: inout TailScanner
    ) -> Int64? {
        guard let next, header.baseOffset != next else { return header.baseOffset }
        // Compaction leaves gaps: nothing can be said of where a batch should be.
        if settings.isCompacted, header.baseOffset > next { return header.baseOffset }
        let count = Int64(header.lastOffsetDelta) + 1
        let end = position + Int64(header.totalBytes)
        var after = limit
        if end < scanner.size {
            if case .valid(let follower, _) = look(&scanner, end) {
                if follower.baseOffset == header.nextOffset, header.baseOffset > next {
                    return header.baseOffset
                }
                if follower.baseOffset == next + count { return next }
                return nil
            }
            after = nextBatch(&scanner, after: end)?.1.baseOffset ?? limit
        } else if limit == next + count {
            return next
        }
        let isPlausible =
            header.nextOffset <= after ?? .max && header.baseOffset - next <= Limits.skippedOffsets
        return header.baseOffset > next && isPlausible ? header.baseOffset : nil
    }

    /// What is at a position. A place that cannot be read is as good as damaged.
    private func look(_ scanner: inout TailScanner, _ position: Int64) -> BatchFinding {
        do throws(IOError) {
            return try scanner.batch(at: position, expecting: nil)
        } catch {
            return .invalid("reading failed with error \(error.errno)")
        }
    }

    private func nextBatch(_ scanner: inout TailScanner, after position: Int64) -> (Int64, BatchHeader)? {
        do throws(IOError) {
            return try scanner.nextBatch(after: position, from: next ?? 0)
        } catch {
            return nil
        }
    }

    // MARK: The copy

    private mutating func take(_ header: BatchHeader, _ bytes: ByteSlice) throws(IOError) {
        try takeJournal(below: header.baseOffset)
        try fill(to: header.baseOffset)
        try append(header, bytes)
    }

    private mutating func append(_ header: BatchHeader, _ bytes: ByteSlice) throws(IOError) {
        try open(at: header.baseOffset)
        try writer?.append(header, bytes)
        next = header.nextOffset
        // No CRC covers it: the manifest knows better.
        if known == nil { epoch = max(epoch, min(header.partitionLeaderEpoch, Int32.max - 1)) }
        batches += 1
        if !header.isControl { records += Int64(header.recordCount) }
    }

    /// Batches of the journal that begin where the copy ends, one after another.
    private mutating func takeJournal(below limit: Int64 = .max) throws(IOError) {
        while let at = next, at < limit, let bytes = journal[at], let header = try? BatchHeader(bytes.bytes),
            header.nextOffset <= limit
        {
            try append(header, bytes)
        }
    }

    /// A control batch over offsets of which there is nothing.
    private mutating func fill(to target: Int64) throws(IOError) {
        guard let start = next, target > start else { return }
        // Compaction leaves gaps, which are no loss.
        if !settings.isCompacted {
            salvage.report(.gap(topic: topic, partition: Int(key.partition), offsets: start..<target))
        }
        while let at = next, at < target {
            let count = Int(min(target - at, Int64(Int32.max)))
            let timestamp = max(writer?.segment.maxTimestamp ?? 0, 0)
            let batch = ControlBatch.spanning(count, timestamp: timestamp)
            batch.bytes.assign(baseOffset: at, leaderEpoch: epoch + 1, at: 0)
            let bytes = ByteSlice(batch.bytes)
            guard let header = try? BatchHeader(bytes.bytes) else { return }
            try append(header, bytes)
        }
    }

    /// The same, to where the manifest ends the log.
    private mutating func fill(upTo end: Int64) throws(IOError) {
        guard end - (next ?? end) > Limits.skippedOffsets else { return try fill(to: end) }
        salvage.report(
            .lost(
                file: salvage.source.manifest, position: 0, bytes: 0,
                reason: "it ends \(topic)-\(key.partition) at \(end); nothing leads that far"))
    }

    private mutating func open(at offset: Int64) throws(IOError) {
        if let writer, offset - writer.segment.baseOffset <= Int64(Int32.max) { return }
        try roll()
        try JobRunner.makePartition(target, topic: key.topic, files)
        writer = try SegmentWriter(
            target, baseOffset: offset, interval: settings.indexIntervalBytes, producers, files)
    }

    /// Ends the segment that is being written: the next batch begins another.
    private mutating func roll() throws(IOError) {
        guard var done = writer, done.segment.size > 0 else { return }
        try done.finish()
        done.close()
        sealed.append(done.sealed(writtenAt: salvage.now.wallMilliseconds))
        producers = done.producers
        writer = nil
    }

    private mutating func finish() throws(IOError) -> PartitionManifest {
        var manifest = PartitionManifest()
        manifest.epoch = epoch
        manifest.recovery = .start(of: next ?? 0)
        if var last = writer {
            try last.finish()
            last.close()
            manifest.recovery = last.segment.point(ceiling: 0)
            producers = last.producers
        }
        manifest.producers = producers.states
        // One that was left behind with the manifest's end says nothing of this log.
        let ceiling = known?.recovery.ceiling ?? 0
        let isNear = ceiling - manifest.recovery.offset <= Limits.skippedOffsets
        manifest.recovery.ceiling = isNear ? ceiling : 0
        manifest.sealed = sealed
        let first = sealed.first?.baseOffset ?? manifest.recovery.baseOffset
        manifest.logStart = min(max(first, known?.logStart ?? 0), manifest.recovery.offset)
        if batches > 0 {
            let metadata = try files.open(target + "/partition.metadata", .write)
            defer { files.close(metadata) }
            try files.sync(metadata)
            try files.syncDirectory(target)
        }
        salvage.report(
            .copied(
                topic: topic, partition: Int(key.partition),
                offsets: manifest.logStart..<manifest.recovery.offset, batches: batches, records: records))
        return manifest
    }
}
