// The manifest: each record, the fold, the snapshot, and files that are not whole.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct ManifestTests {
    private static let topic = TopicRecord(
        id: UniqueID(high: 1, low: 2), name: "orders", partitions: 3,
        settings: [TopicRecord.Setting(key: "a", value: "ü"), TopicRecord.Setting(key: "b", value: "")])
    private static let key = PartitionKey(topic: topic.id, partition: 1)
    private static let sealed = SealedSegment(
        baseOffset: 0, endOffset: 9, size: 900, batches: 4, maxTimestamp: 77, writtenAt: 78, crc: 79,
        timeIndexSize: 12, timeIndexCRC: 80)
    private static let point = RecoveryPoint(
        baseOffset: 9, position: 400, offset: 12, batches: 2, maxTimestamp: 90, firstTimestamp: 85, crc: 5,
        ceiling: 65_536)
    private static var swap: SegmentSwap {
        var compacted = sealed
        compacted.size = 300
        compacted.batches = 2
        compacted.generation = 3
        var point = CleaningPoint()
        point.generation = 3
        point.firstDirty = 9
        point.damagedEnd = 2
        return SegmentSwap(removed: [0, 5], added: [compacted], point: point)
    }

    private static var producers: ProducerStates {
        var states = ProducerStates()
        for (id, sequence) in [(7, 0), (8, 0), (7, 3)] as [(Int64, Int32)] {
            let batch = ProducerBatch(id: id, epoch: 2, firstSequence: sequence, records: 3)
            states.add(batch, at: Int64(sequence), timestamp: 5, wall: 6)
        }
        return states
    }
    private static let user = UserRecord(
        name: "ü",
        credentials: [
            UserCredential(mechanism: 1, iterations: 4096, salt: [1], storedKey: [2, 3], serverKey: [4]),
            UserCredential(mechanism: 9, iterations: 1, salt: [], storedKey: [], serverKey: []),
        ])

    static let records: [ManifestRecord] = [
        .opened(bootID: "boot", wallMilliseconds: 5, journalFloor: 6), .topicCreated(topic),
        .topicConfigured(topic.id, [TopicRecord.Setting(key: "c", value: "d")]),
        .partitionsAdded(topic.id, total: 4), .rolled(key, sealed), .recoveryPoint(key, point),
        .logStart(key, 4),
        .leaderEpoch(key, 2), .damaged(key, below: 400), .swapped(key, swap),
        .restarted(PartitionKey(topic: topic.id, partition: 2), at: 50),
        .topicCreated(TopicRecord(id: UniqueID(high: 3, low: 4), name: "old", partitions: 1, settings: [])),
        .topicDeleted(UniqueID(high: 3, low: 4)), .producerIDs(below: 3000), .producers(key, producers),
        .userSecret([1, 2]), .user(user),
        .user(UserRecord(name: "gone", credentials: user.credentials)),
        .user(UserRecord(name: "gone", credentials: [])), .closed(wallMilliseconds: 9),
    ]

    private static var state: ManifestState {
        var state = ManifestState()
        for record in records { state.apply(record) }
        return state
    }

    @Test(arguments: records + [.topicForgotten(topic.id)])
    func `a record is read as it was written`(record: ManifestRecord) throws {
        var writer = BinaryWriter()
        record.encode(into: &writer)
        var reader = BinaryReader(writer.bytes[...])
        #expect(try ManifestRecord(from: &reader) == record)
        #expect(reader.left == 0)
        for count in 0..<writer.bytes.count {
            var cut = BinaryReader(writer.bytes[..<count])
            #expect(throws: MalformedRecord.self) { try ManifestRecord(from: &cut) }
        }
    }

    @Test func `an unknown record is malformed`() {
        var reader = BinaryReader([200][...])
        #expect(throws: MalformedRecord.self) { try ManifestRecord(from: &reader) }
    }

    @Test func `a recovery point that promises more than control batches can step over is malformed`() {
        for ceiling in [Int64.min, 0, 12 + Limits.skippedOffsets, 13 + Limits.skippedOffsets, .max] {
            var point = Self.point
            point.ceiling = ceiling
            var writer = BinaryWriter()
            ManifestRecord.recoveryPoint(Self.key, point).encode(into: &writer)
            var reader = BinaryReader(writer.bytes[...])
            let isRead = (try? ManifestRecord(from: &reader)) != nil
            #expect(isRead == (ceiling <= 12 + Limits.skippedOffsets))
        }
    }

    @Test func `a log that has no room for another offset is malformed`() {
        for end in [Limits.endOffset, Limits.endOffset + 1, .max] {
            var (sealed, point) = (Self.sealed, Self.point)
            (sealed.endOffset, point.offset) = (end, end)
            for record in [
                .rolled(Self.key, sealed), .recoveryPoint(Self.key, point), .restarted(Self.key, at: end),
            ]
                as [ManifestRecord]
            {
                var writer = BinaryWriter()
                record.encode(into: &writer)
                var reader = BinaryReader(writer.bytes[...])
                #expect(((try? ManifestRecord(from: &reader)) != nil) == (end == Limits.endOffset))
            }
        }
    }

    @Test func `after any number of records the snapshot makes the same state`() {
        var state = ManifestState()
        for record in Self.records {
            state.apply(record)
            var copy = ManifestState()
            for record in state.snapshot { copy.apply(record) }
            #expect(copy == state, "after \(record.words)")
        }
    }

    @Test func `applying a record twice is the same as once`() {
        var state = ManifestState()
        for record in Self.records {
            state.apply(record)
            let once = state
            state.apply(record)
            #expect(state == once, "\(record.words)")
        }
    }

    @Test func `a record about what is not there changes nothing`() {
        let nobody = PartitionKey(topic: UniqueID(high: 9, low: 9), partition: 0)
        for record: ManifestRecord in [
            .rolled(nobody, Self.sealed), .recoveryPoint(nobody, Self.point), .logStart(nobody, 3),
            .leaderEpoch(nobody, 1), .restarted(nobody, at: 4), .damaged(nobody, below: 3),
            .topicConfigured(nobody.topic, []), .partitionsAdded(nobody.topic, total: 3),
            .topicDeleted(nobody.topic), .topicForgotten(nobody.topic), .swapped(nobody, Self.swap),
        ] {
            var state = Self.state
            state.apply(record)
            #expect(state == Self.state, "\(record.words)")
        }
    }

    @Test func `a swap adds nothing that has been deleted meanwhile`() {
        var state = Self.state
        state.apply(.logStart(Self.key, 9))
        state.apply(.swapped(Self.key, Self.swap))
        #expect(state.partitions[Self.key]?.sealed == [])
    }

    @Test func `a swap is these bytes`() {
        var writer = BinaryWriter()
        Self.swap.encode(into: &writer)
        let golden: [UInt8] =
            [0, 0, 0, 3]  // generation
            + [0, 0, 0, 0, 0, 0, 0, 9]  // first dirty offset
            + [0, 0, 0, 0, 0, 0, 0, 2]  // damaged end
            + [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]  // two that go
            + [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]  // one that comes: base and end
            + [0, 0, 0, 0, 0, 0, 1, 44, 0, 0, 0, 0, 0, 0, 0, 2]  // size, batches
            + [0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 78, 0, 0, 0, 79]  // times, CRC
            + [0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 80, 0, 0, 0, 3]  // time index, generation
        #expect(writer.bytes == golden)
    }

    // MARK: Files

    private let paths = StorePaths("/d")
    private let id = UniqueID(high: 7, low: 8)

    /// Files 1 and 2: the first has the first record and the others behind it, the second all.
    private func disk() throws -> SimulatedFileSystem {
        let files = try SimulatedFileSystem.prepared(1)
        try files.makeDirectory("/d/manifest")
        var first = ManifestFile.encode([Self.records[0]], sequence: 1, storeID: id)
        for (index, record) in Self.records.dropFirst().enumerated() {
            first += ManifestFile.encode([record], sequence: UInt64(index + 2), storeID: id)
        }
        try files.put(first, to: paths.manifest(1))
        try files.put(ManifestFile.encode(Self.records, sequence: 90, storeID: id), to: paths.manifest(2))
        return files
    }

    @Test func `the newest file is the manifest`() throws {
        let loaded = try ManifestFile.load(paths, storeID: id, try disk())
        #expect(loaded.number == 2 && loaded.state == Self.state && loaded.lastSequence == 90)
    }

    @Test func `a newer file whose first frame is torn was never in force`() throws {
        let files = try disk()
        let size = try #require(files.contents(paths.manifest(2))?.count)
        for cut in [0, 1, 35, 36, size - 1] {
            files.truncateDurably(paths.manifest(2), to: cut)
            let loaded = try ManifestFile.load(paths, storeID: id, files)
            #expect(loaded.number == 1 && loaded.state == Self.state)
        }
    }

    @Test func `a torn tail was not acknowledged`() throws {
        let files = try disk()
        try files.remove(paths.manifest(2))
        let size = try #require(files.contents(paths.manifest(1))?.count)
        files.truncateDurably(paths.manifest(1), to: size - 1)
        let loaded = try ManifestFile.load(paths, storeID: id, files)
        #expect(!loaded.state.isClosed && loaded.tornBytes > 0)
    }

    @Test func `damage in the middle is told with its place`() throws {
        let files = try disk()
        try files.remove(paths.manifest(2))
        let first = ManifestFile.encode([Self.records[0]], sequence: 1, storeID: id).count
        files.flipBit(paths.manifest(1), byte: first + 40, bit: 0)
        #expect(
            throws: LogError.corrupt(
                file: paths.manifest(1), position: Int64(first),
                reason: "a record is damaged, later ones are whole")
        ) { try ManifestFile.load(paths, storeID: id, files) }
    }

    @Test func `a store without a manifest is corrupt`() throws {
        let files = try SimulatedFileSystem.prepared(1)
        try files.makeDirectory("/d/manifest")
        #expect(throws: LogError.self) { try ManifestFile.load(paths, storeID: id, files) }
    }
}
