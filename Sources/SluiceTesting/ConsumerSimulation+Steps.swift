// What a step of a run with consumers does.

internal import SluiceCore
internal import SluiceLog

enum ConsumerStep: Int, CaseIterable {
    case produce, take, run, finish, work
    case join, leave, answer, takeBatch, finishBatch, commit, revoked, retry
    case wait, waitLong, floors, retain, compact
    case seek, haunt, submit, loop
    case deleteTopic, makeTopic
    case reopen, die, armCrash

    var weight: Int {
        switch self {
        case .produce, .take, .run, .finish: 12
        case .loop: 40
        case .work: 16
        case .answer, .takeBatch, .finishBatch, .commit, .revoked: 10
        case .floors, .retain, .compact, .wait, .retry, .makeTopic: 3
        case .join: 2
        case .deleteTopic, .leave, .waitLong, .reopen, .die, .armCrash, .seek, .haunt, .submit: 1
        }
    }
}

extension ConsumerSimulation {
    func act() throws(SimulationViolation) {
        let ids = consumers.keys.sorted()
        let id = ids.isEmpty ? 0 : random.pick(ids)
        switch drawStep() {
        case .produce: try produce(to: random.pick(Array(live)))
        case .take: take(random.chance(0.6) ? .append : .background)
        case .run: if !jobs.isEmpty { runJob(random.below(jobs.count)) }
        case .finish: if !jobs.isEmpty { finishJob(random.below(jobs.count)) }
        case .work: try work(random.pick([3, 10, 40]))
        case .join: if consumers.count < 4 { startConsumer() }
        case .leave: if consumers.count > 1 || random.chance(0.3) { leave(id) }
        case .answer: deliver(id)
        case .takeBatch: try takeBatch(id)
        case .finishBatch: finishBatch(id, isHeldLonger: random.chance(0.8))
        case .commit: commit(id)
        case .revoked: finishRevoking(id)
        case .retry: retry(id)
        case .wait: try pass(milliseconds: random.pick([1, 60, 200, 1500]))
        case .waitLong: try pass(milliseconds: 11_000)
        case .floors: tellFloors()
        case .retain:
            note("retention")
            store?.volume.enforceRetention(wall: clock.now.wallMilliseconds)
        case .compact: compact()
        case .seek:
            if random.chance(0.5) {
                for id in ids { leave(id) }
                try carry()
            }
            try seek()
        case .loop: try turn(id)
        case .haunt: haunt()
        case .deleteTopic: if isDeleted { deleteTopic() }
        case .makeTopic: if case .free = catalogue { try makeTopic() }
        case .submit: if !held.isEmpty { submit(random.pick(held.keys.sorted())) }
        case .reopen: try closeAndOpen()
        case .die: try crash()
        case .armCrash:
            let calls = random.pick([0, 1, 2, 5, 20])
            note("crash after \(calls) calls")
            files.crashAfterCalls = calls
        }
        if mustReopen || isInDoubt, random.chance(mustReopen ? 0.05 : 0.02) { try closeAndOpen() }
    }

    private func drawStep() -> ConsumerStep {
        var drawn = random.below(weights.reduce(0, +))
        for step in ConsumerStep.allCases {
            drawn -= weights[step.rawValue]
            if drawn < 0 { return step }
        }
        return .run
    }

    // MARK: Producers

    /// False when its producer has to ask again.
    @discardableResult
    func produce(to partition: Int) throws(SimulationViolation) -> Bool {
        var admission: (gate: UInt32, paid: Double)?
        if isPressured {
            admission = try askGate()
            if admission == nil { return false }
        }
        lastNumber += 1
        let values = (0..<random.within(1...4)).map { lastNumber << 8 | UInt64($0) }
        let padding = random.pick(isPressured ? [100, 2000, 8000] : [0, 20, 100])
        var batch = batch(values, of: 1, number: lastNumber, padding: padding)
        let hasRoom = admission == nil ? true : try reserve(&batch)
        if let admission {
            gates.settle(
                admission.gate, paid: admission.paid, bytes: hasRoom ? batch.bytes.count : 0,
                now: clock.now.monotonicNanoseconds)
        }
        guard hasRoom else { return false }
        note("produce \(lastNumber) to \(partition): \(values.count) records")
        produced[lastNumber] = (partition, values)
        let target = number(partition)
        do throws(LogError) {
            try store?.volume.submit(batch, to: target, .durable)
        } catch {
            note("refused: \(error)")
            produced[lastNumber] = nil
        }
        return true
    }

