// Back pressure: how fast the producers of a store may be, and why.
//
//                         ┌────────────── every 100 ms while anything is half full ─────────────┐
//                         ▼                                                                     │
//   disk: U, reserved, ──►│ plant of the disk    x = U + reserved − freeable  ─► law ─► rate of the store
//   freeable, H           │                                                         \           │
//   topic: appended,  ──► │ plant of each group  x = unread, by the estimate  ─► law ─► rate of the topic
//   group: committed,     │                                                           │         │
//   processed, fetched    └───────────────────────────────────────────────────────────┼─────────┘
//                                                                                     ▼
//   producer ──► ProducerGates: shares of both rates, a bucket each ──► admit, or wait ──► log
//
// The order of relief: at S of the disk retention frees what it may; above S the law slows producers; at X*,
// when nothing drains, the topic's policy decides; at H an append is refused, by the volume and whatever is
// said here. The law leads x, what is needed, to its target; the disk holds U, which is more by what is read
// and not committed, or shares a segment with what is not read. So above S what is left below H is besides
// given out evenly over the time that such bytes are held.
//
// (1) `step` is the only verb; it takes the time and what was measured, and reads no clock. (2) A group gates
// once it has come within S of the end, and again after it was set back by more than X* − S; before, it
// replays history and holds nobody up. (3) A group without members and commits for T_abandon gates no more.
// Its silence is counted here, by the monotonic clock: a wall clock that jumps abandons nobody. (4) What is
// kept outlives the process in the snapshot: averages, silence, who has caught up, and the fastest rate,
// which is forgotten in hours. (5) The gain, per second, is as high as the measured dead time allows, and no
// higher: see PressureLaw. (6) Whatever is observed, it never traps and says nothing that is no number.
//
// Bytes, seconds and bytes per second throughout; nanoseconds are the caller's clock.

