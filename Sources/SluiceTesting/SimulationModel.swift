// What a simulated run knows of the store from outside: what it asked for, what it was told, and what it has
// read.

package import SluiceLog

/// One batch that was handed to the volume.
struct SimulatedSubmission {
    enum State: Hashable {
        case pending
        case acknowledged(base: Int64)
        /// It must never appear.
        case failed
        /// It may be there or not.
        case indeterminate
    }
    var partition: Int
    var producer: UInt32
    var count: Int
    var acks: Acks
    /// Of each record; nil is none.
    var keys: [UInt8?] = []
    /// Which atomic write it is a part of, and which part.
    var group: Int?
    var part = 0
    /// The partition's end as far as it was known when it was submitted.
    var knownEnd: Int64
    var state = State.pending
    /// It was behind another of its producer when that failed: it must not be appended.
    var isPoisoned = false
}

/// What is known of one offset.
struct SeenRecord {
    var record: UInt64
    var safety: Safety

    enum Safety: Int, Comparable {
        /// A power loss took it; the offset is not to be used again.
        case lost
        /// Survives the process.
        case written
        /// Survives a power loss.
        case durable
        static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }
}

/// One partition, by what was seen of it.
struct SimulatedPartition {
    var topic: Int
    var number: Int
    var entries: [Int64: SeenRecord] = [:]
    /// The greatest log start that was acknowledged, and that was asked for.
    var startAcknowledged: Int64 = 0
    var startRequested: Int64 = 0
    /// The greatest end that was seen or acknowledged.
    var knownEnd: Int64 = 0
    /// The last tombstone of each key that was submitted.
    var tombstones: [UInt8: UInt64] = [:]
    /// Whether the volume said that it writes there no more.
    var isStopped = false
}

/// One topic, by what was asked for and answered.
struct SimulatedTopic {
    enum Phase { case creating, alive, deleting, gone }
    var id: UniqueID
    var name: String
    var phase = Phase.creating
    /// Numbers of its partitions in the model, in order.
    var partitions: [Int] = []
    var settings: LogSettings
    /// Settings that were asked for and are neither recorded nor refused for certain.
    var possibleSettings: [LogSettings] = []
    var mostPartitions: Int
    var hadRetention = false
    /// It is, or was, compacted.
    var hadCompaction = false
    /// Its durability has changed since the opening: for a while less may be visible than was.
    var hasChangedLevel = false

    /// Whether reads and acknowledgements are surely those of a durable topic.
    var isSurelyDurable: Bool { settings.isDurable && possibleSettings.allSatisfy(\.isDurable) }
}

/// A request to the catalogue that has not been answered.
enum SimulatedRequest {
    case create(Int)
    case configure(Int, LogSettings)
    case addPartitions(Int, Int)
    case delete(Int)
    case deleteRecords(Int, Int64)
    case compact(Int)
    case producerIDs
}

extension LogSettings {
    /// As a topic's settings in the manifest.
    package var simulatedText: [TopicRecord.Setting] {
        let values: [(String, Int64)] = [
            ("adapts", adaptsSegments ? 1 : 0), ("compact", isCompacted ? 1 : 0),
            ("consumed", isUntilConsumed ? 1 : 0),
            ("delete", isDeleted ? 1 : 0), ("delete.ms", deleteRetentionMilliseconds),
            ("dirty", Int64(minDirtyRatio * 100)),
            ("durable", isDurable ? 1 : 0), ("index", indexIntervalBytes),
            ("lag", minCompactionLagMilliseconds),
            ("logtime", usesLogAppendTime ? 1 : 0),
            ("max", Int64(maxMessageBytes)), ("promise", promiseMilliseconds ?? -100),
            ("retention.bytes", retentionBytes ?? -1),
            ("retention.ms", retentionMilliseconds ?? -1), ("segment.bytes", segmentBytes),
            ("segment.ms", segmentMilliseconds),
        ]
        return values.map { TopicRecord.Setting(key: $0.0, value: String($0.1)) }
    }

    /// The reverse of `simulatedText`.
    package init(simulated text: [TopicRecord.Setting]) {
        self.init()
        for setting in text {
            guard let value = Int64(setting.value) else { continue }
            switch setting.key {
            case "adapts": adaptsSegments = value == 1
            case "compact": isCompacted = value == 1
            case "consumed": isUntilConsumed = value == 1
            case "delete": isDeleted = value == 1
            case "delete.ms": deleteRetentionMilliseconds = value
            case "dirty": minDirtyRatio = Double(value) / 100
            case "lag": minCompactionLagMilliseconds = value
            case "durable": isDurable = value == 1
            case "index": indexIntervalBytes = value
            case "logtime": usesLogAppendTime = value == 1
            case "max": maxMessageBytes = Int(value)
            case "promise": promiseMilliseconds = value < -1 ? nil : value
            case "retention.bytes": retentionBytes = value < 0 ? nil : value
            case "retention.ms": retentionMilliseconds = value < 0 ? nil : value
            case "segment.bytes": segmentBytes = value
            case "segment.ms": segmentMilliseconds = value
            default: break
            }
        }
    }
}
