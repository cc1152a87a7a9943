// What the disk holds of each partition, and what of that may go: for whoever decides how fast to append.
//
// (1) No I/O: sizes of segments, and within one the offsets as if they were spread evenly. (2) What may go is
// told to the byte, although it goes by the segment: a number that jumped would make the rate jump.

/// What the disk holds of one partition.
package struct PartitionDisk: Sendable, Hashable {
    /// Bytes of the log.
    package var bytes: Int64
    /// Of those, what retention lets go when it must: beyond the promise, consumed, or deleted already.
    package var freeableBytes: Int64
    /// Bytes appended since the opening; it never goes back.
    package var appendedBytes: Int64
    package var logStart: Int64
    /// The high watermark.
    package var visibleEnd: Int64
    /// The log end offset.
    package var endOffset: Int64
    /// When retention by time next lets something go, by the wall clock, ms; nil: not by itself.
    package var nextExpiry: Int64?
}

extension Volume {
    /// What the disk holds of a partition; nil when there is none of that number.
    ///
    /// - Parameter wall: what ages are counted to, ms.
    /// - Complexity: O(n) in the number of segments that are old enough to go.
    package func diskState(_ number: Int, wall: Int64) -> PartitionDisk? {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return nil }
        return PartitionDisk(
            bytes: partition.bytes, freeableBytes: partition.freeableBytes(wall: wall),
            appendedBytes: partition.appendedBytes, logStart: partition.logStart,
            visibleEnd: partition.visible.offset, endOffset: partition.active.endOffset,
            nextExpiry: partition.nextRelief(wall: wall))
    }

    /// Bytes of a partition's log from `offset` to its end, about; 0 when there is no such partition.
    ///
    /// - Complexity: O(log n) in the number of segments.
    package func bytes(_ number: Int, from offset: Int64) -> Int64 {
        guard partitions.indices.contains(number), let partition = partitions[number] else { return 0 }
        return partition.bytes(from: offset)
    }
}

extension PartitionLog {
    /// Bytes of all segments.
    var bytes: Int64 { (sealedBytes.last ?? 0) + active.size }

    /// Bytes from `offset` to the end, by interpolation within its segment.
    func bytes(from offset: Int64) -> Int64 {
        guard offset < active.baseOffset else {
            return Self.share(of: active.size, from: offset, active.baseOffset..<active.endOffset)
        }
        var low = 0
        var high = sealed.count
        while low < high {
            let middle = (low + high) / 2
            if sealed[middle].endOffset <= offset { low = middle + 1 } else { high = middle }
        }
        guard low < sealed.count else { return active.size }
        let segment = sealed[low]
        let behind = bytes - sealedBytes[low]
        return behind + Self.share(of: segment.size, from: offset, segment.baseOffset..<segment.endOffset)
    }

    private static func share(of size: Int64, from offset: Int64, _ range: Range<Int64>) -> Int64 {
        guard offset > range.lowerBound else { return size }
        guard offset < range.upperBound else { return 0 }
        return Int64(Double(size) * Double(range.upperBound - offset) / Double(range.count))
    }

    /// What may go at once, to the byte.
    func freeableBytes(wall: Int64) -> Int64 {
        let deleted = bytes - bytes(from: logStart)
        if settings.isUntilConsumed {
            guard let consumedFloor else { return deleted }
            return max(deleted, bytes - bytes(from: min(consumedFloor, visible.offset)))
        }
        guard settings.isDeleted else { return deleted }
        let excess = settings.retentionBytes.map { max(0, bytes - $0) } ?? 0
        let aged = agedCount(wall: wall)
        var old = aged == 0 ? 0 : sealedBytes[aged - 1]
        if aged == sealed.count, isActiveOld(wall: wall) { old += active.size }
        return max(deleted, excess, old)
    }

    /// What retention promises at least to keep; nil: for ever.
    var promise: Int64? { settings.promiseMilliseconds ?? settings.retentionMilliseconds }

    /// How many of the sealed segments are older than the promise, from the oldest on.
    func agedCount(wall: Int64) -> Int {
        guard let promise else { return 0 }
        return sealed.firstIndex { !Self.isOlder($0.age, than: promise, at: wall) } ?? sealed.count
    }

    /// Whether all of the active segment is older than the promise.
    func isActiveOld(wall: Int64) -> Bool {
        guard let promise, active.size > 0 else { return false }
        return Self.isOlder(max(active.maxTimestamp, active.lastWrite), than: promise, at: wall)
    }

    func nextRelief(wall: Int64) -> Int64? {
        guard settings.isDeleted, !settings.isUntilConsumed, let promise else { return nil }
        let aged = agedCount(wall: wall)
        var time: Int64?
        if aged < sealed.count {
            time = sealed[aged].age
        } else if active.size > 0 {
            time = max(active.maxTimestamp, active.lastWrite)
        }
        let due = time?.addingReportingOverflow(promise)
        return due?.overflow == false ? due?.partialValue : nil
    }
}

extension SealedSegment {
    /// What its age is counted from, by the wall clock, ms.
    var age: Int64 { max(maxTimestamp, writtenAt) }
}
