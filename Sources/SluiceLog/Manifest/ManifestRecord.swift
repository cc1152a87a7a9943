// What the manifest remembers, one record for each change. ManifestState.swift folds them; ManifestLog.swift
// has the file.
//
//   type u8, then the fields in the order of the declarations below, as BinaryCoding.swift writes them.
//
// (1) A record is never reinterpreted: a new meaning is a new type, and the version in `meta.properties` goes
// up.
// (2) Applying a record twice is the same as once. (3) One frame may hold several records; they count
// together.

/// A partition, by what never changes: its topic's id and its number.
package struct PartitionKey: Hashable, Sendable {
    package var topic: UniqueID
    package var partition: Int32
    package init(topic: UniqueID, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}

/// A topic as the manifest knows it.
package struct TopicRecord: Hashable, Sendable {
    package var id: UniqueID
    package var name: String
    package var partitions: Int32
    /// What differs from the defaults; meaning is given by the layer above, sorted by key.
    package var settings: [Setting]

    package struct Setting: Hashable, Sendable {
        package var key: String
        package var value: String
        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }
}

/// A segment that will never change again.
package struct SealedSegment: Hashable, Sendable {
    package var baseOffset: Int64
    /// The offset behind its last record.
    package var endOffset: Int64
    /// Bytes of the `.log`.
    package var size: Int64
    package var batches: Int64
    /// The greatest timestamp of a batch, ms; -1 without records.
    package var maxTimestamp: Int64
    /// When its last batch was written, by the wall clock, ms: retention counts from then or from
    /// `maxTimestamp`.
    package var writtenAt: Int64
    /// CRC-32C of the whole `.log`: it covers the offsets and epochs, which the batches' own do not.
    package var crc: UInt32
    /// Bytes of the `.timeindex` and their CRC-32C. An index is a hint; this one cannot be checked against
    /// the log cheaply.
    package var timeIndexSize: Int64
    package var timeIndexCRC: UInt32
    /// How often the partition had been compacted when this segment was made; 0: it is as it was appended.
    /// The offsets of a compacted one have gaps; its last batch ends where the segment does.
    package var generation: Int32 = 0
}

/// Up to where the active segment is known to be on the medium, and what holds for the bytes before.
package struct RecoveryPoint: Hashable, Sendable {
    package var baseOffset: Int64
    /// Bytes of the segment that are synced.
    package var position: Int64
    /// The offset behind them.
    package var offset: Int64
    package var batches: Int64
    package var maxTimestamp: Int64
    /// The timestamp of the segment's first batch; -1 while it is empty. Decides when it is old enough to
    /// roll.
    package var firstTimestamp: Int64
    /// CRC-32C of those bytes.
    package var crc: UInt32
    /// No offset at or above this has been given out; 0 on a topic where acknowledged means durable.
    package var ceiling: Int64

    package static func start(of baseOffset: Int64) -> RecoveryPoint {
        RecoveryPoint(
            baseOffset: baseOffset, position: 0, offset: baseOffset, batches: 0, maxTimestamp: -1,
            firstTimestamp: -1, crc: 0, ceiling: 0)
    }
}

/// One change of the store.
package enum ManifestRecord: Hashable, Sendable {
    /// A process has opened the store; journal frames up to `journalFloor` are in the segments and count no
    /// more.
    case opened(bootID: String, wallMilliseconds: Int64, journalFloor: UInt64)
    /// It was closed: every file is as the manifest says.
    case closed(wallMilliseconds: Int64)
    case topicCreated(TopicRecord)
    case topicConfigured(UniqueID, [TopicRecord.Setting])
    case partitionsAdded(UniqueID, total: Int32)
    /// From now on the topic does not exist; its directories are removed afterwards.
    case topicDeleted(UniqueID)
    /// Its directories are gone.
    case topicForgotten(UniqueID)
    /// The active segment was sealed, and an empty one begins at its end.
    case rolled(PartitionKey, SealedSegment)
    case recoveryPoint(PartitionKey, RecoveryPoint)
    /// Records before this offset are gone, and with them the sealed segments that end at or before it.
    case logStart(PartitionKey, Int64)
    /// The active segment is given up, and the log goes on empty at this offset.
    case restarted(PartitionKey, at: Int64)
    case leaderEpoch(PartitionKey, Int32)
    /// The active segment is damaged although it was acknowledged: what is below this position is never a
    /// torn write.
    case damaged(PartitionKey, below: Int64)
    /// Compacted segments have taken the place of others.
    case swapped(PartitionKey, SegmentSwap)
    /// What back pressure has learnt: bytes of the layer above, which can do without them.
    case pressure([UInt8])
    /// How far sealed segments have been read again.
    case scrubbed(ScrubPoint)
    /// A sealed segment is not what was sealed; nil: it is, after all.
    case segmentDamaged(PartitionKey, base: Int64, SegmentDamage?)
    /// Producer ids below this may have been given.
    case producerIDs(below: Int64)
    /// What has changed of a partition's idempotent producers, as it was at the recovery point that comes
    /// with it, or at the end of the segment that is rolled with it.
    case producers(PartitionKey, ProducerStates)
    /// A user is made, or changed; without credentials he is deleted.
    case user(UserRecord)
    /// Random bytes of the store that only servers use, to answer for users that there are not.
    case userSecret([UInt8])
}

extension ManifestRecord {
    package func encode(into writer: inout BinaryWriter) {
        func put(_ type: UInt8) { writer.put(type) }
        switch self {
        case .opened(let bootID, let wall, let floor):
            put(1); writer.put(bootID); writer.put(wall); writer.put(floor)
        case .closed(let wall): put(2); writer.put(wall)
        case .topicCreated(let topic):
            put(3); writer.put(topic.id); writer.put(topic.name); writer.put(topic.partitions)
            writer.put(topic.settings, Self.putSetting)
        case .topicConfigured(let id, let settings):
            put(4); writer.put(id); writer.put(settings, Self.putSetting)
        case .partitionsAdded(let id, let total): put(5); writer.put(id); writer.put(total)
        case .topicDeleted(let id): put(6); writer.put(id)
        case .topicForgotten(let id): put(7); writer.put(id)
        case .rolled(let key, let sealed): put(8); Self.put(key, &writer); Self.put(sealed, &writer)
        case .recoveryPoint(let key, let point): put(9); Self.put(key, &writer); Self.put(point, &writer)
        case .logStart(let key, let offset): put(10); Self.put(key, &writer); writer.put(offset)
        case .restarted(let key, let offset): put(11); Self.put(key, &writer); writer.put(offset)
        case .leaderEpoch(let key, let epoch): put(12); Self.put(key, &writer); writer.put(epoch)
        case .damaged(let key, let position): put(13); Self.put(key, &writer); writer.put(position)
        case .swapped(let key, let swap): put(14); Self.put(key, &writer); swap.encode(into: &writer)
        case .pressure(let bytes): put(15); writer.put(bytes) { $0.put($1) }
        case .scrubbed(let point):
            put(16); Self.put(point.key, &writer); writer.put(point.offset); writer.put(point.startedAt)
            writer.put(UInt8(point.isOver ? 1 : 0))
        case .segmentDamaged(let key, let base, let damage):
            put(17); Self.put(key, &writer); writer.put(base); writer.put(damage?.position ?? -1)
            writer.put(damage?.reason ?? "")
        case .producerIDs(let end): put(18); writer.put(end)
        case .producers(let key, let states):
            put(19); Self.put(key, &writer); states.encode(into: &writer)
        case .user(let user): put(20); user.encode(into: &writer)
        case .userSecret(let bytes): put(21); writer.put(bytes) { $0.put($1) }
        }
    }

    package init(from reader: inout BinaryReader) throws(MalformedRecord) {
        switch try reader.integer(UInt8.self) {
        case 1:
            self = .opened(
                bootID: try reader.string(), wallMilliseconds: try reader.integer(),
                journalFloor: try reader.integer())
        case 2: self = .closed(wallMilliseconds: try reader.integer())
        case 3:
            let id = try reader.id()
            let name = try reader.string()
            let partitions: Int32 = try reader.integer()
            guard (1...Int32(Limits.partitionsPerTopic)).contains(partitions) else {
                throw MalformedRecord(reason: "a topic with \(partitions) partitions")
            }
            self = .topicCreated(
                TopicRecord(id: id, name: name, partitions: partitions, settings: try Self.settings(&reader)))
        case 4: self = .topicConfigured(try reader.id(), try Self.settings(&reader))
        case 5:
            let id = try reader.id()
            let total: Int32 = try reader.integer()
            guard (1...Int32(Limits.partitionsPerTopic)).contains(total) else {
                throw MalformedRecord(reason: "a topic with \(total) partitions")
            }
            self = .partitionsAdded(id, total: total)
        case 6: self = .topicDeleted(try reader.id())
        case 7: self = .topicForgotten(try reader.id())
        case 8: self = .rolled(try Self.key(&reader), try Self.sealed(&reader))
        case 9: self = .recoveryPoint(try Self.key(&reader), try Self.point(&reader))
        case 10: self = .logStart(try Self.key(&reader), try reader.integer())
        case 11:
            let key = try Self.key(&reader)
            let offset: Int64 = try reader.integer()
            guard 0...Limits.endOffset ~= offset else {
                throw MalformedRecord(reason: "a log that goes on at \(offset)")
            }
            self = .restarted(key, at: offset)
        case 12: self = .leaderEpoch(try Self.key(&reader), try reader.integer())
        case 13: self = .damaged(try Self.key(&reader), below: try reader.integer())
        case 14: self = .swapped(try Self.key(&reader), try SegmentSwap(from: &reader))
        case 15: self = .pressure(Array(try reader.bytes(Int(try reader.integer(UInt32.self)))))
        case 16:
            let key = try Self.key(&reader)
            let offset: Int64 = try reader.integer()
            self = .scrubbed(
                ScrubPoint(
                    startedAt: try reader.integer(), key: key, offset: offset,
                    isOver: try reader.integer(UInt8.self) != 0))
        case 17:
            let key = try Self.key(&reader)
            let base: Int64 = try reader.integer()
            let position: Int64 = try reader.integer()
            let damage = SegmentDamage(position: position, reason: try reader.string())
            self = .segmentDamaged(key, base: base, position < 0 ? nil : damage)
        case 18: self = .producerIDs(below: try reader.integer())
        case 19: self = .producers(try Self.key(&reader), try ProducerStates(from: &reader))
        case 20: self = .user(try UserRecord(from: &reader))
        case 21: self = .userSecret(try UserRecord.list(&reader))
        case let type: throw MalformedRecord(reason: "record type \(type) is not known to this version")
        }
    }
}

extension ManifestRecord {
    /// No fewer bytes than it is encoded in.
    var mostBytes: Int {
        func bytes(_ settings: [TopicRecord.Setting]) -> Int {
            settings.reduce(0) { $0 + 8 + $1.key.utf8.count + $1.value.utf8.count }
        }
        // The largest record of fixed size is a seal with 89 bytes.
        switch self {
        case .opened(let boot, _, _): return 128 + boot.utf8.count
        case .topicCreated(let topic): return 128 + topic.name.utf8.count + bytes(topic.settings)
        case .topicConfigured(_, let settings): return 128 + bytes(settings)
        case .segmentDamaged(_, _, let damage): return 128 + (damage?.reason.utf8.count ?? 0)
        case .swapped(_, let swap): return 128 + 96 * swap.added.count + 8 * swap.removed.count
        case .producers(_, let states): return 128 + states.mostBytes
        case .user(let user): return 128 + user.mostBytes
        case .userSecret(let bytes): return 128 + bytes.count
        default: return 128
        }
    }

    static func put(_ key: PartitionKey, _ writer: inout BinaryWriter) {
        writer.put(key.topic)
        writer.put(key.partition)
    }

    static func key(_ reader: inout BinaryReader) throws(MalformedRecord) -> PartitionKey {
        PartitionKey(topic: try reader.id(), partition: try reader.integer())
    }

    private static func putSetting(_ writer: inout BinaryWriter, _ setting: TopicRecord.Setting) {
        writer.put(setting.key)
        writer.put(setting.value)
    }

    private static func settings(
        _ reader: inout BinaryReader
    ) throws(MalformedRecord) -> [TopicRecord.Setting] {
        try reader.array(minimumBytes: 8) { reader throws(MalformedRecord) in
            TopicRecord.Setting(key: try reader.string(), value: try reader.string())
        }
    }

    static func put(_ sealed: SealedSegment, _ writer: inout BinaryWriter) {
        writer.put(sealed.baseOffset)
        writer.put(sealed.endOffset)
        writer.put(sealed.size)
        writer.put(sealed.batches)
        writer.put(sealed.maxTimestamp)
        writer.put(sealed.writtenAt)
        writer.put(sealed.crc)
        writer.put(sealed.timeIndexSize)
        writer.put(sealed.timeIndexCRC)
    }

    static func sealed(_ reader: inout BinaryReader) throws(MalformedRecord) -> SealedSegment {
        let sealed = SealedSegment(
            baseOffset: try reader.integer(), endOffset: try reader.integer(), size: try reader.integer(),
            batches: try reader.integer(), maxTimestamp: try reader.integer(),
            writtenAt: try reader.integer(),
            crc: try reader.integer(), timeIndexSize: try reader.integer(), timeIndexCRC: try reader.integer()
        )
        guard 0 <= sealed.baseOffset, sealed.baseOffset <= sealed.endOffset,
            sealed.endOffset <= Limits.endOffset, sealed.size >= 0
        else {
            throw MalformedRecord(reason: "a segment from \(sealed.baseOffset) to \(sealed.endOffset)")
        }
        return sealed
    }

    static func put(_ point: RecoveryPoint, _ writer: inout BinaryWriter) {
        writer.put(point.baseOffset)
        writer.put(point.position)
        writer.put(point.offset)
        writer.put(point.batches)
        writer.put(point.maxTimestamp)
        writer.put(point.firstTimestamp)
        writer.put(point.crc)
        writer.put(point.ceiling)
    }

    static func point(_ reader: inout BinaryReader) throws(MalformedRecord) -> RecoveryPoint {
        let point = RecoveryPoint(
            baseOffset: try reader.integer(), position: try reader.integer(), offset: try reader.integer(),
            batches: try reader.integer(), maxTimestamp: try reader.integer(),
            firstTimestamp: try reader.integer(), crc: try reader.integer(), ceiling: try reader.integer())
        guard 0 <= point.baseOffset, point.baseOffset <= point.offset, point.offset <= Limits.endOffset,
            point.position >= 0
        else {
            throw MalformedRecord(
                reason: "a recovery point at \(point.offset) in segment \(point.baseOffset)")
        }
        // What lies between is stepped over by control batches, one after another.
        guard point.ceiling <= point.offset || point.ceiling - point.offset <= Limits.skippedOffsets else {
            throw MalformedRecord(reason: "a recovery point at \(point.offset) below \(point.ceiling)")
        }
        return point
    }
}
