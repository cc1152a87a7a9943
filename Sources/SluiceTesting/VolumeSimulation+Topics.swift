// Steps that change the catalogue, and the answers to them.

internal import SluiceLog

extension VolumeSimulation {
    func drawSettings() -> LogSettings {
        var settings = LogSettings()
        settings.segmentBytes = Int64(random.pick([512, 1500, 4096, 8192, 1 << 20]))
        settings.adaptsSegments = random.chance(0.3)
        settings.segmentMilliseconds = random.pick([100, 10_000_000, 10_000_000])
        settings.indexIntervalBytes = Int64(random.pick([0, 100, 4096]))
        settings.isDurable = random.chance(0.6)
        settings.usesLogAppendTime = random.chance(0.3)
        settings.retentionMilliseconds = nil
        if random.chance(0.25) { settings.retentionMilliseconds = random.pick([50, 2000]) }
        if random.chance(0.25) { settings.retentionBytes = Int64(random.pick([0, 1000, 4000])) }
        if random.chance(0.3) { settings.promiseMilliseconds = random.pick([-1, 0, 50, 2000]) }
        if random.chance(0.1) { settings.maxMessageBytes = 600 }
        settings.isCompacted = random.chance(0.4)
        settings.isDeleted = !settings.isCompacted || random.chance(0.3)
        settings.deleteRetentionMilliseconds = random.pick([0, 100, 10_000_000])
        settings.minDirtyRatio = random.pick([0, 0.5])
        settings.minCompactionLagMilliseconds = random.pick([0, 0, 200])
        settings.isUntilConsumed = random.chance(0.15)
        return settings
    }

    private func drawTopic() -> Int? {
        let alive = topics.indices.filter { topics[$0].phase == .alive }
        return alive.isEmpty ? nil : random.pick(alive)
    }

    func ask(
        _ request: SimulatedRequest, _ call: (UInt64) throws(LogError) -> Void
    ) throws(SimulationViolation) -> Bool {
        let number = nextRequest
        nextRequest += 1
        requests[number] = request
        note("ask \(number): \(request.words)")
        do throws(LogError) {
            try call(number)
        } catch {
            note("refused: \(error)")
            requests[number] = nil
            return false
        }
        return true
    }

    func createTopic() throws(SimulationViolation) {
        guard topics.count(where: { $0.phase != .gone }) < 4 else { return }
        let name = "t\(random.below(4))"
        // Beside one that is being deleted it waits for the end of that.
        guard !topics.contains(where: { $0.name == name && ![.gone, .deleting].contains($0.phase) }) else {
            return
        }
        try createTopic(name, partitions: random.within(1...3), drawSettings())
    }

    func createTopic(
        _ name: String, partitions count: Int, _ settings: LogSettings
    ) throws(SimulationViolation) {
        let id = UniqueID(using: &random)
        topics.append(SimulatedTopic(id: id, name: name, settings: settings, mostPartitions: count))
        let index = topics.count - 1
        topics[index].hadRetention = settings.hasRetention
        topics[index].hadCompaction = settings.isCompacted
        let isTaken = try ask(.create(index)) { request throws(LogError) in
            try store?.volume.createTopic(
                name, id: id, partitions: count, settings: settings.simulatedText, log: settings,
                request: request)
        }
        if !isTaken { topics[index].phase = .gone }
        try drain()
    }

    func configureTopic() throws(SimulationViolation) {
        guard let index = drawTopic() else { return }
        try configureTopic(index, drawSettings())
    }

    func configureTopic(_ index: Int, _ settings: LogSettings) throws(SimulationViolation) {
        topics[index].possibleSettings.append(settings)
        topics[index].hadRetention = topics[index].hadRetention || settings.hasRetention
        topics[index].hadCompaction = topics[index].hadCompaction || settings.isCompacted
        if settings.isDurable != topics[index].settings.isDurable { topics[index].hasChangedLevel = true }
        let isTaken = try ask(.configure(index, settings)) { request throws(LogError) in
            try store?.volume.configureTopic(
                topics[index].name, settings: settings.simulatedText, log: settings, request: request)
        }
        if !isTaken { topics[index].possibleSettings.removeLast() }
        try drain()
    }

    func addPartitions() throws(SimulationViolation) {
        guard let index = drawTopic() else { return }
        try addPartitions(index, total: random.within(1...4))
    }

    func addPartitions(_ index: Int, total: Int) throws(SimulationViolation) {
        let isTaken = try ask(.addPartitions(index, total)) { request throws(LogError) in
            try store?.volume.addPartitions(to: topics[index].name, total: total, request: request)
        }
        if isTaken { topics[index].mostPartitions = max(topics[index].mostPartitions, total) }
        try drain()
    }

    func deleteTopic() throws(SimulationViolation) {
        guard let index = drawTopic() else { return }
        try deleteTopic(index)
    }

    func deleteTopic(_ index: Int) throws(SimulationViolation) {
        let isTaken = try ask(.delete(index)) { request throws(LogError) in
            try store?.volume.deleteTopic(topics[index].name, request: request)
        }
        if isTaken { topics[index].phase = .deleting }
        try drain()
    }

