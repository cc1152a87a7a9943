// Recording what changed, and acting on it.

extension Volume {
    mutating func takeManifest(now: Instant) -> ManifestJob? {
        guard failure == nil else { return nil }
        if let job = takeManifestAgain(now: now) { return job }
        guard manifest.isDue(configuration, now: now.monotonicNanoseconds) else { return nil }
        manifest.retryAt = nil
        manifest.out = manifest.queue
        manifest.queue = []
        manifest.pointsOut = []
        var producerBytes = 0
        var later: Set<Int> = []
        for number in manifest.pendingPoints.sorted() {
            guard let partition = partitions[number], !partition.isLeaving else { continue }
            guard producerBytes <= Limits.producerBytesPerFrame else {
                later.insert(number)
                continue
            }
            var point = partition.synced
            if PlantedBug.recoveryPointEarly.isPlanted { point = partition.active.point(ceiling: 0) }
            point.ceiling = nextCeiling(partition)
            let producers = partition.changedProducers(through: point.offset)
            producerBytes += producers?.mostBytes ?? 0
            manifest.pointsOut.append((number, point, producers))
        }
        manifest.pendingPoints = later
        manifest.pointsAreUrgent = false
        manifest.lastPointAt = now.monotonicNanoseconds
        // Points in front: a roll in the same frame begins the next segment.
        let points = manifest.pointsOut.flatMap { number, point, producers -> [ManifestRecord] in
            guard let key = partitions[number]?.key else { return [] }
            return (producers.map { [.producers(key, $0)] } ?? []) + [.recoveryPoint(key, point)]
        }
        let records = points + manifest.out.map(\.record)
        guard !records.isEmpty else { return nil }
        manifest.isOut = true
        let sequence = manifest.nextSequence
        // While files are measured none is replaced: the old one could be counted twice as gone.
        let meta = claimMeta(records)
        if manifest.position > manifest.replaceAbove, !isMeasureOut {
            expireProducers(now: now)
            var state = manifest.state
            for record in records { state.apply(record) }
            let snapshot = state.snapshot
            let bytes = DiskLedger.blocks(ManifestFile.most(snapshot))
            let claim = max(0, bytes - manifest.spare)
            disk.claim(claim)
            return ManifestJob(
                records: snapshot, frame: [], sequence: sequence, file: manifest.file, position: 0,
                replacement: manifest.number + 1, paths: paths, storeID: storeID, claim: claim,
                meta: meta.bytes, metaClaim: meta.claim)
        }
        let frame = ManifestFile.encode(records, sequence: sequence, storeID: storeID)
        let claim = max(0, DiskLedger.blocks(manifest.position + Int64(frame.count)) - manifest.allocated)
        disk.claim(claim)
        return ManifestJob(
            records: records, frame: frame, sequence: sequence, file: manifest.file,
            position: manifest.position, replacement: nil, paths: paths, storeID: storeID, claim: claim,
            meta: meta.bytes, metaClaim: meta.claim)
    }

    /// What of a manifest job's claim is on the disk now. A file that has failed may have grown all the same.
    private mutating func settle(_ job: ManifestJob, _ result: Result<ManifestPlace, IOError>) {
        guard job.replacement != nil else {
            manifest.allocated += job.claim
            return disk.settle(job.claim, kept: job.claim)
        }
        guard case .success(let place) = result else {
            manifest.spare += job.claim
            return disk.settle(job.claim, kept: job.claim)
        }
        let bytes = DiskLedger.blocks(place.position)
        disk.settle(job.claim, kept: bytes - manifest.spare)
        if place.isOldGone { disk.remove(manifest.allocated) }
        manifest.spare = 0
        manifest.allocated = bytes
    }

    mutating func finishedManifest(
        _ job: ManifestJob, _ result: ManifestResult, now: Instant
    ) {
        manifest.isOut = false
        if result.freed > 0 {
            disk.remove(reserveFile.bytes)
            reserveFile.bytes = 0
            lostReserve(now: now)
        }
        // Perhaps it is on the medium: then it can neither be refused nor be another.
        let mayCount = !result.isMetaMissing
        if case .failure(let error) = result.place, mayCount, Self.mayCount(job, error), passes(error) {
            return manifestAgain(job, error, now: now)
        }
        settle(job, result.place)
        settleMeta(job, isWritten: !result.isMetaMissing)
        switch result.place {
        case .success(let place):
            manifest.nextSequence = job.sequence + 1
            manifest.file = place.file
            manifest.position = place.position
            if let number = job.replacement {
                manifest.number = number
                manifest.replaceAbove = max(configuration.manifestLimit, 2 * place.position)
                disk.manifestLimit = manifest.replaceAbove
            }
            let points = manifest.pointsOut
            let entries = manifest.out
            manifest.pointsOut = []
            manifest.out = []
            for (number, point, producers) in points { recorded(number, point, producers) }
            for entry in entries {
                manifest.state.apply(entry.record)
                happened(entry.effect, now: now)
            }
        case .failure(let error):
            failedManifest(job, error, mayCount: mayCount && Self.mayCount(job, error), now: now)
        }
        healed()
    }

    /// Whether a frame that failed so may be on the medium all the same.
    private static func mayCount(_ job: ManifestJob, _ error: IOError) -> Bool {
        job.isRepeated || !["open", "pwritev", "write"].contains(error.operation)
    }

