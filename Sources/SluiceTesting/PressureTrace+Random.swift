// A trace that a seed draws, swarm style: each peculiarity is in some of the traces, so that each is also
// seen without the others.

import SluiceCore

extension PressureTrace {
    /// The trace of a seed.
    package static func random(seed: UInt64) -> PressureTrace {
        var random = SeededRandom(seed: seed)
        let topics = random.chance(0.5) ? 1 : random.within(2...3)
        var trace = PressureTrace(producers: [], groups: [])
        trace.seconds = 240
        for _ in 0..<(random.chance(0.3) ? 1 : random.within(2...6)) {
            trace.producers.append(.random(topic: random.below(topics), &random))
        }
        if random.chance(0.2) { trace.retention = .time(seconds: Double(random.within(5...60))) }
        for topic in 0..<topics {
            var count = random.chance(0.7) ? 1 : random.within(0...2)
            // Until-consumed retention is never without a group.
            if case .untilConsumed = trace.retention { count = max(count, 1) }
            for number in 0..<count {
                trace.groups.append(.random(topic: topic, name: "group-\(number)", &random))
            }
        }
        if random.chance(0.6) {
            trace.limitBytes = Int64(1) << random.within(26...32)
            trace.segmentBytes = max(1 << 20, trace.limitBytes / 64)
            if random.chance(0.5) { trace.exemptBytes = trace.limitBytes / 64 }
        }
        // What there is before the run fits.
        for index in trace.groups.indices {
            trace.groups[index].history = min(trace.groups[index].history, Double(trace.limitBytes / 8))
        }
        if random.chance(0.2) {
            trace.settings.dropsOldest = true
            trace.promiseSeconds = Double(random.within(0...20))
        }
        if random.chance(0.3) { trace.settings.lagTargetSeconds = Double(random.within(1...10)) }
        for _ in 0..<(random.chance(0.3) ? 2 : 0) {
            trace.jumps.append((Double(random.below(240)), Double(random.within(-3_600...3_600))))
        }
        return trace
    }
}

extension PressureTrace.Producer {
    fileprivate static func random(topic: Int, _ random: inout SeededRandom) -> Self {
        let batch = random.pick([1_000, 16_384, 65_536, 65_536, 262_144])
        // As many batches a second as a program would make.
        let fastest = min(Double(batch) * 5_000, 200e6)
        var producer = Self(offered: 0)
        producer.offered = steps(fastest, &random)
        producer.topic = topic
        producer.batchBytes = batch
        if random.chance(0.3) { producer.weight = random.within(1...8) }
        if random.chance(0.2) { producer.policy = .buffer(milliseconds: Int64(random.within(50...500))) }
        if random.chance(0.1) { producer.policy = .reject }
        return producer
    }

    /// Bursts: all of a sudden, nothing, some of it.
    private static func steps(_ fastest: Double, _ random: inout SeededRandom) -> PressureTrace.Steps {
        var steps: PressureTrace.Steps = [(0, fastest)]
        guard random.chance(0.6) else { return steps }
        var at = 0.0
        while at < 240 {
            at += Double(random.within(2...60))
            steps.append((at, random.chance(0.3) ? 0 : fastest * Double(random.within(1...10)) / 10))
        }
        return steps
    }
}

extension PressureTrace.Group {
    fileprivate static func random(topic: Int, name: String, _ random: inout SeededRandom) -> Self {
        var group = Self(drain: [(0, Double(random.within(20...100)) * 1e6)])
        group.topic = topic
        group.name = name
        if random.chance(0.7) {
            var at = 0.0
            while at < 240 {
                at += Double(random.within(20...100))
                group.drain.append((at, random.chance(0.15) ? 0 : Double(random.within(10...100)) * 1e6))
            }
        }
        group.commitSeconds = random.pick([0.25, 1, 5, 30])
        group.tells = random.chance(0.7)
        if !group.tells { group.heldBytes = Int64(random.below(1 << 23)) }
        if random.chance(0.15) {
            group.leavesAt = Double(random.below(200))
            if random.chance(0.7) { group.returnsAt = group.leavesAt + Double(random.below(100)) }
        }
        if random.chance(0.15) { group.history = Double(random.below(1 << 32)) }
        if random.chance(0.1) { group.rewindsAt = Double(random.below(240)) }
        return group
    }
}
