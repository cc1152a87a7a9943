// A look: what is measured, what the controller makes of it, and what is done then.

import Logging
import SluiceCore
import SluiceLog

extension PressureEngine {
    /// Looks, decides, and does it. On the timer's thread, or on that of someone who asks why.
    func look() {
        looking.lock()
        defer { looking.unlock() }
        guard !state.withLock({ $0.isClosed }) else { return }
        let began = Instant.now
        var input = observe(began)
        input.hasWaiters = hasWaiters
        let (output, waiting) = state.withLock { state in
            let output = state.controller.step(input)
            state.gates.setRates(output, now: began.monotonicNanoseconds)
            state.input = input
            state.output = output
            state.lookedAt = began.monotonicNanoseconds
            state.looksAt = .max
            return (output, state.producers.values.compactMap(\.core))
        }
        set(output)
        relieve(output, began)
        for core in waiting { core.pressureChanged() }
        tell(input, output)
        keepSnapshot(began.monotonicNanoseconds)
        guard let seconds = output.nextStepSeconds else { return }
        // However many partitions there are, looking takes a hundredth of one core.
        let cost = Instant.monotonicNow - began.monotonicNanoseconds
        scheduleLook(at: began.monotonicNanoseconds + max(Int64(seconds * 1e9), 100 * cost))
    }

    // MARK: What is measured

    private var hasWaiters: Bool {
        let (isHeldUp, cores) = state.withLock { state in
            (state.gates.hasHeldUp, state.producers.values.compactMap(\.core))
        }
        return isHeldUp || cores.contains(where: \.hasGatedWaiters)
    }

    private func observe(_ now: Instant) -> PressureInput {
        let topics = watchedTopics()
        let wall = engine.retentionWall(now)
        let gating = gatingGroups(of: topics)
        device.look()
        return engine.lock.withLock {
            var input = engine.volume.pressureInput(topics, gating, wall: wall, now: now)
            input.commitSeconds = engine.commitSeconds
            return input
        }
    }

    /// All topics; read again when the catalogue has changed.
    private func watchedTopics() -> [WatchedTopic] {
        let known = state.withLock { state -> [WatchedTopic]? in
            defer { state.isCatalogueStale = false }
            return state.isCatalogueStale ? nil : state.catalogue
        }
        if let known { return known }
        let topics = engine.read { volume in
            volume.topics.map { topic in
                WatchedTopic(
                    name: topic.name, settings: TopicSettings(stored: topic.settings),
                    numbers: (0..<Int(topic.partitions)).compactMap {
                        try? volume.number(topic: topic.name, partition: $0)
                    })
            }
        }
        let policies = Dictionary(topics.map { ($0.name, $0.settings.pressurePolicy) }) { first, _ in first }
        state.withLock { state in
            state.catalogue = topics
            for (topic, gate) in state.atomicGates {
                if let policy = policies[topic] {
                    state.gates.setPolicy(gate, policy)
                } else {
                    state.gates.remove(gate)
                    state.atomicGates[topic] = nil
                }
            }
            for (gate, producer) in state.producers where producer.followsTopic {
                if let policy = policies[producer.topic] { state.gates.setPolicy(gate, policy) }
            }
        }
        return topics
    }

    // MARK: What is done

    private func relieve(_ output: PressureOutput, _ now: Instant) {
        if !output.commitSoon.isEmpty { groups.commitSoon(output.commitSoon) }
        // What they have committed is freed now, not within a second.
        if output.relieves { groups.tellFloorsNow() }
        guard output.relieves || !output.drops.isEmpty else { return }
        let wall = engine.retentionWall(now)
        let topics = state.withLock { $0.catalogue }
        engine.withVolume { volume in
            if output.relieves { volume.relieve(wall: wall) }
            for topic in topics {
                guard let bytes = output.drops[topic.name] else { continue }
                volume.drop(bytes, of: topic, wall: wall)
            }
        }
    }

    private func keepSnapshot(_ now: Int64) {
        let snapshot = state.withLock { state -> [UInt8]? in
            guard now >= state.savedAt + Self.snapshotNanoseconds else { return nil }
            let snapshot = state.controller.snapshot
            state.savedAt = now
            guard snapshot != state.saved else { return nil }
            state.saved = snapshot
            return snapshot
        }
        if let snapshot { engine.withVolume { $0.keepPressure(snapshot) } }
    }

    private static let snapshotNanoseconds: Int64 = 10_000_000_000

    // MARK: Who is told

    private func tell(_ input: PressureInput, _ output: PressureOutput) {
        signal(nil, output.disk, input)
        for (topic, ruling) in output.topics { signal(topic, ruling, input) }
        let gone = state.withLock { state in
            let gone = state.signals.compactMap { $0 }.filter { output.topics[$0] == nil }
            for topic in gone { state.signals.remove(topic) }
            return gone
        }
        for topic in gone { engine.events.add(.pressureOff(topic: topic)) }
        metrics.record(output)
    }

    /// A signal comes on above the soft mark, and goes off a tenth below it.
    private func signal(_ topic: String?, _ ruling: PressureRuling, _ input: PressureInput) {
        let isOn = ruling.waitingBytes > ruling.softBytes || ruling.rate != nil
        let isOff = ruling.rate == nil && ruling.waitingBytes < 0.9 * ruling.softBytes
        let change = state.withLock { state -> Bool? in
            if isOn { return state.signals.insert(topic).inserted ? true : nil }
            if isOff { return state.signals.remove(topic) != nil ? false : nil }
            return nil
        }
        guard let change else { return }
        let reason = Busy.Reason(ruling, input.disk)
        if change {
            engine.events.add(.pressureOn(topic: topic, reason))
            engine.logger.notice(
                "producers are being slowed",
                metadata: ["topic": "\(topic ?? "all")", "reason": "\(reason)"])
        } else {
            engine.events.add(.pressureOff(topic: topic))
            engine.logger.notice("producers are free again", metadata: ["topic": "\(topic ?? "all")"])
        }
    }
}
