// The catalogue: making, changing and deleting topics. Each request is answered when it is durable.

extension Volume {
    /// Makes a topic. The answer's value is the number of partitions. Throws `topicExists`, `tooLarge`,
    /// `tooManyPartitions`, `closed`, `stopped`.
    ///
    /// While a topic of that name is being deleted the new one waits for the end of that: it is refused with
    /// `topicExists` when the old one stays, with `io` when its files cannot be removed.
    /// - Parameters:
    ///   - name: checked by the caller.
    ///   - settings: what differs from the defaults, as text, kept for the caller; `log` is what they mean.
    package mutating func createTopic(
        _ name: String, id: UniqueID, partitions: Int, settings: [TopicRecord.Setting], log: LogSettings,
        request: UInt64
    ) throws(LogError) {
        try checkRequest()
        guard (1...Limits.partitionsPerTopic).contains(partitions) else {
            throw .tooLarge(bytes: partitions, limit: Limits.partitionsPerTopic)
        }
        try checkRoom(forPartitions: partitions)
        let topic = TopicRecord(id: id, name: name, partitions: Int32(partitions), settings: settings)
        let creation = ManifestEffect.topicCreated(topic, log, request: request)
        guard let old = topicIDs[name] else { return begin(creation, of: topic) }
        guard isLeaving(old), leavingNames.creations[name] == nil else { throw .topicExists(name) }
        leavingNames.creations[name] = creation
        if !leavingNames.held.contains(old) { removeStuck(old) }
    }

    /// Tries once more to remove the files of a deleted topic, if they could not be.
    private mutating func removeStuck(_ id: UniqueID) {
        guard leavingNames.stuck.remove(id) != nil, let topic = manifest.state.leaving[id] else { return }
        removals.append(RemoveJob(target: .topic(topic), paths: paths))
    }

    /// Throws `tooManyPartitions` when there is no room for what the next opening may have to write to each.
    private func checkRoom(forPartitions more: Int) throws(LogError) {
        guard more > 0 else { return }
        var count = numbers.count + more
        for entry in manifest.pending {
            switch entry.record {
            case .topicCreated(let topic): count += Int(topic.partitions)
            case .partitionsAdded(let id, let total):
                count += max(0, Int(total - (manifest.state.topics[id]?.partitions ?? 0)))
            default: break
            }
        }
        for case .topicCreated(let topic, _, _) in leavingNames.creations.values {
            count += Int(topic.partitions)
        }
        guard count <= disk.mostPartitions else {
            throw .tooManyPartitions(count: count, limit: disk.mostPartitions)
        }
    }

    private mutating func begin(_ creation: ManifestEffect, of topic: TopicRecord) {
        topicIDs[topic.name] = topic.id
        manifest.add(.topicCreated(topic), creation)
    }

    private func isLeaving(_ id: UniqueID) -> Bool {
        leavingRequests[id] != nil || manifest.state.leaving[id] != nil
    }

    /// Replaces a topic's settings. Throws `unknownTopic`, `closed`, `stopped`.
    package mutating func configureTopic(
        _ name: String, settings: [TopicRecord.Setting], log: LogSettings, request: UInt64
    ) throws(LogError) {
        let id = try checkTopic(name)
        manifest.add(.topicConfigured(id, settings), .topicConfigured(id, log, request: request))
    }

    /// Adds partitions up to a total. Throws `unknownTopic`, `tooLarge`, `tooManyPartitions`, `closed`,
    /// `stopped`.
    ///
    /// A total at or below the present one changes nothing.
    package mutating func addPartitions(to name: String, total: Int, request: UInt64) throws(LogError) {
        let id = try checkTopic(name)
        guard total <= Limits.partitionsPerTopic else {
            throw .tooLarge(bytes: total, limit: Limits.partitionsPerTopic)
        }
        try checkRoom(forPartitions: total - Int(manifest.state.topics[id]?.partitions ?? 0))
        manifest.add(
            .partitionsAdded(id, total: Int32(max(total, 1))), .partitionsAdded(id, request: request))
    }

    /// Deletes a topic: what waits for it is refused, its files go. Throws `unknownTopic`, `closed`,
    /// `stopped`.
    ///
    /// Answered when a topic of that name can be made again.
    ///
    /// - Parameter holdsName: whether the name stays taken until `releaseName`: what others know of the topic
    ///   can be put away before the next of that name is there. The next opening does not wait for that.
    package mutating func deleteTopic(
        _ name: String, holdsName: Bool = false, request: UInt64
    ) throws(LogError) {
        let id = try checkTopic(name)
        leavingRequests[id] = request
        if holdsName { leavingNames.held.insert(id) }
        for number in numbers(of: id) {
            partitions[number]?.isLeaving = true
            partitions[number]?.giveUpRoll()
            failQueue(number, .unknownTopic(name))
            answerCompactRequests(number, .failure(.unknownTopic(name)))
        }
        endCompactionIfOver()
        if let first = numbers(of: id).first { continueLeaving(first) }
    }