package struct PressureController: Sendable {
    /// The interval of steps, seconds.
    package static let tickSeconds = 0.1

    private var lastStep: Int64?
    var lastSeen: (disk: DiskObservation, topics: [String: TopicObservation])?
    var disk = DiskState()
    var topics: [String: TopicState] = [:]

    struct DiskState: Hashable, Sendable {
        var plant = PressurePlant()
        /// What producers have admitted; its greatest is r_max's measure.
        var admitted = RateAverage(windowSeconds: 10)
        var fastest = 0.0
        var lastAppended: Double?
        var target = PressureTarget()
        /// How long retention has been at work, and what has stayed in spite of it that is freeable.
        var reliefSeconds = 0.0
        var heldBytes = 0.0

        /// Takes note of what cannot be freed yet though nobody needs it: its segment is not read to the end,
        /// or what was read is not committed. Members get a second to commit.
        mutating func hold(_ bytes: Double, isRelieving: Bool, seconds: Double) {
            reliefSeconds = isRelieving ? reliefSeconds + seconds : 0
            heldBytes /= 1 + seconds / Self.memorySeconds
            if reliefSeconds > 1 { heldBytes = max(heldBytes, bytes) }
        }

        private static let memorySeconds = 60.0
    }

    struct TopicState: Hashable, Sendable {
        var admitted = RateAverage(windowSeconds: 10)
        var fastest = 0.0
        var lastAppended: Double?
        var groups: [String: GroupState] = [:]
    }

    struct GroupState: Hashable, Sendable {
        var estimate = ConsumedEstimate()
        var plant = PressurePlant()
        var hasCaughtUp = false
        var silentSeconds = 0.0
        var lastCommittedPlace: Double?
        var target = PressureTarget()
    }

    package init() {}

    /// Decides from what was measured. To be called in the order of time.
    package mutating func step(_ input: PressureInput) -> PressureOutput {
        let input = input.bounded
        let seconds = lastStep.map { Self.seconds(from: $0, to: input.nowNanoseconds) } ?? 0
        lastStep = input.nowNanoseconds
        topics = topics.filter { input.topics[$0.key] != nil }
        var rulings: [String: PressureRuling] = [:]
        var standings: [String: [GroupStanding]] = [:]
        var freeable: Int64 = 0
        for (name, topic) in input.topics.sorted(by: { $0.key < $1.key }) {
            let (groups, ruling) = ruleTopic(name, topic, input, seconds)
            if !groups.isEmpty { standings[name] = groups }
            rulings[name] = ruling
            freeable += Self.freeableBytes(topic, groups)
        }
        var output = PressureOutput(
            disk: ruleDisk(input, freeable: freeable, seconds), freeableBytes: freeable, topics: rulings,
            groups: standings, relieves: false, commitSoon: [], drops: [:], nextStepSeconds: nil,
            lookAfterBytes: .max)
        relieve(input, &output)
        schedule(input, &output)
        output.diskFullSeconds = diskFullSeconds(output.disk)
        return output
    }

    /// 0 when the clock goes back.
    private static func seconds(from start: Int64, to end: Int64) -> Double {
        let (nanoseconds, isOver) = end.subtractingReportingOverflow(start)
        return end <= start ? 0 : isOver ? 1e9 : Double(nanoseconds) / 1e9
    }

    // MARK: The disk

    /// What of a topic need not stay: by its retention, by where its groups are, by its policy.
    private static func freeableBytes(_ topic: TopicObservation, _ groups: [GroupStanding]) -> Int64 {
        var bytes = max(topic.freeableBytes, topic.settings.dropsOldest ? topic.droppableBytes : 0)
        // Its commit will follow; until then the disk has what the law does not count.
        if topic.isKeptUntilConsumed, let unread = groups.map(\.unreadBytes).max() {
            bytes = max(bytes, topic.storedBytes - Int64(nearest: unread))
        }
        return min(bytes, topic.storedBytes)
    }

    private mutating func ruleDisk(
        _ input: PressureInput, freeable: Int64, _ seconds: Double
    ) -> PressureRuling {
        let observed = input.disk
        let appended = Double(observed.appendedBytes)
        let hard = observed.hardBytes
        let used = Double(observed.usedBytes + observed.reservedBytes)
        let x = max(0, used - Double(freeable))
        disk.plant.observe(
            appended: appended, waiting: x, intervalSeconds: 0, seconds: seconds,
            drainSeconds: drainSeconds(hard))
        disk.admitted.add(bytes: appended - (disk.lastAppended ?? appended), seconds: seconds)
        disk.lastAppended = appended
        disk.fastest = Self.fastest(disk.fastest, disk.admitted, seconds)
        // The topics' bounds are of rates; the store's are the widest of them.
        let settings = input.topics.values.map(\.settings)
        let floor = settings.map(\.floorRate).max() ?? PressureSettings().floorRate
        let deadTime = Self.tickSeconds + input.commitSeconds
        let drain = disk.plant.drainBytesPerSecond
        let bounds = RateBounds(
            minimum: settings.map(\.leastRate).max() ?? PressureSettings().leastRate,
            maximum: 2 * max(disk.fastest, drain, floor))
        // Room for what comes before the law is felt, or, when the drain stops, while it is still fed
        // forward; and for what waits for its segment to be complete, or for a commit.
        let late = bounds.maximum * (deadTime + Self.tickSeconds)
        let expected = disk.plant.referenceBytesPerSecond(floor: 1)
        let stopped = PressureLaw.overshoot(
            drainBytesPerSecond: expected, drainSeconds: drainSeconds(hard),
            gain: PressureLaw.gain(deadTimeSeconds: deadTime))
        let margin = max(late, stopped) + 2 * max(Double(observed.segmentBytes), disk.heldBytes)
        disk.target.move(
            to: max(hard - margin, hard / 2), waiting: x, drain: max(drain, bounds.minimum), seconds: seconds)
        // The budget itself may shrink at once.
        disk.target.bytes = min(disk.target.bytes, hard)
        let marks = PressureMarks(targetBytes: disk.target.bytes)
        disk.hold(used - x, isRelieving: used > marks.softBytes, seconds: seconds)
        let isDraining =
            disk.plant.isDraining(intervalSeconds: 0)
            || (observed.nextExpirySeconds ?? .infinity) < PressurePlant.stillLimitSeconds
        var ruling = ruling(
            .disk, waiting: x, marks, hard: hard, drain: drain, deadTime: deadTime, bounds,
            isDraining: isDraining, nextRelief: observed.nextExpirySeconds)
        // The law leads x to its target; what is left below H goes evenly until held bytes are freed.
        if used > marks.softBytes {
            let wait = max(deadTime / PressureLaw.gainTimesDeadTime, disk.heldBytes / max(expected, 1))
            let glide = max((hard - used) / wait, bounds.minimum)
            if glide < ruling.rate ?? .infinity {
                ruling.rate = glide
                if ruling.regime == .open { ruling.regime = .draining }
            }
        }
        return ruling
    }

    /// τ: on a small disk a drain that has stopped has to be noticed sooner.
    private func drainSeconds(_ hard: Double) -> Double {
        let seconds = Self.drainShare * hard / disk.plant.referenceBytesPerSecond(floor: 1)
        return min(max(seconds, 3 * Self.tickSeconds), PressurePlant.longestDrainSeconds)
    }

    /// The part of H that is drained in τ at most.
    private static let drainShare = 0.1

    /// The greatest of a rate, which is forgotten in hours.
    private static func fastest(_ before: Double, _ now: RateAverage, _ seconds: Double) -> Double {
        max(before / (1 + seconds / 3_600), now.bytesPerSecondFromRest)
    }

    private func diskFullSeconds(_ ruling: PressureRuling) -> Double? {
        guard let hard = ruling.hardBytes else { return nil }
        let growth = disk.admitted.bytesPerSecond - ruling.drainBytesPerSecond
        guard growth > 1, ruling.waitingBytes < hard else { return nil }
        let seconds = (hard - ruling.waitingBytes) / growth
        return seconds < Self.forecastSeconds ? seconds : nil
    }

    /// Ten years: nobody waits for more.
    private static let forecastSeconds = 315_360_000.0

    // MARK: Lag

    private mutating func ruleTopic(
        _ name: String, _ topic: TopicObservation, _ input: PressureInput, _ seconds: Double
    ) -> ([GroupStanding], PressureRuling?) {
        var state = topics[name] ?? TopicState()
        let appended = Double(topic.appendedBytes)
        state.admitted.add(bytes: appended - (state.lastAppended ?? appended), seconds: seconds)
        state.lastAppended = appended
        state.fastest = Self.fastest(state.fastest, state.admitted, seconds)
        let names = Set(topic.groups.map(\.name))
        state.groups = state.groups.filter { names.contains($0.key) }
        var standings: [GroupStanding] = []
        var slowest: PressureRuling?
        for group in topic.groups.sorted(by: { $0.name < $1.name }) {
            var one = state.groups[group.name] ?? GroupState()
            let (standing, ruling) = ruleGroup(group, &one, topic, state.fastest, input, seconds)
            state.groups[group.name] = one
            standings.append(standing)
            guard let ruling else { continue }
            if slowest.map({ ruling.isTighter(than: $0) }) ?? true { slowest = ruling }
        }
        topics[name] = state
        if topic.isStale, !topic.groups.isEmpty {
            slowest = staleRuling(topic, slowest)
        }
        return (standings, slowest)
    }

    private func ruleGroup(
        _ group: GroupObservation, _ state: inout GroupState, _ topic: TopicObservation, _ fastest: Double,
        _ input: PressureInput, _ seconds: Double
    ) -> (GroupStanding, PressureRuling?) {
        let settings = topic.settings
        let end = Double(topic.appendedBytes)
        let committed = end - Double(group.uncommittedBytes)
        let back = state.estimate.observe(
            committed: committed, processed: group.unprocessedBytes.map { end - Double($0) },
            fetched: group.unfetchedBytes.map { end - Double($0) }, end: end, seconds: seconds)
        // A little is done twice after a rebalance; one that goes further back replays history.
        if back > (1 - PressureMarks.softShare) * state.target.bytes { state.hasCaughtUp = false }
        // Silent: nobody is there, and nothing was committed since.
        let hasMoved = state.lastCommittedPlace.map { $0 != committed } ?? false
        state.lastCommittedPlace = committed
        state.silentSeconds = group.hasMembers || hasMoved ? 0 : state.silentSeconds + seconds
        let interval = state.estimate.intervalSeconds
        let x = end - state.estimate.place
        state.plant.observe(
            appended: end, waiting: x, returned: back, intervalSeconds: interval, seconds: seconds)
        let drain = state.plant.drainBytesPerSecond
        let reference = state.plant.referenceBytesPerSecond(floor: settings.floorRate)
        let wanted = max(reference * settings.lagTargetSeconds, Self.leastTargetBytes)
        state.target.move(to: wanted, waiting: x, drain: max(drain, settings.leastRate), seconds: seconds)
        let marks = PressureMarks(targetBytes: state.target.bytes)
        if x <= marks.softBytes, group.isKnown { state.hasCaughtUp = true }
        var standing = GroupStanding(
            name: group.name, role: .gates, unreadBytes: x, drainBytesPerSecond: drain,
            silentSeconds: state.silentSeconds)
        if !group.isKnown {
            standing.role = .unknown
        } else if state.silentSeconds >= settings.abandonSeconds {
            standing.role = .abandoned
        } else if !state.hasCaughtUp {
            standing.role = .catchingUp
        }
        guard standing.role == .gates else { return (standing, nil) }
        let bounds = RateBounds(
            minimum: settings.leastRate,
            maximum: settings.greatestRate ?? 2 * max(fastest, drain, settings.floorRate))
        let ruling = ruling(
            .lag(group: group.name), waiting: x, marks, hard: nil, drain: drain,
            deadTime: Self.tickSeconds + input.commitSeconds + state.estimate.stalenessSeconds, bounds,
            isDraining: state.plant.isDraining(intervalSeconds: interval), nextRelief: nil)
        return (standing, ruling)
    }

    /// Four batches: whatever is promised, a producer needs so many to work at all.
    private static let leastTargetBytes = 262_144.0

    /// Without knowledge: the floor, unless what was known is tighter.
    private func staleRuling(_ topic: TopicObservation, _ known: PressureRuling?) -> PressureRuling {
        let name = topic.groups.map(\.name).min() ?? ""
        var ruling =
            known
            ?? PressureRuling(
                cause: .lag(group: name), regime: .stale, waitingBytes: 0, softBytes: 0, targetBytes: 0,
                drainBytesPerSecond: 0, gain: 0, deadTimeSeconds: 0, retryAfterSeconds: 1)
        ruling.regime = .stale
        ruling.rate = min(ruling.rate ?? .infinity, topic.settings.floorRate)
        return ruling
    }

    // MARK: The law's answer

    private func ruling(
        _ cause: PressureRuling.Cause, waiting x: Double, _ marks: PressureMarks, hard: Double?,
        drain: Double, deadTime: Double, _ bounds: RateBounds, isDraining: Bool, nextRelief: Double?
    ) -> PressureRuling {
        let gain = PressureLaw.gain(deadTimeSeconds: deadTime)
        var ruling = PressureRuling(
            cause: cause, regime: .open, rate: nil, waitingBytes: x, softBytes: marks.softBytes,
            targetBytes: marks.targetBytes, hardBytes: hard, drainBytesPerSecond: drain, gain: gain,
            deadTimeSeconds: deadTime, retryAfterSeconds: Self.tickSeconds)
        guard x > marks.softBytes else { return ruling }
        if isDraining {
            ruling.regime = .draining
            ruling.rate = PressureLaw.rate(
                waitingBytes: x, marks, drainBytesPerSecond: drain, gain: gain, bounds)
        } else {
            // To slow producers would only put off what the policy is for.
            ruling.regime = .stalled
            ruling.rate = x < marks.targetBytes ? nil : 0
            ruling.retryAfterSeconds = max(Self.tickSeconds, min(nextRelief ?? 1, 3_600))
        }
        return ruling
    }
}

extension PressureRuling {
    /// The one that leaves producers less; of two without a bound the one nearer to its mark.
    package func isTighter(than other: PressureRuling) -> Bool {
        let (mine, theirs) = (rate ?? .infinity, other.rate ?? .infinity)
        if mine != theirs { return mine < theirs }
        return waitingBytes / max(softBytes, 1) > other.waitingBytes / max(other.softBytes, 1)
    }
}
