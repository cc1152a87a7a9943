// What happens to the messages of a simulated life, a step at a time.

import SluiceCore
import SluiceLog

extension MessageSimulation {
    func act() throws {
        switch random.below(100) {
        case ..<12: append(to: random.below(logs.count))
        case ..<30: read()
        case ..<45: hand()
        case ..<67: for _ in 0..<(isWide ? random.within(1...150) : 1) { work() }
        case ..<78: send()
        case ..<87: land()
        case ..<93: time()
        case ..<95: lose()
        case ..<96: move()
        case ..<97: bookkeep()
        case ..<98: if logs.count < 4 { addPartition() }
        default: die()
        }
        takeDying()
    }

    // MARK: Reading

    /// Reads fresh records while there is room, and some that came back.
    func read() {
        for partition in logs.indices where random.chance(0.7) {
            var left = random.within(1...(isWide ? 250 : 8))
            while left > 0, machine.room(partition) > 0, takeNext(partition) { left -= 1 }
        }
        for _ in 0..<random.below(isWide ? 60 : 4) {
            guard let key = machine.recall() else { break }
            reading.append(key)
            truths[key.partition].cameBack.insert(key.offset)
        }
        for key in reading where random.chance(0.7) {
            reading.removeAll { $0 == key }
            finish(key)
        }
    }

    /// False at the end of the partition.
    func takeNext(_ partition: Int) -> Bool {
        let next = machine.next(partition)
        let log = logs[partition]
        guard next < log.end else { return false }
        if next < log.start {
            machine.skip(partition, to: log.start)
        } else if let offset = first(log.records, from: next) {
            machine.take(MessageKey(partition: partition, offset: offset))
        } else {
            machine.skip(partition, to: log.end)
        }
        return true
    }

    private func first(_ records: [Int64], from offset: Int64) -> Int64? {
        var (low, high) = (0, records.count)
        while low < high {
            let middle = (low + high) / 2
            if records[middle] < offset { low = middle + 1 } else { high = middle }
        }
        return low < records.count ? records[low] : nil
    }

    func isThere(_ key: MessageKey) -> Bool {
        first(logs[key.partition].records, from: key.offset) == key.offset
    }

    /// The record of a message that came back has been read.
    func finish(_ key: MessageKey, always: Bool = false) {
        if !isThere(key) {
            machine.gone(key)
            outcome.gone += 1
        } else if !always, random.chance(0.1) {
            machine.putBack(key, for: Int64(random.below(30_000)), now: now)
        } else {
            _ = machine.recalled(key)
        }
    }

    func takeDying() {
        for dying in machine.takeDying() { graves.append(Grave(key: dying.key)) }
        for index in graves.indices.reversed() where !graves[index].isRead && random.chance(0.5) {
            let key = graves[index].key
            if isThere(key) {
                graves[index].isRead = true
            } else {
                machine.gone(key)
                graves.remove(at: index)
                outcome.gone += 1
            }
        }
    }

    // MARK: Giving out

    func hand() {
        for _ in 0..<random.within(1...(isWide ? 200 : 3)) {
            guard let lease = machine.hand(now: now) else { return }
            outcome.handed += 1
            check(lease)
            let key = lease.key
            if random.chance(0.05) {
                note("\(key) is given back")
                machine.giveBack(lease)
                truths[key.partition].cameBack.insert(key.offset)
                continue
            }
            truths[key.partition].handed[key.offset, default: 0] += 1
            truths[key.partition].token[key.offset] = lease.token
            truths[key.partition].delayed[key.offset] = nil
            note("hands out \(key), delivery \(lease.deliveries)")
            told.append(
                Told(
                    lease: lease,
                    deadline: now.monotonicNanoseconds + configuration.visibilityMilliseconds * 1_000_000))
        }
    }

    // MARK: Working

    /// A worker says something of a message that it has, or had; or forgets it.
    func work() {
        guard let index = told.indices.randomElement(using: &random) else { return }
        var lease = told[index].lease
        let (key, now) = (lease.key, now)
        let isSure = told[index].deadline > now.monotonicNanoseconds && !truths[key.partition].isMoved
        if random.chance(0.1), lease.token > 1 { lease.token -= 1 }
        let isOwn = lease == told[index].lease
        var (isEnd, isSaid) = (true, true)
        do throws(MessageRefusal) {
            switch random.below(isWide ? 14 : 10) {
            case ..<5:
                let version = try machine.accept(lease)
                accepted(key, version)
            case ..<6:
                let version = try machine.release(lease, after: 0, now: now)
                note("\(key) is released")
                released(lease, 0, version)
            case ..<7, 10...:
                let delay = Int64(isWide ? random.below(43_200_000) : random.below(20_000))
                let version = try machine.release(lease, after: delay, now: now)
                note("\(key) is released for \(delay) ms later")
                released(lease, delay, version)
            case 7:
                let version = try machine.reject(lease, reason: "never")
                note("\(key) is rejected")
                if let version { accepted(key, version) }
            case 8:
                isEnd = false
                try machine.extend(lease, by: 20_000, now: now)
                if isOwn { told[index].deadline = now.monotonicNanoseconds + 20_000_000_000 }
            default:
                isSaid = false
                note("\(key) is forgotten")
            }
            if isSaid, truths[key.partition].token[key.offset] != lease.token, !truths[key.partition].isMoved
            {
                failure = "\(key) is spoken of by one who does not hold it"
            }
        } catch {
            outcome.fenced += 1
            if isOwn, isSure { failure = "the holder of \(key) is refused" }
        }
        if isEnd, isOwn { told.remove(at: index) }
    }

