// Reading a segment: find a position for an offset or a time, then take whole batches from there on.
//
// (1) Synchronous, without the volume and its lock: a SegmentView says what may be read. (2) A file is opened
// for each call and closed: two microseconds, and no descriptor to be kept or counted. (3) A position
// that an index gave is held against the batch found there. On doubt the index of a sealed segment is
// rebuilt, that of an active one passed over.

/// Whole batches of one segment, as they are stored.
public struct FetchedBatches: Sendable {
    /// The batches, one after another.
    public let bytes: ByteSlice
    /// Where in the segment they begin.
    public let position: Int64

    /// The position behind them.
    public var end: Int64 { position + Int64(bytes.count) }
}

/// Reads segments of one store. Free of state: any thread may use it.
public struct SegmentReader: Sendable {
    let files: any FileSystem
    /// Whether indexes may be rebuilt on disk.
    private let mayRepair: Bool

    package init(_ files: any FileSystem, mayRepair: Bool) {
        self.files = files
        self.mayRepair = mayRepair
    }

    /// The position of the batch that holds `offset`, or of the first one behind it.
    ///
    /// Throws `corrupt` where the log is damaged between the nearest index entry and the offset, `io`.
    public func position(of offset: Int64, in view: SegmentView) throws(LogError) -> Int64 {
        if offset <= view.baseOffset { return 0 }
        var walk = SegmentWalk(view, files)
        defer { walk.close() }
        return try place(of: offset, &walk)?.position ?? view.limit
    }

    /// The same with the header of the batch; nil when there is none.
    private func place(of offset: Int64, _ walk: inout SegmentWalk) throws(LogError) -> SegmentWalk.Place? {
        let view = walk.view
        let isBehind = { (header: BatchHeader) in header.nextOffset > offset }
        if let hint = view.hint { return try walk.first(from: behindDamage(hint, offset, view), isBehind) }
        if let found = try placeByIndex(of: offset, &walk) { return found }
        if mayRepair, !view.isActive, view.paths.suffix.isEmpty, view.limit > view.indexInterval * 4 {
            IndexFiles.rebuild(
                view.paths, baseOffset: view.baseOffset, size: view.limit, interval: view.indexInterval, files
            )
            if let found = try placeByIndex(of: offset, &walk) { return found }
        }
        return try walk.first(from: behindDamage(0, offset, view), isBehind)
    }

    /// Where to begin to look, when the bytes before that may not be readable.
    private func behindDamage(_ start: Int64, _ offset: Int64, _ view: SegmentView) -> Int64 {
        guard let damage = view.damage, offset >= damage.endOffset else { return start }
        return max(start, damage.endPosition)
    }

    /// By an index entry whose batch is really there; nil when there is none.
    private func placeByIndex(
        of offset: Int64, _ walk: inout SegmentWalk
    ) throws(LogError) -> SegmentWalk.Place? {
        let view = walk.view
        guard
            let entry = IndexFiles.position(
                of: offset, baseOffset: view.baseOffset, end: view.endOffset, in: view.paths.index,
                bytes: view.indexBytes, files),
            let header = walk.header(at: Int64(entry.position)),
            header.lastOffset == view.baseOffset + Int64(entry.relativeOffset)
        else { return nil }
        return try walk.first(from: behindDamage(Int64(entry.position), offset, view)) {
            $0.nextOffset > offset
        }
    }

    /// The first record with a timestamp at or after `timestamp`, in this segment and at or behind the log
    /// start, with the position of its batch.
    public func record(
        atTime timestamp: Int64, in view: SegmentView, _ context: inout CodecContext
    ) throws(LogError) -> (offset: Int64, timestamp: Int64, position: Int64)? {
        var plain = view
        plain.hint = nil
        var walk = SegmentWalk(plain, files)
        defer { walk.close() }
        var position = try startOfTime(timestamp, &walk)
        while true {
            let found = try walk.first(from: position) { header in
                header.maxTimestamp >= timestamp && header.nextOffset > view.logStart && !header.isControl
                    && header.recordCount > 0
            }
            guard let found, let stored = try walk.batch(found) else { return nil }
            let decoded = try decode(stored, at: found.position, in: view, &context)
            var cursor = decoded.cursor(from: view.logStart)
            while cursor.next() {
                if cursor.timestamp >= timestamp { return (cursor.offset, cursor.timestamp, found.position) }
            }
            position = found.position + Int64(found.header.totalBytes)
        }
    }

    /// Whole batches from `position` on: as many as fit `maxBytes`, at least one. nil at the end of the view.
    ///
    /// `position` is the start of a batch. Checksums are looked at when a batch is decoded. Throws `corrupt`,
    /// `io`.
    public func fetch(_ view: SegmentView, from position: Int64, maxBytes: Int) throws(LogError)
        -> FetchedBatches?
    {
        guard position < view.limit else { return nil }
        switch try fetch(view, position, maxBytes, mayWait: true) {
        case .batches(let batches): return batches
        case .wouldWait: return nil
        }
    }

    /// As `fetch`, without waiting for the disk: says so when it would have to. `position` lies within the
    /// view.
    public func fetchNoWait(_ view: SegmentView, from position: Int64, maxBytes: Int) throws(LogError)
        -> Fetch
    {
        try fetch(view, position, maxBytes, mayWait: false)
    }

