// The openings of a simulated store with a group on it, and the end of the run.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// Makes the three topics on a machine that is whole.
    func makeTopics() throws(SimulationViolation) {
        let drawn = policy
        policy = .none
        defer { policy = drawn }
        try open()
        inputSettings.segmentBytes = Int64(random.pick([300, 1000, 4000]))
        inputSettings.retentionMilliseconds = nil
        var offsets = inputSettings
        try make(Self.output, partitionCount, inputSettings)
        inputSettings.isUntilConsumed = isKept
        try make(Self.input, partitionCount, inputSettings)
        offsets.isCompacted = true
        offsets.isDeleted = false
        offsets.segmentBytes = Int64(random.pick(isPressured ? [4000, 16_000] : [300, 600, 2000]))
        offsets.minDirtyRatio = random.pick([0.01, 0.5])
        offsets.deleteRetentionMilliseconds = Int64(random.pick([0, 1000]))
        try make(Self.offsets, 1, offsets)
        while !created.isEmpty {
            guard try work(1) else { break }
        }
        try check(created.isEmpty, 8, "topics are not made")
        findInput()
    }

    func make(_ name: String, _ count: Int, _ settings: LogSettings) throws(SimulationViolation) {
        lastTicket += 1
        created.insert(lastTicket)
        let id = UniqueID(using: &random)
        var refusal: LogError?
        do throws(LogError) {
            try store?.volume.createTopic(
                name, id: id, partitions: count, settings: settings.simulatedText, log: settings,
                request: lastTicket)
        } catch {
            refusal = error
        }
        if let refusal { throw violation(8, "no topic: \(refusal)") }
    }

    /// Opens the store, perhaps dying on the way; at last on a machine that is whole.
    func open() throws(SimulationViolation) {
        files.policy = random.chance(0.3) ? .none : policy
        for attempt in 0... {
            if attempt >= 4 { files.policy = .none }
            if attempt < 4, outcome.openings > 0, step > 0, random.chance(0.15) {
                files.crashAfterCalls = random.below(40)
            }
            do throws(LogError) {
                let opened = try StoreDirectory.open(
                    Self.root, files, configuration: configuration, now: clock.now, random: &random,
                    interpret: { LogSettings(simulated: $0) })
                runner = JobRunner(files, storeID: opened.storeID)
                let isDamaged = opened.report.isDamaged
                if isDamaged, files.policy != .none, !files.hasCrashed {
                    // What could not be read may be read another time.
                    note("damaged")
                    files.processDeath()
                    files.policy = .none
                    continue
                }
                store = consume opened
            } catch {
                note("open: \(error)")
                if files.hasCrashed {
                    fall()
                } else if attempt > 4 {
                    throw violation(8, "the store does not open: \(error)")
                }
                continue
            }
            if files.hasCrashed {
                store = nil
                fall()
                continue
            }
            break
        }
        files.crashAfterCalls = nil
        outcome.openings += 1
        note("opened: \(store?.report.findings.map(\.description).joined(separator: "; ") ?? "")")
        try begin()
        files.policy = policy
    }

    /// The power goes, or the process alone.
    private func fall() {
        let power = random.chance(0.6)
        note(power ? "POWER LOSS" : "PROCESS DEATH")
        power ? files.powerLoss() : files.processDeath()
    }

    /// A process begins with what the logs hold, and nothing else.
    private func begin() throws(SimulationViolation) {
        mustReopen = false
        isInDoubt = false
        isClosedTold = false
        jobs = []
        consumers = [:]
        commits = [:]
        writes = [:]
        held = [:]
        produced = [:]
        ghostTickets = []
        latest = [:]
        for _ in openSeeks { count(.openSeek) }
        created = []
        effects = []
        beginPressure()
        coordinator = GroupCoordinator(seed: random.next())
        guard outcome.openings > 1 else { return coordinator.finishLoading(now: clock.now) }
        for record in try read(number(Self.offsets, 0), from: 0, atMost: .max) {
            do throws(MalformedRecord) {
                try coordinator.load(key: record.key[...], value: record.value?[...], offset: record.offset)
            } catch {
                throw violation(4, "a record of the offsets topic makes no sense: \(error)")
            }
        }
        coordinator.finishLoading(now: clock.now)
        findInput()
        note("committed are \(visible().sorted { $0.key < $1.key })")
        try checkAfterOpening()
        // What was open is known now.
        openSeeks = [:]
        if case .gone = catalogue { forget(isHeld: false) }
    }

    /// The process or the machine ends.
    func crash() throws(SimulationViolation) {
        store = nil
        fall()
        try open()
    }

    /// Members leave, the volume is closed and opened again.
    func closeAndOpen() throws(SimulationViolation) {
        note("close")
        for id in held.keys.sorted() where random.chance(0.5) { submitHeld(id) }
        for id in consumers.keys.sorted() { leave(id) }
        try carry()
        store?.volume.close(now: clock.now)
        for id in held.keys.sorted() { submitHeld(id) }
        try carry()
        var rounds = 0
        while !isClosedTold, !files.hasCrashed {
            rounds += 1
            if rounds == 400 { files.policy = .none }
            try check(rounds < 10_000, 8, "the store does not close")
            if try !work(1), !isClosedTold { try pass(milliseconds: 100) }
        }
        if files.hasCrashed { return try crash() }
        try check(produced.isEmpty && writes.isEmpty, 8, "a close left something without an answer")
        files.crashAfterCalls = nil
        for file in store?.volume.openFiles ?? [] { files.close(file) }
        if let lock = store?.lock { files.close(lock) }
        store = nil
        try open()
    }

    // MARK: The end

    /// The machine is made whole; members read until nothing is left.
    func finish() throws(SimulationViolation) {
        note("the end")
        isEnding = true
        policy = .none
        files.policy = .none
        files.crashAfterCalls = nil
        try closeAndOpen()
        try completeCatalogue()
        var toCome = Array(live)
        while consumers.count < 2 { startConsumer() }
        var rounds = 0
        while try !isQuiet(toCome) {
            rounds += 1
            step += 1
            try check(rounds < 3_000, 8, "the group does not come to the end: \(visible()) of \(ends())")
            if let partition = toCome.last, try produce(to: partition) { toCome.removeLast() }
            try work(20)
            if rounds % 4 == 0 { try pass(milliseconds: 200) }
            if isPressured, rounds % 40 == 0 { compact() }
            for id in consumers.keys.sorted() {
                try turn(id)
            }
            for id in held.keys.sorted() { submit(id) }
            tellFloors()
            try check()
            try checkDisk()
        }
        for partition in live {
            let known = partitions[partition]
            let found = Set(known.records.filter { $0.key < known.committed }.values)
            try check(
                known.acknowledged.isSubset(of: found), 1, "records of partition \(partition) were not read")
        }
        try closeAndOpen()
    }

    private func ends() -> [Int64] { live.map { partitions[$0].end } }

    private func isQuiet(_ toCome: [Int]) throws(SimulationViolation) -> Bool {
        guard toCome.isEmpty, produced.isEmpty, commits.isEmpty, writes.isEmpty, held.isEmpty else {
            return false
        }
        let offsets = visible()
        return live.allSatisfy { offsets[$0] ?? 0 == partitions[$0].end }
    }
}