    private func accepted(_ key: MessageKey, _ version: UInt64) {
        note("\(key) is accepted")
        truths[key.partition].accepted.insert(key.offset)
        answers.append(
            Answer(partition: key.partition, version: version) { [self] isDone in
                guard isDone else { return }
                truths[key.partition].answered.insert(key.offset)
                outcome.accepted += 1
            })
    }

    private func released(_ lease: MessageLease, _ delay: Int64, _ version: UInt64?) {
        guard let version else { return }
        let key = lease.key
        if configuration.dropsDead, lease.deliveries >= configuration.deliveryLimit {
            return accepted(key, version)
        }
        guard delay > 0 else { return }
        let monotonic = now.monotonicNanoseconds + delay * 1_000_000
        truths[key.partition].delayed[key.offset] = (now.wallMilliseconds + delay, monotonic, false)
        answers.append(
            Answer(partition: key.partition, version: version) { [self] isDone in
                if isDone { truths[key.partition].delayed[key.offset]?.isAnswered = true }
            })
    }

    // MARK: Time, others, the log

    private func time() {
        if random.chance(0.1) {
            pass(0, wall: Int64(random.within(-50_000_000...50_000_000)))
            note("the wall clock jumps to \(now.wallMilliseconds)")
        } else {
            pass(Int64(random.pick([1, 100, 1_000, 5_000, 30_000, isWide ? 10_000_000 : 60_000])))
        }
        machine.advance(to: now)
    }

    /// Retention or compaction takes records.
    private func lose() {
        let partition = random.below(logs.count)
        guard !logs[partition].records.isEmpty else { return }
        let middle = logs[partition].records[random.below(logs[partition].records.count)]
        if random.chance(0.5) {
            logs[partition].start = middle
            logs[partition].records.removeAll { $0 < middle }
        } else {
            logs[partition].records.removeAll { $0 != middle && random.chance(0.1) }
        }
        note("partition \(partition) loses records up to \(middle)")
    }

    /// An administrator, or a client without membership, moves the group.
    private func move() {
        let partition = random.below(logs.count)
        // Refused while a commit is on its way; see GroupCoordinator.
        guard flight?.parts.contains(where: { $0.partition == partition }) != true else { return }
        if random.chance(0.2) {
            committed[partition] = nil
        } else {
            let metadata = random.pick(["", "mine", "w1:", "w1:AAAA", "w1:////////////"])
            let target = Int64(random.below(Int(min(logs[partition].end + 1, 1 << 20))))
            committed[partition] = StoredPosition(offset: target, metadata: metadata)
        }
        note("somebody moves partition \(partition) to \(String(describing: committed[partition]))")
        truths[partition].isMoved = committed[partition] != machine.stored(partition)
        if truths[partition].isMoved, random.chance(0.5) { restart(partition) }
    }

    private func bookkeep() {
        if random.chance(0.5) {
            machine.refresh()
        } else {
            machine.uncount()
        }
    }

    // MARK: The end

    /// (8) Good workers, no more deaths.
    func settle() throws {
        told = []
        land()
        // It is told of every commit, at the latest now.
        for partition in logs.indices where committed[partition] != machine.stored(partition) {
            restart(partition)
        }
        for key in reading { finish(key, always: true) }
        reading = []
        for round in 0..<20_000 {
            step += 1
            pass(round < 10 ? 60_000 : 3_600_000)
            machine.advance(to: now)
            for partition in logs.indices {
                while machine.room(partition) > 0, takeNext(partition) {}
            }
            while let key = machine.recall() {
                truths[key.partition].cameBack.insert(key.offset)
                finish(key, always: true)
            }
            takeDying()
            send()
            land()
            while let lease = machine.hand(now: now) {
                check(lease)
                truths[lease.key.partition].handed[lease.key.offset, default: 0] += 1
                truths[lease.key.partition].token[lease.key.offset] = lease.token
                let version = try machine.accept(lease)
                accepted(lease.key, version)
            }
            if let failure { throw broken(failure) }
            if isSettled { return try checkSettled() }
        }
        throw broken("not everything is settled: \(committed), \(logs.map(\.end)), \(graves)")
    }

    private var isSettled: Bool {
        logs.indices.allSatisfy { partition in
            guard let stored = committed[partition], stored.offset == logs[partition].end else {
                return false
            }
            return StoredWindow(base: stored.offset, metadata: stored.metadata).entries.isEmpty
        } && !machine.isDirty
    }

    private func checkSettled() throws {
        guard answers.isEmpty, graves.isEmpty else {
            throw broken("\(answers.count) answers are never given, \(graves.count) graves are open")
        }
        for (partition, log) in logs.enumerated() {
            let truth = truths[partition]
            for offset in log.records where offset >= truth.skipped {
                guard truth.accepted.contains(offset) || truth.buried[offset] != nil else {
                    throw broken("\(partition)-\(offset) is neither accepted nor buried")
                }
            }
        }
    }
}
