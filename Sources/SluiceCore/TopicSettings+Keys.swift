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
            "The size at which a segment is closed and the next one begun.")
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
            .words(CleanupPolicy.allCases, refused: noCompaction),
            "What becomes of old records; delete: closed segments go, by age and by size.")
        static let durability = Setting(
            "sluice.durability", \.durability, default: .durable, .none,
            .words(DurabilityLevel.allCases),
            "The least an acknowledgement promises, and what readers see; durable: it survives a loss of "
                + "power, written: the death of the process.")

        /// Every setting, in the order in which they are described.
        package static let all: [any SettingKey] = [
            retentionTime, retentionBytes, segmentBytes, segmentTime, indexInterval, maxMessage, compression,
            timestampType, cleanupPolicy, durability,
        ]

        private static let day: Int64 = 86_400_000

        /// Texts that are right in Kafka, and why they are refused here.
        private static let noCompaction = Dictionary(
            uniqueKeysWithValues: ["compact", "compact,delete", "delete,compact"].map {
                ($0, "compaction is not supported")
            })

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

/// How a type of value is written as text, and which texts are values.
struct SettingFormat<Value: Sendable>: Sendable {
    let accepted: String
    /// Texts that someone has reason to expect to work, and why they do not.
    var refused: [String: String] = [:]
    let parse: @Sendable (String) -> Value?
    let print: @Sendable (Value) -> String
}

extension SettingFormat where Value == Int64 {
    static func integer(_ range: ClosedRange<Int64>) -> Self {
        Self(
            accepted: describe(range),
            parse: { text in Int64(text).flatMap { range.contains($0) ? $0 : nil } },
            print: { String($0) })
    }
}

extension SettingFormat where Value == Int64? {
    /// An integer, or -1 for none.
    static func integerOrNone(_ range: ClosedRange<Int64>) -> Self {
        Self(
            accepted: "-1 (no limit), " + describe(range),
            parse: { text in
                switch Int64(text) {
                case -1: .some(nil)
                case let number? where range.contains(number): number
                default: nil
                }
            },
            print: { $0.map { String($0) } ?? "-1" })
    }
}

extension SettingFormat where Value: Hashable {
    /// One of some words. Each value has one.
    static func words(_ words: [(word: String, value: Value)], refused: [String: String] = [:]) -> Self {
        Self(
            accepted: words.map(\.word).joined(separator: ", "), refused: refused,
            parse: { text in words.first { $0.word == text }?.value },
            print: { value in words.first { $0.value == value }?.word ?? "" })
    }

    /// One of the words of an enumeration.
    static func words(_ cases: [Value], refused: [String: String] = [:]) -> Self
    where Value: RawRepresentable<String> {
        words(cases.map { ($0.rawValue, $0) }, refused: refused)
    }
}

private func describe(_ range: ClosedRange<Int64>) -> String {
    range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
}
