// Records that go: by age, by size, on request. A segment's files are removed after the manifest has the new
// log start.

extension Volume {
    /// Deletes what the topics' retention says, whole sealed segments, oldest first.
    ///
    /// - Parameter wall: the time that ages are counted to, ms; the caller guards it against a clock that
    ///   jumped.
    package mutating func enforceRetention(wall: Int64) {
        guard closing == .open, failure == nil else { return }
        for number in partitions.indices {
            guard let partition = partitions[number], !partition.isLeaving, partition.refusal == nil else {
                continue
            }
            if let start = partition.retainedStart(wall: wall), start > partition.logStart {
                _ = moveStart(number, to: start)
            } else if partition.activeIsExpired(wall: wall) || partition.activeDelaysCompaction(wall: wall) {
                startRoll(number)
            }
        }
    }

    /// Tells what has been consumed by all who count, for a topic whose segments wait for that. Sealed
    /// segments below `offset` go at once; nothing goes before it was told.
    ///
    /// A floor may go back, after a seek: what is gone stays gone. Throws `unknownPartition`.
    package mutating func setConsumedFloor(_ number: Int, to offset: Int64) throws(LogError) {
        guard partitions.indices.contains(number), let partition = partitions[number], !partition.isLeaving
        else {
            throw .unknownPartition(topic: "", partition: number)
        }
        partitions[number]?.consumedFloor = offset
        guard closing == .open, failure == nil, partition.refusal == nil, partition.settings.isUntilConsumed,
            let start = partitions[number]?.consumedStart
        else { return }
        _ = moveStart(number, to: start)
    }

    /// Deletes the records before `offset`, at most up to the high watermark. The answer's value is the new
    /// log start.
    ///
    /// Throws `offsetOutOfRange`, `unknownPartition`, `closed`, `stopped`. Past a damaged range it makes the
    /// partition writable again, at once or with the next opening (`DamagedRange.endsWithOpening`).
    package mutating func deleteRecords(_ number: Int, before offset: Int64, request: UInt64) throws(LogError)
    {
        guard closing == .open else { throw .closed }
        if let failure { throw .stopped(failure) }
        guard partitions.indices.contains(number), let partition = partitions[number], !partition.isLeaving
        else {
            throw .unknownPartition(topic: "", partition: number)
        }
        let end = partition.visible.offset
        guard offset >= 0, offset <= end else {
            throw .offsetOutOfRange(
                requested: offset, valid: partition.logStart..<max(end, partition.logStart))
        }
        guard offset > partition.logStart else {
            return completions.requests.append((request, .success(partition.logStart)))
        }
        if PlantedBug.answerDeletionEarly.isPlanted {
            return completions.requests.append((request, .success(offset)))
        }
        manifest.add(.logStart(partition.key, offset), .logStart(number, request: request))
    }

    /// The new log start is on record.
    ///
    /// - Parameter isDrop: records went that nothing but the want of room let go.
    mutating func movedLogStart(_ number: Int, _ request: UInt64?, isDrop: Bool = false) {
        guard let before = partitions[number], let state = manifest.state.partitions[before.key] else {
            if let request { completions.requests.append((request, .failure(.unknownTopic("")))) }
            return
        }
        let gone = before.sealed.filter { $0.endOffset <= state.logStart }
        partitions[number]?.logStart = state.logStart
        partitions[number]?.sealed.removeAll { $0.endOffset <= state.logStart }
        if !gone.isEmpty {
            // A compacted one may still have its temporary names, or be about to lose them.
            let files = gone.flatMap { segment in
                let names = [before.paths(at: segment.baseOffset), before.paths(of: segment)]
                return names[1].suffix.isEmpty ? [names[0]] : names
            }
            for segment in gone { partitions[number]?.unrenamed.remove(segment.baseOffset) }
            removals.append(RemoveJob(target: .segments(files), paths: paths))
            let partition = Int(before.key.partition)
            let bytes = gone.reduce(0) { $0 + $1.size }
            completions.events.append(
                isDrop
                    ? .recordsDropped(
                        topic: before.topic, partition: partition, records: state.logStart - before.logStart,
                        bytes: bytes)
                    : .segmentsRemoved(
                        topic: before.topic, partition: partition, count: gone.count, bytes: bytes))
        }
        if case .damaged(var range) = before.condition, state.logStart >= range.endOffset {
            if range.endsWithOpening {
                range.reason =
                    "its records are given up; offsets that were promised before the power was lost are "
                    + "stepped over by the next opening: open the store again"
                partitions[number]?.condition = .damaged(range)
            } else {
                partitions[number]?.condition = .online
            }
        }
        // Nothing of the active segment is left to be read.
        if state.logStart >= before.active.endOffset, before.active.size > 0,
            partitions[number]?.refusal == nil
        {
            startRoll(number)
        }
        if let request { completions.requests.append((request, .success(state.logStart))) }
    }
}

extension PartitionLog {
    /// Where retention would let the log begin; nil when nothing may go.
    func retainedStart(wall: Int64) -> Int64? {
        if settings.isUntilConsumed { return consumedStart }
        guard settings.isDeleted else { return nil }
        var start: Int64?
        var bytes = sealed.reduce(active.size) { $0 + $1.size }
        // By age at most a tenth in one pass: a clock that is wrong does not empty a topic.
        var agedLeft = max(1, sealed.count / 10)
        for segment in sealed {
            let isAged = settings.retentionMilliseconds.map { Self.isOlder(segment.age, than: $0, at: wall) }
            let isExcess = settings.retentionBytes.map { bytes - segment.size >= $0 }
            if isExcess == true {
                start = segment.endOffset
            } else if isAged == true, agedLeft > 0 {
                agedLeft -= 1
                start = segment.endOffset
            } else {
                break
            }
            bytes -= segment.size
        }
        return start
    }

    /// Whether all of the active segment is old enough to go, and nothing but a roll keeps it.
    func activeIsExpired(wall: Int64) -> Bool {
        guard settings.isDeleted, !settings.isUntilConsumed, let age = settings.retentionMilliseconds,
            active.size > 0, !isRolling
        else { return false }
        return Self.isOlder(max(active.maxTimestamp, active.lastWrite), than: age, at: wall)
    }

    /// The end of the sealed segments that are consumed; nil when there are none.
    var consumedStart: Int64? {
        if PlantedBug.consumedFloorIgnored.isPlanted { return sealed.last?.endOffset }
        guard let consumedFloor else { return nil }
        return sealed.last { $0.endOffset <= consumedFloor }?.endOffset
    }

    /// Whether records wait in the active segment for a compaction, and none has come for segment.ms.
    func activeDelaysCompaction(wall: Int64) -> Bool {
        guard settings.isCompacted, active.size > 0, !isRolling else { return false }
        return Self.isOlder(active.lastWrite, than: settings.segmentMilliseconds, at: wall)
    }

    static func isOlder(_ time: Int64, than age: Int64, at wall: Int64) -> Bool {
        let difference = wall.subtractingReportingOverflow(time)
        return !difference.overflow && difference.partialValue > age
    }
}
