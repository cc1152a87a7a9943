// The budget of the disk in a simulated run: what is reserved, what must hold after each step, and how a full
// store is drained.

internal import SluiceLog

extension VolumeSimulation {
    /// Draws a budget for some machines, tiny beside what a run writes.
    func drawBudget() {
        guard random.chance(0.5) else { return }
        let blocks = random.pick([random.within(28...45), random.within(35...60), random.within(60...120)])
        configuration.diskBytes = Int64(blocks) * 4096
        configuration.exemptBytes = Int64(random.pick([8, 16])) * 4096
        configuration.journalBytes = min(configuration.journalBytes, 16 << 10)
        configuration.manifestBytes = min(configuration.manifestBytes, 4096)
        weights[Step.relieve.rawValue] += random.pick([0, 5])
        weights[Step.drop.rawValue] += random.pick([0, 5])
        weights[Step.moveFloor.rawValue] += random.pick([0, 5])
        configuration.rollBytes = Int64(random.pick([1, 2000, 1 << 20]))
    }

    var hasBudget: Bool { configuration.diskBytes < .max }

    /// Reserves what a batch needs, or not, or too little. False: there was no room, and it is not submitted.
    func reserve(_ batch: inout PreparedBatch) -> Bool {
        guard hasBudget else { return true }
        batch.isExempt = random.chance(0.1)
        let bytes = batch.bytes.count
        let wanted = random.pick([0, bytes, bytes, bytes / 2, bytes + 1000])
        guard wanted > 0 else { return true }
        guard store?.volume.reserve(wanted) == true else { return batch.isExempt }
        // Some change their mind.
        let spare = random.chance(0.1) ? random.within(0...wanted) : 0
        store?.volume.release(spare)
        batch.reservedBytes = wanted - spare
        return true
    }

    /// After each step: the files take no more than the budget, nor than the volume believes.
    func checkDisk() throws(SimulationViolation) {
        let allocated = files.allocatedBytes
        try check(
            allocated <= configuration.diskBytes, 14,
            "the files take \(allocated) of \(configuration.diskBytes) bytes")
        guard let use = store?.volume.diskUse, !files.hasCrashed, !hasRebuiltIndexes else { return }
        try check(
            allocated <= use.usedBytes, 14,
            "the files take \(allocated) bytes, the volume knows of \(use.usedBytes)")
    }

    /// When nothing is under way, nothing is held; without faults what is counted is what there is, but for
    /// an index file that an opening has found and counted, and that was written over since.
    func checkDiskAtRest() throws(SimulationViolation) {
        guard let use = store?.volume.diskUse, !isFailed, !isUnclean else { return }
        try check(use.reservedBytes == 0, 14, "\(use.reservedBytes) bytes are reserved for nobody")
        guard !isFaulty else { return }
        let known = 2 * SimulatedFileSystem.blockBytes * Int64(partitions.count)
        try check(
            (0...known).contains(use.usedBytes - files.allocatedBytes), 14,
            "the files take \(files.allocatedBytes) bytes, the volume counts \(use.usedBytes)")
    }

    /// The controller asks for room.
    func relieve() throws(SimulationViolation) {
        note("relief")
        store?.volume.relieve(wall: clock.now.wallMilliseconds)
        try drain()
    }

    /// A producer makes room for itself.
    func dropOldest() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        let partition = random.pick(usable)
        guard let number = number(partition) else { return }
        let wanted = Int64(random.pick([1, 500, 100_000]))
        let going = store?.volume.dropOldest(number, bytes: wanted, wall: clock.now.wallMilliseconds) ?? 0
        note("drop \(wanted) bytes of \(partition): \(going) go")
        let topic = topics[partitions[partition].topic]
        try check(
            going == 0 || topic.hadRetention, 1, "partition \(partition) drops records, with nothing promised"
        )
        try drain()
    }

    /// A full store on which all has been consumed is freed by relief, wherever the records lie.
    func checkRelief() throws(SimulationViolation) {
        guard hasBudget, !isFailed else { return }
        var waiting: [Int] = []
        for index in partitions.indices {
            let topic = topics[partitions[index].topic]
            guard topic.phase == .alive, topic.settings.isUntilConsumed, topic.possibleSettings.isEmpty,
                !partitions[index].isStopped, let number = number(index),
                let range = try? store?.volume.offsets(number)
            else { continue }
            partitions[index].startRequested = max(partitions[index].startRequested, range.upperBound)
            note("all of \(index) is consumed, to \(range.upperBound)")
            try? store?.volume.setConsumedFloor(number, to: range.upperBound)
            waiting.append(number)
        }
        let wanted = Int(max(configuration.rollBytes, configuration.diskBytes / 100))
        // One segment at least in each round.
        for _ in 0..<3 * waiting.count + 1 {
            try relieve()
            try quiesce()
            if store?.volume.reserve(wanted) == true { return store?.volume.release(wanted) ?? () }
        }
        for number in waiting {
            let bytes = store?.volume.diskState(number, wall: 0)?.bytes ?? 0
            try check(bytes == 0, 14, "the store is full, and \(bytes) consumed bytes of \(number) stay")
        }
    }

    /// A store that has been drained and takes no batch: what is left on the disk is what its files take at
    /// least.
    func checkFull() throws(SimulationViolation) {
        guard !isFaulty, let use = store?.volume.diskUse else { return }
        let alive = partitions.count { topics[$0.topic].phase == .alive }
        // A directory, its metadata, a segment, two indexes; then the root with its files, and the journal.
        let least = Int64(alive * 5 + 12 + 2 * configuration.journalBytes / 4096) * 4096
        try check(
            use.usedBytes <= least + use.exemptReserveBytes, 14,
            "drained, the files still take \(use.usedBytes) bytes")
    }

    /// The user gives it more.
    func raiseBudget() {
        note("a larger budget")
        configuration.diskBytes += 1 << 20
        store?.volume.setDiskLimit(configuration.diskBytes)
    }

    /// Deletes everything, as one does whose disk is full: that must work without room.
    func drainStore() throws(SimulationViolation) {
        guard hasBudget, !isFailed else { return }
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            guard let number = number(index), let range = try? store?.volume.offsets(number), !range.isEmpty
            else { continue }
            try deleteRecords(index, before: range.upperBound)
        }
        try quiesce()
    }
}
