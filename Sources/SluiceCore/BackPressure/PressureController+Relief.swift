// What is to be done besides slowing producers, and when to look again.

extension PressureController {
    /// Retention frees at once, members commit, drop-oldest makes room.
    func relieve(_ input: PressureInput, _ output: inout PressureOutput) {
        let disk = output.disk
        let used = Double(input.disk.usedBytes + input.disk.reservedBytes)
        output.relieves = used > disk.softBytes && input.disk.limitBytes < .max
        for (name, topic) in input.topics { dropForLag(name, topic, &output) }
        guard output.relieves else { return }
        // What has been processed is freed only when it is committed, and that may be seconds away.
        for topic in input.topics.values {
            for group in topic.groups {
                guard let unprocessed = group.unprocessedBytes,
                    Double(group.uncommittedBytes - unprocessed) > Self.commitShare * disk.targetBytes
                else { continue }
                output.commitSoon.insert(group.name)
            }
        }
        dropForDisk(input, used - disk.softBytes, &output)
    }

    /// The part of X* that may be processed and not committed while the disk is short.
    private static let commitShare = 0.01

    private func dropForLag(_ name: String, _ topic: TopicObservation, _ output: inout PressureOutput) {
        guard topic.settings.dropsOldest, let ruling = output.topics[name],
            ruling.waitingBytes > ruling.softBytes
        else { return }
        let excess = Int64(nearest: ruling.waitingBytes - ruling.softBytes)
        guard topic.droppableBytes > 0 else { return }
        output.drops[name] = min(excess, topic.droppableBytes)
        // Producers wait only for what the promise keeps from being dropped.
        if topic.droppableBytes >= excess { output.topics[name]?.rate = nil }
    }

    /// What retention does not free: each drop-oldest topic gives in proportion to what it has.
    private func dropForDisk(_ input: PressureInput, _ excess: Double, _ output: inout PressureOutput) {
        let topics = input.topics.filter { $0.value.settings.dropsOldest && $0.value.droppableBytes > 0 }
        let all = topics.values.reduce(0) { $0 + $1.droppableBytes }
        let left = excess - Double(input.topics.values.reduce(0) { $0 + $1.freeableBytes })
        guard all > 0, left > 0 else { return }
        for (name, topic) in topics {
            let share = Int64(nearest: min(1, left / Double(all)) * Double(topic.droppableBytes)) + 1
            output.drops[name] = max(output.drops[name] ?? 0, min(share, topic.droppableBytes))
        }
    }

    /// Steps every tick while anything is half full and anything happens; besides when so many bytes have
    /// been admitted that a mark may have been passed, or when somebody asks.
    mutating func schedule(_ input: PressureInput, _ output: inout PressureOutput) {
        var isHalfFull = input.topics.values.contains { $0.isStale && !$0.groups.isEmpty }
        var room = Self.greatestLookBytes
        func consider(_ ruling: PressureRuling, _ waiting: Double) {
            let half = ruling.softBytes / 2
            if waiting >= half { isHalfFull = true }
            guard ruling.rate == nil else { return }
            room = min(room, (waiting < half ? half : ruling.softBytes) - waiting)
        }
        let used = Double(input.disk.usedBytes + input.disk.reservedBytes)
        if input.disk.limitBytes < .max { consider(output.disk, used) }
        for ruling in output.topics.values { consider(ruling, ruling.waitingBytes) }
        let hasHappened = isNews(input) || input.hasWaiters
        if hasHappened, isHalfFull { output.nextStepSeconds = Self.tickSeconds }
        output.lookAfterBytes = Int64(nearest: max(room, Self.leastLookBytes))
    }

    /// Whether this look saw other things than the last one.
    private mutating func isNews(_ input: PressureInput) -> Bool {
        var disk = input.disk
        disk.nextExpirySeconds = nil
        defer { lastSeen = (disk, input.topics) }
        return lastSeen.map { $0.disk != disk || $0.topics != input.topics } ?? true
    }

    private static let leastLookBytes = 262_144.0
    /// The file system's free space changes behind our back.
    private static let greatestLookBytes = 67_108_864.0
}