    /// What a fetch that does not wait found.
    public enum Fetch: Sendable {
        case batches(FetchedBatches)
        case wouldWait
    }

    private func fetch(
        _ view: SegmentView, _ position: Int64, _ maxBytes: Int, mayWait: Bool
    ) throws(LogError) -> Fetch {
        if let piece = view.piece(at: position) {
            return .batches(FetchedBatches(bytes: piece, position: position))
        }
        do throws(IOError) {
            let file = try files.open(view.paths.log, .read)
            defer { files.close(file) }
            let left = view.fileLimit(from: position) - position
            var capacity = Int(min(left, Int64(max(maxBytes, BatchLayout.headerBytes))))
            while true {
                let buffer = ByteBuffer(capacity: capacity)
                let count =
                    mayWait
                    ? try files.read(file, at: position, into: buffer, offset: 0, count: capacity)
                    : try files.readNoWait(file, at: position, into: buffer, offset: 0, count: capacity)
                guard let count else { return .wouldWait }
                let whole = Self.wholeBatches(buffer, count)
                if whole.bytes > 0 {
                    let bytes = ByteSlice(buffer, start: 0, count: whole.bytes)
                    return .batches(FetchedBatches(bytes: bytes, position: position))
                }
                // Only a part was in memory, or the first batch is larger than what was asked for.
                if count < capacity, !mayWait { return .wouldWait }
                guard let needed = whole.needed, needed > capacity, Int64(needed) <= left else {
                    throw IOError(
                        operation: "batch", path: whole.reason ?? "the file ends within a batch", errno: 0)
                }
                capacity = needed
            }
        } catch {
            throw error.operation == "batch"
                ? .corrupt(file: view.paths.log, position: position, reason: error.path) : .io(error)
        }
    }

    /// A stored batch with its records checked. Throws `corrupt` with the position in the segment.
    public func decode(
        _ stored: ByteSlice, at position: Int64, in view: SegmentView, _ context: inout CodecContext,
        reusing buffer: ByteBuffer? = nil
    ) throws(LogError) -> DecodedBatch {
        do throws(BatchError) {
            return try DecodedBatch(
                stored, with: &context, maxBytes: Limits.decompressedBatchBytes, reusing: buffer)
        } catch {
            throw .corrupt(file: view.paths.log, position: position, reason: error.description)
        }
    }

    /// How many bytes at the front are whole batches, by their headers.
    private static func wholeBatches(_ buffer: ByteBuffer, _ count: Int) -> (
        bytes: Int, needed: Int?, reason: String?
    ) {
        var end = 0
        while count - end >= BatchLayout.headerBytes {
            do throws(BatchError) {
                let header = try BatchHeader(
                    ByteSlice(buffer, start: end, count: BatchLayout.headerBytes).bytes)
                guard header.totalBytes <= count - end else { return (end, header.totalBytes, nil) }
                end += header.totalBytes
            } catch {
                return (end, nil, error.description)
            }
        }
        return (end, nil, nil)
    }

    /// Where to begin to look for a time: no batch before has a timestamp as late.
    private func startOfTime(_ timestamp: Int64, _ walk: inout SegmentWalk) throws(LogError) -> Int64 {
        let view = walk.view
        guard let bytes = timeIndex(of: view) else { return 0 }
        let entries = IndexFiles.times(bytes)
        guard let entry = entries.last(where: { $0.timestamp < timestamp }) else { return 0 }
        guard zip(entries, entries.dropFirst()).allSatisfy({ $0.timestamp < $1.timestamp }) else { return 0 }
        let offset = view.baseOffset + Int64(entry.relativeOffset)
        guard offset > view.baseOffset, let found = try place(of: offset, &walk),
            found.header.lastOffset == offset, found.header.maxTimestamp == entry.timestamp
        else { return 0 }
        return found.position
    }

    /// The bytes of the time index that describe the view; nil when there is nothing to go by.
    private func timeIndex(of view: SegmentView) -> [UInt8]? {
        let path = view.paths.timeIndex
        let bytes = try? files.readAll(path, limit: min(view.timeBytes, IndexFiles.maxBytes))
        guard let crc = view.timeIndexCRC else { return bytes }
        if let bytes, CRC32C.checksum(bytes.span.bytes) == crc, Int64(bytes.count) == view.timeBytes {
            return bytes
        }
        guard mayRepair, view.paths.suffix.isEmpty else { return nil }
        IndexFiles.rebuild(
            view.paths, baseOffset: view.baseOffset, size: view.limit, interval: view.indexInterval, files)
        return try? files.readAll(path, limit: IndexFiles.maxBytes)
    }
}

extension SegmentView {
    /// What the journal alone has from `position` on, the start of a batch; nil where the file has it.
    func piece(at position: Int64) -> ByteSlice? {
        guard !pieces.isEmpty,
            let piece = pieces.first(where: { $0.position <= position && position < $0.end })
        else { return nil }
        let inside = Int(position - piece.position)
        return ByteSlice(
            piece.bytes.buffer, start: piece.bytes.start + inside, count: piece.bytes.count - inside)
    }

    /// Up to where the file itself may be read from `position` on.
    func fileLimit(from position: Int64) -> Int64 {
        pieces.first { $0.position > position }.map { min($0.position, limit) } ?? limit
    }
}
