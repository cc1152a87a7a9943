// What groups need done from time to time: the offsets topic compacted, and what has been consumed told to
// the topics that keep records for that.
//
// (1) Nothing here runs on a clock of its own: a commit sets it off, at most once a second, and the one timer
// that is left while a group is silent is that of its abandonment. (2) Who counts and what may go is decided
// by `UnreadRetention`, by a wall clock that is not believed for an hour after the opening.

import Logging
import Metrics
import SluiceCore
import SluiceLog

extension GroupEngine {
    /// A topic that keeps its records until groups have consumed them.
    private struct KeptTopic {
        var name: String
        var groups: [String]
        var abandonTime: Int64
        var numbers: [Int]
    }

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
                return KeptTopic(
                    name: topic.name, groups: settings.retentionGroups,
                    abandonTime: settings.abandonMilliseconds, numbers: numbers)
            }
        }
    }

    private func tellFloors() {
        let topics = keptTopics
        let names = Set(topics.map(\.name))
        upkeep.withLock { $0.unread = $0.unread.filter { names.contains($0.key) } }
        for topic in topics { tellFloors(of: topic) }
    }

    private func tellFloors(of topic: KeptTopic) {
        guard let logStarts = try? topic.numbers.map({ try engine.offsets($0).lowerBound }) else { return }
        let readers = topic.groups.map { reader($0, of: topic.name) }
        let wall = engine.retentionWall(.now)
        let decision = upkeep.withLock { upkeep in
            upkeep.unread[topic.name, default: UnreadRetention()].decide(
                readers, logStarts: logStarts, abandonTime: topic.abandonTime, now: wall,
                openedAt: min(wall, engine.openedAt.wallMilliseconds))
        }
        for group in decision.abandoned { tellAbandoned(group, topic.name) }
        for loss in decision.losses { tellLost(loss, topic.name) }
        for (number, floor) in zip(topic.numbers, decision.floors ?? []) {
            try? engine.withVolume { volume throws(LogError) in
                try volume.setConsumedFloor(number, to: floor)
            }
        }
        if let wait = decision.lookAgain { lookLater(wait) }
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

    private func reader(_ group: String, of topic: String) -> UnreadRetention.Reader {
        read { coordinator in
            var committed: [Int: Int64] = [:]
            var heardAt: Int64?
            for (partition, offset) in (try? coordinator.committed(groupID: group)) ?? [] {
                guard let offset else { continue }
                heardAt = max(heardAt ?? 0, offset.commitTimestamp)
                if partition.topic == topic { committed[Int(partition.partition)] = offset.offset }
            }
            return UnreadRetention.Reader(
                group: group, committed: committed, heardAt: heardAt,
                hasMembers: !(coordinator.describe(group)?.members.isEmpty ?? true))
        }
    }

    private func tellAbandoned(_ group: String, _ topic: String) {
        engine.events.add(.groupAbandoned(group: group, topic: topic))
        engine.logger.warning(
            "a group is silent and no longer keeps records from being deleted",
            metadata: ["group": "\(group)", "topic": "\(topic)"])
    }

    /// Records that are gone and that a group had not read.
    private func tellLost(_ loss: UnreadRetention.Loss, _ topic: String) {
        let place = TopicPartition(topic: topic, partition: loss.partition)
        engine.events.add(.lostUnread(group: loss.group, place, records: loss.records))
        Counter(
            label: "sluice_group_lost_unread_records_total",
            dimensions: [("group", loss.group), ("topic", topic)]
        ).increment(by: loss.records)
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
    /// What has been told of topics that keep their records until they are consumed, by name.
    var unread: [String: UnreadRetention] = [:]
}
