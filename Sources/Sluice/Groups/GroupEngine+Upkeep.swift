// What groups need done from time to time: the offsets topic compacted, and what has been consumed told to
// the topics that keep records for that.
//
// (1) Nothing here runs on a clock of its own: a commit sets it off, at most once a second, and the one timer
// that is left while a group is silent is that of its abandonment. (2) A group that has neither members nor
// committed anything for `abandonTime` counts no more; when none counts, nothing goes.

import Logging
import Metrics
import SluiceCore
import SluiceLog

extension GroupEngine {
    /// A topic that keeps its records until groups have consumed them.
    private struct KeptTopic {
        var name: String
        var groups: [String]
        var numbers: [Int]
    }

    /// How long a silent group counts. Kafka has no such thing; a constant until back pressure brings its
    /// setting.
    private static let abandonMilliseconds: Int64 = 24 * 3_600_000

    private static let second: Int64 = 1_000_000_000

    // MARK: The offsets topic

    /// So many bytes, about, are on their way into the topic.
    func noteAppended(_ bytes: Int) {
        let isDue = upkeep.withLock { upkeep in
            upkeep.appended += bytes
            return upkeep.appended > max(Self.compactionBytes, 2 * upkeep.live)
        }
        if isDue { compact() }
    }

    /// So much may be appended before what is live is looked at.
    private static let compactionBytes = 1 << 20

    /// Has the topic cleaned, when it holds more than twice what is live.
    func compact() {
        let live = read { $0.liveBytes }
        upkeep.withLock { upkeep in
            upkeep.appended = 0
            upkeep.live = live
        }
        // Nobody waits: a failure is an event of the volume, and the next commits come here again.
        _ = try? engine.request { volume, id throws(LogError) in
            let number = try volume.number(topic: OffsetsTopic.name, partition: 0)
            try volume.compact(number, rollBytes: 64 << 10, request: id)
        }
    }

    // MARK: What has been consumed

    /// Tells consumed floors within a second; does nothing without a topic that wants to know.
    func scheduleFloors() {
        let isNew = upkeep.withLock { upkeep in
            guard upkeep.hasKeptTopics, !upkeep.isScheduled else { return false }
            upkeep.isScheduled = true
            return true
        }
        guard isNew else { return }
        engine.timer.schedule(at: Instant.monotonicNow + Self.second) { [weak self] in
            guard let self else { return }
            upkeep.withLock { $0.isScheduled = false }
            tellFloors()
        }
    }

    /// At the opening: where a topic keeps records for groups, or they slow its producers, what those have
    /// committed is read.
    ///
    /// What cannot be read deletes nothing, and is told by whoever asks for a group.
    nonisolated(nonsending) func beginKeeping() async {
        guard !keptTopics.isEmpty || hasGatedTopics else { return }
        do throws(StreamError) {
            try await ready(isToBeMade: false)
        } catch {
            upkeep.withLock { $0.cannotRead = true }
            engine.logger.error("what groups have committed cannot be read", metadata: ["reason": "\(error)"])
        }
    }

    /// Whether the lag of groups slows the producers of a topic.
    private var hasGatedTopics: Bool {
        engine.read { volume in
            volume.topics.contains { !TopicSettings(stored: $0.settings).pressureGroups.isEmpty }
        }
    }

    /// Looks which topics keep records until they are consumed.
    func findKeptTopics() {
        let hasAny = !keptTopics.isEmpty
        upkeep.withLock { $0.hasKeptTopics = hasAny }
        if hasAny { tellFloors() }
    }

    /// As soon as the disk is short: whoever looks has the floors of that moment.
    func tellFloorsNow() {
        if isReady, upkeep.withLock({ $0.hasKeptTopics }) { tellFloors() }
    }

    private var keptTopics: [KeptTopic] {
        engine.read { volume in
            volume.topics.compactMap { topic in
                let settings = TopicSettings(stored: topic.settings)
                guard settings.retention == .untilConsumed else { return nil }
                let numbers = (0..<Int(topic.partitions)).compactMap {
                    try? volume.number(topic: topic.name, partition: $0)
                }
                return KeptTopic(name: topic.name, groups: settings.retentionGroups, numbers: numbers)
            }
        }
    }

    private func tellFloors() {
        for topic in keptTopics { tellFloors(of: topic) }
    }

