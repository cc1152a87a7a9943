// What a step of a simulated run does.

internal import SluiceLog

/// The kinds of steps; how often each is taken differs from run to run.
enum Step: Int, CaseIterable {
    case submit, submitAtomic, take, run, finish, look
    case wait, jumpClock, retain, relieve, drop, compact, moveFloor, deleteRecords, createTopic,
        configureTopic,
        addPartitions,
        deleteTopic
    case close, die, armCrash
    case send, resend

    var weight: Int {
        switch self {
        case .submit: 20
        case .take, .run, .finish: 20
        case .submitAtomic: 5
        case .look, .wait: 3
        case .compact: 3
        case .retain, .relieve, .drop, .deleteRecords, .configureTopic: 2
        case .createTopic, .addPartitions, .deleteTopic, .moveFloor, .jumpClock: 1
        case .close, .die, .armCrash: 2
        // Of some machines alone.
        case .send, .resend: 0
        }
    }
}

extension VolumeSimulation {
    func act() throws(SimulationViolation) {
        switch drawStep() {
        case .submit:
            guard let partition = drawPartition() else { return }
            let padding = random.pick(
                hasBudget ? [0, 100, 2000, 6000, 6000, 12_000] : [0, 10, 100, 400, 400, 2000])
            _ = try submit(
                to: partition, producer: UInt32(random.below(3)), count: random.within(1...4),
                padding: padding,
                acks: random.pick([.none, .written, .durable, .durable]))
        case .submitAtomic: try submitAtomic()
        case .take:
            let lane: JobLane = random.chance(0.6) ? .append : .background
            try take(lane)
        case .run: if !jobs.isEmpty { runJob(random.below(jobs.count)) }
        case .finish: if !jobs.isEmpty { try finishJob(random.below(jobs.count)) }
        case .look: try checkAll()
        case .wait: clock.advance(by: .milliseconds(random.pick([1, 20, 60, 200, 1500])))
        case .jumpClock:
            let hours = random.pick([1, 24 * 30, 24 * 365 * 20])
            let jump = Duration.seconds(3600 * hours * random.pick([-1, 1]))
            note("the wall clock jumps by \(jump)")
            clock.jumpWallClock(by: jump)
        case .retain:
            guard topics.contains(where: { $0.phase == .alive && ($0.hadRetention || $0.hadCompaction) })
            else { return }
            note("retention")
            store?.volume.enforceRetention(wall: clock.now.wallMilliseconds)
            try drain()
        case .relieve: try relieve()
        case .drop: try dropOldest()
        case .compact:
            try compact()
            // A pass is many jobs: a step for each would seldom come to its end.
            try work(random.pick([0, 5, 20, 80]))
        case .moveFloor: try moveFloor()
        case .deleteRecords: try deleteRecords()
        case .createTopic: try createTopic()
        case .configureTopic: try configureTopic()
        case .addPartitions: try addPartitions()
        case .deleteTopic: try deleteTopic()
        case .close: try closeAndOpen()
        case .die: try crash()
        case .armCrash:
            let calls = random.pick([0, 1, 2, 5, 20])
            note("crash after \(calls) calls")
            files.crashAfterCalls = calls
        case .send: try send()
        case .resend: try resend()
        }
    }

    private func drawStep() -> Step {
        var drawn = random.below(weights.reduce(0, +))
        for step in Step.allCases {
            drawn -= weights[step.rawValue]
            if drawn < 0 { return step }
        }
        return .run
    }

