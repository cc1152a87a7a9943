// The index files of a segment: looked up, checked, and rebuilt from the log. ActiveSegment.swift has their
// format.
//
// (1) An index is a hint. Whatever it says is held against the batch found there; on doubt the log is read
// from the segment's start. (2) No file is mapped: one that is cut or fails would be a signal, not an error.

/// What of the index files can be used up to a recovery point.
package struct UsableIndex {
    package var indexBytes: Int64 = 0
    package var timeBytes: Int64 = 0
    /// Much of the log has no entry: it is worth the rebuilding.
    package var isShort = false
}

package enum IndexFiles {
    /// The part of the files that describes the log below `point`; what is behind is cut off.
    package static func usable(
        _ paths: SegmentPaths, below point: RecoveryPoint, _ files: any FileSystem
    ) -> UsableIndex {
        var usable = UsableIndex()
        let entries = read(paths.index, files)
        let times = readTimes(paths.timeIndex, files)
        var kept = 0
        var last = IndexEntry(relativeOffset: -1, position: 0)
        for entry in entries {
            guard entry.relativeOffset > last.relativeOffset, entry.position > last.position,
                Int64(entry.position) < point.position
            else { break }
            last = entry
            kept += 1
        }
        var keptTimes = 0
        var lastTime = TimeIndexEntry(timestamp: .min, relativeOffset: -1)
        let end = point.offset - point.baseOffset
        for entry in times {
            guard entry.timestamp > lastTime.timestamp, entry.relativeOffset > lastTime.relativeOffset,
                Int64(entry.relativeOffset) < end
            else { break }
            lastTime = entry
            keptTimes += 1
        }
        usable.indexBytes = Int64(kept * IndexEntry.bytes)
        usable.timeBytes = Int64(keptTimes * TimeIndexEntry.bytes)
        usable.isShort = point.position - Int64(last.position) > rebuildBytes
        if kept < entries.count { cut(paths.index, to: usable.indexBytes, files) }
        if keptTimes < times.count { cut(paths.timeIndex, to: usable.timeBytes, files) }
        return usable
    }

    /// Below this, reading on from the last entry costs less than a rebuilding.
    private static let rebuildBytes: Int64 = 1 << 20

    private static func cut(_ path: String, to size: Int64, _ files: any FileSystem) {
        guard let file = try? files.open(path, .write) else { return }
        defer { files.close(file) }
        try? files.truncate(file, to: size)
    }

    /// All whole entries of an index; empty when it cannot be read.
    package static func read(_ path: String, _ files: any FileSystem) -> [IndexEntry] {
        guard let bytes = try? files.readAll(path, limit: maxBytes) else { return [] }
        var reader = BinaryReader(bytes[...])
        var entries: [IndexEntry] = []
        entries.reserveCapacity(bytes.count / IndexEntry.bytes)
        while reader.left >= IndexEntry.bytes, let offset = try? reader.integer(Int32.self),
            let position = try? reader.integer(Int32.self)
        {
            entries.append(IndexEntry(relativeOffset: offset, position: position))
        }
        return entries
    }

    package static func readTimes(_ path: String, _ files: any FileSystem) -> [TimeIndexEntry] {
        guard let bytes = try? files.readAll(path, limit: maxBytes) else { return [] }
        return times(bytes)
    }

    package static func times(_ bytes: [UInt8]) -> [TimeIndexEntry] {
        var reader = BinaryReader(bytes[...])
        var entries: [TimeIndexEntry] = []
        while reader.left >= TimeIndexEntry.bytes, let timestamp = try? reader.integer(Int64.self),
            let offset = try? reader.integer(Int32.self)
        {
            entries.append(TimeIndexEntry(timestamp: timestamp, relativeOffset: offset))
        }
        return entries
    }

    /// An index cannot be larger: one entry for each 61 bytes of the largest segment would be; garbage may.
    package static let maxBytes: Int64 = 64 << 20

    /// Reads the headers of a segment and writes both index files anew. nil when it could not.
    @discardableResult
    package static func rebuild(
        _ paths: SegmentPaths, baseOffset: Int64, size: Int64, interval: Int64, _ files: any FileSystem
    ) -> UsableIndex? {
        var segment = ActiveSegment(baseOffset: baseOffset)
        do throws(IOError) {
            var scanner = try TailScanner(path: paths.log, files: files, entries: [])
            defer { scanner.close() }
            while segment.size < size {
                guard let head = try scanner.bytes(at: segment.size, count: BatchLayout.headerBytes),
                    let header = try? BatchHeader(head.bytes), header.baseOffset >= segment.endOffset
                else { break }
                segment.add(
                    bytes: header.totalBytes, nextOffset: header.nextOffset,
                    maxTimestamp: header.maxTimestamp,
                    interval: interval)
            }
            let tail = segment.takeTail()
            try files.replaceUnsynced(paths.index, with: tail.index.flatMap(\.encoded))
            try files.replaceUnsynced(paths.timeIndex, with: tail.time.flatMap(\.encoded))
            return UsableIndex(
                indexBytes: Int64(tail.index.count * IndexEntry.bytes),
                timeBytes: Int64(tail.time.count * TimeIndexEntry.bytes))
        } catch {
            return nil
        }
    }

    /// The last entry at or before `offset`; nil when there is none of use.
    ///
    /// - Parameters:
    ///   - end: the offset behind the last record of the segment, to guess by.
    ///   - bytes: how much of the file counts; the rest is not known to describe the log.
    /// - Complexity: one read of 32 KiB when the index has no more, or offsets grow evenly; O(log n).
    package static func position(
        of offset: Int64, baseOffset: Int64, end: Int64, in path: String, bytes: Int64,
        _ files: any FileSystem
    ) -> IndexEntry? {
        guard bytes >= Int64(IndexEntry.bytes), let file = try? files.open(path, .read) else { return nil }
        defer { files.close(file) }
        let target = offset - baseOffset
        var low = 0
        var high = Int(min(bytes, (try? files.size(file)) ?? 0)) / IndexEntry.bytes
        var found: IndexEntry?
        let buffer = ByteBuffer(capacity: blockEntries * IndexEntry.bytes)
        var isFirst = true
        while low < high {
            // At first where it is when offsets grow evenly; then in the middle.
            let share = isFirst && end > baseOffset ? Double(target) / Double(end - baseOffset) : 0.5
            isFirst = false
            let guess = low + Int(Double(high - low) * min(max(share, 0), 1))
            let start = max(low, min(guess - blockEntries / 2, high - blockEntries))
            let count = min(blockEntries, high - start)
            buffer.count = 0
            guard
                let got = try? files.read(
                    file, at: Int64(start * IndexEntry.bytes), into: buffer, offset: 0,
                    count: count * IndexEntry.bytes),
                got == count * IndexEntry.bytes
            else { return nil }
            // How many of the block are at or before the target.
            var (below, above) = (0, count)
            while below < above {
                let middle = (below + above) / 2
                if Int64(entry(middle, in: buffer).relativeOffset) <= target {
                    below = middle + 1
                } else {
                    above = middle
                }
            }
            if below > 0 { found = entry(below - 1, in: buffer) }
            if below == 0 {
                high = start
            } else if below == count {
                low = start + count
            } else {
                return found
            }
        }
        return found
    }

    private static let blockEntries = 4_096

    private static func entry(_ index: Int, in buffer: ByteBuffer) -> IndexEntry {
        IndexEntry(
            relativeOffset: buffer.bigEndian(Int32.self, at: index * IndexEntry.bytes),
            position: buffer.bigEndian(Int32.self, at: index * IndexEntry.bytes + 4))
    }
}

extension FileSystem {
    /// Writes a file that can be rebuilt: beside, and renamed, so that a reader sees the old one or the new
    /// one.
    func replaceUnsynced(_ path: String, with bytes: [UInt8]) throws(IOError) {
        let beside = path + ".tmp"
        let file = try open(beside, .replace)
        do {
            defer { close(file) }
            try writeAll(file, at: 0, bytes, path: beside)
        }
        try rename(beside, to: path)
    }
}