    func deleteRecords() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        let partition = random.pick(usable)
        guard let number = number(partition), let range = try? store?.volume.offsets(number), !range.isEmpty
        else { return }
        try deleteRecords(partition, before: range.lowerBound + Int64(random.within(1...range.count)))
    }

    func deleteRecords(_ partition: Int, before offset: Int64) throws(SimulationViolation) {
        guard let number = number(partition) else { return }
        let isTaken = try ask(.deleteRecords(partition, offset)) { request throws(LogError) in
            try store?.volume.deleteRecords(number, before: offset, request: request)
        }
        if isTaken {
            partitions[partition].startRequested = max(partitions[partition].startRequested, offset)
        }
        try drain()
    }

    func compact() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        let partition = random.pick(usable)
        try compact(partition, rollBytes: random.pick([1, 1, 1000]))
    }

    func compact(_ partition: Int, rollBytes: Int64) throws(SimulationViolation) {
        guard let number = number(partition) else { return }
        _ = try ask(.compact(partition)) { request throws(LogError) in
            try store?.volume.compact(number, rollBytes: rollBytes, request: request)
        }
        try drain()
    }

    /// Tells that records were consumed; of a topic that does not wait for that nothing goes.
    func moveFloor() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        let partition = random.pick(usable)
        guard let number = number(partition), let range = try? store?.volume.offsets(number) else { return }
        let offset = range.lowerBound + Int64(random.within(0...range.count))
        let topic = topics[partitions[partition].topic]
        note("consumed \(partition) to \(offset)")
        if topic.settings.isUntilConsumed || topic.possibleSettings.contains(where: \.isUntilConsumed) {
            partitions[partition].startRequested = max(partitions[partition].startRequested, offset)
        } else {
            // It stays with the volume, should the topic begin to wait for it.
            topics[partitions[partition].topic].hadRetention = true
        }
        do throws(LogError) {
            try store?.volume.setConsumedFloor(number, to: offset)
        } catch {
            note("refused: \(error)")
        }
        try drain()
    }

    /// Makes the partitions of a topic known to the model.
    func adopt(_ topic: Int, partitions count: Int) {
        while topics[topic].partitions.count < count {
            partitions.append(SimulatedPartition(topic: topic, number: topics[topic].partitions.count))
            topics[topic].partitions.append(partitions.count - 1)
        }
    }

    // MARK: Answers

    func answered(_ number: UInt64, _ result: Result<Int64, LogError>) throws(SimulationViolation) {
        guard let request = requests.removeValue(forKey: number) else {
            throw violation(8, "request \(number) was answered twice, or never made")
        }
        switch result {
        case .success(let value): succeeded(request, value)
        case .failure(let error): failed(request, error)
        }
    }

    private func succeeded(_ request: SimulatedRequest, _ value: Int64) {
        switch request {
        case .create(let topic):
            topics[topic].phase = .alive
            adopt(topic, partitions: Int(value))
        case .configure(let topic, let settings):
            topics[topic].settings = settings
            if let index = topics[topic].possibleSettings.firstIndex(of: settings) {
                topics[topic].possibleSettings.remove(at: index)
            }
        case .addPartitions(let topic, _): adopt(topic, partitions: Int(value))
        case .delete(let topic): topics[topic].phase = .gone
        case .deleteRecords(let partition, let offset):
            partitions[partition].startAcknowledged = max(partitions[partition].startAcknowledged, offset)
        case .compact, .producerIDs: break
        }
    }

    /// `io` means that nothing of it was kept; with another error it may have been.
    private func failed(_ request: SimulatedRequest, _ error: LogError) {
        switch request {
        case .create(let topic):
            switch error {
            case .io, .topicExists: topics[topic].phase = .gone
            default: break
            }
        case .configure(let topic, let settings):
            guard case .io = error, let index = topics[topic].possibleSettings.firstIndex(of: settings) else {
                return
            }
            topics[topic].possibleSettings.remove(at: index)
        case .delete(let topic):
            var isThere = store?.volume.topic(topics[topic].name)?.id == topics[topic].id
            if case .io = error {} else { isThere = false }
            topics[topic].phase = isThere ? .alive : .deleting
        case .addPartitions, .deleteRecords, .compact, .producerIDs: break
        }
    }
}

extension LogSettings {
    var hasRetention: Bool {
        promiseMilliseconds != nil
            || isDeleted && !isUntilConsumed && (retentionMilliseconds != nil || retentionBytes != nil)
    }
}

extension SimulatedRequest {
    var words: String {
        switch self {
        case .create(let topic): "create topic \(topic)"
        case .configure(let topic, let settings):
            "configure topic \(topic): \(settings.simulatedText.map { "\($0.key)=\($0.value)" })"
        case .addPartitions(let topic, let total): "\(total) partitions of topic \(topic)"
        case .delete(let topic): "delete topic \(topic)"
        case .producerIDs: "producer ids"
        case .compact(let partition): "compact partition \(partition)"
        case .deleteRecords(let partition, let offset): "delete partition \(partition) before \(offset)"
        }
    }
}