    private func tellFloors(of topic: KeptTopic) {
        var committed: [String: [TopicPartition: Int64]] = [:]
        var counting: [String] = []
        var nextLook = Int64.max
        for group in topic.groups {
            let (offsets, heardAt, hasMembers) = activity(of: group)
            committed[group] = offsets
            let left = heardAt.addingSaturated(Self.abandonMilliseconds)
                .addingSaturated(-Instant.now.wallMilliseconds)
            if hasMembers || left > 0 {
                counting.append(group)
                if !hasMembers { nextLook = min(nextLook, left) }
            }
            setAbandoned(!hasMembers && left <= 0, group, topic.name)
        }
        for (partition, number) in topic.numbers.enumerated() {
            let place = TopicPartition(topic: topic.name, partition: partition)
            tellLost(place, number, committed)
            guard let floor = counting.map({ committed[$0]?[place] ?? 0 }).min() else { continue }
            try? engine.withVolume { volume throws(LogError) in
                try volume.setConsumedFloor(number, to: floor)
            }
        }
        // Its abandonment is an event of time alone; an hour is near enough, and one timer is.
        if nextLook < .max { lookLater(min(nextLook, 3_600_000)) }
    }

    private func lookLater(_ milliseconds: Int64) {
        let moment = Instant.monotonicNow + (milliseconds + 1) * 1_000_000
        let isNew = upkeep.withLock { upkeep in
            guard upkeep.looksAt <= Instant.monotonicNow || moment < upkeep.looksAt else { return false }
            upkeep.looksAt = moment
            return true
        }
        guard isNew else { return }
        engine.timer.schedule(at: moment) { [weak self] in self?.scheduleFloors() }
    }

    /// What a group has committed, when it was last heard of in wall milliseconds, and whether it has
    /// members.
    private func activity(of group: String) -> ([TopicPartition: Int64], Int64, Bool) {
        read { coordinator in
            var offsets: [TopicPartition: Int64] = [:]
            var heardAt: Int64?
            for (partition, offset) in (try? coordinator.committed(groupID: group)) ?? [] {
                guard let offset else { continue }
                offsets[TopicPartition(partition)] = offset.offset
                heardAt = max(heardAt ?? 0, offset.commitTimestamp)
            }
            let hasMembers = !(coordinator.describe(group)?.members.isEmpty ?? true)
            // One that was never there is waited for as if it had been there at the opening.
            return (offsets, heardAt ?? engine.openedAt.wallMilliseconds, hasMembers)
        }
    }

    private func setAbandoned(_ isAbandoned: Bool, _ group: String, _ topic: String) {
        let isNews = upkeep.withLock { upkeep in
            let key = GroupTopic(group: group, topic: topic)
            if isAbandoned { return upkeep.abandoned.insert(key).inserted }
            upkeep.abandoned.remove(key)
            return false
        }
        guard isNews else { return }
        engine.events.add(.groupAbandoned(group: group, topic: topic))
        engine.logger.warning(
            "a group is silent and no longer keeps records from being deleted",
            metadata: ["group": "\(group)", "topic": "\(topic)"])
    }

    /// Records that are gone and that a group had not read: told once each.
    private func tellLost(
        _ place: TopicPartition, _ number: Int, _ committed: [String: [TopicPartition: Int64]]
    ) {
        guard let start = try? engine.offsets(number).lowerBound else { return }
        for (group, offsets) in committed {
            guard let offset = offsets[place], offset < start else { continue }
            let key = GroupPlace(group: group, place: place)
            let records = upkeep.withLock { upkeep in
                let from = max(offset, upkeep.lostThrough[key] ?? 0)
                upkeep.lostThrough[key] = start
                return start - from
            }
            guard records > 0 else { continue }
            engine.events.add(.lostUnread(group: group, place, records: records))
            Counter(
                label: "sluice_group_lost_unread_records_total",
                dimensions: [("group", group), ("topic", place.topic)]
            ).increment(by: records)
        }
    }
}

/// What upkeep remembers.
struct GroupUpkeep: ~Copyable {
    /// Bytes of records appended to the offsets topic since it was last compacted.
    var appended = 0
    /// Bytes that were live then.
    var live = 0
    var hasKeptTopics = false
    var isScheduled = false
    /// What has been committed could not be read at the opening.
    var cannotRead = false
    /// When the timer looks for abandoned groups.
    var looksAt: Int64 = 0
    var abandoned: Set<GroupTopic> = []
    /// Up to where lost records have been told of.
    var lostThrough: [GroupPlace: Int64] = [:]
}

struct GroupTopic: Hashable {
    var group: String
    var topic: String
}

struct GroupPlace: Hashable {
    var group: String
    var place: TopicPartition
}