    private func drawPartition() -> Int? {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return nil }
        guard isSkewed else { return random.pick(usable) }
        if random.chance(0.05) || !usable.contains(favourite) { favourite = random.pick(usable) }
        return random.chance(0.9) ? favourite : random.pick(usable)
    }

    // MARK: Appends

    /// The volume's number of a partition of the model.
    func number(_ partition: Int) -> Int? {
        let topic = topics[partitions[partition].topic]
        do throws(LogError) {
            return try store?.volume.number(topic: topic.name, partition: partitions[partition].number)
        } catch {
            return nil
        }
    }

    /// Submits one batch; nil when it was not taken.
    func submit(
        to partition: Int, producer: UInt32, count: Int, padding: Int, acks: Acks
    ) throws(SimulationViolation) -> Int? {
        guard let number = number(partition) else {
            throw violation(10, "the topic of partition \(partition) is not there")
        }
        let id = add(
            SimulatedSubmission(
                partition: partition, producer: producer, count: count, acks: acks,
                knownEnd: partitions[partition].knownEnd))
        var batch = batch(id, padding: padding)
        guard reserve(&batch) else {
            note("no room for \(id)")
            submissions[id].state = .failed
            return nil
        }
        var refusal: LogError?
        do throws(LogError) {
            note(
                "submit \(id) to \(partition): \(count) records, \(batch.bytes.count) bytes, \(acks), of \(producer)"
            )
            try store?.volume.submit(batch, to: number, acks)
        } catch {
            refusal = error
        }
        if let refusal { try refused([id], refusal) }
        try drain()
        return refusal == nil ? id : nil
    }

    private func submitAtomic() throws(SimulationViolation) {
        let usable = partitions.indices.filter { topics[partitions[$0].topic].phase == .alive }
        guard !usable.isEmpty else { return }
        let producer = UInt32(random.below(3))
        try submitAtomic(
            to: Array(usable.shuffled(using: &random).prefix(random.within(1...3))), producer: producer)
    }

    func submitAtomic(to chosen: [Int], producer: UInt32) throws(SimulationViolation) {
        var parts: [AtomicPart] = []
        var ids: [Int] = []
        for (index, partition) in chosen.enumerated() {
            guard let number = number(partition) else {
                throw violation(10, "the topic of partition \(partition) is not there")
            }
            var submission = SimulatedSubmission(
                partition: partition, producer: producer, count: random.within(1...3), acks: .durable,
                knownEnd: partitions[partition].knownEnd)
            submission.group = groups.count
            submission.part = index
            let id = add(submission)
            ids.append(id)
            var expecting: Int64?
            // A step of a history does what its name says.
            if random.chance(0.3), history == nil {
                expecting = partitions[partition].knownEnd + Int64(random.pick([0, 0, 1]))
            }
            var batch = batch(id, padding: random.pick([0, 50, 400]))
            if random.chance(0.5) { _ = reserve(&batch) }
            parts.append(AtomicPart(partition: number, batch: batch, expecting: expecting))
        }
        groups.append(ids)
        note("submit \(ids) to \(chosen) atomically, of \(producer), expecting \(parts.map(\.expecting))")
        do throws(LogError) {
            try store?.volume.submit(atomic: parts, now: clock.now)
        } catch {
            return try refused(ids, error)
        }
        try drain()
    }

    private func add(_ submission: SimulatedSubmission) -> Int {
        submissions.append(submission)
        return submissions.count - 1
    }

    /// A submission that was not taken.
    private func refused(_ ids: [Int], _ error: LogError) throws(SimulationViolation) {
        for id in ids { submissions[id].state = .failed }
        try checkRefusal(ids, error)
    }

    /// Whether there is a reason to refuse submissions.
    func checkRefusal(_ ids: [Int], _ error: LogError) throws(SimulationViolation) {
        note("refused: \(error)")
        switch error {
        case .tooLarge: break
        case .noRoom: try check(hasBudget, 9, "refused for want of room, without a budget")
        case .stopped:
            let isStopped = ids.contains { partitions[submissions[$0].partition].isStopped }
            try check(isFailed || isStopped, 9, "refused without a reason that was told: \(error)")
        case .io(let failure):
            let isWaiting = store?.volume.isWaitingForRoom ?? false
            try check(failure.isNoSpace && isWaiting, 9, "refused, and nothing waits for room: \(error)")
        default: throw violation(9, "refused for no reason: \(error)")
        }
    }

    /// A batch whose records say which they are: in the value, or in a header where that is null.
    func batch(_ id: Int, padding: Int, of producer: ProducerSequence = .none) -> PreparedBatch {
        let partition = submissions[id].partition
        let isCompacted = topics[partitions[partition].topic].hadCompaction
        for index in 0..<submissions[id].count {
            let key: UInt8? = random.chance(isCompacted ? 0.95 : 0.5) ? UInt8(random.below(5)) : nil
            submissions[id].keys.append(key)
            var value: [UInt8] = []
            let record = UInt64(id) << 16 | UInt64(index)
            for shift in stride(from: 56, through: 0, by: -8) {
                value.append(UInt8(truncatingIfNeeded: record >> UInt64(shift)))
            }
            var fits = false
            // One that is sent again may come behind records with greater numbers.
            if let key, producer.producerID < 0, random.chance(0.2) {
                partitions[partition].tombstones[key] = record
                let headers = [RecordHeader(key: "id", value: value)]
                fits = builder.append(
                    timestamp: clock.now.wallMilliseconds, key: [key].span.bytes, value: nil, headers: headers
                )
            } else {
                value.append(contentsOf: repeatElement(UInt8(truncatingIfNeeded: id), count: padding))
                let bytes = key.map { [$0] } ?? []
                fits = builder.append(
                    timestamp: clock.now.wallMilliseconds, key: key == nil ? nil : bytes.span.bytes,
                    value: value.span.bytes)
            }
            assert(fits)
        }
        let sealed = builder.seal(random.chance(0.2) ? .lz4 : .none, with: &codecs, producer: producer)
        largestBatch = max(largestBatch, Int64(sealed.bytes.count))
        return PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp,
            origin: BatchOrigin(producer: submissions[id].producer, number: UInt64(id)))
    }

    // MARK: Jobs

    /// Does so many jobs one after another, looking at the logs in between, until the machine dies.
    private func work(_ count: Int) throws(SimulationViolation) {
        for _ in 0..<count {
            let before = jobs.count
            for lane in [JobLane.background, .append] where jobs.count == before { try take(lane) }
            guard !jobs.isEmpty else { return }
            let index = jobs.count - 1
            runJob(index)
            if files.hasCrashed { return }
            if random.chance(0.1) { try checkAll() }
            try finishJob(index)
        }
    }

    func take(_ lane: JobLane) throws(SimulationViolation) {
        let most = lane == .append ? mostOut.append : mostOut.background
        guard jobs.count(where: { $0.lane == lane }) < most else { return }
        if let job = store?.volume.nextJob(lane, now: clock.now) {
            note("take \(job)")
            jobs.append(JobOut(job: job, lane: lane))
        }
        try drain()
    }

    func runJob(_ index: Int) {
        guard jobs[index].result == nil, let runner else { return }
        let result = runner.run(jobs[index].job)
        note("run \(jobs[index].job): \(result), \(files.changeCount)")
        jobs[index].result = result
    }

    func finishJob(_ index: Int) throws(SimulationViolation) {
        guard let result = jobs[index].result else { return }
        let job = jobs.remove(at: index).job
        note("finish \(job)")
        store?.volume.finished(job, result, now: clock.now)
        try drain()
    }
}
