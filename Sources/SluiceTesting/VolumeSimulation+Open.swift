// Opening, closing, dying: the ends of a simulated process, and what must be true after the next has begun.

internal import SluiceLog

extension VolumeSimulation {
    /// Opens the store, perhaps dying on the way; at last on a machine that is whole.
    func open(afterPowerLoss: Bool = false, afterDeath: Bool = false) throws(SimulationViolation) {
        var lostPower = afterPowerLoss
        var hasDied = afterDeath || afterPowerLoss
        setPolicy()
        if history == nil, random.chance(0.3) { heal() }
        for attempt in 0... {
            // A fault for ever keeps a store from opening; then the machine is made whole.
            if attempt >= 4 { heal() }
            if attempt < 4, history == nil, random.chance(0.15) { files.crashAfterCalls = random.below(40) }
            let secondEnd = endToCome
            endToCome = nil
            if let secondEnd { files.crashAfterCalls = secondEnd.calls }
            do throws(LogError) {
                defer { if files.hasCrashed { lastEnd = secondEnd } }
                try openOnce()
            } catch {
                note("open: \(error)")
                if files.hasCrashed {
                    let power = end(powerProbability: 0.5, "in recovery")
                    lostPower = lostPower || power
                    hasDied = true
                } else if case .io = error, attempt < 4 {
                    continue
                } else {
                    throw violation(9, "the store does not open: \(error)")
                }
                continue
            }
            break
        }
        if files.hasCrashed { return try crash() }
        files.crashAfterCalls = nil
        openings += 1
        isFailed = false
        isUnclean = false
        isClosedTold = false
        for index in partitions.indices { partitions[index].isStopped = false }
        guard let report = store?.report else { return }
        for finding in report.findings { mishaps["found \(finding.kind)", default: 0] += 1 }
        note("opened: \(report.findings.map(\.description).joined(separator: "; "))")
        if !files.forgotten.isEmpty {
            lostPower = true
            hasDied = true
            // With reads that fail it is opened once more first: the journal may have what a file has not.
            if report.isDamaged, !hasFailedRead(report) { return try checkWhatForgettingLeft() }
            if !report.isDamaged { files.forgotten = [] }
        }
        if report.isDamaged {
            // What could not be read may be read another time: nothing is to be lost by that.
            try check(
                !files.policy.faults.isEmpty, 1, "damage on a machine that never damages: \(report.findings)")
            store = nil
            files.processDeath()
            heal()
            note("opened again, since reads failed")
            let keptPolicy = policy
            policy = .none
            defer { policy = keptPolicy }
            return try open(afterPowerLoss: lostPower, afterDeath: true)
        }
        try checkAfterOpening(lostPower: lostPower, hasDied: hasDied)
        try checkDisk()
        isFaulty = policy != .none
        setPolicy()
    }

    /// Whether what an opening reports is that it could not read.
    private func hasFailedRead(_ report: RecoveryReport) -> Bool {
        report.findings.contains {
            if case .corrupt(_, _, let reason) = $0 { reason.hasPrefix("reading failed") } else { false }
        }
    }

    /// Opens the store as it is.
    func openOnce() throws(LogError) {
        let opened = try StoreDirectory.open(
            Self.root, files, configuration: configuration, now: clock.now, random: &random,
            interpret: { LogSettings(simulated: $0) })
        runner = JobRunner(files, storeID: opened.storeID)
        store = consume opened
    }

    func verifyStore(deep: Bool) throws(LogError) -> RecoveryReport {
        try StoreDirectory.verify(Self.root, files, deep: deep, interpret: { LogSettings(simulated: $0) })
    }

    func heal() { files.policy = .none }

    /// Puts the drawn faults in force, after an opening or a look at a whole machine. In a history its one
    /// fault is counted on instead.
    private func setPolicy() {
        if history == nil || policy == .none { files.policy = policy }
    }

    /// The process or the machine ends.
    func crash() throws(SimulationViolation) {
        forgetProcess()
        let power = end(powerProbability: 0.6, "")
        try open(afterPowerLoss: power, afterDeath: true)
    }

    /// What was in memory is gone: nobody knows what became of that.
    func forgetProcess() {
        store = nil
        jobs = []
        forgetAttempts()
        for index in submissions.indices where submissions[index].state == .pending {
            submissions[index].state = .indeterminate
        }
    }

    /// Ends the machine or the process, as drawn or as the history has it. Returns whether power was lost.
    private func end(powerProbability: Double, _ place: String) -> Bool {
        let chosen = lastEnd.map { .powerLoss(keeping: $0.keeping) } ?? history?.end
        let power = chosen.map { $0.isPowerLoss } ?? random.chance(powerProbability)
        note("\(power ? "POWER LOSS" : "PROCESS DEATH") \(place)")
        mishaps[power ? "power losses" : "process deaths", default: 0] += 1
        if case .powerLoss(let keeping)? = chosen {
            unsyncedCount = files.powerLoss(keeping: keeping)
        } else {
            power ? files.powerLoss() : files.processDeath()
        }
        return power
    }

    /// Closes, in any order of the jobs, and opens again.
    func closeAndOpen() throws(SimulationViolation) {
        note("close")
        store?.volume.close(now: clock.now)
        try drain()
        try drive { self.isClosedTold }
        if files.hasCrashed { return try crash() }
        try check(isClosedTold, 9, "nothing is left to be done, and it is not closed")
        let isClean = !isFailed && !isUnclean && partitions.indices.allSatisfy { !partitions[$0].isStopped }
        for index in submissions.indices where submissions[index].state == .pending {
            throw violation(8, "batch \(index) was not answered by the close")
        }
        try check(attempts.isEmpty, 8, "attempts were not answered by the close: \(attempts)")
        try check(requests.isEmpty, 8, "requests were not answered by the close: \(requests)")
        files.crashAfterCalls = nil
        closeFiles()
        let left = files.policy
        heal()
        if isClean { try verifyClosed() }
        files.policy = history == nil ? policy : left
        try open(afterPowerLoss: false, afterDeath: !isClean)
    }