    /// Lets the name of a topic go whose deletion has been answered, also with `io` when its files stay.
    /// Answered when the name can be asked for again.
    /// Throws `unknownTopic`, `closed`, `stopped`.
    package mutating func releaseName(_ name: String, request: UInt64) throws(LogError) {
        try checkRequest()
        guard let id = topicIDs[name], leavingRequests[id] == nil, leavingNames.held.remove(id) != nil,
            let topic = manifest.state.leaving[id]
        else { throw .unknownTopic(name) }
        guard !leavingNames.stuck.contains(id) else {
            // Its files are still there: who asks for the name has them removed.
            if leavingNames.creations[name] != nil { removeStuck(id) }
            return completions.requests.append((request, .success(0)))
        }
        manifest.add(.topicForgotten(id), .topicForgotten(topic, request: request))
    }

    /// The topics there are: those that are made and not being deleted.
    package var topics: [TopicRecord] {
        manifest.state.topics.values.filter { leavingRequests[$0.id] == nil }.sorted { $0.name < $1.name }
    }

    package func topic(_ name: String) -> TopicRecord? {
        guard let id = topicIDs[name], leavingRequests[id] == nil else { return nil }
        return manifest.state.topics[id]
    }

    package func topic(_ id: UniqueID) -> TopicRecord? {
        guard leavingRequests[id] == nil else { return nil }
        return manifest.state.topics[id]
    }

    func checkRequest() throws(LogError) {
        guard closing == .open else { throw .closed }
        if let failure { throw .stopped(failure) }
    }

    private func checkTopic(_ name: String) throws(LogError) -> UniqueID {
        try checkRequest()
        guard let id = topicIDs[name], manifest.state.topics[id] != nil, leavingRequests[id] == nil else {
            throw .unknownTopic(name)
        }
        return id
    }

    func numbers(of id: UniqueID) -> [Int] {
        (0..<(manifest.state.topics[id]?.partitions ?? 0)).compactMap {
            numbers[PartitionKey(topic: id, partition: $0)]
        }
    }

    mutating func addPartitions(of topic: TopicRecord, from first: Int32, _ settings: LogSettings) {
        for partition in first..<topic.partitions {
            let key = PartitionKey(topic: topic.id, partition: partition)
            guard numbers[key] == nil else { continue }
            numbers[key] = partitions.count
            var log = PartitionLog(
                key: key, topic: topic.name, directory: paths.partition(topic.name, partition),
                settings: settings,
                manifest: PartitionManifest(), active: ActiveSegment(baseOffset: 0))
            log.isLeaving = leavingRequests[topic.id] != nil
            partitions.append(log)
        }
        disk.partitions = numbers.count
    }

    mutating func addedPartitions(_ id: UniqueID, _ request: UInt64) {
        guard let topic = manifest.state.topics[id] else {
            return completions.requests.append((request, .failure(.unknownTopic(""))))
        }
        let first = numbers(of: id).first.flatMap { partitions[$0] }
        let settings = first?.nextSettings ?? first?.settings ?? LogSettings()
        addPartitions(of: topic, from: 0, settings)
        completions.requests.append((request, .success(Int64(topic.partitions))))
    }

    /// Puts new settings in force.
    ///
    /// A topic that is durable no more stays so until its commits have ended: what waits for them was
    /// promised them, and offsets that may be seen before they are durable must be reserved first.
    mutating func configure(_ number: Int, _ settings: LogSettings) {
        guard let partition = partitions[number] else { return }
        partitions[number]?.nextSettings = nil
        if partition.settings.isDurable, !settings.isDurable {
            partitions[number]?.nextSettings = settings
            continueConfiguring(number)
        } else {
            let becomesDurable = settings.isDurable && !partition.settings.isDurable
            partitions[number]?.settings = settings
            if becomesDurable { requestSync(number) }
        }
        queueCompaction(number)
        markReady(number)
    }

    mutating func continueConfiguring(_ number: Int) {
        // Where writing has stopped, readers would see more than they may when it is made `written`.
        guard failure == nil, let settings = partitions[number]?.nextSettings,
            let partition = partitions[number], !partition.isWriting, partition.heldBy == nil,
            partition.uncommitted.isEmpty,
            !partition.isStopped
        else { return }
        partitions[number]?.settings = settings
        partitions[number]?.nextSettings = nil
        queueCompaction(number)
    }

