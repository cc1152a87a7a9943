// The rows of the table in RecoveryPlan.swift, each made by hand.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct RecoveryTests {
    /// A store with the topic `t`, durable or not, that has the given records, one batch each; nothing more
    /// is recorded.
    private func store(
        _ values: [String], isDurable: Bool = true,
        _ configure: (inout VolumeConfiguration) -> Void = { _ in }
    ) throws -> TestStore {
        let store = TestStore { configuration in
            configuration.ceilingStep = 4
            configure(&configuration)
        }
        try store.open()
        try store.createTopic("t") { $0.isDurable = isDurable }
        try store.createTopic("other")
        for value in values { #expect(try store.append([value], to: "t", acks: .written)?.offset != nil) }
        return store
    }

    /// Puts a file and its names on the medium, behind the volume's back.
    private func sync(_ path: String, _ store: TestStore) throws {
        let file = try store.files.open(path, .read)
        try store.files.sync(file)
        store.files.close(file)
        try store.files.syncDirectory(String(path[..<path.lastIndex(of: "/")!]))
        try store.files.syncDirectory("/store/topics")
    }

    /// Where the batches of a log begin.
    private func positions(_ path: String, _ store: TestStore) throws -> [Int] {
        let bytes = try #require(store.files.contents(path))
        var positions: [Int] = []
        var position = 0
        while position < bytes.count {
            positions.append(position)
            position += try header(Array(bytes[position...].prefix(BatchLayout.headerBytes))).totalBytes
        }
        return positions
    }

    private func hasCorrupt(_ report: RecoveryReport) -> Bool {
        report.findings.contains { if case .corrupt = $0 { true } else { false } }
    }

    @Test(arguments: [true, false])
    func `of a written topic no offset is used twice whose record a failed sync has taken`(
        isRecorded: Bool
    ) throws {
        let store = TestStore { $0.ceilingStep = 4 }
        try store.open()
        try store.createTopic("t") { $0.isDurable = false }
        store.files.policy.failedSyncForgets = true
        // 5 is EIO.
        store.files.fail(.sync, errno: 5, pathContains: "topics")
        #expect(try store.append(["seen"], to: "t", acks: .written)?.offset == 0)
        store.drive { store.events.contains { if case .partitionStopped = $0 { true } else { false } } }
        #expect(!store.events.isEmpty)
        if isRecorded { store.drive() }
        store.die()
        store.files.policy = .none
        // Recorded, it holds also where the file is shorter than it seemed to be.
        if isRecorded { store.files.truncateDurably(store.log("t"), to: 0) }
        try store.open()
        #expect(try !store.read("t").contains("seen"))
        let next = try #require(try store.append(["next"], to: "t")?.offset)
        #expect(next > 0)
    }

    @Test func `no offset is used twice when the opening after a power loss could not read the topic`()
        throws
    {
        let store = try store(["a"], isDurable: false)
        store.drive()
        for value in ["b", "c"] { try store.append([value], to: "t", acks: .written) }
        store.losePower()
        // 5 is EIO.
        store.files.fail(.read, errno: 5, isPermanent: true, pathContains: store.log("t"))
        try store.open()
        #expect(try hasCorrupt(store.report))
        store.die()
        store.files.policy = .none
        try store.open()
        let next = try #require(try store.append(["next"], to: "t")?.offset)
        #expect(next > 2)
    }

    @Test(arguments: [true, false], [1, 11, 60, 61, 80])
    func `a torn last batch is cut and kept in the quarantine`(isDurable: Bool, bytes: Int) throws {
        let store = try store(["a", "b"], isDurable: isDurable)
        let log = store.log("t")
        let whole = try #require(store.files.contents(log))
        store.die()
        store.files.overwrite(log, at: whole.count, with: Array(repeating: 7, count: bytes))
        try store.open()
        let findings = try store.report.findings
        #expect(findings.first == .torn(file: log, position: Int64(whole.count), bytes: Int64(bytes)))
        // One that a reader has seen may have been whole before a sync failed: its offset is not used again.
        #expect(findings.count == (isDurable ? 1 : 2))
        #expect(store.files.contents(log)?.starts(with: whole) == true)
        #expect(
            store.files.contents("/store/quarantine/t-0-0-\(whole.count)")
                == Array(repeating: 7, count: bytes))
        #expect(try store.read("t").compactMap(\.self) == ["a", "b"])
        let next = try #require(try store.append(["c"], to: "t")?.offset)
        #expect(isDurable ? next == 2 : next >= 4)
    }

    @Test func `a hole that a power loss left is cut, and the offsets behind it are not used again`() throws {
        let store = try store(["a", "b", "c"], isDurable: false)
        let log = store.log("t")
        try sync(log, store)
        store.losePower()
        let second = try positions(log, store)[1]
        store.files.flipBit(log, byte: second + 65, bit: 0)
        try store.open()
        let findings = try store.report.findings
        #expect(
            findings.contains { if case .hole(log, Int64(second), _) = $0 { true } else { false } },
            "\(findings)")
        #expect(try store.read("t").first == "a")
        #expect(try store.read("t").dropFirst().allSatisfy { $0 == nil })
        let offset = try #require(try store.append(["d"], to: "t", acks: .durable)?.offset)
        #expect(offset > 2)
        #expect(try store.read("t").last == "d")
    }

    @Test func `a hole may lie before the step over promised offsets that a second power loss left`() throws {
        // One batch may be larger than the window.
        let store = try store([String(repeating: "-", count: 2000)], isDurable: false) {
            $0.windowBytes = 1000
        }
        let log = store.log("t")
        try sync(log, store)
        store.losePower()
        let size = try #require(store.files.contents(log)).count
        let step = ControlBatch.spanning(3, timestamp: 0)
        step.bytes.assign(baseOffset: 1, leaderEpoch: 1, at: 0)
        store.files.overwrite(log, at: size, with: step.bytes.array)
        store.files.flipBit(log, byte: 65, bit: 0)
        try store.open()
        #expect(
            try store.report.findings.contains(
                .hole(file: log, position: 0, bytes: Int64(size + step.bytes.count))))
        #expect(try #require(try store.append(["d"], to: "t")?.offset) >= 4)
    }

    @Test func `valid data behind damage in the same boot is corrupt, read-only, and stays so`() throws {
        let store = try store(["a", "b", "c"], isDurable: false)
        let log = store.log("t")
        try sync(log, store)
        let second = try positions(log, store)[1]
        store.die()
        store.files.flipBit(log, byte: second + 65, bit: 0)
        let before = store.files.contents(log)
        for reboots in [false, true] {
            if reboots { store.losePower() }
            try store.open()
            #expect(hasCorrupt(try store.report))
            #expect(store.files.contents(log) == before)
            #expect(throws: LogError.self) { try store.append(["d"], to: "t") }
            #expect(try store.append(["x"], to: "other")?.offset != nil)
            let view = try #require(try store.opened!.volume.segment(try store.number("t"), at: 0))
            #expect(view.damage?.position == Int64(second))
            #expect(try store.opened!.volume.offsets(try store.number("t")) == 0..<3)
            if !reboots {
                store.die()
                #expect(throws: LogError.self) { try store.open(strict: true) }
            }
        }
    }

    @Test(arguments: [false, true])
    func `a partition whose damage is given up is written again and uses no offset twice`(losesPower: Bool)
        throws
    {
        let store = try store(["a", "b", "c"], isDurable: false)
        let log = store.log("t")
        try sync(log, store)
        let second = try positions(log, store)[1]
        // Seen, and taken by the power.
        try store.append(["d"], to: "t", acks: .written)
        store.die()
        store.files.flipBit(log, byte: second + 65, bit: 0)
        try store.open()
        if losesPower {
            store.losePower()
            try store.open()
        }
        #expect(hasCorrupt(try store.report))
        let number = try store.number("t")
        let end = try store.opened!.volume.offsets(number).upperBound
        #expect(end == (losesPower ? 3 : 4))
        _ = try store.request { try $0.deleteRecords(number, before: end, request: $1) }
        if losesPower {
            // What was promised is stepped over by the next opening.
            #expect(throws: LogError.self) { try store.append(["e"], to: "t") }
            try store.close()
            try store.open()
            #expect(
                try store.report.findings.contains {
                    if case .offsetsSkipped(_, _, from: 3, _) = $0 { true } else { false }
                })
        }
        let next = try #require(try store.append(["e"], to: "t", acks: .durable)?.offset)
        #expect(losesPower ? next >= 4 : next == 4)
        try store.close()
        try store.open()
        #expect(try store.report.findings.filter(\.isDamage) == [])
        #expect(try store.append(["f"], to: "t", acks: .durable)?.offset == next + 1)
    }

    @Test func `damage below the durable end is corrupt after a reboot too`() throws {
        // The first goes to the segment alone, the second to the journal: that proves the first.
        let store = try store([String(repeating: "a", count: 1000), "b"]) { $0.directBytes = 500 }
        store.losePower()
        store.files.flipBit(store.log("t"), byte: 100, bit: 3)
        try store.open()
        #expect(hasCorrupt(try store.report))
        #expect(throws: LogError.self) { try store.append(["c"], to: "t") }
        #expect(throws: LogError.self) {
            store.die()
            try store.open(strict: true)
        }
    }

    @Test func `the journal restores what the segment has lost`() throws {
        let store = try store(["a", "b", "c"])
        let log = store.log("t")
        let whole = store.files.contents(log)
        store.losePower()
        if store.files.contents(log) != nil { store.files.truncateDurably(log, to: 0) }
        try store.open()
        #expect(try store.report.findings.contains { if case .restored = $0 { true } else { false } })
        #expect(store.files.contents(log) == whole)
        #expect(try store.read("t") == ["a", "b", "c"])
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `a journal whose name is on no medium yet is not relied on after a clean opening`(seed: UInt64)
        throws
    {
        let store = TestStore(seed: seed)
        try store.open()
        try store.createTopic("t")
        // Made, but its name cannot be synced: the batch goes without. 5 is EIO.
        store.files.policy.faults = [
            Fault(.syncDirectory, errno: 5, isPermanent: true, pathContains: "/journal"),
            Fault(.remove, errno: 5, isPermanent: true, pathContains: "/journal"),
        ]
        #expect(try store.append(["a"], to: "t")?.offset == 0)
        try store.close()
        store.files.policy = .none
        try store.open()
        #expect(try store.append(["b"], to: "t")?.offset == 1)
        store.losePower()
        try store.open()
        #expect(try store.read("t") == ["a", "b"])
    }

    @Test func `the journal mends a damaged segment`() throws {
        let store = try store(["a", "b", "c"])
        let log = store.log("t")
        let whole = store.files.contents(log)
        store.die()
        store.files.flipBit(log, byte: try positions(log, store)[1] + 5, bit: 1)
        try store.open()
        #expect(try !store.report.isDamaged)
        #expect(store.files.contents(log) == whole)
    }

    @Test func `a damaged journal frame with whole ones behind it is not taken for the end`() throws {
        let store = try store(["a", "b", "c"])
        store.die()
        store.files.truncateDurably(store.log("t"), to: 0)
        // The second of three frames of 512 bytes.
        store.files.flipBit("/store/journal/0", byte: 512 + 20, bit: 0)
        try store.open()
        #expect(hasCorrupt(try store.report))
        #expect(throws: LogError.self) { try store.append(["d"], to: "t") }
        #expect(try store.append(["x"], to: "other")?.offset == 0)
    }

    @Test func `a missing segment takes its partition off line, and no other`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t") { $0.segmentBytes = 200 }
        try store.createTopic("other")
        for value in ["a", "b", "c", "d"] {
            try store.append([value + String(repeating: "-", count: 90)], to: "t")
        }
        store.drive()
        try store.close()
        try store.files.remove(store.log("t"))
        try store.open()
        #expect(try store.report.isDamaged)
        #expect(throws: LogError.self) { try store.read("t") }
        #expect(throws: LogError.self) { try store.append(["e"], to: "t") }
        #expect(try store.append(["x"], to: "other")?.offset == 0)
        #expect(store.files.contents(store.log("t", base: 1)) != nil)
    }

    @Test func `files that the manifest has let go are removed, others are listed and left`() throws {
        let store = try store(["a"])
        let number = try store.number("t")
        _ = try store.request { try $0.deleteRecords(number, before: 1, request: $1) }
        store.drive()
        try store.append(["b"], to: "t")
        try store.close()
        try store.files.put([1, 2], to: store.log("t", base: 0))
        try store.files.put([3], to: "/store/topics/t-0/notes.txt")
        try store.files.put([4], to: "/store/topics/stray")
        try store.open()
        #expect(store.files.contents(store.log("t", base: 0)) == nil)
        #expect(
            try Set(store.report.findings) == [
                .unreferenced(path: "/store/topics/t-0/notes.txt"),
                .unreferenced(path: "/store/topics/stray"),
            ])
        #expect(try store.read("t") == ["b"])
    }

    @Test(arguments: [nil, [], [1, 2, 3], Array(repeating: 0xFF, count: 800)] as [[UInt8]?])
    func `an index that is lost or nonsense costs nothing but its rebuilding`(index: [UInt8]?) throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t") { $0.indexIntervalBytes = 0 }
        for value in 0..<20 { try store.append(["\(value)"], to: "t") }
        store.drive()
        try store.close()
        for kind in ["index", "timeindex"] {
            let path = store.log("t").replacing(".log", with: ".\(kind)")
            try store.files.remove(path)
            if let index { try store.files.put(index, to: path) }
        }
        try store.open()
        #expect(try store.read("t").count == 20)
        #expect(try store.append(["more"], to: "t")?.offset == 20)
        try store.close()
        #expect(try store.verify().findings.isEmpty)
    }

    @Test func `a tail that cannot be read is left as it is, and there another time`() throws {
        let store = try store(["a", "b"])
        store.losePower()
        try store.open()
        #expect(try store.append(["c"], to: "t")?.offset == 2)
        store.die()
        store.files.fail(.read, errno: 5, isPermanent: true, pathContains: "/t-0/")
        try store.open()
        #expect(try store.report.isDamaged)
        #expect(throws: LogError.self) { try store.append(["d"], to: "t") }
        #expect(try store.append(["x"], to: "other")?.offset == 0)
        try store.close()
        store.files.policy = .none
        store.files.powerLoss()
        try store.open()
        #expect(try !store.report.isDamaged)
        #expect(try store.read("t") == ["a", "b", "c"])
        #expect(try store.append(["d"], to: "t")?.offset == 3)
    }

    @Test func `a sealed segment that has changed is found by a deep verification`() throws {
        let store = TestStore()
        try store.open()
        try store.createTopic("t") { $0.segmentBytes = 200 }
        for value in ["a", "b", "c"] {
            try store.append([value + String(repeating: "-", count: 90)], to: "t")
        }
        store.drive()
        try store.close()
        // A base offset: no batch's own checksum covers it.
        store.files.flipBit(store.log("t"), byte: 14, bit: 0)
        let report = try store.verify()
        #expect(report.findings.count == 1 && report.isDamaged)
        try store.open()
        #expect(try store.append(["d"], to: "t")?.offset == 3)
    }

    @Test func `a manifest that ends a log beyond all reach is told by a salvage, not filled up to`() throws {
        let store = try store(["a", "b"])
        try store.close()
        let path = try #require(
            store.files.list("/store/manifest").map { "/store/manifest/\($0.name)" }.last)
        let bytes = try #require(store.files.contents(path))
        let paths = StorePaths(TestStore.root)
        let id = try StoreDirectory.readMeta(paths, store.files)
        let loaded = try ManifestFile.load(paths, storeID: id, store.files)
        let topic = try #require(loaded.state.topics.values.first { $0.name == "t" })
        var point = RecoveryPoint.start(of: 0)
        point.offset = 1 << 60
        point.ceiling = (1 << 60) + 5
        let record = ManifestRecord.recoveryPoint(PartitionKey(topic: topic.id, partition: 0), point)
        let frame = ManifestFile.encode([record], sequence: loaded.lastSequence + 1, storeID: id)
        store.files.overwrite(path, at: bytes.count, with: frame)
        var notes: [SalvageNote] = []
        let isWhole = try Salvage.run(
            TestStore.root, to: "/saved", store.files, now: store.clock.now, random: &store.random,
            interpret: { LogSettings(simulated: $0) }, report: { notes.append($0) })
        #expect(!isWhole && notes.contains { $0.description.contains("nothing leads that far") })
        let report = try StoreDirectory.verify(
            "/saved", store.files, deep: true, interpret: { LogSettings(simulated: $0) })
        #expect(!report.isDamaged)
    }
}
