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
    /// The offset behind the last record that is known to survive a loss of power.
    package var durableEnd: Int64
    /// Batches that the journal has and the file lacks: after a crash, before anyone has recovered the store.
    package var pieces: [JournalPiece] = []
    /// How often it had been compacted; above 0 its offsets have gaps.
    package var generation: Int32 = 0
    /// Sealed, and not read in full since the opening: `Volume.check` has that done.
    package var isUnchecked = false

    /// Why a batch is not the one that holds `offset`, or in a compacted segment the first behind it; nil
    /// when it is. A batch's own checksum does not cover its offsets.
    package func fault(of header: BatchHeader, at offset: Int64) -> String? {
        let follows = generation > 0 ? header.nextOffset <= endOffset : header.baseOffset <= offset
        if header.nextOffset > offset, follows { return nil }
        return "a batch has offsets \(header.baseOffset) to \(header.nextOffset - 1) where \(offset) is due"
    }
}

/// Whole batches of a segment that are in the journal alone.
package struct JournalPiece: Sendable {
    /// Where in the segment they belong.
    package var position: Int64
    package var bytes: ByteSlice

    /// The position behind them.
    package var end: Int64 { position + Int64(bytes.count) }
}

extension Volume {
    /// Log start offset ..< high watermark. Throws `unknownPartition`.
    public func offsets(_ number: Int) throws(LogError) -> Range<Int64> {
        try readable(number).offsets
    }

    /// The segment that holds `offset`; nil when it is the high watermark, where nothing is yet.
    ///
    /// Throws `offsetOutOfRange`, `offline`, `unknownPartition`.
    /// - Complexity: O(log n) in the number of segments.
    public func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView? {
        try readable(number).segment(at: offset)
    }

    /// The first segment that may hold a record with a timestamp at or after `timestamp`; nil when none does.
    public func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        try readable(number).segment(atTime: timestamp)
    }

    /// Whether compaction has put other bytes in the place of the view's since it was made: then what was
    /// read, or why it could not be, counts for nothing, and a new view is to be asked for.
    ///
    /// - Parameter afterFailure: the reading failed. While files are being renamed the temporary name may be
    ///   gone already: that is no failure of the store, and is over in a moment.
    public func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool = false) -> Bool {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return false }
        return partition.isReplaced(view, afterFailure: afterFailure)
    }

    /// The segment behind one that has been read to its end; nil when it was the last.
    public func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView? {
        guard !view.isActive else { return nil }
        return try segment(number, at: view.endOffset)
    }

    /// Visible bytes of the segments behind one.
    ///
    /// - Complexity: O(n) in the number of segments.
    public func bytes(_ number: Int, behind view: SegmentView) throws(LogError) -> Int64 {
        let partition = try readable(number)
        guard !view.isActive, view.baseOffset < partition.active.baseOffset else { return 0 }
        let sealed = partition.sealed.reduce(Int64(0)) { sum, segment in
            segment.baseOffset > view.baseOffset ? sum + segment.size : sum
        }
        return sealed + partition.visible.position
    }

    /// Up to where each partition is durable, of one moment.
    ///
    /// The files tell the same, but for what was synced directly: its recovery point is recorded a little
    /// later.
    package var durableEnds: [PartitionKey: JournalEnd] {
        var ends: [PartitionKey: JournalEnd] = [:]
        for case let partition? in partitions where partition.settings.isDurable {
            ends[partition.key] = JournalEnd(
                segmentBase: partition.active.baseOffset, place: partition.durable)
        }
        return ends
    }

    /// The epoch that the partition's new batches get. Throws `unknownPartition`.
    package func leaderEpoch(_ number: Int) throws(LogError) -> Int32 { try readable(number).epoch }

    /// Bytes of all segments of the partition. Throws `unknownPartition`.
    ///
    /// - Complexity: O(n) in the number of segments.
    package func logBytes(_ number: Int) throws(LogError) -> Int64 {
        let partition = try readable(number)
        return partition.sealed.reduce(partition.active.size) { $0 + $1.size }
    }

    private func readable(_ number: Int) throws(LogError) -> PartitionLog {
        guard partitions.indices.contains(number), let partition = partitions[number], !partition.isLeaving
        else {
            throw .unknownPartition(topic: "", partition: number)
        }
        return partition
    }
}

