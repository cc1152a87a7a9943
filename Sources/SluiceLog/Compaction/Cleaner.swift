// Log compaction: of each key the last record stays. Kafka: LogCleaner, Cleaner.
//
//   | clean: each key once | dirty: 1. its keys go into the map … X | not looked at | active |
//   | 2. segments below X, group by group: read, filtered, written as one, synced, 3. read again, swapped |
//
// A record goes when the map has a later offset of its key, when it has no key, or when it is a tombstone
// whose time is over. A tombstone's time begins when its batch is first in a clean stretch: the batch then
// gets a delete horizon. Control batches stay.
//
// (1) The map holds what its memory allows: X is the first record that it has no room for, and the next
// pass goes on there. Whatever is left out of the map only stays longer. (2) What cannot be read stays as it
// is: its segment is passed over, reported, and `damagedEnd` keeps the tombstones until a pass can read all;
// that begins again at the log start. (3) Groups are swapped from the oldest on, so that what a tombstone
// deletes is gone before it. (4) Of batches that lose all their records the last of a segment stays, empty,
// so that the segment ends where it did; and those that may be the last of their producer id. (5) A segment
// of which nothing goes is read and not written. (6) Memory: the map, a window of input, a batch, a piece of
// output. Nothing is held across slices but these and the output's descriptor. (7) The same plan on the same
// bytes does the same.

struct Cleaner: ~Copyable {
    enum Phase { case mapping, grouping, probing, copying, checking, over }

    let plan: CompactionPlan
    var phase = Phase.mapping
    var filter = BatchFilter()
    var keys: KeyOffsets
    /// The last offset of each producer id in the dirty stretch, as far as there is room.
    var producers: [Int64: Int64] = [:]
    /// X: the records below it are in the map.
    var mappedEnd: Int64
    /// Base offsets of segments that could not be read.
    var damaged: Set<Int64> = []
    var damagedEnd: Int64 = 0
    /// Which records of the batch in hand stay.
    var verdicts: [Bool] = []
    var news: [CompactionDamage] = []

    /// The segment that is being read, and where.
    var source = 0
    var position: Int64 = 0
    /// The segments that become one.
    var group: Range<Int> = 0..<0
    var output: CompactionOutput?
    /// What the last output that was swapped takes of the disk, and what those that were given up have left.
    var swappedBytes: Int64 = 0
    var leftBytes: Int64 = 0
    var generation: Int32

    static let windowBytes = 256 << 10
    /// Producer ids that are remembered; of others batches stay that could go.
    static let maxProducers = 16_384

    init(_ plan: CompactionPlan) {
        self.plan = plan
        // An offset is at most one key; an eighth is for buffers and producer ids.
        keys = KeyOffsets(budget: plan.memory / 8 * 7, keys: plan.end - plan.firstDirty)
        mappedEnd = plan.end
        generation = plan.point.generation
    }

    /// Goes on for about so many bytes of reading and writing.
    mutating func run(_ files: any FileSystem, bytes limit: Int) -> CompactResult {
        var spent = 0
        news = []
        leftBytes = 0
        do throws(IOError) {
            while spent < limit {
                switch phase {
                case .mapping: spent += map(files, bytes: limit - spent)
                case .grouping: nextGroup()
                case .probing: spent += probe(files, bytes: limit - spent)
                case .copying: spent += try copy(files, bytes: limit - spent)
                case .checking:
                    let (bytes, swap) = try check(files, bytes: limit - spent)
                    spent += bytes
                    guard let swap else { continue }
                    return CompactResult(
                        bytes: spent, step: swap, outputBytes: swappedBytes, leftBytes: leftBytes,
                        damage: news)
                case .over:
                    return CompactResult(
                        bytes: spent, step: .finished(finalPoint()), leftBytes: leftBytes, damage: news)
                }
            }
            return CompactResult(bytes: spent, step: .more, leftBytes: leftBytes, damage: news)
        } catch {
            return CompactResult(bytes: spent, step: .failed(error), leftBytes: leftBytes, damage: news)
        }
    }

    mutating func takeOutput() -> (open: FileID?, paths: SegmentPaths?) {
        defer { output = nil }
        return (output?.file, output?.paths)
    }

    var sourcesInHand: [SealedSegment] {
        switch phase {
        case .mapping, .grouping, .over: []
        case .probing, .copying, .checking: plan.sources[group].map(\.sealed)
        }
    }

    // MARK: 1. The map

    /// Reads dirty batches and takes note of their keys, until the map is full or all are read.
    private mutating func map(_ files: any FileSystem, bytes limit: Int) -> Int {
        guard source < plan.sources.count else {
            phase = .grouping
            return 0
        }
        let segment = plan.sources[source]
        guard segment.sealed.endOffset > plan.firstDirty, !damaged.contains(segment.sealed.baseOffset) else {
            return nextSource()
        }
        return read(files, bytes: limit) { cleaner, header, stored throws(BatchError) in
            guard header.nextOffset > cleaner.plan.firstDirty, !header.isControl else { return true }
            if header.producerID >= 0,
                cleaner.producers.count < Self.maxProducers || cleaner.producers[header.producerID] != nil
            {
                cleaner.producers[header.producerID] = header.lastOffset
            }
            guard header.recordCount > 0 else { return true }
            let batch = try cleaner.filter.decode(stored)
            var cursor = batch.cursor
            while cursor.next() {
                guard cursor.offset >= cleaner.plan.firstDirty,
                    let hash = cursor.keyHash(cleaner.plan.hash)
                else { continue }
                guard cleaner.keys.set(hash, cursor.offset) else {
                    cleaner.mappedEnd = cursor.offset
                    cleaner.phase = .grouping
                    return false
                }
            }
            return true
        }
    }

