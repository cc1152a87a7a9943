// Where a reader finds an offset. SegmentReader.swift does the reading, outside the lock.
//
// (1) What is answered stays readable: segments only grow, and a removed one keeps its bytes for whoever has
// it open.
// (2) Nothing beyond the high watermark is shown. (3) A view names files, and a compaction gives the names to
// others. Whoever has read through one asks `isReplaced` after it: if so, what was read is of no use.

/// A segment, and how much of it may be read.
public struct SegmentView: Sendable {
    package var paths: SegmentPaths
    package var baseOffset: Int64
    /// Visible bytes.
    package var limit: Int64
    /// The offset behind the last visible record.
    package var endOffset: Int64
    package var logStart: Int64
    /// Bytes of the index files that describe it.
    package var indexBytes: Int64
    package var timeBytes: Int64
    /// What the time index must be; nil in the active segment.
    package var timeIndexCRC: UInt32?
    package var isActive: Bool
    /// The start of a batch at or before the offset that was asked for, when it is known already.
    package var hint: Int64?
    package var indexInterval: Int64
    /// A stretch that cannot be read.
    package var damage: DamagedRange?
    package var maxTimestamp: Int64
    /// How often it had been compacted; above 0 its offsets have gaps.
    package var generation: Int32 = 0
}

extension Volume {
    /// Log start offset ..< high watermark. Throws `unknownPartition`.
    public func offsets(_ number: Int) throws(LogError) -> Range<Int64> {
        let partition = try readable(number)
        return partition.logStart..<max(partition.logStart, partition.visible.offset)
    }

    /// The segment that holds `offset`; nil when it is the high watermark, where nothing is yet.
    ///
    /// Throws `offsetOutOfRange`, `offline`, `unknownPartition`.
    /// - Complexity: O(log n) in the number of segments.
    public func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView? {
        let partition = try readable(number)
        if case .offline(let reason) = partition.condition { throw .offline(reason: reason) }
        let end = partition.visible.offset
        guard offset >= partition.logStart, offset <= max(end, partition.logStart) else {
            throw .offsetOutOfRange(
                requested: offset, valid: partition.logStart..<max(partition.logStart, end))
        }
        guard offset < end else { return nil }
        if offset >= partition.active.baseOffset { return active(partition, offset) }
        var low = 0
        var high = partition.sealed.count
        while low < high {
            let middle = (low + high) / 2
            if partition.sealed[middle].endOffset <= offset { low = middle + 1 } else { high = middle }
        }
        guard low < partition.sealed.count else { return active(partition, offset) }
        return sealed(partition, low)
    }

    /// The first segment that may hold a record with a timestamp at or after `timestamp`; nil when none does.
    public func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        let partition = try readable(number)
        if case .offline(let reason) = partition.condition { throw .offline(reason: reason) }
        if let index = partition.sealed.firstIndex(where: {
            $0.maxTimestamp >= timestamp && $0.endOffset > partition.logStart
        }) {
            return sealed(partition, index)
        }
        guard partition.active.size > 0, partition.active.maxTimestamp >= timestamp,
            partition.visible.offset > partition.active.baseOffset
        else { return nil }
        return active(partition, partition.active.baseOffset)
    }

    /// Whether compaction has put other bytes in the place of the view's since it was made: then what was
    /// read, or why it could not be, counts for nothing, and a new view is to be asked for.
    ///
    /// - Parameter afterFailure: the reading failed. While files are being renamed the temporary name may be
    ///   gone already: that is no failure of the store, and is over in a moment.
    public func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool = false) -> Bool {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return false }
        guard view.baseOffset < partition.active.baseOffset,
            let sealed = partition.sealed.last(where: { $0.baseOffset <= view.baseOffset }),
            view.baseOffset < sealed.endOffset
        else { return false }
        if afterFailure, partition.isRenaming, !view.paths.suffix.isEmpty { return true }
        return sealed.baseOffset != view.baseOffset || sealed.generation != view.generation
            || partition.paths(of: sealed).suffix != view.paths.suffix
    }

    /// The segment behind one that has been read to its end; nil when it was the last.
    public func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView? {
        guard !view.isActive else { return nil }
        return try segment(number, at: view.endOffset)
    }

    private func readable(_ number: Int) throws(LogError) -> PartitionLog {
        guard partitions.indices.contains(number), let partition = partitions[number], !partition.isLeaving
        else {
            throw .unknownPartition(topic: "", partition: number)
        }
        return partition
    }

    private func active(_ partition: PartitionLog, _ offset: Int64) -> SegmentView {
        let active = partition.active
        let visible = partition.visible
        var view = SegmentView(
            paths: partition.paths, baseOffset: active.baseOffset, limit: visible.position,
            endOffset: visible.offset, logStart: partition.logStart, indexBytes: active.tail.indexPosition,
            timeBytes: active.tail.timePosition, timeIndexCRC: nil, isActive: true, hint: nil,
            indexInterval: partition.settings.indexIntervalBytes, maxTimestamp: active.maxTimestamp)
        if case .damaged(let range) = partition.condition { view.damage = range }
        let relative = offset - active.baseOffset
        if let first = active.tail.index.first, Int64(first.relativeOffset) <= relative {
            var low = 0
            var high = active.tail.index.count
            while low < high {
                let middle = (low + high) / 2
                if Int64(active.tail.index[middle].relativeOffset) <= relative {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            view.hint = Int64(active.tail.index[low - 1].position)
        }
        return view
    }

    private func sealed(_ partition: PartitionLog, _ index: Int) -> SegmentView {
        let segment = partition.sealed[index]
        return SegmentView(
            paths: partition.paths(of: segment),
            baseOffset: segment.baseOffset, limit: segment.size, endOffset: segment.endOffset,
            logStart: partition.logStart, indexBytes: .max, timeBytes: segment.timeIndexSize,
            timeIndexCRC: segment.timeIndexCRC, isActive: false, hint: nil,
            indexInterval: partition.settings.indexIntervalBytes, maxTimestamp: segment.maxTimestamp,
            generation: segment.generation)
    }
}

extension SegmentView {
    /// The segment's file.
    public var path: String { paths.log }
}
