// What the controller is told at each step. All of it is measured; nothing in here is a decision.

/// A look at the store.
package struct PressureInput: Sendable {
    /// The monotonic clock, nanoseconds.
    package var nowNanoseconds: Int64
    package var disk: DiskObservation
    /// All topics, by name.
    package var topics: [String: TopicObservation]
    /// Somebody waits, or has asked since the last look.
    package var hasWaiters = false
    /// How long a commit to the log took lately, seconds: part of the dead time.
    package var commitSeconds = 0.0

    package init(
        nowNanoseconds: Int64, disk: DiskObservation, topics: [String: TopicObservation] = [:],
        commitSeconds: Double = 0
    ) {
        self.nowNanoseconds = nowNanoseconds
        self.disk = disk
        self.topics = topics
        self.commitSeconds = commitSeconds
    }
}

/// The store's files, in bytes.
package struct DiskObservation: Hashable, Sendable {
    /// H: the budget, or what the file system leaves of it.
    package var limitBytes: Int64
    /// U: blocks of all files of the store.
    package var usedBytes: Int64
    /// Accepted and not yet written.
    package var reservedBytes: Int64 = 0
    /// The part below H that is for commits, retention and administration.
    package var exemptBytes: Int64 = 0
    /// All that was ever appended: a counter since the opening.
    package var appendedBytes: Int64 = 0
    /// The largest segment that is being filled: the unit of freeing.
    package var segmentBytes: Int64 = 0
    /// Until time alone frees something; nil: it does not.
    package var nextExpirySeconds: Double?

    package init(limitBytes: Int64, usedBytes: Int64) {
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
    }

    /// Where appends are refused.
    var hardBytes: Double { Double(max(0, limitBytes - exemptBytes)) }
}

/// A topic, over all its partitions.
package struct TopicObservation: Hashable, Sendable {
    /// A counter of what was appended since the opening, as stored.
    package var appendedBytes: Int64
    /// Groups that may gate: named, or all that there are.
    package var groups: [GroupObservation]
    package var settings: PressureSettings
    /// What the topic has on the disk, what retention may free of that now, and what drop-oldest could
    /// remove; counted by the byte.
    package var storedBytes: Int64 = 0
    package var freeableBytes: Int64 = 0
    package var droppableBytes: Int64 = 0
    /// Retention waits for the groups: what they have consumed can be freed once they commit it.
    package var isKeptUntilConsumed = false
    /// What groups have consumed cannot be known at present.
    package var isStale = false

    package init(appendedBytes: Int64, groups: [GroupObservation] = [], settings: PressureSettings = .init())
    {
        self.appendedBytes = appendedBytes
        self.groups = groups
        self.settings = settings
    }
}

/// A group's place in a topic: how many bytes lie before it, as they are stored.
package struct GroupObservation: Hashable, Sendable {
    package var name: String
    /// From what it has committed to the end.
    package var uncommittedBytes: Int64
    /// From what its members in this process have returned for; nil: nobody tells.
    package var unprocessedBytes: Int64?
    /// From what was handed out to its members; nil: nobody knows.
    package var unfetchedBytes: Int64?
    package var hasMembers: Bool
    /// It has members, or has committed something of the topic at some time.
    package var isKnown = true

    package init(
        name: String, uncommittedBytes: Int64, unprocessedBytes: Int64? = nil, unfetchedBytes: Int64? = nil,
        hasMembers: Bool = true
    ) {
        self.name = name
        self.uncommittedBytes = uncommittedBytes
        self.unprocessedBytes = unprocessedBytes
        self.unfetchedBytes = unfetchedBytes
        self.hasMembers = hasMembers
    }
}

/// The settings of a topic that the controller obeys.
package struct PressureSettings: Hashable, Sendable {
    /// T_lag: sluice.backpressure.lag.target.ms.
    package var lagTargetSeconds = 30.0
    /// r_min, bytes per second: sluice.backpressure.rate.min.
    package var leastRate = 65_536.0
    /// r_max, bytes per second; nil: twice the fastest that was seen. sluice.backpressure.rate.max.
    package var greatestRate: Double?
    /// What a consumer is expected to do that has not shown it yet, bytes per second:
    /// sluice.backpressure.rate.floor.
    package var floorRate = 8_000_000.0
    /// T_abandon: sluice.backpressure.abandon.ms.
    package var abandonSeconds = 86_400.0
    /// Old records go instead of producers waiting.
    package var dropsOldest = false

    package init() {}
}

// MARK: Absurd numbers

// Counters come from files and from other programs' commits: what cannot be is taken for the nearest that
// can, so that nothing is ever added up to more than there are numbers.

extension PressureInput {
    /// The same, within what one can calculate with.
    var bounded: PressureInput {
        var input = self
        input.commitSeconds = commitSeconds.bounded(0...60, otherwise: 0)
        input.disk = disk.bounded
        input.topics = topics.mapValues(\.bounded)
        return input
    }
}

/// A pebibyte: more than the files of a store come to.
private let greatestBytes: Int64 = 1 << 50

extension DiskObservation {
    fileprivate var bounded: DiskObservation {
        var disk = self
        disk.limitBytes = max(0, limitBytes)
        disk.usedBytes = min(max(0, usedBytes), greatestBytes)
        disk.reservedBytes = min(max(0, reservedBytes), greatestBytes)
        disk.exemptBytes = min(max(0, exemptBytes), greatestBytes)
        disk.segmentBytes = min(max(0, segmentBytes), greatestBytes)
        disk.nextExpirySeconds = nextExpirySeconds?.bounded(0...1e9, otherwise: 1e9)
        return disk
    }
}

extension TopicObservation {
    fileprivate var bounded: TopicObservation {
        var topic = self
        topic.storedBytes = min(max(0, storedBytes), greatestBytes)
        topic.freeableBytes = min(max(0, freeableBytes), greatestBytes)
        topic.droppableBytes = min(max(0, droppableBytes), greatestBytes)
        topic.groups = groups.map(\.bounded)
        topic.settings = settings.bounded
        return topic
    }
}

extension GroupObservation {
    fileprivate var bounded: GroupObservation {
        var group = self
        group.uncommittedBytes = min(max(0, uncommittedBytes), greatestBytes)
        group.unprocessedBytes = unprocessedBytes.map { min(max(0, $0), group.uncommittedBytes) }
        group.unfetchedBytes = unfetchedBytes.map { min(max(0, $0), group.uncommittedBytes) }
        return group
    }
}

extension PressureSettings {
    fileprivate var bounded: PressureSettings {
        var settings = self
        let usual = PressureSettings()
        settings.lagTargetSeconds = lagTargetSeconds.bounded(0...1e9, otherwise: usual.lagTargetSeconds)
        settings.leastRate = leastRate.bounded(1...1e12, otherwise: usual.leastRate)
        settings.greatestRate = greatestRate?.bounded(1...1e12, otherwise: 1e12)
        settings.floorRate = floorRate.bounded(1...1e12, otherwise: usual.floorRate)
        settings.abandonSeconds = abandonSeconds.bounded(0...1e12, otherwise: usual.abandonSeconds)
        return settings
    }
}

extension Double {
    fileprivate func bounded(_ range: ClosedRange<Double>, otherwise usual: Double) -> Double {
        isNaN ? usual : Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
