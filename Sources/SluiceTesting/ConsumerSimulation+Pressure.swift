// Back pressure in a run with consumers: the controller and the gates that ship, over the disk that the real
// volume has and the group that the real coordinator knows of. A batch is begun when its producer's gate
// lets it and the volume has room for it; looks are made when the controller wants them, and when somebody
// waits. What is made of a look is what the library makes of it: relief, early commits, a snapshot that the
// next opening begins with.

internal import SluiceCore
internal import SluiceLog

extension ConsumerSimulation {
    /// Draws a small disk for some machines whose records stay until they are consumed: it fills in a run,
    /// and is freed by nothing but the group.
    func drawPressure() {
        guard isPressured else { return }
        configuration.diskBytes = Int64(random.within(130...220)) << 12
        configuration.exemptBytes = Int64(random.within(16...32)) << 12
        configuration.journalBytes = 16 << 10
        configuration.manifestBytes = min(configuration.manifestBytes, 4096)
        configuration.rollBytes = Int64(random.pick([1, 2000, 1 << 20]))
        weights[ConsumerStep.produce.rawValue] *= 3
        weights[ConsumerStep.wait.rawValue] *= 2
        watched.retention = .untilConsumed
        watched.retentionGroups = [Self.groupID]
        watched.leastRate = random.pick([1024, 65_536])
        watched.floorRate = random.pick([4096, 8_000_000])
        watched.lagTargetMilliseconds = random.pick([1000, 30_000])
    }

    /// What the process knows at its beginning: what the last one has left, and new producers.
    func beginPressure() {
        controller = PressureController()
        gates = ProducerGates()
        ruling = nil
        looksAt = clock.now.monotonicNanoseconds
        savedAt = looksAt ?? 0
        guard isPressured else { return }
        let snapshot = store?.volume.pressureSnapshot ?? []
        if !snapshot.isEmpty, let restored = try? PressureController(snapshot: snapshot) {
            note("pressure as it was left")
            controller = restored
            count(.pressureRestored)
        }
        producers = [PressurePolicy.throttle, .throttle, .reject].map { policy in
            gates.add(
                topic: Self.input, weight: random.within(1...3), policy: policy,
                now: clock.now.monotonicNanoseconds)
        }
    }

    /// Whether a producer may begin a batch, and what it has paid.
    func askGate() throws(SimulationViolation) -> (gate: UInt32, paid: Double)? {
        let gate = random.pick(producers)
        let verdict = gates.begin(gate, now: clock.now.monotonicNanoseconds)
        if case .admit(let paid) = verdict { return (gate, paid) }
        note("producer \(gate) is held up: \(verdict)")
        count(.heldUp)
        try check(
            ruling?.isAboveSoft ?? false, 12, "a producer is held up, and nothing is above its soft mark")
        try look()
        return nil
    }

    /// The volume's own bound: what is begun has its room.
    func reserve(_ batch: inout PreparedBatch) throws(SimulationViolation) -> Bool {
        let bytes = batch.bytes.count
        guard store?.volume.reserve(bytes) == true else {
            note("no room for \(bytes) bytes")
            count(.noRoom)
            try look()
            return false
        }
        batch.reservedBytes = bytes
        return true
    }

    func lookIfDue() throws(SimulationViolation) {
        guard isPressured, let looksAt, clock.now.monotonicNanoseconds >= looksAt else { return }
        try look()
    }

    /// Looks, decides, and does it.
    func look() throws(SimulationViolation) {
        guard isPressured, store != nil, case .there = catalogue else { return }
        let now = clock.now
        let topics = [
            WatchedTopic(name: Self.input, settings: watched, numbers: inputNumbers),
            WatchedTopic(
                name: Self.output, settings: TopicSettings(),
                numbers: (0..<partitionCount).map { number(Self.output, $0) }),
            WatchedTopic(
                name: Self.offsets, settings: TopicSettings(), numbers: [number(Self.offsets, 0)]),
        ]
        guard
            var input = store?.volume.pressureInput(
                topics, [Self.input: [gatingGroup]], wall: now.wallMilliseconds, now: now)
        else { return }
        input.hasWaiters = gates.hasHeldUp
        let output = controller.step(input)
        gates.setRates(output, now: now.monotonicNanoseconds)
        ruling = output
        looksAt = output.nextStepSeconds.map { now.monotonicNanoseconds + Int64($0 * 1e9) }
        note("look: \(input.disk.usedBytes) used, rate \(output.disk.rate.map { "\($0)" } ?? "open")")
        if output.commitSoon.contains(Self.groupID) {
            count(.earlyCommit)
            for id in consumers.keys.sorted() { commit(id) }
        }
        if output.relieves {
            count(.relief)
            tellFloors()
            store?.volume.relieve(wall: now.wallMilliseconds)
        }
        if now.monotonicNanoseconds >= savedAt + 1_000_000_000 {
            savedAt = now.monotonicNanoseconds
            store?.volume.keepPressure(controller.snapshot)
        }
    }

    private var gatingGroup: GatingGroup {
        var group = GatingGroup(name: Self.groupID)
        for (partition, offset) in visible() { group.committed[Int(place(partition).partition)] = offset }
        group.hasMembers = !(coordinator.describe(Self.groupID)?.members.isEmpty ?? true)
        var processed: [Int: Int64] = [:]
        for consumer in consumers.values {
            for (partition, offset) in consumer.processed {
                processed[Int(place(partition).partition), default: 0].raise(to: offset)
            }
        }
        if !processed.isEmpty { group.processed = processed }
        return group
    }

    func checkDisk() throws(SimulationViolation) {
        guard isPressured else { return }
        let allocated = files.allocatedBytes
        try check(
            allocated <= configuration.diskBytes, 11,
            "the files take \(allocated) of \(configuration.diskBytes) bytes")
        guard let use = store?.volume.diskUse, !files.hasCrashed else { return }
        try check(
            allocated <= use.usedBytes, 11,
            "the files take \(allocated) bytes, the volume knows of \(use.usedBytes)")
    }
}

extension Int64 {
    fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
}
