// Reading a segment: find a position for an offset or a time, then take whole batches from there on.
//
// (1) Synchronous, without the volume and its lock: a SegmentView says what may be read. (2) The file is
// opened for each call and closed: two microseconds, and no descriptor to be kept or counted. (3) A position
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
    private let files: any FileSystem
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
        var starts: [Int64] = []
        if let hint = view.hint {
            starts.append(hint)
        } else if let entry = checkedEntry(of: offset, in: view) {
            starts.append(entry)
        } else if mayRepair, !view.isActive, view.paths.suffix.isEmpty, view.limit > view.indexInterval * 4 {
            IndexFiles.rebuild(
                view.paths, baseOffset: view.baseOffset, size: view.limit, interval: view.indexInterval, files
            )
            if let entry = checkedEntry(of: offset, in: view) { starts.append(entry) }
        }
        if let damage = view.damage, offset >= damage.endOffset { starts.append(damage.endPosition) }
        return try scan(view, from: starts.max() ?? 0) { $0.nextOffset > offset ? true : nil }?.position
            ?? view.limit
    }

    /// The first record with a timestamp at or after `timestamp`, in this segment and at or behind the log
    /// start.
    public func record(
        atTime timestamp: Int64, in view: SegmentView, _ context: inout CodecContext
    ) throws(LogError) -> (offset: Int64, timestamp: Int64)? {
        var position = try startOfTime(timestamp, in: view)
        while true {
            let found = try scan(view, from: position) { header -> Bool? in
                header.maxTimestamp >= timestamp && header.nextOffset > view.logStart && !header.isControl
                    && header.recordCount > 0 ? true : nil
            }
            guard let found else { return nil }
            guard let batch = try fetch(view, from: found.position, maxBytes: found.header.totalBytes) else {
                return nil
            }
            let stored = ByteSlice(
                batch.bytes.buffer, start: batch.bytes.start,
                count: min(found.header.totalBytes, batch.bytes.count))
            let decoded = try decode(stored, at: found.position, in: view, &context)
            var cursor = decoded.cursor(from: view.logStart)
            while cursor.next() {
                if cursor.timestamp >= timestamp { return (cursor.offset, cursor.timestamp) }
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

    /// An index entry for the offset whose batch is really there.
    private func checkedEntry(of offset: Int64, in view: SegmentView) -> Int64? {
        guard
            let entry = IndexFiles.position(
                of: offset, baseOffset: view.baseOffset, in: view.paths.index, bytes: view.indexBytes, files),
            let header = header(at: Int64(entry.position), in: view),
            header.lastOffset == view.baseOffset + Int64(entry.relativeOffset)
        else { return nil }
        return Int64(entry.position)
    }

    private func header(at position: Int64, in view: SegmentView) -> BatchHeader? {
        if let piece = view.piece(at: position) { return try? BatchHeader(piece.bytes) }
        guard position >= 0, position < view.limit, let file = try? files.open(view.paths.log, .read) else {
            return nil
        }
        defer { files.close(file) }
        let buffer = ByteBuffer(capacity: BatchLayout.headerBytes)
        guard
            let count = try? files.read(
                file, at: position, into: buffer, offset: 0, count: BatchLayout.headerBytes),
            count == BatchLayout.headerBytes
        else { return nil }
        return try? BatchHeader(buffer.bytes)
    }

    /// Where to begin to look for a time: no batch before has a timestamp as late.
    private func startOfTime(_ timestamp: Int64, in view: SegmentView) throws(LogError) -> Int64 {
        guard let bytes = timeIndex(of: view) else { return 0 }
        let entries = IndexFiles.times(bytes)
        guard let entry = entries.last(where: { $0.timestamp < timestamp }) else { return 0 }
        guard zip(entries, entries.dropFirst()).allSatisfy({ $0.timestamp < $1.timestamp }) else { return 0 }
        let offset = view.baseOffset + Int64(entry.relativeOffset)
        var plain = view
        plain.hint = nil
        let position = try self.position(of: offset, in: plain)
        guard let header = header(at: position, in: view), header.lastOffset == offset,
            header.maxTimestamp == entry.timestamp
        else { return 0 }
        return position
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

    /// The first batch from `start` on whose header the condition accepts.
    private func scan(
        _ view: SegmentView, from start: Int64, _ accepts: (BatchHeader) -> Bool?
    ) throws(LogError) -> (position: Int64, header: BatchHeader)? {
        var position = start
        do throws(IOError) {
            var scanner = try TailScanner(path: view.paths.log, files: files, windowBytes: 128 << 10)
            defer { scanner.close() }
            // Removed since the view was made: that is no damage.
            if scanner.file == nil, view.pieces.isEmpty {
                throw IOError(operation: "open", path: view.paths.log, errno: IOError.notFound)
            }
            while position < view.limit {
                var head = view.piece(at: position)
                if head == nil { head = try scanner.bytes(at: position, count: BatchLayout.headerBytes) }
                guard let head else {
                    throw IOError(operation: "batch", path: "the file ends within a batch header", errno: 0)
                }
                do throws(BatchError) {
                    let header = try BatchHeader(head.bytes)
                    if accepts(header) == true { return (position, header) }
                    position += Int64(header.totalBytes)
                } catch {
                    throw IOError(operation: "batch", path: error.description, errno: 0)
                }
            }
            return nil
        } catch {
            throw error.operation == "batch"
                ? .corrupt(file: view.paths.log, position: position, reason: error.path) : .io(error)
        }
    }
}

extension SegmentView {
    /// What the journal alone has from `position` on, the start of a batch; nil where the file has it.
    fileprivate func piece(at position: Int64) -> ByteSlice? {
        guard !pieces.isEmpty,
            let piece = pieces.first(where: { $0.position <= position && position < $0.end })
        else { return nil }
        let inside = Int(position - piece.position)
        return ByteSlice(
            piece.bytes.buffer, start: piece.bytes.start + inside, count: piece.bytes.count - inside)
    }

    /// Up to where the file itself may be read from `position` on.
    fileprivate func fileLimit(from position: Int64) -> Int64 {
        pieces.first { $0.position > position }.map { min($0.position, limit) } ?? limit
    }
}
