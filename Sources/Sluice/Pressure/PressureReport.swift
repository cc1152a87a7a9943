// Why producers are as fast as they are: what `sluice why` prints.

import SluiceCore

/// The rule in force for a topic's producers, its numbers, the forecast, and what to do.
///
/// Sizes are bytes as stored, rates bytes per second. `description` says it in words.
public struct PressureReport: Hashable, Sendable {
    /// How it is with the drain of what is waiting.
    public enum Regime: String, Hashable, CaseIterable, Sendable {
        /// Below the soft mark: no bound.
        case open
        /// Something drains: the law.
        case draining
        /// Nothing does: no bound up to the target, then what the policy says.
        case stalled
        /// What groups have consumed cannot be known: the floor.
        case stale
    }

    /// What fills, how far it may, and how fast it drains.
    public struct Level: Hashable, Sendable {
        /// x: what is waiting, or cannot be freed.
        public var waitingBytes: Int64
        /// S: below it nobody is slowed.
        public var softBytes: Int64
        /// X*: where it comes to rest.
        public var targetBytes: Int64
        /// μ̂: what drains.
        public var drainBytesPerSecond: Double
        /// k, per second, and θ̂, in seconds.
        public var gain: Double
        public var deadTime: Double
        public var regime: Regime
        /// What it admits; nil: no bound.
        public var admittedBytesPerSecond: Double?
    }

    /// The disk.
    public struct Disk: Hashable, Sendable {
        /// U: blocks of all files of the store, and what of them retention may free now.
        public var usedBytes: Int64
        public var freeableBytes: Int64
        /// Accepted and not yet written.
        public var reservedBytes: Int64
        /// H: the budget, or what the file system leaves of it.
        public var limitBytes: Int64
        /// The part below H for commits, retention and administration.
        public var exemptBytes: Int64
        public var level: Level
    }

    /// A group that may slow the topic's producers.
    public struct Group: Hashable, Sendable {
        public enum Role: String, Hashable, CaseIterable, Sendable {
            case gates
            /// It has not read up to the present yet, or not again since a seek: it holds nobody up.
            case catchingUp = "catching up"
            /// Neither members nor commits for sluice.backpressure.abandon.ms: it counts no more.
            case abandoned
            /// Nobody has seen it yet.
            case unknown
        }
        public var name: String
        public var role: Role
        public var unreadBytes: Int64
        public var drainBytesPerSecond: Double
        /// Seconds since it last had a member or committed.
        public var silence: Double
    }

    public var topic: String
    /// What the topic's producers may send, all together; nil: as much as they like.
    public var admittedBytesPerSecond: Double?
    /// What holds them up; nil: nothing.
    public var reason: Busy.Reason?
    public var policy: BackPressurePolicy
    public var disk: Disk
    /// The slowest of the groups that gate; nil when none does.
    public var lag: Level?
    public var groups: [Group]
    /// When the disk will be full at the present rates; nil: not in sight.
    public var diskFullIn: Duration?
    /// What can be done about it.
    public var advice: String
}

extension PressureReport.Level {
    init(_ ruling: PressureRuling) {
        waitingBytes = Int64(nearest: ruling.waitingBytes)
        softBytes = Int64(nearest: ruling.softBytes)
        targetBytes = Int64(nearest: ruling.targetBytes)
        drainBytesPerSecond = ruling.drainBytesPerSecond
        gain = ruling.gain
        deadTime = ruling.deadTimeSeconds
        regime = .init(rawValue: ruling.regime.rawValue) ?? .open
        admittedBytesPerSecond = ruling.rate
    }
}

extension PressureReport.Group {
    init(_ standing: GroupStanding) {
        name = standing.name
        role = .init(rawValue: standing.role.rawValue) ?? .unknown
        unreadBytes = Int64(nearest: standing.unreadBytes)
        drainBytesPerSecond = standing.drainBytesPerSecond
        silence = standing.silentSeconds
    }
}

extension PressureReport {
    /// What a look has seen and said of a topic.
    init(_ topic: String, _ settings: TopicSettings, _ input: PressureInput, _ output: PressureOutput) {
        self.topic = topic
        policy = BackPressurePolicy(settings.pressurePolicy)
        disk = Disk(
            usedBytes: input.disk.usedBytes, freeableBytes: output.freeableBytes,
            reservedBytes: input.disk.reservedBytes, limitBytes: input.disk.limitBytes,
            exemptBytes: input.disk.exemptBytes, level: Level(output.disk))
        let ruling = output.topics[topic]
        lag = ruling.map { Level($0) }
        groups = (output.groups[topic] ?? []).map { Group($0) }
        let tightest = [output.disk, ruling].compactMap { $0 }.min { $0.isTighter(than: $1) } ?? output.disk
        admittedBytesPerSecond = tightest.rate
        reason = tightest.rate == nil ? nil : Busy.Reason(tightest, input.disk)
        diskFullIn = output.diskFullSeconds.map { .milliseconds(Int64(nearest: $0 * 1000)) }
        advice = ""
        advice = Self.advice(for: self, tightest)
    }

    private static func advice(for report: PressureReport, _ ruling: PressureRuling) -> String {
        switch (ruling.regime, ruling.cause) {
        case (.open, _): "Nothing is slowed."
        case (.draining, .disk):
            "Producers go as fast as records can be deleted. Faster: a larger disk budget, a shorter retention, "
                + "or faster consumers where retention waits for them."
        case (.stalled, .disk):
            "Nothing is being deleted. Give the store a larger disk budget, shorten retention, or see to the "
                + "groups that retention waits for."
        case (.draining, .lag(let group)):
            "Producers go as fast as group \(group) reads. Faster: more members, less work for each record, or "
                + "a larger sluice.backpressure.lag.target.ms."
        case (.stalled, .lag(let group)):
            "Group \(group) does not read. Start it, seek it to the end, delete it, or take it out of "
                + "sluice.backpressure.groups."
        case (.stale, _):
            "What groups have committed cannot be read, so producers are held to "
                + "sluice.backpressure.rate.floor. The log of the store says why."
        }
    }
}
