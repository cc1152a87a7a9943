// What a compaction changes in a partition, as the manifest has it.
//
//   generation i32 · first dirty offset i64 · damaged end i64
//   · removed: count u32, base offsets i64 · added: count u32, (sealed segment, generation i32)
//
// (1) One record: a crash leaves the old segments or the new ones. (2) Applied twice it is the same as once.
// (3) What it adds below the log start has been deleted meanwhile, and is not added.

/// How far a partition has been compacted.
package struct CleaningPoint: Hashable, Sendable {
    /// Of the last compaction that changed a segment; the names of its files had this number.
    package var generation: Int32 = 0
    /// Below it each key occurs once. Kafka: the cleaner's checkpoint.
    package var firstDirty: Int64 = 0
    /// The offset behind the last stretch that could not be read when it was to be cleaned. While it is above
    /// the log start no tombstone goes: what it deletes may be in there.
    package var damagedEnd: Int64 = 0

    package init() {}
}

/// Segments that take the place of others, and how far the partition is compacted with them.
package struct SegmentSwap: Hashable, Sendable {
    /// Base offsets.
    package var removed: [Int64] = []
    package var added: [SealedSegment] = []
    package var point: CleaningPoint

    package init(removed: [Int64] = [], added: [SealedSegment] = [], point: CleaningPoint) {
        self.removed = removed
        self.added = added
        self.point = point
    }

    func encode(into writer: inout BinaryWriter) {
        writer.put(point.generation)
        writer.put(point.firstDirty)
        writer.put(point.damagedEnd)
        writer.put(removed) { $0.put($1) }
        writer.put(added) {
            ManifestRecord.put($1, &$0)
            $0.put($1.generation)
        }
    }

    init(from reader: inout BinaryReader) throws(MalformedRecord) {
        point = CleaningPoint()
        point.generation = try reader.integer()
        point.firstDirty = try reader.integer()
        point.damagedEnd = try reader.integer()
        removed = try reader.array(minimumBytes: 8) { reader throws(MalformedRecord) in
            try reader.integer()
        }
        added = try reader.array(minimumBytes: 68) { reader throws(MalformedRecord) in
            var sealed = try ManifestRecord.sealed(&reader)
            sealed.generation = try reader.integer()
            return sealed
        }
    }
}

extension [SealedSegment] {
    /// Puts the swap's segments in the place of those that it removes.
    mutating func apply(_ swap: SegmentSwap, logStart: Int64) {
        let gone = Set(swap.removed).union(swap.added.map(\.baseOffset))
        guard !gone.isEmpty else { return }
        removeAll { gone.contains($0.baseOffset) }
        append(contentsOf: swap.added.filter { $0.endOffset > logStart })
        sort { $0.baseOffset < $1.baseOffset }
    }
}
