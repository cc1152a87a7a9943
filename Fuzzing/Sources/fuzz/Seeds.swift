// What a corpus begins with: real bytes of everything that is decoded.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@testable import KafkaWire
@testable import SluiceCore
@testable import SluiceLog
@testable import SluiceTesting

enum Seeds {
    static func write(to directory: String) {
        for target in FuzzTarget.allCases {
            mkdir("\(directory)", 0o755)
            mkdir("\(directory)/\(target.rawValue)", 0o755)
            for (number, bytes) in inputs(target).enumerated() {
                guard let file = fopen("\(directory)/\(target.rawValue)/seed-\(number)", "w") else {
                    continue
                }
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
    }

    static func inputs(_ target: FuzzTarget) -> [[UInt8]] {
        switch target {
        case .batch: batches
        case .records: records
        case .codecs: codecs
        case .index: index
        case .manifest: manifests
        case .journal: journals
        case .offsets: offsets
        case .tasks: tasks
        case .messages: messages
        case .json: json
        case .pressure: pressure
        case .wire: wire
        case .store: stores
        }
    }

    private static let golden = [Golden.plain, Golden.gzip, Golden.snappy, Golden.lz4, Golden.zstd]

    private static var batches: [[UInt8]] {
        var random = SeededGenerator(state: 4)
        let own = Codec.allCases.map { codec in
            seal((0..<6).map { _ in random.record() }, codec).bytes.array
        }
        return golden + own + [ControlBatch.spanning(7, timestamp: 5).bytes.array]
    }

    private static var records: [[UInt8]] {
        let area = [UInt8](Golden.plain.dropFirst(BatchLayout.headerBytes))
        var random = SeededGenerator(state: 9)
        let other = seal((0..<4).map { _ in random.record() }).bytes.array.dropFirst(BatchLayout.headerBytes)
        return (0..<5).flatMap { codec -> [[UInt8]] in
            [[UInt8(codec), 0, 12, 0, 0] + area, [UInt8(codec) | 0x48, 0, 4, 0, 9] + other]
        }
    }

    private static var codecs: [[UInt8]] {
        let plain = (0..<60).map { "a line \($0 % 7) of text, " }.joined()
        var context = CodecContext()
        var inputs: [[UInt8]] = []
        for (number, codec) in CodecTarget.codecs.enumerated() {
            let packed = Array(plain.utf8).withUnsafeBytes { context.compress($0, codec) }.map { [UInt8]($0) }
            inputs.append([UInt8(number)] + (packed ?? []))
            let batch = golden[number + 1]
            inputs.append([UInt8(number)] + batch.dropFirst(BatchLayout.headerBytes))
            inputs.append([UInt8(number) | 4] + (packed ?? []) + (packed ?? []))
        }
        inputs += [Golden.frameLinked, Golden.frameChecksums, Golden.frameBlock5].map { [2] + $0 }
        return inputs + [
            [1] + Golden.snappyRawArea, [3] + Golden.zstdStreamedArea, [0] + Golden.gzipMembersArea,
        ]
    }

    private static var index: [[UInt8]] {
        let sample = IndexSample.shared
        let length = sample.index.count
        return (0..<8).map {
            [UInt8($0), UInt8(length >> 8), UInt8(length & 255)] + sample.index + sample.timeIndex
        }
    }

    /// Files of frames, and their payloads.
    private static func frames(_ kind: FrameKind, _ bytes: [UInt8]) -> [[UInt8]] {
        let payloads = Frame.scan(kind, storeID: nil, in: bytes).frames.map { [UInt8]($0.payload) }
        var runs: [UInt8] = [0]
        for payload in payloads.suffix(6) {
            runs += [UInt8(payload.count >> 8), UInt8(payload.count & 255)] + payload
        }
        return [runs, [1] + bytes.prefix(4_096)]
    }

    private static var manifests: [[UInt8]] {
        var inputs: [[UInt8]] = []
        for sample in StoreSample.all {
            for path in sample.files.files(below: "/store/manifest") {
                inputs += frames(.manifest, sample.files.contents(path) ?? [])
            }
        }
        // One of every record.
        let topic = TopicRecord(
            id: UniqueID(high: 3, low: 4), name: "t", partitions: 2,
            settings: [.init(key: "segment.bytes", value: "1000")])
        let key = PartitionKey(topic: topic.id, partition: 0)
        var sealed = SealedSegment(
            baseOffset: 0, endOffset: 9, size: 700, batches: 3, maxTimestamp: 5, writtenAt: 6, crc: 7,
            timeIndexSize: 12, timeIndexCRC: 8)
        let rolled = ManifestRecord.rolled(key, sealed)
        sealed.generation = 1
        var cleaning = CleaningPoint()
        cleaning.generation = 1
        cleaning.firstDirty = 9
        let point = RecoveryPoint(
            baseOffset: 9, position: 100, offset: 12, batches: 1, maxTimestamp: 9, firstTimestamp: 8, crc: 3,
            ceiling: 40)
        let records: [ManifestRecord] = [
            .opened(bootID: "b", wallMilliseconds: 1, journalFloor: 0), .topicCreated(topic),
            .topicConfigured(topic.id, topic.settings), .partitionsAdded(topic.id, total: 3), rolled,
            .recoveryPoint(key, point), .logStart(key, 4), .leaderEpoch(key, 2), .damaged(key, below: 50),
            .swapped(key, SegmentSwap(removed: [0], added: [sealed], point: cleaning)), .pressure([1, 2]),
            .restarted(PartitionKey(topic: topic.id, partition: 1), at: 5), .closed(wallMilliseconds: 2),
            .topicDeleted(topic.id), .topicForgotten(topic.id),
        ]
        for count in [records.count, records.count - 1, records.count - 2, 6] {
            let file = ManifestFile.encode(
                Array(records.prefix(count)), sequence: 1, storeID: ManifestTarget.storeID)
            inputs += frames(.manifest, file)
        }
        // What no log can be, though its frames are whole.
        let bounds: [Int64] = [.min, -1, 0, 1 << 40, .max - 1, .max]
        for bound in bounds {
            var (sealed, point) = (sealed, point)
            (sealed.size, sealed.endOffset, sealed.generation) = (max(0, bound), max(0, bound), 0)
            (point.baseOffset, point.offset, point.position) = (0, max(0, bound), max(0, bound))
            var far = RecoveryPoint.start(of: 0)
            (far.offset, far.ceiling, far.batches, far.maxTimestamp) = (max(0, bound), bound, bound, bound)
            var swap = SegmentSwap(removed: [0, bound], added: [sealed], point: cleaning)
            swap.point.firstDirty = bound
            let hostile: [ManifestRecord] = [
                .logStart(key, bound), .restarted(key, at: bound), .damaged(key, below: bound),
                .recoveryPoint(key, point), .recoveryPoint(key, far), .rolled(key, sealed),
                .swapped(key, swap),
            ]
            for record in hostile {
                let file = ManifestFile.encode(
                    [.topicCreated(topic), record, record], sequence: 1, storeID: ManifestTarget.storeID)
                inputs += frames(.manifest, file).prefix(1)
            }
        }
        return inputs
    }

    private static var journals: [[UInt8]] {
        StoreSample.all.enumerated().flatMap { number, sample in
            sample.files.files(below: "/store/journal").flatMap {
                frames(.journal, sample.files.contents($0) ?? []).map {
                    [$0[0] | (number == 0 ? 2 : 0)] + $0.dropFirst()
                }
            }
        }
    }

    private static var offsets: [[UInt8]] {
        let partitions = [GroupPartition(topic: "t", partition: 0), GroupPartition(topic: "u", partition: 3)]
        let subscription = ConsumerSubscription(
            topics: ["t", "u"], userData: [1], owned: partitions, generation: 4, rackID: "r")
        let assignment = ConsumerAssignment(partitions: partitions, userData: [9])
        let member = GroupMetadata.Member(
            memberID: "m", instanceID: "i", clientID: "c", clientHost: "/h", rebalanceTimeout: 1,
            sessionTimeout: 2, subscription: subscription.bytes(), assignment: assignment.bytes())
        let group = GroupMetadata(
            protocolType: "consumer", generation: 5, protocolName: "range", leaderID: "m", stateTimestamp: 6,
            members: [member, member])
        let offset = CommittedOffset(offset: 7, leaderEpoch: 1, metadata: "x", commitTimestamp: 8)
        return [
            [0] + GroupRecordKey.offset(groupID: "g", partitions[0]).bytes,
            [0] + GroupRecordKey.group(groupID: "g").bytes, [0] + GroupRecordKey.other(version: 9).bytes,
            [1] + offset.bytes, [2] + group.bytes, [3] + subscription.bytes(), [4] + assignment.bytes(), [4],
        ] + (0...3).map { [3] + subscription.bytes(version: Int16($0)) }
    }

    /// The lives of some tasks, in parts.
    private static var tasks: [[UInt8]] {
        var now = Instant(wallMilliseconds: 1_699_999_000_000, monotonicNanoseconds: 1)
        var machine = TaskMachine(seed: 3, localHost: 1 << 63 | 4)
        var parts: [[UInt8]] = []
        func keep() {
            let runs = machine.takeRecords().flatMap { [$0.key.bytes, $0.value ?? []] }
            parts.append(runs.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0 })
        }
        for number in 0..<6 {
            var draft = TaskDraft(name: "n\(number % 2)", payload: [UInt8](repeating: 7, count: number))
            draft.priority = number
            draft.due = number == 5 ? now.wallMilliseconds + 1 << 40 : nil
            draft.expires = number == 4 ? now.wallMilliseconds + 5_000 : nil
            draft.group = number < 3 ? "g" : nil
            draft.uniqueKey = number == 2 ? "u" : nil
            draft.uniquePeriod = number == 2 ? 60_000 : nil
            _ = try? machine.publish(draft, now: now)
        }
        if let line = try? CronLine("*/5 * * * mon") {
            let schedule = TaskSchedule(name: "s", line: line, task: "n0", payload: [1])
            try? machine.add(schedule, now: now)
        }
        keep()
        var request = LeaseRequest(
            holder: TaskHolder(host: 9, worker: 1), handlers: [], count: 2, visibility: 30_000)
        request.others = TaskRetryPolicy()
        for _ in 0..<4 {
            let leased = machine.lease(request, now: now)
            keep()
            for (number, task) in leased.enumerated() {
                let progress = TaskProgress(fraction: 0.25, note: "n")
                try? machine.report(progress, of: task.lease, now: now)
                if number == 0 {
                    try? machine.complete(task.lease, result: [4, 5], now: now)
                } else {
                    try? machine.fail(task.lease, cause: "c", now: now)
                }
            }
            now.wallMilliseconds += 100_000_000
            now.monotonicNanoseconds += 100_000_000_000_000
            machine.advance(to: now)
            keep()
        }
        machine.pause(true)
        keep()
        return parts + [parts.flatMap { $0 }]
    }

    /// Windows: of one run, of several, with moments, with wide gaps; and what is none.
    private static var messages: [[UInt8]] {
        func entry(_ offset: Int64, _ deliveries: Int, _ moment: Int64? = nil) -> StoredWindow.Entry {
            StoredWindow.Entry(offset: offset, deliveries: deliveries, moment: moment)
        }
        let windows = [
            StoredWindow(end: 40, entries: (0..<40).map { entry($0, 1) }),
            StoredWindow(end: 90, entries: (0..<30).map { entry($0 * 3, Int($0 % 5)) }),
            StoredWindow(end: 9, entries: [entry(0, 1, 1_700_000_000_000), entry(4, 2, 1_700_000_060_000)]),
            StoredWindow(end: 1 << 60, entries: [entry(0, 4), entry(1 << 40, 1), entry(1 << 59, 2)]),
        ]
        return windows.flatMap { window in
            let text = Array(window.metadata.utf8)
            return [[0] + text, [1] + (Base64.decode(text.dropFirst(3)) ?? [])]
        } + [Array("0mine".utf8), []]
    }

    private static let json: [[UInt8]] = [
        #"{"method":"create","topic":"t","partitions":3,"settings":{"a":"b"},"x":[1,-2.5e3,true,false,null]}"#,
        #"["\u00e9\ud83d\ude00\n\"\\\/", 0, -0, 1e5, 9223372036854775807, 9223372036854775808, {}]"#,
        "  \"text\"  ", "[[[[[[[[]]]]]]]]", #"{"a":1,"a":2}"#, "-1.5E-7",
    ].map { Array($0.utf8) }

    private static var pressure: [[UInt8]] {
        var controller = PressureController()
        var inputs = [controller.snapshot]
        var disk = DiskObservation(limitBytes: 1 << 30, usedBytes: 1 << 28)
        for look in 1...30 {
            disk.appendedBytes += 1 << 20
            let group = GroupObservation(
                name: "g", uncommittedBytes: Int64(look) << 18, unprocessedBytes: Int64(look) << 17)
            let topic = TopicObservation(appendedBytes: disk.appendedBytes, groups: [group])
            _ = controller.step(
                PressureInput(
                    nowNanoseconds: Int64(look) * 100_000_000, disk: disk, topics: ["t": topic, "u": topic]))
            if look % 10 == 0 { inputs.append(controller.snapshot) }
        }
        return inputs
    }

    /// A request and a response of each kind, in the version that has most.
    private static var wire: [[UInt8]] {
        ApiKey.allCases.enumerated().flatMap { number, api -> [[UInt8]] in
            let version = api.versions.upperBound
            var coder = RandomCoder(seed: UInt64(number))
            coder.begin(api, version)
            var request = KafkaRequest(api)
            var response = KafkaResponse(api)
            guard (try? request.code(&coder)) != nil, (try? response.code(&coder)) != nil,
                let asked = try? request.frame(version: version, correlationID: 1, clientID: "client"),
                let answer = try? response.frame(version: version, correlationID: 1)
            else { return [] }
            let contents = [asked, answer].map {
                $0.joined(with: coder.source).dropFirst(WireFrame.sizeBytes)
            }
            return [[0] + contents[0], [1, UInt8(number), UInt8(api.versions.count - 1)] + contents[1]]
        }
    }

    /// Each kind of damage to each of some files.
    private static var stores: [[UInt8]] {
        var inputs: [[UInt8]] = [[0], [1]]
        for kind in UInt8(0)..<7 {
            for file in UInt8(0)..<14 {
                inputs.append([file & 1, kind, file, 1, file &* 37, 77, 1, 2, 3, 4, 5, 6, 7, 8])
            }
        }
        return inputs
    }
}
