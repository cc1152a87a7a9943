// Back pressure on a virtual clock: the controller and the gates that ship, in front of a log that is made of
// counters.
//
// Time goes on in steps of 10 ms. In each, producers begin as many batches as they have to send and their
// gates let them; groups read and commit; segments are rolled, and freed as retention says; the controller is
// asked when it wanted to be.
//
// What is modelled: that a batch is refused above H − R; that a segment goes as a whole; that what is
// processed frees nothing before it is committed; that a group's commits come late, and that between them its
// place is told (in this process) or not (on a wire). What is not: the time that I/O takes, beyond a constant.

import SluiceCore

package struct PressureSimulation: Sendable {
    package let trace: PressureTrace
    package private(set) var result = Result()

    private var controller = PressureController()
    private var gates = ProducerGates()
    private var output: PressureOutput?
    private var now: Int64 = 0
    private var nextStepAt: Int64? = 0
    private var admittedSinceLook: Int64 = 0

    private var topics: [Topic]
    private var producers: [Producer] = []
    private var groups: [Group] = []

    /// The time between two looks at everything, nanoseconds.
    package static let stepNanoseconds: Int64 = 10_000_000

    struct Topic: Sendable {
        var appended: Int64 = 0
        var freed: Int64 = 0
        var dropped: Int64 = 0
        /// Closed segments: where each ends, and when it was closed by the wall clock.
        var sealed: [(end: Int64, at: Double)] = []
        var activeStart: Int64 = 0
        var stored: Int64 { appended - freed }
    }

    private struct Producer: Sendable {
        var gate: UInt32
        var wants = 0.0
        var waitsUntil: Int64 = 0
        var stalledSince: Int64?
        var longestStall: Int64 = 0
        var queue: [Int] = []
        var queued = 0
        var isOffOn = true
    }

    private struct Group: Sendable {
        var processed: Double
        var committed: Double
        var nextCommit: Double
    }

    /// What came of a run.
    package struct Result: Sendable {
        /// Admitted bytes and the waiting ones of each tenth of a second, and the bytes on the disk.
        package var admitted: [Double] = []
        package var waiting: [Double] = []
        package var used: [Int64] = []
        package var sent: [Int64] = []
        package var refused = 0
        package var delayed = 0
        package var delayedBelowSoft = 0
        package var greatestUsed: Int64 = 0
        /// Seconds that a producer which had something to send could not, at most; by producer.
        package var longestStalls: [Double] = []
        package var consumed: [Double] = []
        package var appended: [Int64] = []
        package var freed: [Int64] = []
        package var dropped: [Int64] = []
        package var steps = 0
    }

    package init(_ trace: PressureTrace) {
        self.trace = trace
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
            let place = Double(topics[group.topic].appended) - group.history
            groups.append(Group(processed: place, committed: place, nextCommit: group.commitSeconds))
        }
        for producer in trace.producers {
            let gate = gates.add(
                topic: name(producer.topic), weight: producer.weight, policy: producer.policy, now: 0)
            producers.append(Producer(gate: gate))
        }
        result.sent = Array(repeating: 0, count: producers.count)
    }

    private func name(_ topic: Int) -> String { "topic-\(topic)" }

    /// Runs the whole trace.
    package mutating func run() {
        let steps = Int(trace.seconds * 1e9) / Int(Self.stepNanoseconds)
        var admittedBefore = topics.reduce(Int64(0)) { $0 + $1.appended }
        for step in 0..<steps {
            now = Int64(step) * Self.stepNanoseconds
            read()
            control()
            for index in producers.indices { send(index) }
            result.greatestUsed = max(result.greatestUsed, used)
            guard step % 10 == 9 else { continue }
            let appended = topics.reduce(Int64(0)) { $0 + $1.appended }
            result.admitted.append(Double(appended - admittedBefore) * 10)
            admittedBefore = appended
            result.waiting.append(
                output.map { max($0.topics.values.map(\.waitingBytes).max() ?? 0, $0.disk.waitingBytes) } ?? 0
            )
            result.used.append(used)
        }
        result.longestStalls = producers.map { Double($0.longestStall) / 1e9 }
        result.consumed = groups.map(\.processed)
        result.appended = topics.map(\.appended)
        result.freed = topics.map(\.freed)
        result.dropped = topics.map(\.dropped)
    }

    private var seconds: Double { Double(now) / 1e9 }
    private var wall: Double {
        trace.jumps.reduce(seconds) { $0 + ($1.at <= seconds ? $1.seconds : 0) }
    }
    private var used: Int64 { topics.reduce(0) { $0 + $1.stored } }
    private var reserved: Int64 { producers.reduce(0) { $0 + Int64($1.queued) } }

    // MARK: Producers

    private mutating func send(_ index: Int) {
        let spec = trace.producers[index]
        let dt = Double(Self.stepNanoseconds) / 1e9
        var producer = producers[index]
        defer { producers[index] = producer }
        let offered = value(of: spec.offered, at: seconds) * dt
        // One that could not send does not send all of it later: it made it more slowly.
        producer.wants = min(producer.wants + offered, offered + 2 * Double(spec.batchBytes))
        drain(&producer, index)
        while producer.wants >= Double(spec.batchBytes), now >= producer.waitsUntil {
            guard begin(&producer, index) else { break }
            producer.wants -= Double(spec.batchBytes)
            producer.stalledSince = nil
        }
        let isWaiting = producer.wants >= Double(spec.batchBytes)
        if isWaiting, let since = producer.stalledSince {
            producer.longestStall = max(producer.longestStall, now - since)
        }
        producer.stalledSince = isWaiting ? producer.stalledSince ?? now : nil
    }

    /// One batch: true when it was accepted.
    private mutating func begin(_ producer: inout Producer, _ index: Int) -> Bool {
        let spec = trace.producers[index]
        if case .onOff = trace.control {
            guard producer.isOffOn, fits(spec.batchBytes) else { return false }
            append(spec.batchBytes, index)
            return true
        }
        switch gates.begin(producer.gate, queued: producer.queued, now: now) {
        case .wait(let wait), .busy(let wait):
            producer.waitsUntil = now + wait
            result.delayed += 1
            if let output, !output.isAboveSoft { result.delayedBelowSoft += 1 }
            return false
        case .admit(let paid):
            guard fits(spec.batchBytes) else {
                gates.settle(producer.gate, paid: paid, bytes: 0, now: now)
                producer.waitsUntil = now + 100_000_000
                result.refused += 1
                return false
            }
            if case .buffer = spec.policy {
                producer.queue.append(spec.batchBytes)
                producer.queued += spec.batchBytes
            } else {
                gates.settle(producer.gate, paid: paid, bytes: spec.batchBytes, now: now)
                append(spec.batchBytes, index)
            }
            return true
        }
    }

    private mutating func drain(_ producer: inout Producer, _ index: Int) {
        while let bytes = producer.queue.first, gates.send(producer.gate, bytes: bytes, now: now) == nil {
            producer.queue.removeFirst()
            producer.queued -= bytes
            append(bytes, index)
        }
    }

    private func fits(_ bytes: Int) -> Bool {
        trace.limitBytes == .max || used + reserved + Int64(bytes) <= trace.limitBytes - trace.exemptBytes
    }

    private mutating func append(_ bytes: Int, _ index: Int) {
        let topic = trace.producers[index].topic
        topics[topic].appended += Int64(bytes)
        result.sent[index] += Int64(bytes)
        admittedSinceLook += Int64(bytes)
        if topics[topic].appended - topics[topic].activeStart >= trace.segmentBytes { roll(topic) }
    }

    private mutating func roll(_ topic: Int) {
        topics[topic].sealed.append((topics[topic].appended, wall))
        topics[topic].activeStart = topics[topic].appended
    }

    // MARK: Groups and retention

    private mutating func read() {
        let dt = Double(Self.stepNanoseconds) / 1e9
        for index in groups.indices {
            let spec = trace.groups[index]
            guard seconds < spec.leavesAt else { continue }
            let end = Double(topics[spec.topic].appended)
            // What was dropped is passed over.
            groups[index].processed = max(groups[index].processed, Double(topics[spec.topic].freed))
            groups[index].processed = min(
                end, groups[index].processed + value(of: spec.drain, at: seconds) * dt)
            let isAsked = spec.tells && output?.commitSoon.contains(spec.name) == true
            guard seconds >= groups[index].nextCommit || isAsked else { continue }
            groups[index].committed = groups[index].processed
            groups[index].nextCommit = seconds + spec.commitSeconds
        }
        for topic in topics.indices { retain(topic, all: output?.relieves == true) }
    }

    private func floor(_ topic: Int) -> Int64 {
        let places = groups.indices.filter { trace.groups[$0].topic == topic }.map { groups[$0].committed }
        return Int64(places.min() ?? 0)
    }

    private mutating func retain(_ topic: Int, all: Bool) {
        switch trace.retention {
        case .untilConsumed:
            let floor = floor(topic)
            if all, floor >= topics[topic].appended, topics[topic].appended > topics[topic].activeStart {
                roll(topic)
            }
            free(topic, through: topics[topic].sealed.last { $0.end <= floor }?.end)
        case .time(let seconds):
            free(topic, through: topics[topic].sealed.last { wall - $0.at > seconds }?.end)
        }
    }

    private mutating func free(_ topic: Int, through end: Int64?) {
        guard let end, end > topics[topic].freed else { return }
        topics[topic].freed = end
        topics[topic].sealed.removeAll { $0.end <= end }
    }

    private func freeable(_ topic: Int) -> Int64 {
        switch trace.retention {
        case .untilConsumed:
            return max(0, floor(topic) - topics[topic].freed)
        case .time(let seconds):
            let end = topics[topic].sealed.last { wall - $0.at > seconds }?.end ?? topics[topic].freed
            return end - topics[topic].freed
        }
    }

    // MARK: The controller

    private mutating func control() {
        let isDue = nextStepAt.map { now >= $0 } ?? false
        guard isDue || admittedSinceLook >= output?.lookAfterBytes ?? 0 else { return }
        let output = controller.step(observation)
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

    private mutating func switchOnOff(_ index: Int, _ output: PressureOutput) {
        let rulings = [output.disk] + output.topics.values
        if rulings.contains(where: { $0.waitingBytes > $0.targetBytes }) { producers[index].isOffOn = false }
        if rulings.allSatisfy({ $0.waitingBytes < $0.softBytes }) { producers[index].isOffOn = true }
    }

    private mutating func drop(_ name: String, _ bytes: Int64) {
        guard let topic = topics.indices.first(where: { self.name($0) == name }) else { return }
        let wanted = topics[topic].freed + bytes
        let end = topics[topic].sealed.first { $0.end >= wanted }?.end ?? topics[topic].sealed.last?.end
        let before = topics[topic].freed
        let read = max(before, floor(topic))
        free(topic, through: end)
        topics[topic].dropped += max(0, topics[topic].freed - read)
    }

    /// What the shell would measure.
    private var observation: PressureInput {
        var disk = DiskObservation(limitBytes: trace.limitBytes, usedBytes: used)
        disk.exemptBytes = trace.exemptBytes
        disk.reservedBytes = reserved
        disk.segmentBytes = trace.segmentBytes
        disk.appendedBytes = topics.reduce(0) { $0 + $1.appended }
        if case .time(let age) = trace.retention {
            disk.nextExpirySeconds = topics.compactMap { $0.sealed.first }.map {
                max(0, age - (wall - $0.at))
            }
            .min()
        }
        var input = PressureInput(nowNanoseconds: now, disk: disk, commitSeconds: trace.commitSeconds)
        for topic in topics.indices {
            var observed = TopicObservation(appendedBytes: topics[topic].appended, settings: trace.settings)
            observed.storedBytes = topics[topic].stored
            observed.freeableBytes = freeable(topic)
            if case .untilConsumed = trace.retention { observed.isKeptUntilConsumed = true }
            if trace.settings.dropsOldest {
                observed.droppableBytes =
                    (topics[topic].sealed.last?.end ?? topics[topic].freed) - topics[topic].freed
            }
            observed.groups = groups.indices.filter { trace.groups[$0].topic == topic }.map(look)
            input.topics[name(topic)] = observed
        }
        return input
    }

    private func look(_ index: Int) -> GroupObservation {
        let spec = trace.groups[index]
        let end = topics[spec.topic].appended
        let isHere = seconds < spec.leavesAt
        var group = GroupObservation(
            name: spec.name, uncommittedBytes: end - Int64(groups[index].committed), hasMembers: isHere)
        if spec.tells, isHere { group.unprocessedBytes = end - Int64(groups[index].processed) }
        return group
    }
}

extension PressureOutput {
    /// Whether anything is above its soft mark.
    var isAboveSoft: Bool {
        ([disk] + topics.values).contains { $0.waitingBytes > $0.softBytes }
    }
}
