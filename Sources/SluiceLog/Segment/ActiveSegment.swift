// The segment of a partition that is being appended to, as it is in memory.
//
//   .index      8-byte entries, big-endian:   | relative offset i32 | position i32 |
//   .timeindex  12-byte entries, big-endian:  | timestamp i64 | relative offset i32 |
//
// An index entry names the last offset of a batch and the position where that batch begins; a time entry the
// greatest timestamp so far and the last offset of the batch that brought it. One of each at most per
// index.interval.bytes.
//
// (1) Positions and relative offsets rise strictly, timestamps too. (2) Both files can be rebuilt from the
// log and are never synced. (3) An entry may be missing: a look-up then reads a little more of the log. (4)
// Entries wait in memory, at most `unflushedEntries`, and go to the files with a later write.

/// One entry of an offset index.
package struct IndexEntry: Hashable, Sendable {
    package var relativeOffset: Int32
    package var position: Int32
    package static let bytes = 8
}

/// One entry of a time index.
package struct TimeIndexEntry: Hashable, Sendable {
    package var timestamp: Int64
    package var relativeOffset: Int32
    package static let bytes = 12
}

/// Entries that wait for their place in the index files.
package struct IndexTail: Sendable {
    package var index: [IndexEntry] = []
    package var time: [TimeIndexEntry] = []
    /// Where in each file the first of them goes.
    package var indexPosition: Int64 = 0
    package var timePosition: Int64 = 0
    package init() {}
}

package struct ActiveSegment: Sendable {
    /// At most so many entries of each index are held in memory, 2.5 KiB.
    package static let unflushedEntries = 128

    package var baseOffset: Int64
    /// The offset behind the last batch that was written.
    package var endOffset: Int64
    /// Bytes that were written.
    package var size: Int64 = 0
    package var batches: Int64 = 0
    package var maxTimestamp: Int64 = -1
    package var firstTimestamp: Int64 = -1
    /// CRC-32C of the bytes that were written.
    package var crc: UInt32 = 0
    /// When the last batch was written, by the wall clock, ms; after an opening, that of the last one known.
    package var lastWrite: Int64 = 0
    package var tail = IndexTail()
    private var bytesSinceEntry: Int64 = 0
    private var lastIndexedTimestamp: Int64 = -1

    package init(baseOffset: Int64) {
        self.baseOffset = baseOffset
        endOffset = baseOffset
    }

    /// The segment as a recovery point left it; index entries before it are in the files.
    package init(_ point: RecoveryPoint) {
        self.init(baseOffset: point.baseOffset)
        endOffset = point.offset
        size = point.position
        batches = point.batches
        maxTimestamp = point.maxTimestamp
        firstTimestamp = point.firstTimestamp
        crc = point.crc
        lastIndexedTimestamp = point.maxTimestamp
    }

    /// What a sync that ends now would make the recovery point.
    package func point(ceiling: Int64) -> RecoveryPoint {
        RecoveryPoint(
            baseOffset: baseOffset, position: size, offset: endOffset, batches: batches,
            maxTimestamp: maxTimestamp, firstTimestamp: firstTimestamp, crc: crc, ceiling: ceiling)
    }

    /// Takes note of a batch that was written at the end. The running CRC is the caller's.
    package mutating func add(bytes: Int, nextOffset: Int64, maxTimestamp timestamp: Int64, interval: Int64) {
        if size > 0, bytesSinceEntry > interval {
            let last = Int32(truncatingIfNeeded: nextOffset - 1 - baseOffset)
            // Of what came before this batch, as Kafka has it: the entry is made ahead of the append.
            tail.index.append(IndexEntry(relativeOffset: last, position: Int32(truncatingIfNeeded: size)))
            let greatest = max(maxTimestamp, timestamp)
            if timestamp == greatest, greatest > lastIndexedTimestamp {
                tail.time.append(TimeIndexEntry(timestamp: greatest, relativeOffset: last))
                lastIndexedTimestamp = greatest
            }
            bytesSinceEntry = 0
        }
        if batches == 0 { firstTimestamp = timestamp }
        maxTimestamp = max(maxTimestamp, timestamp)
        bytesSinceEntry += Int64(bytes)
        size += Int64(bytes)
        batches += 1
        endOffset = nextOffset
    }

    /// Gives up the waiting entries: the look-ups that they were for read a little more.
    package mutating func dropTail() {
        tail.index = []
        tail.time = []
    }

    /// Hands over the waiting entries, to be written to the files.
    package mutating func takeTail() -> IndexTail {
        let taken = tail
        tail = IndexTail()
        tail.indexPosition = taken.indexPosition + Int64(taken.index.count * IndexEntry.bytes)
        tail.timePosition = taken.timePosition + Int64(taken.time.count * TimeIndexEntry.bytes)
        return taken
    }
}

extension IndexEntry {
    package var encoded: [UInt8] {
        var writer = BinaryWriter()
        writer.put(relativeOffset)
        writer.put(position)
        return writer.bytes
    }
}

extension TimeIndexEntry {
    package var encoded: [UInt8] {
        var writer = BinaryWriter()
        writer.put(timestamp)
        writer.put(relativeOffset)
        return writer.bytes
    }
}

extension IndexTail {
    package var isEmpty: Bool { index.isEmpty && time.isEmpty }

    /// Writes the entries to the files. An error may be dropped: a missing entry costs a look-up some
    /// reading, nothing else.
    ///
    /// A file that could not be written has a hole of zeros or ends early; a look-up notices either.
    ///
    /// - Returns: Whether all of them are in the files.
    @discardableResult
    package func flush(to paths: SegmentPaths, _ files: any FileSystem) -> Bool {
        func put(_ path: String, at position: Int64, _ bytes: [UInt8]) -> Bool {
            guard !bytes.isEmpty else { return true }
            guard let file = try? files.open(path, .create) else { return false }
            defer { files.close(file) }
            return files.writeFully(file, at: position, [ByteSlice(ByteBuffer(bytes))]).error == nil
        }
        let isIndexed = put(paths.index, at: indexPosition, index.flatMap(\.encoded))
        return put(paths.timeIndex, at: timePosition, time.flatMap(\.encoded)) && isIndexed
    }
}
