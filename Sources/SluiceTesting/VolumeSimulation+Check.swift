// What is checked: each answer when it comes, each log when it is read, everything after each opening.

internal import SluiceLog

extension VolumeSimulation {
    // MARK: Answers

    /// Takes the volume's answers and holds them against what is known.
    func drain() throws(SimulationViolation) {
        guard let completions = store?.volume.takeCompletions(), !completions.isEmpty else { return }
        for event in completions.events { try happened(event) }
        var refused: [Int] = []
        for completion in completions.appends {
            let id = Int(completion.origin.number)
            if completion.origin.number >= Self.firstAttempt {
                note("answer of \(completion.origin): \(completion.result)")
                try answered(attempt: completion.origin.number, completion.result)
                continue
            }
            note("answer \(id): \(completion.result)")
            try check(submissions[id].state == .pending, 8, "batch \(id) was answered twice")
            try check(
                submissions[id].part == completion.part, 8, "batch \(id) is not part \(completion.part)")
            switch completion.result {
            case .success(let place): try acknowledged(id, place)
            case .failure(let error):
                if case .indeterminate = error {
                    submissions[id].state = .indeterminate
                    isUnclean = true
                } else {
                    submissions[id].state = .failed
                    switch error {
                    case .io, .noRoom: refused.append(id)
                    default: break
                    }
                }
            }
        }
        for (request, result) in completions.requests {
            note("answer of \(request): \(result)")
            try answered(request, result)
        }
        for id in refused { poison(behind: id) }
        try checkGroups(of: completions)
        if let closed = completions.closed {
            try check(!isClosedTold, 8, "the close was told twice")
            note("closed: \(closed)")
            isClosedTold = true
        }
    }

    private func happened(_ event: VolumeEvent) throws(SimulationViolation) {
        note("event: \(event)")
        switch event {
        case .partitionStopped(let topic, let number, _):
            for index in partitions.indices
            where partitions[index].number == number && topics[partitions[index].topic].name == topic {
                partitions[index].isStopped = true
            }
        case .storeStopped: isFailed = true
        case .compacted: compactions += 1
        case .syncDelayed: delayedSyncs += 1
        case .scrubbed(let segments, _, let damaged):
            try check(damaged == 0 || isFaulty, 15, "the scrub found damage on a machine that has none")
            scrubbedSegments += segments
        case .recordsUnreadable(let file, let position, let reason):
            try check(isFaulty, 15, "\(file) at \(position) on a machine that never damages: \(reason)")
        case .removalFailed, .segmentsRemoved, .recordsDropped, .compactionFailed, .syncResumed: break
        }
    }

    private func acknowledged(_ id: Int, _ place: AppendedBatch) throws(SimulationViolation) {
        let submission = submissions[id]
        try check(!submission.isPoisoned, 7, "batch \(id) was appended though one before it was refused")
        submissions[id].state = .acknowledged(base: place.baseOffset)
        let topic = topics[partitions[submission.partition].topic]
        guard topic.phase == .alive else { return }
        // Without acks the answer promises nothing, on a durable topic not even the offsets.
        if submission.acks == .none { return }
        let isDurable = submission.acks == .durable || topic.isSurelyDurable
        for index in 0..<submission.count {
            try saw(
                UInt64(id) << 16 | UInt64(index), at: place.baseOffset + Int64(index),
                in: submission.partition,
                isDurable ? .durable : .written)
        }
    }

    /// What the producer of a refused batch has in the same queue must be refused as well.
    private func poison(behind id: Int) {
        for later in (id + 1)..<max(submissions.count, id + 1)
        where submissions[later].state == .pending && submissions[later].producer == submissions[id].producer
            && submissions[later].partition == submissions[id].partition
        {
            submissions[later].isPoisoned = true
        }
    }

    private func checkGroups(of completions: Completions) throws(SimulationViolation) {
        for completion in completions.appends where completion.origin.number < Self.firstAttempt {
            guard let group = submissions[Int(completion.origin.number)].group else { continue }
            let good = groups[group].count { id in
                if case .acknowledged = submissions[id].state { true } else { false }
            }
            let pending = groups[group].count { submissions[$0].state == .pending }
            try check(pending == 0, 8, "atomic write \(groups[group]) was answered in part")
            try check(
                good == 0 || good == groups[group].count, 5, "atomic write \(groups[group]) succeeded in part"
            )
        }
    }

    /// A record is at an offset, as was read or told.
    func saw(
        _ record: UInt64, at offset: Int64, in partition: Int, _ safety: SeenRecord.Safety
    ) throws(SimulationViolation) {
        if let known = partitions[partition].entries[offset] {
            try check(
                known.record == record, 4,
                "offset \(offset) of partition \(partition) was \(Self.name(known.record)), is \(Self.name(record))"
            )
            try check(
                known.safety != .lost, 4,
                "offset \(offset) of partition \(partition) is back, which power took")
            partitions[partition].entries[offset]?.safety = max(known.safety, safety)
        } else {
            partitions[partition].entries[offset] = SeenRecord(record: record, safety: safety)
        }
        partitions[partition].knownEnd = max(partitions[partition].knownEnd, offset + 1)
    }

