// Back pressure on a virtual clock: the controller and the gates that ship, in front of a log that is made of
// counters.
//
// Time goes on in steps of 10 ms. In each, groups read and commit; segments are rolled, and freed as
// retention says; the controller is asked when it wanted to be; producers begin as many batches as they have
// to send and their gates let them.
//
// What is modelled: that a batch is refused above H − R; that a segment goes as a whole; that what is
// processed frees nothing before it is committed; that a group's commits come late, and that between them its
// place is told (in this process) or seen by what was handed out (on a wire). What is not: the time that I/O
// takes, beyond a constant; that a batch is filled over some time; partitions.

package import SluiceCore

package struct PressureSimulation: Sendable {
    package let trace: PressureTrace
    package internal(set) var result = Result()

    var controller = PressureController()
    var gates = ProducerGates()
    /// What the controller said last.
    package internal(set) var output: PressureOutput?
    var now: Int64 = 0
    var nextStepAt: Int64? = 0
    var admittedSinceLook: Int64 = 0
    /// H now: stores that share a device have theirs from there.
    package var limitBytes: Int64

    var topics: [Topic]
    var producers: [Producer] = []
    var groups: [Group] = []
    /// Another controller, that was made from a snapshot and is told the same.
    private var restarted: PressureController?

    /// The time between two looks at everything, nanoseconds.
    package static let stepNanoseconds: Int64 = 10_000_000
    static let stepSeconds = 0.01

    struct Topic: Sendable {
        var appended: Int64 = 0
        var freed: Int64 = 0
        /// Of that, what nobody had read.
        var dropped: Int64 = 0
        /// Closed segments: where each ends, and when it was closed by the wall clock.
        var sealed: [(end: Int64, at: Double)] = []
        var activeStart: Int64 = 0
        var stored: Int64 { appended - freed }
    }

    struct Producer: Sendable {
        var gate: UInt32
        var wants = 0.0
        var waitsUntil: Int64 = 0
        var stalledSince: Int64?
        var longestStall: Int64 = 0
        var queue: [Int] = []
        var queued = 0
        var isOn = true
    }

    struct Group: Sendable {
        var processed: Int64
        var committed: Int64
        var nextCommit: Double
        /// Of a byte, what it could have read.
        var left = 0.0
        var hasRewound = false
        /// When it last could not read.
        var lastIdle = -Double.infinity
        /// Read once or more, and passed over because it was gone.
        var consumed: Int64 = 0
        var skipped: Int64 = 0
        var reread: Int64 = 0
    }

    /// What came of a run.
    package struct Result: Sendable {
        /// Of each tenth of a second: admitted bytes per second, what was allowed then (infinite without a
        /// bound), the bytes that wait, and the ones on the disk.
        package var admitted: [Double] = []
        package var allowed: [Double] = []
        package var waiting: [Double] = []
        package var used: [Int64] = []
        package var sent: [Int64] = []
        package var refused = 0
        package var delayed = 0
        package var delayedBelowSoft = 0
        /// By how much the disk was above what it may hold, at most.
        package var greatestUsed: Int64 = 0
        package var greatestExcess: Int64 = .min
        /// Seconds that a producer which had something to send could not while somebody read, at most.
        package var longestStalls: [Double] = []
        package var appended: [Int64] = []
        package var stored: [Int64] = []
        package var dropped: [Int64] = []
        package var queued: [Int64] = []
        /// By group: bytes before the run, read, passed over, not read yet.
        package var accounts: [(start: Int64, consumed: Int64, skipped: Int64, unread: Int64)] = []
        package var steps = 0
        /// Looks at which a restarted controller said something else.
        package var differences = 0
    }

    package init(_ trace: PressureTrace) {
        self.trace = trace
        limitBytes = trace.limitBytes
        let count = 1 + max(trace.producers.map(\.topic).max() ?? 0, trace.groups.map(\.topic).max() ?? 0)
        topics = Array(repeating: Topic(), count: count)
        for group in trace.groups {
            topics[group.topic].appended = max(topics[group.topic].appended, Int64(group.history))
        }
        for topic in topics.indices where topics[topic].appended > 0 {
            topics[topic].sealed = [(topics[topic].appended, 0)]
            topics[topic].activeStart = topics[topic].appended
        }
        for group in trace.groups {
            let place = topics[group.topic].appended - Int64(group.history)
            groups.append(Group(processed: place, committed: place, nextCommit: group.commitSeconds))
            result.accounts.append((place, 0, 0, 0))
        }
        for producer in trace.producers {
            let gate = gates.add(
                topic: name(producer.topic), weight: producer.weight, policy: producer.policy, now: 0)
            producers.append(Producer(gate: gate))
        }
        result.sent = Array(repeating: 0, count: producers.count)
    }

    func name(_ topic: Int) -> String { "topic-\(topic)" }

    /// Runs the whole trace.
    package mutating func run() {
        while step() {}
        finish()
    }

    /// Goes on by 10 ms; false at the end of the trace.
    package mutating func step() -> Bool {
        guard seconds < trace.seconds else { return false }
        read()
        control()
        for index in producers.indices { send(index) }
        result.greatestUsed = max(result.greatestUsed, used)
        if limitBytes < .max {
            result.greatestExcess = max(result.greatestExcess, used + reserved - limitBytes)
        }
        now += Self.stepNanoseconds
        if now % (10 * Self.stepNanoseconds) == 0 { record() }
        return true
    }

    private mutating func record() {
        let sent = result.sent.reduce(0, +)
        result.admitted.append(Double(sent - sentBefore) * 10)
        sentBefore = sent
        let rulings = output.map { [$0.disk] + $0.topics.values } ?? []
        result.allowed.append(rulings.compactMap(\.rate).min() ?? .infinity)
        result.waiting.append(rulings.map(\.waitingBytes).max() ?? 0)
        result.used.append(used)
    }
    private var sentBefore: Int64 = 0

    /// Adds up what there is at the end.
    package mutating func finish() {
        result.longestStalls = producers.map { Double($0.longestStall) / 1e9 }
        result.appended = topics.map(\.appended)
        result.stored = topics.map(\.stored)
        result.dropped = topics.map(\.dropped)
        result.queued = producers.map { Int64($0.queued) }
        for (index, group) in groups.enumerated() {
            let unread = topics[trace.groups[index].topic].appended - group.processed
            result.accounts[index].consumed = group.consumed - group.reread
            result.accounts[index].skipped = group.skipped
            result.accounts[index].unread = unread
        }
    }

    package var seconds: Double { Double(now) / 1e9 }
    var wall: Double { trace.jumps.reduce(seconds) { $0 + ($1.at <= seconds ? $1.seconds : 0) } }
    package var used: Int64 { topics.reduce(0) { $0 + $1.stored } }
    package var reserved: Int64 { producers.reduce(0) { $0 + Int64($1.queued) } }

    // MARK: The controller

    private mutating func control() {
        let isDue = nextStepAt.map { now >= $0 } ?? false
        // Whoever has to wait asks for a look.
        let isWanted =
            (gates.hasHeldUp || hasRefused) && now >= lastLook + Int64(PressureController.tickSeconds * 1e9)
        guard isDue || isWanted || admittedSinceLook >= output?.lookAfterBytes ?? 0 else { return }
        lastLook = now
        defer { hasRefused = false }
        let observation = observation
        let output = controller.step(observation)
        compare(observation, output)
        result.steps += 1
        admittedSinceLook = 0
        nextStepAt = output.nextStepSeconds.map { now + Int64($0 * 1e9) }
        self.output = output
        for (name, bytes) in output.drops { drop(name, bytes) }
        gates.setRates(output, now: now)
        for index in producers.indices {
            producers[index].waitsUntil = min(producers[index].waitsUntil, now)
            switchOnOff(index, output)
        }
    }
    private var lastLook: Int64 = 0
    /// Since the last look, for the disk.
    var hasRefused = false

    /// From now on another controller, made from the snapshot of this one, is asked as well.
    package mutating func restart() {
        let observation = observation
        _ = controller.step(observation)
        restarted = try? PressureController(snapshot: controller.snapshot)
        if restarted == nil { result.differences += 1 }
        // The first look of the new one is the last of the old one: for neither has time gone by.
        compare(observation, controller.step(observation))
    }

    private mutating func compare(_ observation: PressureInput, _ output: PressureOutput) {
        guard var other = restarted else { return }
        let said = other.step(observation)
        restarted = other
        if said.disk != output.disk || said.topics != output.topics || said.groups != output.groups
            || said.drops != output.drops || said.commitSoon != output.commitSoon
        {
            result.differences += 1
        }
    }

    private mutating func switchOnOff(_ index: Int, _ output: PressureOutput) {
        let rulings = [output.disk] + output.topics.values
        if rulings.contains(where: { $0.waitingBytes > $0.targetBytes }) { producers[index].isOn = false }
        if rulings.allSatisfy({ $0.waitingBytes < $0.softBytes }) { producers[index].isOn = true }
    }
}