    private mutating func nextSource() -> Int {
        source += 1
        position = 0
        return 0
    }

    /// Hands whole batches of the present segment on until the bytes are used up, the segment ends, or
    /// `take` has enough. At the end of the segment `source` is the next one.
    private mutating func read(
        _ files: any FileSystem, bytes limit: Int,
        _ take: (inout Cleaner, BatchHeader, ByteSlice) throws(BatchError) -> Bool
    ) -> Int {
        let segment = plan.sources[source]
        let start = position
        var reason: String?
        var isLasting = true
        do throws(IOError) {
            var scanner = try TailScanner(
                path: segment.paths.log, files: files, windowBytes: Self.windowBytes)
            defer { scanner.close() }
            while position < segment.sealed.size, position - start < Int64(limit) {
                guard case .valid(let header, let stored) = try scanner.batch(at: position, expecting: nil),
                    header.baseOffset >= segment.sealed.baseOffset,
                    header.nextOffset <= segment.sealed.endOffset
                else {
                    reason = "a batch is damaged"
                    break
                }
                do throws(BatchError) {
                    guard try take(&self, header, stored) else { return Int(max(0, position - start)) }
                } catch {
                    reason = error.description
                    break
                }
                position += Int64(header.totalBytes)
            }
        } catch {
            reason = "reading failed with error \(error.errno)"
            isLasting = false
        }
        let read = Int(position - start)
        if let reason {
            passOver(segment, SegmentDamage(position: position, reason: reason), isLasting)
        } else if position >= segment.sealed.size {
            _ = nextSource()
        }
        return read
    }

    /// A segment that cannot be read as a whole stays as it is.
    private mutating func passOver(
        _ segment: CompactionPlan.Source, _ damage: SegmentDamage, _ isLasting: Bool
    ) {
        if damaged.insert(segment.sealed.baseOffset).inserted {
            news.append(
                CompactionDamage(
                    segment: segment.sealed.baseOffset, file: segment.paths.log, damage: damage,
                    isLasting: isLasting))
        }
        damagedEnd = max(damagedEnd, segment.sealed.endOffset)
        _ = nextSource()
    }

    // MARK: 2. Groups

    /// The next segments that together are no larger than one may be.
    private mutating func nextGroup() {
        var first = group.upperBound
        while first < plan.sources.count, damaged.contains(plan.sources[first].sealed.baseOffset) {
            first += 1
        }
        guard first < plan.sources.count, plan.sources[first].sealed.baseOffset < mappedEnd else {
            phase = .over
            return
        }
        let base = plan.sources[first].sealed.baseOffset
        var size = plan.sources[first].sealed.size
        var end = first + 1
        while end < plan.sources.count {
            let next = plan.sources[end].sealed
            size += next.size
            guard next.baseOffset < mappedEnd, !damaged.contains(next.baseOffset),
                size <= plan.settings.segmentBytes, next.endOffset - base <= Int64(Int32.max)
            else { break }
            end += 1
        }
        group = first..<end
        source = first
        position = 0
        phase = group.count > 1 ? .copying : .probing
    }

    /// Looks for anything that would go; a segment without stays as it is.
    private mutating func probe(_ files: any FileSystem, bytes limit: Int) -> Int {
        let wasDamaged = damaged.count
        let read = read(files, bytes: limit) { cleaner, header, stored throws(BatchError) in
            guard try cleaner.changes(header, stored) else { return true }
            cleaner.source = cleaner.group.lowerBound
            cleaner.position = 0
            cleaner.phase = .copying
            return false
        }
        if phase == .probing, source >= group.upperBound || damaged.count > wasDamaged { phase = .grouping }
        return read
    }

    private mutating func copy(_ files: any FileSystem, bytes limit: Int) throws(IOError) -> Int {
        if output == nil {
            generation = plan.point.generation + 1
            output = try CompactionOutput(
                plan.directory, base: plan.sources[group.lowerBound].sealed.baseOffset,
                generation: generation, interval: plan.settings.indexIntervalBytes, limit: plan.outputBytes,
                files)
        }
        let wasDamaged = damaged.count
        var failure: IOError?
        let before = output?.segment.size ?? 0
        let read = read(files, bytes: limit) { cleaner, header, stored throws(BatchError) in
            failure = try cleaner.copy(header, stored, files)
            return failure == nil
        }
        if let failure { throw failure }
        let written = Int((output?.segment.size ?? 0) - before)
        if damaged.count > wasDamaged {
            // What lay before it is done without it; the rest of the group makes groups of its own.
            leftBytes += output?.discard(files) ?? 0
            output = nil
            phase = .grouping
            group = group.lowerBound..<group.lowerBound
            return read + written
        }
        if source >= group.upperBound {
            try output?.finish(files)
            phase = .checking
        }
        return read + written
    }
}
