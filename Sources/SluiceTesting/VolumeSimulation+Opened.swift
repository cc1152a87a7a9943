// What must be true after an opening: of each log, each atomic write, and of the catalogue.

internal import SluiceLog

extension VolumeSimulation {
    func checkAfterOpening(lostPower: Bool, hasDied: Bool) throws(SimulationViolation) {
        try checkCatalogue(hasDied: hasDied)
        requests = [:]
        try checkFiles()
        var present: Set<Int> = []
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            present.formUnion(try checkLog(index, needed: lostPower ? .durable : .written))
            settle(index, present)
        }
        for group in groups { try checkWhole(group, present) }
        for index in submissions.indices where submissions[index].state == .indeterminate {
            // What is not there after an opening never comes.
            if !present.contains(index), !isMaybeDeleted(index) { submissions[index].state = .failed }
        }
        settleProducers(lostPower: lostPower)
    }

    /// What has survived has been synced; what has not is never to come back.
    private func settle(_ index: Int, _ present: Set<Int>) {
        guard let number = number(index), let range = try? store?.volume.offsets(number) else { return }
        // What was lost stays so, also where its batch has been sent again since.
        for (offset, entry) in partitions[index].entries
        where offset >= range.lowerBound && entry.safety != .lost {
            let isThere = offset < range.upperBound && present.contains(Int(entry.record >> 16))
            partitions[index].entries[offset]?.safety = isThere ? .durable : .lost
        }
        partitions[index].startAcknowledged = max(partitions[index].startAcknowledged, range.lowerBound)
        partitions[index].knownEnd = range.upperBound
    }

    /// Pages that were dropped are damage to an opening in the same boot: it says so, and what was durable is
    /// there.
    func checkWhatForgettingLeft() throws(SimulationViolation) {
        heal()
        isLostToReads = true
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            guard let number = number(index) else { continue }
            let (range, found, _) = readLog(number)
            let records = Dictionary(found.map { ($0.offset, $0.record) }) { first, _ in first }
            for (offset, entry) in partitions[index].entries
            where offset >= range.lowerBound && entry.safety == .durable
                && !topics[partitions[index].topic].hadCompaction
            {
                try check(
                    records[offset] == entry.record, 1,
                    "partition \(index) was durable to \(offset), which a failed sync has taken")
            }
        }
    }

    private func checkWhole(_ group: [Int], _ present: Set<Int>) throws(SimulationViolation) {
        guard group.contains(where: present.contains) else { return }
        for id in group where !present.contains(id) && !isMaybeDeleted(id) {
            throw violation(5, "of atomic write \(group) batch \(id) is missing")
        }
    }

    /// Whether a batch that is not there may have been there and been deleted.
    private func isMaybeDeleted(_ id: Int) -> Bool {
        let partition = partitions[submissions[id].partition]
        return topics[partition.topic].phase != .alive || topics[partition.topic].hadCompaction
            || partition.startAcknowledged > submissions[id].knownEnd
    }

    private func checkCatalogue(hasDied: Bool) throws(SimulationViolation) {
        guard let found = store?.volume.topics else { return }
        for index in topics.indices {
            let topic = topics[index]
            let record = found.first { $0.id == topic.id }
            switch topic.phase {
            case .alive: try check(record != nil, 10, "topic \(topic.name) is not there")
            case .gone: try check(record == nil, 10, "topic \(topic.name) is there again")
            case .creating, .deleting: topics[index].phase = record == nil ? .gone : .alive
            }
            guard let record else { continue }
            let count = Int(record.partitions)
            try check(
                (topic.partitions.count...topic.mostPartitions).contains(count), 10,
                "topic \(topic.name) has \(count) partitions")
            adopt(index, partitions: count)
            let settings = LogSettings(simulated: record.settings)
            try check(
                settings == topic.settings || topic.possibleSettings.contains(settings), 10,
                "topic \(topic.name) has other settings")
            topics[index].settings = settings
            topics[index].hasChangedLevel = false
            topics[index].possibleSettings = []
            topics[index].mostPartitions = count
        }
        for record in found {
            try check(topics.contains { $0.id == record.id }, 10, "topic \(record.name) was never made")
        }
    }
}