    /// What is left to be done when the volume has been closed.
    func closeFiles() {
        for file in store?.volume.openFiles ?? [] { files.close(file) }
        if let lock = store?.lock { files.close(lock) }
        store = nil
        // A close does not wait for a scrub; what one finds is nothing to the next volume.
        jobs = []
    }

    private func verifyClosed() throws(SimulationViolation) {
        var broken: String?
        do throws(LogError) {
            broken = fault(of: try verifyStore(deep: true))
        } catch {
            broken = "\(error)"
        }
        if let broken { throw violation(11, "verification after a close: \(broken)") }
    }

    private func fault(of report: RecoveryReport) -> String? {
        if !report.wasClosed { return "it says that it was not closed" }
        let bad = report.findings.filter { finding in
            switch finding {
            case .unreferenced, .tornManifest: !isFaulty
            default: true
            }
        }
        return bad.isEmpty ? nil : "\(bad)"
    }

    /// The end of the run: the machine is made whole, everything must be answered and work again.
    func finish() throws(SimulationViolation) {
        note("the end")
        policy = .none
        heal()
        files.crashAfterCalls = nil
        try quiesce()
        try checkDisk()
        try checkDiskAtRest()
        try checkRelief()
        try drainStore()
        try appendEverywhere()
        try finishProducers()
        try checkDisk()
        try checkAll()
        let wasFailed = isFailed
        try closeAndOpen()
        if isLostToReads { return }
        // A store that had stopped could not be drained before; what was left to producers is there since.
        if wasFailed || !producers.isEmpty { try drainStore() }
        // A removal that the close has cut short goes on.
        try quiesce()
        try appendEverywhere()
        try closeAndOpen()
    }

    /// Does all jobs until there is nothing to do.
    func quiesce() throws(SimulationViolation) {
        try drive { false }
        for index in submissions.indices where submissions[index].state == .pending {
            throw violation(9, "batch \(index) is not answered though nothing is left to be done")
        }
        try check(attempts.isEmpty, 9, "attempts are not answered though nothing is left to be done")
        try check(
            requests.isEmpty, 9, "requests are not answered though nothing is left to be done: \(requests)")
    }

    private var isAnybodyWaiting: Bool {
        !requests.isEmpty || !attempts.isEmpty || store?.volume.isWaitingForRoom == true
            || submissions.contains { $0.state == .pending }
    }

    /// Runs jobs in a drawn order until `isDone`, or until nothing is left; heals the machine when it takes
    /// long.
    func drive(until isDone: () -> Bool) throws(SimulationViolation) {
        var rounds = 0
        // What comes by the clock alone has no end: measurements, and compactions that find no room.
        var idle = 0
        let usual = history == nil ? 30 : 10
        // Who waits for the clock may have to wait until a scrub of a byte a slice has gone its way.
        while !isDone(), idle < usual || idle < 2_000 && isAnybodyWaiting {
            rounds += 1
            if rounds == 400 {
                note("healed")
                heal()
            }
            // A compaction of one record a slice, and of one key a pass, takes many.
            try check(rounds < 200_000, 9, "no end is in sight")
            let lanes: [JobLane] = random.chance(0.5) ? [.append, .background] : [.background, .append]
            if jobs.isEmpty || random.chance(0.5) {
                let before = jobs.count
                // To be asked again: what one lane finds out may be work for the other, and that for it.
                for lane in lanes + lanes + lanes where jobs.count == before { try take(lane) }
            }
            if jobs.isEmpty {
                guard let deadline = store?.volume.nextDeadline else { break }
                let wait = max(deadline, clock.now.monotonicNanoseconds) - clock.now.monotonicNanoseconds
                if wait == 0, rounds % 50 != 0 {
                    try take(.background)
                    if !jobs.isEmpty { continue }
                }
                note("wait \(wait) ns from \(clock.now.monotonicNanoseconds)")
                if store?.volume.isCompactionUnderWay != true { idle += 1 }
                clock.advance(by: .nanoseconds(wait + 1))
                continue
            }
            let index = random.below(jobs.count)
            if !jobs[index].job.isByClock { idle = 0 }
            runJob(index)
            if files.hasCrashed { return }
            try finishJob(index)
            try checkDisk()
        }
        try check(!isDone() ? jobs.isEmpty : true, 9, "jobs are out")
    }

    /// On a whole machine every partition that has not stopped takes a batch.
    private func appendEverywhere() throws(SimulationViolation) {
        var submitted: [Int] = []
        for index in partitions.indices {
            let topic = topics[partitions[index].topic]
            guard topic.phase == .alive, !partitions[index].isStopped, !isFailed else { continue }
            if let id = try submit(to: index, producer: 99, count: 1, padding: 8, acks: .durable) {
                submitted.append(id)
            } else if hasBudget {
                // What the files of so many partitions take at least does not leave room for it.
                try checkFull()
                raiseBudget()
                return try appendEverywhere()
            } else {
                throw violation(9, "partition \(index) of a whole machine takes no batch")
            }
        }
        try quiesce()
        for id in submitted {
            guard case .acknowledged = submissions[id].state else {
                // Accepted to the byte, and refused when it came to blocks.
                if hasBudget, submissions[id].state == .failed {
                    raiseBudget()
                    return try appendEverywhere()
                }
                throw violation(
                    9, "batch \(id) was not appended on a whole machine: \(submissions[id].state)")
            }
        }
    }
}