extension PartitionLog {
    /// Log start offset ..< high watermark.
    var offsets: Range<Int64> { logStart..<max(logStart, visible.offset) }

    /// As `Volume.segment(_:at:)`.
    func segment(at offset: Int64) throws(LogError) -> SegmentView? {
        if case .offline(let reason) = condition { throw .offline(reason: reason) }
        let end = visible.offset
        guard offset >= logStart, offset <= max(end, logStart) else {
            throw .offsetOutOfRange(requested: offset, valid: offsets)
        }
        guard offset < end else { return nil }
        if offset >= active.baseOffset { return activeView(offset) }
        var low = 0
        var high = sealed.count
        while low < high {
            let middle = (low + high) / 2
            if sealed[middle].endOffset <= offset { low = middle + 1 } else { high = middle }
        }
        guard low < sealed.count else { return activeView(offset) }
        return sealedView(low)
    }

    /// As `Volume.segment(_:atTime:)`.
    func segment(atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        if case .offline(let reason) = condition { throw .offline(reason: reason) }
        if let index = sealed.firstIndex(where: { $0.maxTimestamp >= timestamp && $0.endOffset > logStart }) {
            return sealedView(index)
        }
        guard active.size > 0, active.maxTimestamp >= timestamp, visible.offset > active.baseOffset else {
            return nil
        }
        return activeView(active.baseOffset)
    }

    private func activeView(_ offset: Int64) -> SegmentView {
        let visible = visible
        var view = SegmentView(
            paths: paths, baseOffset: active.baseOffset, limit: visible.position,
            endOffset: visible.offset, logStart: logStart, indexBytes: active.tail.indexPosition,
            timeBytes: active.tail.timePosition, timeIndexCRC: nil, isActive: true, hint: nil,
            indexInterval: settings.indexIntervalBytes, maxTimestamp: active.maxTimestamp,
            durableEnd: max(durable.offset, synced.offset))
        if case .damaged(let range) = condition { view.damage = range }
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

    /// Whether compaction has put other bytes in the place of the view's.
    func isReplaced(_ view: SegmentView, afterFailure: Bool) -> Bool {
        guard view.baseOffset < active.baseOffset,
            let segment = sealed.last(where: { $0.baseOffset <= view.baseOffset }),
            view.baseOffset < segment.endOffset
        else { return false }
        if afterFailure, isRenaming, !view.paths.suffix.isEmpty { return true }
        return segment.baseOffset != view.baseOffset || segment.generation != view.generation
            || paths(of: segment).suffix != view.paths.suffix
    }

    private func sealedView(_ index: Int) -> SegmentView {
        let segment = sealed[index]
        return SegmentView(
            paths: paths(of: segment),
            baseOffset: segment.baseOffset, limit: segment.size, endOffset: segment.endOffset,
            logStart: logStart, indexBytes: .max, timeBytes: segment.timeIndexSize,
            timeIndexCRC: segment.timeIndexCRC, isActive: false, hint: nil,
            indexInterval: settings.indexIntervalBytes, maxTimestamp: segment.maxTimestamp,
            durableEnd: segment.endOffset, generation: segment.generation,
            isUnchecked: !checked.contains(segment.baseOffset))
    }
}

extension SegmentView {
    /// The segment's file.
    public var path: String { paths.log }

    /// Whether all records before `offset` are known to survive a loss of power.
    public func isDurable(through offset: Int64) -> Bool { offset <= durableEnd }
}
