// The table of a topic's settings: the one place where a key, its default, its range and its meaning are
// written down.
//
// To add a setting: a row here, a line in `all`, a property in `TopicSettings`. Only what works is declared.

import SluiceLog

extension TopicSettings {
    /// The rows of the table.
    package enum Keys {
        static let retentionTime = Setting(
            "retention.ms", \.retentionMilliseconds, default: 7 * day, .milliseconds,
            .integerOrNone(0...Int64.max),
            "The age at which a closed segment is deleted, counted from its newest record.")
        static let retentionBytes = Setting(
            "retention.bytes", \.retentionBytes, default: nil, .bytes, .integerOrNone(0...Int64.max),
            "The size above which a partition's oldest closed segments are deleted.")
        static let segmentBytes = Setting(
            "segment.bytes", \.segmentBytes, default: 128 << 20, .bytes, .integer(4096...Int64(Int32.max)),
            "The size at which a segment is closed and the next one begun; unless it is set, less where the "
                + "disk's budget is small.")
        static let segmentTime = Setting(
            "segment.ms", \.segmentMilliseconds, default: 7 * day, .milliseconds, .integer(1...Int64.max),
            "The age at which a segment is closed though it is not full, so that retention can reach it.")
        static let indexInterval = Setting(
            "index.interval.bytes", \.indexIntervalBytes, default: 4096, .bytes,
            .integer(0...Int64(Int32.max)),
            "How much log lies between two entries of an index: less is a faster seek and a larger index.")
        // From 1 KiB, since a batch has a header of 61 bytes; to what a journal can take.
        static let maxMessage = Setting(
            "max.message.bytes", \.maxMessageBytes, default: 1 << 20, .bytes,
            .integer(1024...Int64(Limits.batchBytes)),
            "The largest record batch, as it is stored: after compression.")
        static let compression = Setting(
            "compression.type", \.compression, default: .producer, .none, .words(CompressionType.allCases),
            "The codec of stored batches; producer: as each producer made them.")
        static let timestampType = Setting(
            "message.timestamp.type", \.timestampType, default: .createTime, .none,
            .words([("CreateTime", .createTime), ("LogAppendTime", .logAppendTime)]),
            "The clock of the records' timestamps: the producer's, or the log's when it appends.")
        static let cleanupPolicy = Setting(
            "cleanup.policy", \.cleanupPolicy, default: .delete, .none,
            .wordSet([("compact", .compact), ("delete", .delete)]),
            "What becomes of old records; delete: closed segments go, by age and by size; compact: of each "
                + "key the last record stays.")
        static let deleteRetention = Setting(
            "delete.retention.ms", \.deleteRetentionMilliseconds, default: day, .milliseconds,
            .integer(0...Int64.max),
            "How long a compacted topic keeps a null value after it has deleted what the key had before.")
        static let dirtyRatio = Setting(
            "min.cleanable.dirty.ratio", \.minCleanableDirtyRatio, default: 0.5, .none, .fraction,
            "The share of a partition's closed segments that must be new before they are compacted.")
        static let compactionLag = Setting(
            "min.compaction.lag.ms", \.minCompactionLagMilliseconds, default: 0, .milliseconds,
            .integer(0...Int64.max),
            "The age below which a record is not compacted away.")
        static let retention = Setting(
            "sluice.retention", \.retention, default: .timeAndSize, .none, .words(RetentionRule.allCases),
            "What lets a closed segment go; until-consumed: that all groups of sluice.retention.groups have "
                + "committed past it, and then retention.ms and retention.bytes delete nothing.")
        static let retentionGroups = Setting(
            "sluice.retention.groups", \.retentionGroups, default: [], .none, .names,
            "The groups that until-consumed retention waits for; it needs one at least.")
        static let retentionPromise = Setting(
            "sluice.retention.min.ms", \.retentionPromiseMilliseconds, default: nil, .milliseconds,
            .integerOrNone(0...Int64.max),
            "The age below which nothing is deleted, however short the disk is; -1: as retention.ms. Older "
                + "records may go when the disk is short, and by drop-oldest.")
        static let pressurePolicy = Setting(
            "sluice.backpressure.policy", \.pressurePolicy, default: .throttle, .none, .pressurePolicy,
            "What a producer gets when the store wants less; throttle: it waits; buffer:Nms: its records are "
                + "taken into a queue of so many milliseconds, then it waits; reject: it is told at once; "
                + "drop-oldest: old records go, down to sluice.retention.min.ms.")
        static let pressureGroups = Setting(
            "sluice.backpressure.groups", \.pressureGroups, default: [], .none, .names,
            "The groups whose lag slows producers, or *: all that have once caught up. The groups of "
                + "until-consumed retention always do.")
        static let lagTarget = Setting(
            "sluice.backpressure.lag.target.ms", \.lagTargetMilliseconds, default: 30_000, .milliseconds,
            .integer(1...86_400_000),
            "How far, in time, producers may be ahead of such a group.")
        static let leastRate = Setting(
            "sluice.backpressure.rate.min", \.leastRate, default: 65_536, .bytesPerSecond,
            .integer(1...Int64(1) << 40),
            "What producers are never slowed below while anything drains, all together.")
        static let greatestRate = Setting(
            "sluice.backpressure.rate.max", \.greatestRate, default: nil, .bytesPerSecond,
            .integerOrNone(1...Int64(1) << 40),
            "What they are admitted at most while they are slowed; -1: twice the fastest that was seen.")
        static let floorRate = Setting(
            "sluice.backpressure.rate.floor", \.floorRate, default: 8_000_000, .bytesPerSecond,
            .integer(1...Int64(1) << 40),
            "What a group is expected to read that has not shown it yet.")
        static let abandonTime = Setting(
            "sluice.backpressure.abandon.ms", \.abandonMilliseconds, default: day, .milliseconds,
            .integer(0...Int64.max),
            "How long a group that has no members and commits nothing counts; after that it slows no producers, "
                + "and records go that it has not read, unless no group of sluice.retention.groups counts.")
        static let durability = Setting(
            "sluice.durability", \.durability, default: .durable, .none,
            .words(DurabilityLevel.allCases),
            "The least an acknowledgement promises, and what readers see; durable: it survives a loss of "
                + "power, written: the death of the process.")

        static let validation = Setting(
            "sluice.validate", \.validation, default: .records, .none, .words(ValidationLevel.allCases),
            "What the server looks at of a batch that it is sent; records: every record, decompressed once; "
                + "crc: its header and checksum alone, which takes less CPU.")

        /// Every setting, in the order in which they are described.
        package static let all: [any SettingKey] = [
            retentionTime, retentionBytes, segmentBytes, segmentTime, indexInterval, maxMessage, compression,
            timestampType, cleanupPolicy, deleteRetention, dirtyRatio, compactionLag, retention,
            retentionGroups, retentionPromise, abandonTime, durability, pressurePolicy, pressureGroups,
            lagTarget, leastRate, greatestRate, floorRate, validation,
        ]

        private static let day: Int64 = 86_400_000

        /// The table as Markdown, for `Docs/`.
        package static var markdown: String {
            var lines = ["| key | default | unit | accepted | meaning |", "|---|---|---|---|---|"]
            for key in all {
                let values = "\(key.defaultText) | \(key.unit.rawValue) | \(key.accepted)"
                lines.append(
                    "| `\(key.name)` | \(values) | \(key.summary) |"
                )
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }
}

/// What the number of a setting counts.
package enum SettingUnit: String, Sendable {
    case bytes
    case milliseconds = "ms"
    case bytesPerSecond = "bytes/s"
    case none = "–"
}

/// A row of the table, whatever its type of value.
package protocol SettingKey: Sendable {
    /// Kafka's name, or one that begins with `sluice.`.
    var name: String { get }
    var unit: SettingUnit { get }
    /// The values it takes, in words.
    var accepted: String { get }
    /// What it does, in one sentence.
    var summary: String { get }
    /// The default as text.
    var defaultText: String { get }
    /// The value in `settings` as text; `set` of it changes nothing.
    func text(in settings: TopicSettings) -> String
    func isDefault(in settings: TopicSettings) -> Bool
    /// Changes the setting, or throws `badValue` and does not.
    func set(_ text: String, in settings: inout TopicSettings) throws(SettingsError)
    func reset(in settings: inout TopicSettings)
    /// Throws `badValue` when the value, which may have been assigned, is not one that text can give.
    func validate(in settings: TopicSettings) throws(SettingsError)
}

/// A row of the table with its type of value.
struct Setting<Value: Hashable & Sendable>: SettingKey {
    let name: String
    let property: any WritableKeyPath<TopicSettings, Value> & Sendable
    let standard: Value
    let unit: SettingUnit
    let format: SettingFormat<Value>
    let summary: String

    init(
        _ name: String, _ property: any WritableKeyPath<TopicSettings, Value> & Sendable,
        default standard: Value,
        _ unit: SettingUnit, _ format: SettingFormat<Value>, _ summary: String
    ) {
        self.name = name
        self.property = property
        self.standard = standard
        self.unit = unit
        self.format = format
        self.summary = summary
    }

    var accepted: String { format.accepted + (unit == .none ? "" : " " + unit.rawValue) }
    var defaultText: String { format.print(standard) }
    func text(in settings: TopicSettings) -> String { format.print(settings[keyPath: property]) }
    func isDefault(in settings: TopicSettings) -> Bool { settings[keyPath: property] == standard }
    func reset(in settings: inout TopicSettings) { settings[keyPath: property] = standard }

    func set(_ text: String, in settings: inout TopicSettings) throws(SettingsError) {
        guard let value = format.parse(text) else { throw refusal(of: text) }
        settings[keyPath: property] = value
    }

    // Compared with what its text gives: an assigned -1 would otherwise pass, since as text it means none.
    func validate(in settings: TopicSettings) throws(SettingsError) {
        let text = text(in: settings)
        let value = format.parse(text)
        if value == settings[keyPath: property] { return }
        throw refusal(
            of: text, note: value == nil ? nil : "it was assigned as a number, where nil is no limit")
    }

    private func refusal(of text: String, note: String? = nil) -> SettingsError {
        .badValue(key: name, value: text, accepted: accepted, note: note ?? format.refused[text])
    }
}
