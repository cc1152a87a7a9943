// What goes when the disk is nearly full, before anybody is slowed down for it, and what goes instead of
// that.
//
//   relieve      all at once that retention lets go, and rolls where that would let more go
//   dropOldest   the oldest records, down to the promise, whatever has been consumed
//
// (1) A roll costs a sync and two records in the manifest: it is worth that for a part of the budget, or when
// nothing else is left. A full store whose only deletable records lie in active segments is freed by it. (2)
// What a roll was for goes when it is over. (3) Each of them moves the log start, by a record in the
// manifest; the files are removed after that.

extension Volume {
    /// Deletes at once what may be deleted, and rolls active segments when that lets more go.
    ///
    /// By size the excess, by time what is older than the promise, of an until-consumed topic what lies below
    /// its floor; not, as `enforceRetention` does, a little in each pass. Asked again while there is
    /// pressure. - Parameter wall: the time that ages are counted to, ms; the caller guards it against a
    /// clock that
    ///   jumped.
    package mutating func relieve(wall: Int64) {
        guard closing == .open, failure == nil else { return }
        var small: [(number: Int, bytes: Int64)] = []
        var isWorking = !removals.isEmpty || isRemoveOut
        for number in partitions.indices {
            guard let partition = partitions[number], !partition.isLeaving, partition.refusal == nil else {
                continue
            }
            if let start = partition.relievedStart(wall: wall), moveStart(number, to: start) {
                isWorking = true
            }
            if partition.isRolling || partition.askedStart > partition.logStart { isWorking = true }
            let freed = partition.freedByRoll(wall: wall)
            if freed.bytes >= worthRolling {
                startRoll(number)
                isWorking = true
            } else if freed.isWhole, freed.bytes > 0 {
                small.append((number, freed.bytes))
            }
        }
        guard !isWorking, !disk.fits(worthRolling, .append) else { return }
        var bytes: Int64 = 0
        for candidate in small.sorted(by: { $0.bytes > $1.bytes }) where bytes < worthRolling {
            startRoll(candidate.number)
            bytes += candidate.bytes
        }
    }

    /// What must be gained for a roll before its time.
    private var worthRolling: Int64 { max(configuration.rollBytes, disk.limit / 100) }

    /// Deletes a partition's oldest segments until `bytes` go, or all that is left is younger than the
    /// promise, which must have been set; whoever has consumed what. Returns the bytes that will go.
    ///
    /// The active segment is rolled when it is what is old enough, and goes then. `recordsDropped` tells what
    /// has gone.
    package mutating func dropOldest(_ number: Int, bytes: Int64, wall: Int64) -> Int64 {
        guard closing == .open, failure == nil, partitions.indices.contains(number),
            let partition = partitions[number], !partition.isLeaving, partition.refusal == nil,
            partition.settings.promiseMilliseconds != nil
        else { return 0 }
        let aged = partition.agedCount(wall: wall)
        var start = partition.askedStart
        var going: Int64 = 0
        for segment in partition.sealed.prefix(aged) where segment.endOffset > start && going < bytes {
            start = segment.endOffset
            going += segment.size
        }
        _ = moveStart(number, to: start, isDrop: true)
        if going < bytes, aged == partition.sealed.count, partition.isActiveOld(wall: wall),
            partition.dropsThrough < partition.active.endOffset, !partition.isRolling
        {
            startRoll(number)
            partitions[number]?.dropsThrough = partition.active.endOffset
            going += partition.active.size
        }
        return going
    }

    /// Asks for a later log start, once.
    mutating func moveStart(_ number: Int, to start: Int64, isDrop: Bool = false) -> Bool {
        guard let partition = partitions[number], start > max(partition.logStart, partition.askedStart) else {
            return false
        }
        partitions[number]?.askedStart = start
        manifest.add(
            .logStart(partition.key, start), isDrop ? .dropped(number) : .logStart(number, request: nil))
        return true
    }

    /// A roll is over: what it was for goes.
    mutating func relieveRolled(_ number: Int) {
        guard closing == .open, failure == nil, let partition = partitions[number], !partition.isLeaving,
            partition.refusal == nil, let last = partition.sealed.last
        else { return }
        if partition.settings.promiseMilliseconds != nil, last.endOffset <= partition.dropsThrough {
            _ = moveStart(number, to: last.endOffset, isDrop: true)
        }
        if partition.settings.isUntilConsumed, let start = partition.consumedStart {
            _ = moveStart(number, to: start)
        }
    }
}

extension PartitionLog {
    /// Where the log may begin when room is needed.
    fileprivate func relievedStart(wall: Int64) -> Int64? {
        if settings.isUntilConsumed { return consumedStart }
        guard settings.isDeleted else { return nil }
        var count = agedCount(wall: wall)
        if let kept = settings.retentionBytes {
            var left = bytes
            var excess = 0
            for segment in sealed {
                guard left - segment.size >= kept else { break }
                left -= segment.size
                excess += 1
            }
            count = max(count, excess)
        }
        return count == 0 ? nil : sealed[count - 1].endOffset
    }

    /// What of the active segment may go once it is sealed, at once or when the consumers have come to its
    /// end; and whether that is all of it.
    fileprivate func freedByRoll(wall: Int64) -> (bytes: Int64, isWhole: Bool) {
        guard active.size > 0, !isRolling else { return (0, false) }
        if settings.isUntilConsumed {
            guard let consumedFloor, consumedFloor > active.baseOffset else { return (0, false) }
            let floor = min(consumedFloor, visible.offset)
            return (active.size - min(active.size, bytes(from: floor)), floor >= active.endOffset)
        }
        guard settings.isDeleted else { return (0, false) }
        if isActiveOld(wall: wall) { return (active.size, true) }
        return (settings.retentionBytes.map { max(0, active.size - $0) } ?? 0, false)
    }
}
