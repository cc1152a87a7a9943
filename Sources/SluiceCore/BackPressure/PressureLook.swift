// What a look reads from the volume, and how much of a topic goes to make room.

package import SluiceLog

/// A topic as the looks see it.
package struct WatchedTopic: Sendable {
    package var name: String
    package var settings: TopicSettings
    /// The volume's numbers of its partitions.
    package var numbers: [Int]

    package init(name: String, settings: TopicSettings, numbers: [Int]) {
        self.name = name
        self.settings = settings
        self.numbers = numbers
    }
}

/// A group that may slow the producers of a topic: where it is, by partition.
package struct GatingGroup: Sendable {
    package var name: String
    package var committed: [Int: Int64] = [:]
    /// What members in this process have returned for; nil when there are none.
    package var processed: [Int: Int64]?
    package var hasMembers = false
    /// What it has committed cannot be read.
    package var isStale = false

    package init(name: String, isStale: Bool = false) {
        self.name = name
        self.isStale = isStale
    }
}

extension Volume {
    /// What the controller is to know of the disk and of the topics.
    package borrowing func pressureInput(
        _ topics: [WatchedTopic], _ gating: [String: [GatingGroup]], wall: Int64, now: Instant
    ) -> PressureInput {
        let use = diskUse
        var disk = DiskObservation(limitBytes: use.limitBytes, usedBytes: use.usedBytes)
        disk.reservedBytes = use.reservedBytes
        disk.exemptBytes = use.exemptReserveBytes
        disk.segmentBytes = adaptedSegmentBytes
        var observed: [String: TopicObservation] = [:]
        var nextExpiry: Int64?
        for topic in topics {
            var observation = TopicObservation(appendedBytes: 0, settings: topic.settings.pressure)
            observation.isKeptUntilConsumed = topic.settings.retention == .untilConsumed
            var places: [PartitionDisk?] = []
            for number in topic.numbers {
                let partition = diskState(number, wall: wall)
                places.append(partition)
                guard let partition else { continue }
                observation.appendedBytes += partition.appendedBytes
                observation.storedBytes += partition.bytes
                observation.droppableBytes += partition.droppableBytes
                observation.freeableBytes += partition.freeableBytes
                if let expiry = partition.nextExpiry { nextExpiry = min(nextExpiry ?? .max, expiry) }
            }
            disk.appendedBytes += observation.appendedBytes
            for group in gating[topic.name] ?? [] {
                observation.groups.append(look(at: group, topic, places))
                if group.isStale { observation.isStale = true }
            }
            observed[topic.name] = observation
        }
        disk.nextExpirySeconds = nextExpiry.map { Double(max(0, $0 - wall)) / 1000 }
        var input = PressureInput(nowNanoseconds: now.monotonicNanoseconds, disk: disk)
        input.topics = observed
        return input
    }

    private borrowing func look(
        at group: GatingGroup, _ topic: WatchedTopic, _ places: [PartitionDisk?]
    ) -> GroupObservation {
        var uncommitted: Int64 = 0
        var unprocessed: Int64 = 0
        for (partition, number) in topic.numbers.enumerated() {
            guard let place = places[partition] else { continue }
            let committed = group.committed[partition] ?? place.logStart
            let behind = bytes(number, from: committed)
            uncommitted += behind
            let processed = max(group.processed?[partition] ?? committed, committed)
            unprocessed += processed > committed ? bytes(number, from: processed) : behind
        }
        var observation = GroupObservation(
            name: group.name, uncommittedBytes: uncommitted, hasMembers: group.hasMembers)
        if group.processed != nil { observation.unprocessedBytes = unprocessed }
        observation.isKnown = group.hasMembers || !group.committed.isEmpty
        return observation
    }

    /// Removes about so many bytes of a topic's oldest records, from each partition by its size.
    package mutating func drop(_ bytes: Int64, of topic: WatchedTopic, wall: Int64) {
        let droppable: [Int64] = topic.numbers.map { diskState($0, wall: wall)?.droppableBytes ?? 0 }
        let all: Int64 = droppable.reduce(0) { $0 + $1 }
        guard all > 0 else { return }
        for (number, has) in zip(topic.numbers, droppable) where has > 0 {
            let share = Int64(nearest: Double(bytes) * Double(has) / Double(all))
            _ = dropOldest(number, bytes: max(share, 1), wall: wall)
        }
    }
}