    /// Goes on with a deletion once no job names a file of the topic.
    mutating func continueLeaving(_ number: Int) {
        guard partitions[number]?.isLeaving == true, let id = partitions[number]?.key.topic else { return }
        guard let request = leavingRequests[id], !leavingRecorded.contains(id), failure == nil else { return }
        let isIdle = numbers(of: id).allSatisfy { number in
            guard let partition = partitions[number] else { return true }
            return !partition.isBusy && !partition.isCompacting && partition.journalled == nil
        }
        guard isIdle else { return }
        leavingRecorded.insert(id)
        manifest.add(.topicDeleted(id), .topicDeleted(id, request: request))
    }

    /// The deletion could not be recorded: the topic stays.
    mutating func stay(_ id: UniqueID) {
        leavingRequests[id] = nil
        leavingRecorded.remove(id)
        leavingNames.held.remove(id)
        if let name = manifest.state.topics[id]?.name { refuseCreation(name, .topicExists(name)) }
        for number in numbers(of: id) {
            partitions[number]?.isLeaving = false
            settle(number)
        }
    }

    /// The deletion is on record: the topic is gone, its directories follow.
    mutating func removeTopic(_ id: UniqueID, _ request: UInt64) {
        guard let topic = manifest.state.leaving[id] else { return }
        var open: [FileID] = []
        for partition in 0..<topic.partitions {
            guard let number = numbers.removeValue(forKey: PartitionKey(topic: id, partition: partition)),
                let log = partitions[number]
            else { continue }
            for index in 0..<log.uncommitted.count where log.settings.answersAtCommit(log.uncommitted[index])
            {
                answer(log.uncommitted[index].origin, .failure(.unknownTopic(topic.name)))
            }
            for origin in log.producers?.takeWaiting() ?? [] {
                answer(origin, .failure(.unknownTopic(topic.name)))
            }
            if let file = log.file {
                open.append(file)
                openCount -= 1
            }
            if log.active.size > 0 { activeCount -= 1 }
            partitions[number] = nil
            journal.forget(number)
            manifest.pendingPoints.remove(number)
            completions.advanced.append(number)
        }
        disk.partitions = numbers.count
        openOrder.keep { partitions[$0] != nil }
        removals.append(RemoveJob(target: .topic(topic), paths: paths, close: open))
        retryFiles()
    }

    mutating func takeRemove() -> RemoveJob? {
        guard !isRemoveOut, !isMeasureOut, let job = removals.popFirst() else { return nil }
        isRemoveOut = true
        return job
    }

    mutating func finishedRemove(_ job: RemoveJob, _ result: RemoveResult) {
        isRemoveOut = false
        let error = result.error
        if job.claim == 0 {
            disk.remove(result.freed)
        } else if case .tails = job.target {
            disk.settle(job.claim, kept: job.claim)
        } else {
            disk.settle(job.claim, kept: error == nil ? 0 : job.claim)
        }
        if let error { completions.events.append(.removalFailed(error)) }
        if case .swapped(let renames) = job.target { finishedRenames(renames, error) }
        guard case .topic(let topic) = job.target else { return }
        let request = leavingRequests.removeValue(forKey: topic.id)
        leavingRecorded.remove(topic.id)
        if let error {
            if let request { completions.requests.append((request, .failure(.io(error)))) }
            keepName(topic, error)
        } else if leavingNames.held.contains(topic.id) {
            if let request { completions.requests.append((request, .success(0))) }
        } else {
            manifest.add(.topicForgotten(topic.id), .topicForgotten(topic, request: request))
        }
    }

    // MARK: Names

    /// A topic is deleted, and that cannot be ended now: by who next asks for its name, or at the next
    /// opening.
    ///
    /// A name that is held stays so until it is released.
    mutating func keepName(_ topic: TopicRecord, _ error: IOError) {
        leavingNames.stuck.insert(topic.id)
        refuseCreation(topic.name, .io(error))
    }

    /// Nothing is left of a topic: the next of that name comes.
    mutating func freeName(_ name: String) {
        topicIDs[name] = nil
        guard let creation = leavingNames.creations.removeValue(forKey: name),
            case .topicCreated(let topic, _, _) = creation
        else { return }
        begin(creation, of: topic)
    }

    mutating func refuseCreation(_ name: String, _ error: LogError) {
        guard let request = leavingNames.creations.removeValue(forKey: name)?.request else { return }
        completions.requests.append((request, .failure(error)))
    }

    mutating func refuseCreations(_ error: LogError) {
        for name in leavingNames.creations.keys.sorted() { refuseCreation(name, error) }
    }
}

/// What is to become of the names of topics that are being deleted.
struct LeavingNames: Sendable {
    /// Topics that are to be made once the one before them is gone, by name.
    var creations: [String: ManifestEffect] = [:]
    /// Deleted topics whose names are kept until they are released.
    var held: Set<UniqueID> = []
    /// Deleted topics whose files could not be removed.
    var stuck: Set<UniqueID> = []
}
