// The configuration of a topic, as values.
//
// (1) One row per key in `TopicSettings+Keys.swift` holds its name, default, range and meaning; parsing,
//     printing, the describing commands and the documentation are driven by those rows. (2) Text is the
//     exchange form: `properties` says what differs from the defaults, `init(properties:)` reads it back to
//     an equal value; the manifest stores that. A key that was never set follows a later version's default,
//     as in Kafka. (3) A value in here may have been assigned, so it may be out of range: `validate` before
//     it is stored. Whatever came from text is in range. (4) Plain data, no lock.

package import SluiceLog

/// How a topic keeps its records. Per partition, where it is about an amount.
package struct TopicSettings: Hashable, Sendable {
    /// Milliseconds; nil: records do not age. Kafka: retention.ms.
    package var retentionMilliseconds: Int64? = Keys.retentionTime.standard
    /// Bytes of a partition; nil: no limit. Kafka: retention.bytes.
    package var retentionBytes: Int64? = Keys.retentionBytes.standard
    /// Bytes at which a segment is closed. Kafka: segment.bytes.
    package var segmentBytes: Int64 = Keys.segmentBytes.standard
    /// Milliseconds after which a segment is closed. Kafka: segment.ms.
    package var segmentMilliseconds: Int64 = Keys.segmentTime.standard
    /// Bytes of log between two entries of an index. Kafka: index.interval.bytes.
    package var indexIntervalBytes: Int64 = Keys.indexInterval.standard
    /// Bytes of the largest batch, as stored. Kafka: max.message.bytes.
    package var maxMessageBytes: Int64 = Keys.maxMessage.standard
    /// The codec of the log. Kafka: compression.type.
    package var compression: CompressionType = Keys.compression.standard
    /// Whose clock stamps records. Kafka: message.timestamp.type.
    package var timestampType: TimestampType = Keys.timestampType.standard
    /// What becomes of old records. Kafka: cleanup.policy.
    package var cleanupPolicy: CleanupPolicy = Keys.cleanupPolicy.standard
    /// Milliseconds that a tombstone stays after its key was cleaned. Kafka: delete.retention.ms.
    package var deleteRetentionMilliseconds: Int64 = Keys.deleteRetention.standard
    /// The share of a log that is to be dirty before it is compacted. Kafka: min.cleanable.dirty.ratio.
    package var minCleanableDirtyRatio: Double = Keys.dirtyRatio.standard
    /// Milliseconds in which a record is not compacted away. Kafka: min.compaction.lag.ms.
    package var minCompactionLagMilliseconds: Int64 = Keys.compactionLag.standard
    /// What retention waits for. sluice.retention.
    package var retention: RetentionRule = Keys.retention.standard
    /// The groups that it waits for. sluice.retention.groups.
    package var retentionGroups: [String] = Keys.retentionGroups.standard
    /// Milliseconds in which no record goes, whatever happens; nil: as retention.ms. sluice.retention.min.ms.
    package var retentionPromiseMilliseconds: Int64? = Keys.retentionPromise.standard
    /// What a producer gets when the store wants less. sluice.backpressure.policy.
    package var pressurePolicy: PressurePolicy = Keys.pressurePolicy.standard
    /// The groups whose lag slows producers; `*` for all. sluice.backpressure.groups.
    package var pressureGroups: [String] = Keys.pressureGroups.standard
    /// Milliseconds that producers may be ahead of them. sluice.backpressure.lag.target.ms.
    package var lagTargetMilliseconds: Int64 = Keys.lagTarget.standard
    /// Bytes per second. sluice.backpressure.rate.min.
    package var leastRate: Int64 = Keys.leastRate.standard
    /// Bytes per second; nil: as it has been seen. sluice.backpressure.rate.max.
    package var greatestRate: Int64? = Keys.greatestRate.standard
    /// Bytes per second. sluice.backpressure.rate.floor.
    package var floorRate: Int64 = Keys.floorRate.standard
    /// Milliseconds after which a silent group counts no more. sluice.backpressure.abandon.ms.
    package var abandonMilliseconds: Int64 = Keys.abandonTime.standard
    /// The least that an acknowledgement promises, and what readers see. sluice.durability.
    package var durability: DurabilityLevel = Keys.durability.standard

    /// What is looked at of a batch that comes from the wire. sluice.validate.
    package var validation: ValidationLevel = Keys.validation.standard

    /// The defaults.
    package init() {}

    /// The defaults, but for what `properties` says, by key.
    ///
    /// Throws the first error in the order of the keys' names, so that the same text always gets the same
    /// answer.
    package init(properties: [String: String]) throws(SettingsError) {
        for (key, value) in properties.sorted(by: { $0.key < $1.key }) { try set(key: key, value: value) }
    }

    /// What differs from the defaults, by key. `init(properties:)` of it gives an equal value.
    package var properties: [String: String] {
        var result: [String: String] = [:]
        for key in Keys.all where !key.isDefault(in: self) { result[key.name] = key.text(in: self) }
        return result
    }

    /// Changes one setting; nothing changes when it throws.
    package mutating func set(key: String, value: String) throws(SettingsError) {
        try Self.key(key, value: value).set(value, in: &self)
    }

    /// Gives one setting its default again.
    package mutating func reset(key: String) throws(SettingsError) {
        try Self.key(key, value: "").reset(in: &self)
    }

    /// Throws for the first setting, in the order of the table, that is out of its range.
    package func validate() throws(SettingsError) {
        for key in Keys.all { try key.validate(in: self) }
        if retention == .untilConsumed, retentionGroups.isEmpty {
            throw .badValue(
                key: Keys.retentionGroups.name, value: "", accepted: Keys.retentionGroups.accepted,
                note: "until-consumed retention waits for groups, and none is named")
        }
        try validatePressure()
    }

    private static func key(_ name: String, value: String) throws(SettingsError) -> any SettingKey {
        guard let key = Keys.all.first(where: { $0.name == name }) else {
            throw .unknownKey(name, value: value, near: Keys.near(to: name))
        }
        return key
    }
}

