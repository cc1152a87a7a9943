// The simulated groups, what retention frees, and what the shell would measure of all that.

import SluiceCore

extension PressureSimulation {
    mutating func read() {
        for index in groups.indices {
            let spec = trace.groups[index]
            // What was dropped is passed over.
            let gone = topics[spec.topic].freed - groups[index].processed
            if gone > 0 {
                groups[index].skipped += gone
                groups[index].processed += gone
            }
            if seconds >= spec.rewindsAt, !groups[index].hasRewound { rewind(index) }
            if reads(index) <= 0 { groups[index].lastIdle = seconds }
            guard isHere(index) else { continue }
            let could = groups[index].left + reads(index) * Self.stepSeconds
            let bytes = min(Int64(could), topics[spec.topic].appended - groups[index].processed)
            groups[index].left = could - Double(Int64(could))
            groups[index].processed += bytes
            groups[index].consumed += bytes
            let isAsked = spec.tells && output?.commitSoon.contains(spec.name) == true
            guard seconds >= groups[index].nextCommit || isAsked else { continue }
            groups[index].committed = groups[index].processed
            groups[index].nextCommit = seconds + spec.commitSeconds
        }
        for topic in topics.indices { retain(topic, all: output?.relieves == true) }
    }

    private mutating func rewind(_ index: Int) {
        let start = topics[trace.groups[index].topic].freed
        groups[index].reread += groups[index].processed - start
        groups[index].processed = start
        groups[index].committed = start
        groups[index].hasRewound = true
    }

    private func isHere(_ index: Int) -> Bool {
        seconds < trace.groups[index].leavesAt || seconds >= trace.groups[index].returnsAt
    }

    /// Bytes per second that a group can read now.
    func reads(_ index: Int) -> Double { isHere(index) ? trace.groups[index].drain.value(at: seconds) : 0 }

    /// Where the groups of a topic are that its retention waits for.
    private func floor(_ topic: Int, _ place: KeyPath<Group, Int64> = \.committed) -> Int64 {
        groups.indices.filter { trace.groups[$0].topic == topic }.map { groups[$0][keyPath: place] }.min()
            ?? 0
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

    mutating func drop(_ name: String, _ bytes: Int64) {
        guard let topic = topics.indices.first(where: { self.name($0) == name }) else { return }
        let wanted = topics[topic].freed + bytes
        let old = droppable(topic)
        let end = old.first { $0.end >= wanted }?.end ?? old.last?.end
        let read = max(topics[topic].freed, floor(topic, \.processed))
        free(topic, through: end)
        topics[topic].dropped += max(0, topics[topic].freed - read)
    }

    /// Segments that drop-oldest may remove.
    private func droppable(_ topic: Int) -> [(end: Int64, at: Double)] {
        topics[topic].sealed.filter { wall - $0.at >= trace.promiseSeconds }
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

    /// What the shell would measure.
    var observation: PressureInput {
        var disk = DiskObservation(limitBytes: limitBytes, usedBytes: used)
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
        input.hasWaiters = gates.hasHeldUp || hasRefused
        for topic in topics.indices {
            var observed = TopicObservation(appendedBytes: topics[topic].appended, settings: trace.settings)
            observed.storedBytes = topics[topic].stored
            observed.freeableBytes = freeable(topic)
            if case .untilConsumed = trace.retention { observed.isKeptUntilConsumed = true }
            if trace.settings.dropsOldest {
                observed.droppableBytes =
                    (droppable(topic).last?.end ?? topics[topic].freed) - topics[topic].freed
            }
            observed.groups = groups.indices.filter { trace.groups[$0].topic == topic }.map(look)
            input.topics[name(topic)] = observed
        }
        return input
    }

    private func look(_ index: Int) -> GroupObservation {
        let spec = trace.groups[index]
        let end = topics[spec.topic].appended
        var group = GroupObservation(
            name: spec.name, uncommittedBytes: end - groups[index].committed, hasMembers: isHere(index))
        if spec.tells, isHere(index) { group.unprocessedBytes = end - groups[index].processed }
        if !spec.tells, spec.isServed {
            group.unfetchedBytes = max(0, end - groups[index].processed - spec.heldBytes)
        }
        return group
    }
}