    private static func name(_ record: UInt64) -> String {
        "record \(record & 0xFFFF) of batch \(record >> 16)"
    }

    // MARK: Logs

    /// Reads every log as readers would and checks what is in it.
    func checkAll() throws(SimulationViolation) {
        try checkFiles()
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            if isForgotten(index) { continue }
            try checkLog(index, needed: .written)
        }
    }

    /// Whether a failed sync has dropped something of a partition: readers are refused that, or see less.
    private func isForgotten(_ index: Int) -> Bool {
        let directory = "\(Self.root)/topics/\(directoryName(index))/"
        return files.forgotten.contains { $0.hasPrefix(directory) }
    }

    private func directoryName(_ index: Int) -> String {
        "\(topics[partitions[index].topic].name)-\(partitions[index].number)"
    }

    /// What an opening would have to read again is bounded.
    func checkWindow() throws(SimulationViolation) {
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            guard let number = number(index), let bytes = store?.volume.uncoveredBytes(number) else {
                continue
            }
            try check(
                bytes <= max(configuration.windowBytes, largestBatch), 16,
                "\(bytes) bytes of partition \(index) are behind the recovery point")
        }
    }

    /// Checks one log. Returns the batches that are in it.
    @discardableResult
    func checkLog(_ index: Int, needed: SeenRecord.Safety) throws(SimulationViolation) -> Set<Int> {
        guard let number = number(index) else {
            throw violation(
                10, "partition \(index) is not there: topic \(topics[partitions[index].topic].name)")
        }
        let (range, found) = try read(index, number)
        let topic = topics[partitions[index].topic]
        let known = partitions[index]
        try check(
            range.lowerBound >= known.startAcknowledged, 1,
            "the start of partition \(index) went back to \(range)")
        try check(
            range.lowerBound <= known.startRequested || topic.hadRetention, 1,
            "partition \(index) begins at \(range.lowerBound), nobody deleted that")
        var present: Set<Int> = []
        var last: [UInt32: Int] = [:]
        for (offset, record) in found {
            let id = Int(record >> 16)
            present.insert(id)
            let submission = submissions[id]
            try check(submission.partition == index, 4, "batch \(id) is in partition \(index)")
            try check(submission.state != .failed, 3, "batch \(id) was refused and is at offset \(offset)")
            try check(
                !submission.isPoisoned, 7,
                "batch \(id) is at offset \(offset) though one before it was refused")
            if case .acknowledged(let base) = submission.state {
                try check(
                    offset == base + Int64(record & 0xFFFF) || submission.acks == .none, 4,
                    "batch \(id) was acknowledged at \(base), is at \(offset)")
            }
            let before = last.updateValue(id, forKey: submission.producer) ?? -1
            try check(before <= id, 7, "batch \(id) is behind batch \(before) of the same producer")
            try saw(record, at: offset, in: index, topic.isSurelyDurable ? .durable : .written)
        }
        try checkSequences(index, found)
        let offsets = Set(found.map(\.offset))
        let lastOfKeys = lastOffsets(found)
        for (offset, entry) in partitions[index].entries
        where offset >= range.lowerBound && entry.safety >= needed {
            // Where a topic has become durable, what was visible may have to wait for a sync.
            if offset >= range.upperBound, entry.safety == .written, topic.hasChangedLevel { continue }
            if topic.hadCompaction, mayBeCompacted(entry.record, at: offset, in: known, lastOfKeys) {
                continue
            }
            try check(
                offsets.contains(offset), entry.safety == .durable ? 1 : 2,
                "\(Self.name(entry.record)) is not at offset \(offset) of partition \(index), which is \(range)"
            )
        }
        return present
    }

    private func key(of record: UInt64) -> UInt8? {
        submissions[Int(record >> 16)].keys[Int(record & 0xFFFF)]
    }

    /// The last offset of each key among some records.
    private func lastOffsets(_ found: [(offset: Int64, record: UInt64)]) -> [UInt8: Int64] {
        var last: [UInt8: Int64] = [:]
        for (offset, record) in found {
            if let key = key(of: record) { last[key] = max(last[key] ?? -1, offset) }
        }
        return last
    }

    /// Whether compaction may take a record.
    private func mayBeCompacted(
        _ record: UInt64, at offset: Int64, in partition: SimulatedPartition, _ last: [UInt8: Int64]
    ) -> Bool {
        guard let key = key(of: record) else { return true }
        // With something older of the key there it must be: it may have been what deletes that.
        if let last = last[key] { return last > offset }
        return partition.tombstones[key].map { $0 >= record } ?? false
    }

    /// All records of a partition that can be seen.
    private func read(
        _ index: Int, _ number: Int
    ) throws(SimulationViolation) -> (Range<Int64>, [(offset: Int64, record: UInt64)]) {
        let log = readLog(number)
        if let fault = log.faults.first { throw violation(3, "partition \(index): \(fault)") }
        return (log.range, log.found)
    }

    /// All records that can be read, segment by segment, and what was wrong with the others.
    func readLog(
        _ number: Int
    ) -> (range: Range<Int64>, found: [(offset: Int64, record: UInt64)], faults: [String]) {
        var found: [(offset: Int64, record: UInt64)] = []
        var range: Range<Int64> = 0..<0
        var faults: [String] = []
        do throws(LogError) {
            guard let offsets = try store?.volume.offsets(number) else { return (range, found, faults) }
            range = offsets
            var offset = range.lowerBound
            while offset < range.upperBound {
                guard let view = try store?.volume.segment(number, at: offset) else {
                    faults.append("there is no segment for offset \(offset) of \(range)")
                    break
                }
                var fault: String?
                let next = read(view, from: offset, &found, &fault)
                if let fault { faults.append(fault) }
                if view.endOffset <= offset {
                    faults.append("reading stands still at offset \(offset) of \(range)")
                    break
                }
                // What is behind a fault in a segment nobody reads on to; the next one anybody may.
                offset = fault == nil ? next : view.endOffset
            }
        } catch {
            faults.append("\(error)")
        }
        return (range, found, faults)
    }

    private func read(
        _ view: SegmentView, from start: Int64, _ found: inout [(offset: Int64, record: UInt64)],
        _ fault: inout String?
    ) -> Int64 {
        // Renamed, and the volume has not been told: a reader would ask again.
        var renamed = view.paths
        renamed.suffix = ""
        let contents = files.contents(view.paths.log) ?? files.contents(renamed.log)
        guard let bytes = contents, bytes.count >= view.limit else {
            fault = "\(view.paths.log) has less than \(view.limit) bytes"
            return start
        }
        var position = 0
        var next = view.baseOffset
        let buffer = ByteBuffer(bytes)
        while position < Int(view.limit) {
            do throws(BatchError) {
                let head = ByteSlice(
                    buffer, start: position, count: min(BatchLayout.headerBytes, bytes.count - position))
                let header = try BatchHeader(head.bytes)
                guard position + header.totalBytes <= Int(view.limit) else {
                    fault = "the visible end of \(view.paths.log) is within a batch"
                    return start
                }
                let batch = try DecodedBatch(
                    ByteSlice(buffer, start: position, count: header.totalBytes), with: &codecs,
                    maxBytes: 1 << 20)
                guard header.baseOffset == next || (view.generation > 0 && header.baseOffset > next) else {
                    fault = "\(view.paths.log) goes on at \(header.baseOffset), not \(next)"
                    return start
                }
                next = header.nextOffset
                position += header.totalBytes
                guard !header.isControl else { continue }
                var cursor = batch.cursor
                while cursor.next() {
                    guard cursor.offset >= start else { continue }
                    let bytes = cursor.value?.loadUnaligned(as: UInt64.self).bigEndian
                    let header = bytes == nil ? cursor.headers.first?.value : nil
                    let record = bytes ?? (header ?? []).reduce(0) { $0 << 8 | UInt64($1) }
                    found.append((cursor.offset, record))
                }
            } catch {
                fault = "\(view.paths.log) at \(position): \(error)"
                return start
            }
        }
        if next != view.endOffset { fault = "\(view.paths.log) ends at \(next), not \(view.endOffset)" }
        return next
    }

    /// Whole batches and nothing else.
    func checkFiles() throws(SimulationViolation) {
        guard let entries = try? files.list(Self.root + "/topics") else { return }
        for entry in entries {
            let directory = Self.root + "/topics/" + entry.name
            // What is left of a deleted topic is nobody's, and what cannot be cut back waits for the next
            // opening.
            let isSound = partitions.indices.contains {
                !partitions[$0].isStopped && !isForgotten($0)
                    && topics[partitions[$0].topic].phase == .alive && entry.name == directoryName($0)
            }
            guard isSound else { continue }
            for file in (try? files.list(directory)) ?? [] where file.name.hasSuffix(".log") {
                guard let bytes = files.contents("\(directory)/\(file.name)") else { continue }
                var position = 0
                while position < bytes.count {
                    let left = Array(bytes[position...].prefix(BatchLayout.headerBytes))
                    guard let header = try? BatchHeader(left.span.bytes),
                        header.totalBytes <= bytes.count - position
                    else {
                        throw violation(12, "\(directory)/\(file.name) holds no whole batch at \(position)")
                    }
                    position += header.totalBytes
                }
            }
        }
    }
}