/// The codec of a topic's log. Raw values are Kafka's words. Kafka: compression.type.
package enum CompressionType: String, CaseIterable, Sendable {
    /// Batches stay as their producer made them.
    case producer
    case uncompressed, gzip, snappy, lz4, zstd
}

/// What becomes of old records. Kafka: cleanup.policy.
package struct CleanupPolicy: OptionSet, Hashable, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Whole segments go, by age and by size.
    package static let delete = CleanupPolicy(rawValue: 1)
    /// Of each key the last record stays.
    package static let compact = CleanupPolicy(rawValue: 2)
}

/// When retention may delete a segment.
package enum RetentionRule: String, CaseIterable, Sendable {
    /// By retention.ms and retention.bytes.
    case timeAndSize = "time-and-size"
    /// When all groups of sluice.retention.groups have consumed it, and only then.
    case untilConsumed = "until-consumed"
}

/// What an acknowledgement promises at least, and from when on a record is visible.
package enum DurabilityLevel: String, CaseIterable, Sendable {
    /// It survives a loss of power.
    case durable
    /// It survives the death of the process.
    case written
}

/// What is looked at of a batch that a client sends to the server.
package enum ValidationLevel: String, CaseIterable, Sendable {
    /// Its header, its checksum, and every record.
    case records
    /// Its header and its checksum: a batch that its sender made wrong is found by who reads it.
    case crc
}

/// Why a configuration was refused. Nothing was changed.
package enum SettingsError: Error, Hashable, Sendable {
    /// No setting of that name. `near`: the names it may have been meant for, best first, at most three.
    case unknownKey(String, value: String, near: [String])
    /// The value is not one of those `accepted`; `note` says more where there is more to say.
    case badValue(key: String, value: String, accepted: String, note: String? = nil)

    /// The key at fault.
    package var key: String {
        switch self {
        case .unknownKey(let key, _, _), .badValue(let key, _, _, _): key
        }
    }

    /// The value that was given.
    package var value: String {
        switch self {
        case .unknownKey(_, let value, _), .badValue(_, let value, _, _): value
        }
    }

    /// What is wrong and what would be right, as a sentence without its full stop.
    package var reason: String {
        switch self {
        case .unknownKey(_, _, let near) where near.isEmpty:
            "there is no such setting; the settings are "
                + TopicSettings.Keys.all.map(\.name).joined(separator: ", ")
        case .unknownKey(_, _, let near):
            "there is no such setting; did you mean " + near.joined(separator: " or ") + "?"
        case .badValue(_, _, let accepted, let note):
            (note.map { $0 + "; " } ?? "") + "accepted: " + accepted
        }
    }
}
