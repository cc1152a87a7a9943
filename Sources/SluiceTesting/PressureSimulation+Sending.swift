// The simulated producers, and the log that takes what their gates admit.

import SluiceCore

extension PressureSimulation {
    mutating func send(_ index: Int) {
        let spec = trace.producers[index]
        var producer = producers[index]
        defer { producers[index] = producer }
        let offered = spec.offered.value(at: seconds) * Self.stepSeconds
        // One that could not send does not send all of it later: it made it more slowly.
        producer.wants = min(producer.wants + offered, offered + 2 * Double(spec.batchBytes))
        let sentBefore = result.sent[index]
        drain(&producer, index)
        while producer.wants >= Double(spec.batchBytes), now >= producer.waitsUntil {
            guard begin(&producer, index) else { break }
            producer.wants -= Double(spec.batchBytes)
            producer.stalledSince = nil
        }
        // Under `buffer` the queue goes on while the producer waits.
        if result.sent[index] > sentBefore { producer.stalledSince = nil }
        let isWaiting = producer.wants >= Double(spec.batchBytes) && isDrained
        if isWaiting, let since = producer.stalledSince {
            producer.longestStall = max(producer.longestStall, now - since)
        }
        producer.stalledSince = isWaiting ? producer.stalledSince ?? now : nil
    }

    /// Whether all groups read, and have long enough for their commits to show it. Else it is right that
    /// producers stand still.
    private var isDrained: Bool {
        groups.indices.allSatisfy { index in
            let spec = trace.groups[index]
            return seconds - groups[index].lastIdle > (spec.tells ? 0.3 : 2 * spec.commitSeconds)
        }
    }

    /// One batch: true when it was accepted.
    private mutating func begin(_ producer: inout Producer, _ index: Int) -> Bool {
        let spec = trace.producers[index]
        if case .onOff = trace.control {
            guard producer.isOn, fits(spec.batchBytes, queued: 0) else { return false }
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
            guard fits(spec.batchBytes, queued: producer.queued - producers[index].queued) else {
                gates.settle(producer.gate, paid: paid, bytes: 0, now: now)
                producer.waitsUntil = now + 100_000_000
                result.refused += 1
                hasRefused = true
                return false
            }
            if gates.isPaced(producer.gate) || !producer.queue.isEmpty {
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

    /// - Parameter queued: what the producer that asks has queued in this step.
    private func fits(_ bytes: Int, queued: Int) -> Bool {
        let room = limitBytes - trace.exemptBytes
        return limitBytes == .max || used + reserved + Int64(queued + bytes) <= room
    }

    private mutating func append(_ bytes: Int, _ index: Int) {
        let topic = trace.producers[index].topic
        topics[topic].appended += Int64(bytes)
        result.sent[index] += Int64(bytes)
        admittedSinceLook += Int64(bytes)
        if topics[topic].appended - topics[topic].activeStart >= trace.segmentBytes { roll(topic) }
    }

    mutating func roll(_ topic: Int) {
        topics[topic].sealed.append((topics[topic].appended, wall))
        topics[topic].activeStart = topics[topic].appended
    }
}

extension PressureOutput {
    /// Whether anything is above its soft mark; of the disk, what the law counts or what it has.
    var isAboveSoft: Bool {
        relieves || ([disk] + topics.values).contains { $0.waitingBytes > $0.softBytes }
    }
}
