// What stays of one batch, and the proof that what was written is that.

extension Cleaner {
    /// Whether anything of the batch would go, or be changed.
    mutating func changes(_ header: BatchHeader, _ stored: ByteSlice) throws(BatchError) -> Bool {
        if header.isControl { return false }
        if header.recordCount == 0 { return !keepsEmpty(header) }
        let batch = try filter.decode(stored)
        let result = judge(batch)
        return result.kept < Int(header.recordCount) || result.horizon != nil
    }

    /// Adds to the output what stays of the batch.
    mutating func copy(
        _ header: BatchHeader, _ stored: ByteSlice, _ files: any FileSystem
    ) throws(BatchError) -> IOError? {
        if header.isControl || (header.recordCount == 0 && keepsEmpty(header)) {
            return put(stored, records: Int(header.recordCount), header, files)
        }
        if header.recordCount == 0 { return nil }
        let batch = try filter.decode(stored)
        let (kept, horizon) = judge(batch)
        if kept == Int(header.recordCount), horizon == nil {
            return put(stored, records: kept, header, files)
        }
        if kept > 0 {
            var index = 0
            let verdicts = verdicts
            let written = filter.filter(batch, horizon: horizon) { _ in
                index += 1
                return verdicts[index - 1]
            }
            return put(ByteSlice(filter.output), records: written, header, files)
        }
        guard keepsEmpty(header) else { return nil }
        filter.empty(header)
        return put(ByteSlice(filter.output), records: 0, header, files)
    }

    private mutating func put(
        _ bytes: ByteSlice, records: Int, _ header: BatchHeader, _ files: any FileSystem
    ) -> IOError? {
        do throws(IOError) {
            try output?.append(bytes, records: records, nextOffset: header.nextOffset, files)
            return nil
        } catch {
            return error
        }
    }

    /// Decides on each record, into `verdicts`: how many stay, and the delete horizon if the batch is to get
    /// one.
    private mutating func judge(_ batch: borrowing DecodedBatch) -> (kept: Int, horizon: Int64?) {
        let header = batch.header
        // A tombstone counts as clean when all that it deletes was seen, and nothing below was passed over.
        let lowest = damaged.min() ?? .max
        let isClean = plan.mayDropTombstones && header.lastOffset < mappedEnd && lowest > header.baseOffset
        let isPast = header.hasDeleteHorizon && plan.now >= header.baseTimestamp
        let isOver = isClean && isPast || PlantedBug.tombstoneDroppedEarly.isPlanted
        var kept = 0
        var hasTombstones = false
        verdicts.removeAll(keepingCapacity: true)
        var cursor = batch.cursor
        while cursor.next() {
            var stays = false
            if let hash = cursor.keyHash(plan.hash) {
                let last = keys.offset(of: hash) ?? -1
                let isLast =
                    PlantedBug.olderValueKept.isPlanted ? last > cursor.offset : last <= cursor.offset
                stays = isLast && !(cursor.value == nil && isOver)
            }
            verdicts.append(stays)
            guard stays else { continue }
            kept += 1
            if cursor.value == nil { hasTombstones = true }
        }
        guard hasTombstones, isClean, !header.hasDeleteHorizon else { return (kept, nil) }
        let horizon = plan.now.addingReportingOverflow(plan.settings.deleteRetentionMilliseconds)
        return (kept, horizon.overflow ? .max : horizon.partialValue)
    }

    /// Whether a batch stays though it has no records: the last of the segment, and of a producer id.
    private func keepsEmpty(_ header: BatchHeader) -> Bool {
        if header.nextOffset == plan.sources[group.upperBound - 1].sealed.endOffset { return true }
        guard header.producerID >= 0 else { return false }
        return (producers[header.producerID] ?? -1) <= header.lastOffset
    }

    // MARK: 3. The check

    /// Reads the output again. When all of it is right, the swap that puts it in force.
    ///
    /// Throws what the file system does, and `check` when the output is not what was meant.
    mutating func check(
        _ files: any FileSystem, bytes limit: Int
    ) throws(IOError) -> (bytes: Int, step: CompactionStep?) {
        guard var written = output else { return (0, nil) }
        let start = written.checked.position
        let path = written.paths.log
        var scanner = try TailScanner(path: path, files: files, windowBytes: Self.windowBytes)
        defer { scanner.close() }
        while written.checked.position < written.segment.size, written.checked.position - start < Int64(limit)
        {
            guard
                case .valid(let header, let stored) = try scanner.batch(
                    at: written.checked.position, expecting: nil),
                header.baseOffset >= written.checked.offset, (try? filter.decode(stored)) != nil
            else { throw IOError(operation: "check", path: path, errno: 0) }
            written.checked.crc = CRC32C.extend(written.checked.crc, stored.bytes)
            written.checked.position += Int64(header.totalBytes)
            written.checked.offset = header.nextOffset
            written.checked.batches += 1
            written.checked.records += Int64(header.recordCount)
        }
        output = written
        let read = Int(written.checked.position - start)
        guard written.checked.position >= written.segment.size else { return (read, nil) }
        let sources = plan.sources[group].map(\.sealed)
        let isRight =
            scanner.size == written.segment.size && written.checked.crc == written.segment.crc
            && written.checked.batches == written.segment.batches
            && written.checked.records == written.records
            && written.checked.offset == sources.last?.endOffset
        guard isRight else { throw IOError(operation: "check", path: path, errno: 0) }
        // The name, before the manifest relies on it.
        try files.syncDirectory(plan.directory)
        let sealed = written.sealed(
            generation: generation, writtenAt: sources.map(\.writtenAt).max() ?? 0, files)
        if let file = written.file { files.close(file) }
        swappedBytes = written.diskBytes
        output = nil
        phase = .grouping
        var point = plan.point
        point.generation = generation
        point.damagedEnd = max(point.damagedEnd, damagedEnd)
        let swap = SegmentSwap(removed: sources.map(\.baseOffset), added: [sealed], point: point)
        return (read, .swap(swap, [written.paths]))
    }

    /// How far the partition is clean when the pass is over.
    func finalPoint() -> CleaningPoint {
        var point = plan.point
        point.generation = generation
        point.firstDirty = max(point.firstDirty, mappedEnd)
        // What could not be read once can be now: all is cleaned again, and then tombstones may go.
        if damaged.isEmpty, point.damagedEnd > plan.logStart, mappedEnd >= point.damagedEnd {
            point.firstDirty = 0
            point.damagedEnd = 0
        }
        point.damagedEnd = max(point.damagedEnd, damagedEnd)
        return point
    }
}
