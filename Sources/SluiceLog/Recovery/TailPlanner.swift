// The decision about the end of one partition's log. RecoveryPlan.swift has the table that this is.

struct TailPlanner {
    let window: Int64
    let isSameBoot: Bool

    func run(_ partition: inout PartitionPlan, _ scanner: inout TailScanner) throws(IOError) {
        let reason = try walk(&partition, &scanner)
        let invalid = partition.active.size
        let last = scanner.entries.last?.entry
        let durableEnd = max(
            partition.manifest.recovery.position, partition.manifest.damagedBelow,
            last.map { $0.position + Int64($0.length) } ?? 0)
        let end = max(scanner.size, durableEnd)
        guard invalid < end else { return }

        let next =
            scanner.size > invalid
            ? try scanner.nextBatch(after: invalid, from: partition.active.endOffset) : nil
        if invalid >= durableEnd {
            guard next != nil else {
                partition.findings.append(
                    .torn(file: partition.paths.log, position: invalid, bytes: scanner.size - invalid))
                partition.cut = (invalid, scanner.size - invalid)
                return
            }
            let anchor = partition.settings.isDurable ? durableEnd : partition.manifest.recovery.position
            if !isSameBoot, scanner.size - anchor <= reach(partition) {
                partition.findings.append(
                    .hole(file: partition.paths.log, position: invalid, bytes: scanner.size - invalid))
                partition.cut = (invalid, scanner.size - invalid)
                return
            }
        }
        try corrupt(&partition, &scanner, from: invalid, next, last, reason)
    }

    /// How far beyond what is synced anything may have been written: W, or one batch that is larger, and
    /// behind it the step over promised offsets of an opening that did not end.
    private func reach(_ partition: PartitionPlan) -> Int64 {
        max(window, Int64(partition.settings.batchBytes)) + Int64(ControlBatch.mostBytes)
    }

    /// Takes valid batches, the journal's first, until there is none; returns why it ended.
    private func walk(_ partition: inout PartitionPlan, _ scanner: inout TailScanner) throws(IOError)
        -> String
    {
        var journal = PlantedBug.journalIgnored.isPlanted ? [] : scanner.entries[...]
        while true {
            let position = partition.active.size
            while let first = journal.first, first.entry.position < position { journal.removeFirst() }
            if let (entry, bytes) = journal.first, entry.position == position,
                entry.baseOffset == partition.active.endOffset, Self.isWhole(bytes, from: entry.baseOffset)
            {
                let present = try scanner.bytes(at: position, count: entry.length)
                if present.map({ $0.bytes.isEqual(to: bytes.bytes) }) != true {
                    partition.rewrites.append((position, bytes))
                    partition.findings.append(
                        .restored(file: partition.paths.log, position: position, bytes: Int64(entry.length)))
                }
                var inside = 0
                while inside < bytes.count, let header = Self.header(bytes, at: inside) {
                    partition.add(header, ByteSlice(bytes.buffer, start: inside, count: header.totalBytes))
                    inside += header.totalBytes
                }
                continue
            }
            guard position < scanner.size else { return "the file ends here" }
            switch try scanner.batch(at: position, expecting: partition.active.endOffset) {
            case .valid(let header, let bytes):
                let isLast = position + Int64(header.totalBytes) == scanner.size
                if PlantedBug.lastBatchCut.isPlanted, isLast { return "it is the last" }
                partition.add(header, bytes)
            case .invalid(let reason): return reason
            }
        }
    }

    /// Nothing is cut; what is whole behind the damage stays readable.
    private func corrupt(
        _ partition: inout PartitionPlan, _ scanner: inout TailScanner, from invalid: Int64,
        _ next: (Int64, BatchHeader)?, _ last: JournalEntry?, _ reason: String
    ) throws(IOError) {
        var range = DamagedRange(
            file: partition.paths.log, position: invalid, endPosition: next?.0 ?? max(scanner.size, invalid),
            endOffset: next?.1.baseOffset ?? max(partition.active.endOffset, last?.nextOffset ?? 0),
            reason: reason)
        var found = next
        while let (position, header) = found {
            // Bytes in between belong to the file, and so to its running CRC.
            try partition.skip(to: position, offset: header.baseOffset, &scanner)
            range.endPosition = position
            range.endOffset = header.baseOffset
            while case .valid(let header, let bytes) = try scanner.batch(
                at: partition.active.size, expecting: partition.active.endOffset)
            {
                partition.add(header, bytes)
            }
            guard partition.active.size < scanner.size else { break }
            found = try scanner.nextBatch(after: partition.active.size, from: partition.active.endOffset)
        }
        if next == nil { try partition.skip(to: scanner.size, offset: range.endOffset, &scanner) }
        // What the journal alone has stays there; its offsets are taken.
        if let last, last.nextOffset > partition.active.endOffset {
            partition.active.endOffset = last.nextOffset
            range.endOffset = last.nextOffset
            range.endPosition = partition.active.size
        }
        partition.rewrites.removeAll { $0.position >= invalid }
        partition.markCorrupt(range)
    }

    private static func header(_ bytes: ByteSlice, at position: Int) -> BatchHeader? {
        guard bytes.count - position >= BatchLayout.headerBytes else { return nil }
        let head = ByteSlice(bytes.buffer, start: bytes.start + position, count: BatchLayout.headerBytes)
        return try? BatchHeader(head.bytes)
    }

    /// Whether the journal's bytes are batches, one after another: a frame's CRC says that they are ours, not
    /// that.
    private static func isWhole(_ bytes: ByteSlice, from offset: Int64) -> Bool {
        var position = 0
        var next = offset
        while position < bytes.count {
            guard let header = header(bytes, at: position), header.baseOffset == next,
                header.totalBytes <= bytes.count - position
            else { return false }
            position += header.totalBytes
            next = header.nextOffset
        }
        return bytes.count > 0
    }
}

extension PartitionPlan {
    fileprivate mutating func add(_ header: BatchHeader, _ bytes: ByteSlice) {
        active.crc = CRC32C.extend(active.crc, bytes.bytes)
        active.add(
            bytes: header.totalBytes, nextOffset: header.nextOffset, maxTimestamp: header.maxTimestamp,
            interval: settings.indexIntervalBytes)
        guard let batch = ProducerBatch(header), !PlantedBug.producersForgotten.isPlanted else { return }
        // When it was appended nobody knows any more: it counts as fresh.
        producers.add(
            batch, at: header.baseOffset, timestamp: header.maxTimestamp, wall: active.lastWrite)
    }

    /// Steps over damaged bytes, which stay where they are.
    fileprivate mutating func skip(to position: Int64, offset: Int64, _ scanner: inout TailScanner)
        throws(IOError)
    {
        while active.size < position {
            let count = Int(min(1 << 20, position - active.size))
            guard let bytes = try scanner.bytes(at: active.size, count: count) else { break }
            active.crc = CRC32C.extend(active.crc, bytes.bytes)
            active.size += Int64(count)
        }
        active.endOffset = max(active.endOffset, offset)
    }
}