    /// Records that say which they are, and which batch brought them.
    func batch(_ values: [UInt64], of producer: UInt32, number: UInt64, padding: Int) -> PreparedBatch {
        let key = bytes(number)
        for value in values {
            let bytes = bytes(value) + repeatElement(0, count: padding)
            let fits = builder.append(
                timestamp: clock.now.wallMilliseconds, key: key.span.bytes, value: bytes.span.bytes)
            assert(fits)
        }
        return seal(of: producer, number)
    }

    private func bytes(_ number: UInt64) -> [UInt8] {
        stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// Records of the offsets topic as one batch.
    func batch(_ records: [GroupRecord], of producer: UInt32, number: UInt64) -> PreparedBatch {
        for record in records {
            let time = clock.now.wallMilliseconds
            var fits = false
            if let value = record.value {
                fits = builder.append(timestamp: time, key: record.key.span.bytes, value: value.span.bytes)
            } else {
                fits = builder.append(timestamp: time, key: record.key.span.bytes, value: nil)
            }
            assert(fits)
        }
        var batch = seal(of: producer, number)
        batch.isExempt = true
        return batch
    }

    private func seal(of producer: UInt32, _ number: UInt64) -> PreparedBatch {
        let sealed = builder.seal(random.chance(0.2) ? .lz4 : .none, with: &codecs)
        return PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp, origin: BatchOrigin(producer: producer, number: number))
    }

    // MARK: Upkeep

    func pass(milliseconds: Int64) throws(SimulationViolation) {
        note("wait \(milliseconds)")
        clock.advance(by: .milliseconds(milliseconds))
        coordinator.advance(to: clock.now)
        try lookIfDue()
    }

    func tellFloors() {
        guard isKept, case .there = catalogue else { return }
        let floors = visible()
        note("consumed \(floors.sorted { $0.key < $1.key })")
        for partition in live {
            let target = number(partition)
            partitions[partition].floor = max(partitions[partition].floor, floors[partition] ?? 0)
            do throws(LogError) {
                try store?.volume.setConsumedFloor(target, to: floors[partition] ?? 0)
            } catch {
                note("refused: \(error)")
            }
        }
    }

    func compact() {
        lastTicket += 1
        note("compact")
        let target = number(Self.offsets, 0)
        let rollBytes: Int64 = random.pick([1, 500])
        do throws(LogError) {
            try store?.volume.compact(target, rollBytes: rollBytes, request: lastTicket)
        } catch {
            note("refused: \(error)")
        }
    }

    // MARK: Jobs

    func take(_ lane: JobLane) {
        let most = lane == .append ? mostOut.append : mostOut.background
        guard jobs.count(where: { $0.lane == lane }) < most else { return }
        if let job = store?.volume.nextJob(lane, now: clock.now) {
            note("take \(job)")
            jobs.append(VolumeSimulation.JobOut(job: job, lane: lane))
        }
    }

    func runJob(_ index: Int) {
        guard jobs[index].result == nil, let runner else { return }
        let result = runner.run(jobs[index].job)
        note("run \(jobs[index].job): \(result), \(files.changeCount)")
        jobs[index].result = result
    }

    func finishJob(_ index: Int) {
        guard let result = jobs[index].result else { return }
        let job = jobs.remove(at: index).job
        note("finish \(job)")
        store?.volume.finished(job, result, now: clock.now)
    }

    /// Does jobs one after another, at most so many. False when there is nothing to do at this time.
    @discardableResult
    func work(_ count: Int) throws(SimulationViolation) -> Bool {
        for _ in 0..<count {
            let before = jobs.count
            let lanes: [JobLane] = random.chance(0.5) ? [.append, .background] : [.background, .append]
            for lane in lanes + lanes where jobs.count == before { take(lane) }
            try carry()
            guard !jobs.isEmpty else { return false }
            let index = random.below(jobs.count)
            runJob(index)
            if files.hasCrashed { return true }
            finishJob(index)
            try carry()
        }
        return true
    }
}
