// The typed face of a topic's settings. Defaults, ranges and texts are SluiceCore's `TopicSettings`, in its
// one table.

package import SluiceCore
import SluiceLog

/// How a topic keeps its records. Amounts are per partition.
///
/// A value that is out of its range is refused, with `illegalConfiguration`, by the call that would store it.
public struct TopicConfiguration: Hashable, Sendable {
    /// The settings as SluiceCore has them.
    package var settings: TopicSettings

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) {
        settings = TopicSettings()
        change(&self)
    }

    /// The configuration with these settings.
    package init(settings: TopicSettings) { self.settings = settings }

    /// The defaults, but for what `properties` says, by Kafka's keys: `["retention.ms": "3600000"]`.
    ///
    /// Throws `illegalConfiguration` for a key that does not exist, and for a value that is not accepted.
    public init(properties: [String: String]) throws(StreamError) {
        do throws(SettingsError) {
            settings = try TopicSettings(properties: properties)
        } catch {
            throw StreamError(error)
        }
    }

    /// What differs from the defaults, by Kafka's keys. `init(properties:)` of it gives an equal
    /// configuration.
    public var properties: [String: String] { settings.properties }

    /// The age at which a closed segment is deleted, counted from its newest record; nil: records do not age.
    ///
    /// Default: 7 days. Kafka: retention.ms.
    public var retentionTime: Duration? {
        get { settings.retentionMilliseconds.map { .milliseconds($0) } }
        set { settings.retentionMilliseconds = newValue?.wholeMilliseconds }
    }

    /// The bytes above which a partition's oldest closed segments are deleted; nil: no limit.
    ///
    /// Default: nil. Kafka: retention.bytes.
    public var retentionBytes: Int64? {
        get { settings.retentionBytes }
        set { settings.retentionBytes = newValue }
    }

    /// The bytes at which a segment is closed and the next one begun: 4 KiB to 2 GiB − 1.
    ///
    /// Default: 128 MiB. Kafka: segment.bytes.
    public var segmentBytes: Int {
        get { Int(settings.segmentBytes) }
        set { settings.segmentBytes = Int64(newValue) }
    }

    /// The age at which a segment is closed though it is not full, so that retention can reach it: 1 ms or
    /// more.
    ///
    /// Default: 7 days. Kafka: segment.ms.
    public var segmentTime: Duration {
        get { .milliseconds(settings.segmentMilliseconds) }
        set { settings.segmentMilliseconds = newValue.wholeMilliseconds }
    }

    /// The bytes of log between two entries of an index, 0 to 2 GiB − 1: less is a faster seek and a larger
    /// index.
    ///
    /// Default: 4 KiB. Kafka: index.interval.bytes.
    public var indexIntervalBytes: Int {
        get { Int(settings.indexIntervalBytes) }
        set { settings.indexIntervalBytes = Int64(newValue) }
    }

    /// The bytes of the largest batch, after compression: 1 KiB to 8 MiB.
    ///
    /// Default: 1 MiB. Kafka: max.message.bytes.
    public var maxMessageBytes: Int {
        get { Int(settings.maxMessageBytes) }
        set { settings.maxMessageBytes = Int64(newValue) }
    }

    /// The codec of stored batches; nil: as each producer made them.
    ///
    /// Default: nil. Kafka: compression.type.
    public var compression: Compression? {
        get { Compression(settings.compression) }
        set { settings.compression = newValue?.setting ?? .producer }
    }

    /// Whose clock stamps the records.
    ///
    /// Default: the producer's. Kafka: message.timestamp.type.
    public var timestampType: TimestampType {
        get { settings.timestampType == .createTime ? .createTime : .logAppendTime }
        set { settings.timestampType = newValue == .createTime ? .createTime : .logAppendTime }
    }

    /// The least that an acknowledgement promises, and from when on readers see a record.
    ///
    /// Default: durable. Its key: sluice.durability.
    public var durability: Durability {
        get { settings.durability == .durable ? .durable : .written }
        set { settings.durability = newValue == .durable ? .durable : .written }
    }

    /// What becomes of old records.
    ///
    /// Default: `.delete`. Kafka: cleanup.policy.
    public var cleanupPolicy: CleanupPolicy {
        get { CleanupPolicy(rawValue: Int(settings.cleanupPolicy.rawValue)) }
        set { settings.cleanupPolicy = .init(rawValue: UInt8(truncatingIfNeeded: newValue.rawValue)) }
    }

    /// How long a compacted topic keeps a null value after it has deleted what the key had before.
    ///
    /// Default: 1 day. Kafka: delete.retention.ms.
    public var deleteRetentionTime: Duration {
        get { .milliseconds(settings.deleteRetentionMilliseconds) }
        set { settings.deleteRetentionMilliseconds = newValue.wholeMilliseconds }
    }

    /// The share of a partition's closed segments that must be new before they are compacted, 0 to 1.
    ///
    /// Default: 0.5. Kafka: min.cleanable.dirty.ratio.
    public var minCleanableDirtyRatio: Double {
        get { settings.minCleanableDirtyRatio }
        set { settings.minCleanableDirtyRatio = newValue }
    }

    /// The age below which a record is not compacted away.
    ///
    /// Default: 0. Kafka: min.compaction.lag.ms.
    public var minCompactionLag: Duration {
        get { .milliseconds(settings.minCompactionLagMilliseconds) }
        set { settings.minCompactionLagMilliseconds = newValue.wholeMilliseconds }
    }

    /// What lets a closed segment go.
    ///
    /// Default: time and size. Its keys: sluice.retention, sluice.retention.groups.
    public var retention: Retention {
        get {
            settings.retention == .timeAndSize ? .byTimeAndSize : .untilConsumed(by: settings.retentionGroups)
        }
        set {
            switch newValue {
            case .byTimeAndSize:
                settings.retention = .timeAndSize
                settings.retentionGroups = []
            case .untilConsumed(let groups):
                settings.retention = .untilConsumed
                settings.retentionGroups = groups
            }
        }
    }

    /// How long a group that `retention` waits for counts while it has no members and commits nothing.
    ///
    /// After that records go that it has not read, which `StoreEvent.lostUnread` tells of, unless no group
    /// counts any more. Default: a day. Its key: sluice.backpressure.abandon.ms.
    public var abandonTime: Duration {
        get { .milliseconds(settings.abandonMilliseconds) }
        set { settings.abandonMilliseconds = newValue.wholeMilliseconds }
    }

    /// What lets a closed segment go.
    public enum Retention: Hashable, Sendable {
        /// `retentionTime` and `retentionBytes`.
        case byTimeAndSize
        /// That each of these groups, one at least, has committed past it; nothing else deletes then.
        case untilConsumed(by: [String])
    }

    /// The age below which nothing is deleted, however short the disk is; nil: `retentionTime`.
    ///
    /// Older records may go when the disk is short, and by `dropOldest`, which needs it. Its key:
    /// sluice.retention.min.ms.
    public var retentionPromise: Duration? {
        get { settings.retentionPromiseMilliseconds.map { .milliseconds($0) } }
        set { settings.retentionPromiseMilliseconds = newValue?.wholeMilliseconds }
    }

    /// What a producer gets when the store wants less than it sends.
    ///
    /// Default: throttle. Its key: sluice.backpressure.policy.
    public var backPressure: BackPressurePolicy {
        get { BackPressurePolicy(settings.pressurePolicy) }
        set { settings.pressurePolicy = newValue.setting }
    }

    /// The groups whose lag slows the producers of the topic; those of until-consumed retention always do.
    ///
    /// Default: none. Its key: sluice.backpressure.groups.
    public var gatingGroups: GatingGroups {
        get {
            switch settings.pressureGroups {
            case []: .none
            case ["*"]: .all
            case let names: .named(names)
            }
        }
        set {
            switch newValue {
            case .none: settings.pressureGroups = []
            case .all: settings.pressureGroups = ["*"]
            case .named(let names): settings.pressureGroups = names
            }
        }
    }

    /// How far, in time, producers may be ahead of such a group: 1 ms to 1 day.
    ///
    /// Default: 30 s. Its key: sluice.backpressure.lag.target.ms.
    public var lagTarget: Duration {
        get { .milliseconds(settings.lagTargetMilliseconds) }
        set { settings.lagTargetMilliseconds = newValue.wholeMilliseconds }
    }

    /// Bytes per second that producers are never slowed below while anything drains, all together.
    ///
    /// Default: 65,536. Its key: sluice.backpressure.rate.min.
    public var leastBytesPerSecond: Int64 {
        get { settings.leastRate }
        set { settings.leastRate = newValue }
    }

    /// Bytes per second that they are admitted at most while they are slowed; nil: twice the fastest seen.
    ///
    /// Default: nil. Its key: sluice.backpressure.rate.max.
    public var greatestBytesPerSecond: Int64? {
        get { settings.greatestRate }
        set { settings.greatestRate = newValue }
    }

    /// Bytes per second that a group is expected to read that has not shown it yet.
    ///
    /// Default: 8,000,000. Its key: sluice.backpressure.rate.floor.
    public var expectedBytesPerSecond: Int64 {
        get { settings.floorRate }
        set { settings.floorRate = newValue }
    }

    /// The groups whose lag slows producers.
    public enum GatingGroups: Hashable, Sendable {
        case none
        /// These.
        case named([String])
        /// Each that has once read up to the end.
        case all
    }

    /// What becomes of old records.
    public struct CleanupPolicy: OptionSet, Hashable, Sendable {
        /// The bits.
        public var rawValue: Int
        /// The policies of these bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Whole segments go, by age and by size.
        public static let delete = CleanupPolicy(rawValue: 1)
        /// Of each key the last record stays, at its offset; records without a key are refused.
        public static let compact = CleanupPolicy(rawValue: 2)
    }

    /// Whose clock stamps records.
    public enum TimestampType: Hashable, CaseIterable, Sendable {
        /// The producer's: each record has the time that it gave.
        case createTime
        /// The log's: each record has the time at which it was appended.
        case logAppendTime
    }

    /// Throws `illegalConfiguration` for the first property that is out of its range.
    package func validate() throws(StreamError) {
        do throws(SettingsError) {
            try settings.validate()
        } catch {
            throw StreamError(error)
        }
    }
}

extension Compression {
    /// The codec that a topic's setting names; nil for `producer`.
    package init?(_ setting: CompressionType) {
        switch setting {
        case .producer: return nil
        case .uncompressed: self = .uncompressed
        case .gzip: self = .gzip
        case .snappy: self = .snappy
        case .lz4: self = .lz4
        case .zstd: self = .zstd
        }
    }

    /// The topic's setting that names the codec.
    package var setting: CompressionType {
        switch self {
        case .uncompressed: .uncompressed
        case .gzip: .gzip
        case .snappy: .snappy
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }
}