    private mutating func recorded(_ number: Int, _ point: RecoveryPoint, _ producers: ProducerStates?) {
        guard let key = partitions[number]?.key else { return }
        if let producers { manifest.state.apply(.producers(key, producers)) }
        manifest.state.apply(.recoveryPoint(key, point))
        let written: Int64? =
            with(number) { partition in
                guard partition.active.baseOffset == point.baseOffset else { return nil }
                partition.recorded = point
                partition.proven = max(partition.proven, point.position)
                partition.producers?.recorded(through: point.offset)
                return partition.active.endOffset
            } ?? nil
        guard let written else { return }
        journal.release(number, through: PlantedBug.journalReusedEarly.isPlanted ? written : point.offset)
        markReady(number)
    }

    /// A write without room passes; what may be on the medium does not.
    private mutating func failedManifest(
        _ job: ManifestJob, _ error: IOError, mayCount: Bool, now: Instant
    ) {
        // A new file whose first frame was not written counts for nothing; one that is whole and perhaps not
        // synced would count at the next opening, whatever were added to the old one: then nothing may be.
        if mayCount {
            takeBackRecords()
            return failure.map { failRequests($0) } ?? stopAll(error)
        }
        // Who asked for a deletion was told when the store stopped.
        if let failure {
            takeBackRecords()
            return failRequests(failure)
        }
        if job.replacement != nil {
            manifest.replaceAbove = manifest.position + configuration.manifestLimit
            disk.manifestLimit = manifest.replaceAbove
            return takeBackRecords()
        }
        // A close does not wait for room: the store is not called closed then, and loses nothing.
        if closing != .open {
            takeBackRecords()
            return stopAll(error)
        }
        let entries = manifest.out
        manifest.out = []
        takeBackRecords()
        var kept: [ManifestLog.Entry] = []
        for entry in entries {
            if let request = entry.effect.request {
                refused(entry.effect, error)
                completions.requests.append((request, .failure(.io(error))))
            } else {
                if case .topicForgotten(let topic, _) = entry.effect {
                    refuseCreation(topic.name, .io(error))
                }
                // Nobody is to wait for room that may never come.
                if case .rolled(let number, _, _) = entry.effect { failQueue(number, .io(error)) }
                kept.append(entry)
            }
        }
        manifest.queue = kept + manifest.queue
        manifest.retryAt = now.monotonicNanoseconds + Self.retryNanoseconds
    }

    /// What was to be recorded is in line again.
    private mutating func takeBackRecords() {
        for (number, _, _) in manifest.pointsOut { manifest.pendingPoints.insert(number) }
        manifest.queue = manifest.pending
        manifest.out = []
        manifest.pointsOut = []
    }

    /// A job that was to be tried again will not be.
    mutating func lostManifest(_ job: ManifestJob, _ error: IOError) {
        manifest.isOut = false
        settle(job, .failure(error))
        settleMeta(job, isWritten: false)
        takeBackRecords()
    }

    /// A request was not recorded: what had been set aside for it is given back.
    private mutating func refused(_ effect: ManifestEffect, _ error: IOError) {
        switch effect {
        case .topicCreated(let topic, _, _): topicIDs[topic.name] = nil
        case .topicDeleted(let id, _): stay(id)
        case .topicForgotten(let topic, _): keepName(topic, error)
        default: break
        }
    }

    mutating func failRequests(_ error: IOError) {
        // A deletion is remembered until it is done, in line or not. What is being recorded is answered after
        // that.
        var waiting = Array(leavingRequests.values)
        for entry in manifest.queue {
            if case .topicDeleted = entry.effect { continue }
            if let request = entry.effect.request { waiting.append(request) }
        }
        for request in waiting.sorted() { completions.requests.append((request, .failure(.stopped(error)))) }
        // Whether a topic is deleted is for the next opening to see; until then it is there.
        for id in leavingRequests.keys where manifest.state.topics[id] != nil { stay(id) }
        leavingRequests = [:]
        manifest.queue = []
        refuseCreations(.stopped(error))
    }

    private mutating func happened(_ effect: ManifestEffect, now: Instant) {
        switch effect {
        case .nothing: break
        case .rolled(let number, let sealed, let file): switchSegment(number, sealed, file)
        case .logStart(let number, let request): movedLogStart(number, request)
        case .dropped(let number): movedLogStart(number, nil, isDrop: true)
        case .topicCreated(let topic, let settings, let request):
            addPartitions(of: topic, from: 0, settings)
            completions.requests.append((request, .success(Int64(topic.partitions))))
        case .topicConfigured(let id, let settings, let request):
            for number in numbers(of: id) { configure(number, settings) }
            completions.requests.append((request, .success(0)))
        case .partitionsAdded(let id, let request): addedPartitions(id, request)
        case .topicDeleted(let id, let request): removeTopic(id, request)
        case .topicForgotten(let topic, let request):
            freeName(topic.name)
            if let request { completions.requests.append((request, .success(0))) }
        case .swapped(let number, let swap, let isLast): swapped(number, swap, isLast: isLast)
        case .producerIDs(let end, let request):
            producerIDs.recorded(end)
            completions.requests.append((request, .success(end)))
        case .userChanged(let request): completions.requests.append((request, .success(0)))
        case .closed: closing = .closed
        }
    }
}
