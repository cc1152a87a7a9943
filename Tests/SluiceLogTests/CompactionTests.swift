// Compaction against a dictionary, and what it does with tombstones, damage, memory and crashes.

import SluiceTesting
import Testing

@testable import SluiceLog

@Suite struct CompactionTests {
    private func store(
        seed: UInt64 = 1, _ configure: (inout VolumeConfiguration) -> Void = { _ in },
        _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> TestStore {
        let store = TestStore(seed: seed) {
            $0.compactionBytesPerSecond = 0
            configure(&$0)
        }
        try store.open()
        try store.createTopic("t") {
            $0.isCompacted = true
            $0.isDeleted = false
            $0.segmentBytes = 2000
            // Only when it is asked for.
            $0.minDirtyRatio = 1
            change(&$0)
        }
        return store
    }

    private func record(_ key: String, _ value: String?) -> KeyedRecord {
        KeyedRecord(key: key, value: value)
    }

    /// The store closes cleanly and every byte of it is as its seals say.
    private func verify(_ store: TestStore) throws {
        try store.close()
        let report = try store.verify()
        #expect(report.findings.isEmpty)
        try store.open()
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `the map of last values stays, at its offsets`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let memory = random.pick([72, 240, 1 << 16])
        let slice = random.pick([1, 700, 1 << 20])
        let store = try store(
            seed: seed,
            {
                $0.compactionMemoryBytes = memory
                $0.compactionSliceBytes = slice
            }, { $0.segmentBytes = Int64(random.pick([500, 2000, 100_000])) })
        let codecs: [Codec] = [.none, .lz4, .zstd, .gzip, .snappy]
        var oracle: [Int64: KeyedRecord] = [:]
        var end: Int64 = 0
        for round in 0..<4 {
            for batch in 0..<30 {
                let records = (0..<random.within(1...6)).map { index in
                    record(
                        "k\(random.below(40))",
                        random.chance(0.1)
                            ? nil
                            : "v\(round).\(batch).\(index)"
                                + String(repeating: "x", count: random.pick([0, 10, 300])))
                }
                let result = try store.append(records: records, to: "t", codec: random.pick(codecs))
                #expect(result?.offset == end)
                for record in records {
                    oracle[end] = record
                    end += 1
                }
            }
            #expect(try store.compact("t")?.get() == end)
            let found = try store.records("t").records
            let last = lastValues(oracle)
            // Each key once, what it had last, where it was.
            #expect(found.count == last.count)
            for (offset, record) in found { #expect(oracle[offset] == record) }
            #expect(lastValues(found) == last)
            try verify(store)
            #expect(try store.records("t").records == found)
        }
        #expect(try store.names("t").allSatisfy { $0.split(separator: ".").count == 2 })
    }

    @Test func `every offset can be asked for`() throws {
        let store = try store()
        for index in 0..<60 {
            try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t")
        }
        try store.compact("t")
        let found = try store.records("t").records
        #expect(found.keys.sorted() == Array(53..<60))
        let number = try store.number("t")
        let reader = SegmentReader(store.files, mayRepair: true)
        for offset in 0..<Int64(60) {
            let view = try #require(try store.opened!.volume.segment(number, at: offset))
            let position = try reader.position(of: offset, in: view)
            let fetched = try #require(try reader.fetch(view, from: position, maxBytes: 1))
            let header = try BatchHeader(fetched.bytes.bytes)
            // The batch with the offset, or the next that there is: never one before.
            #expect(header.nextOffset > offset)
            #expect(header.baseOffset <= max(offset, 53) || header.recordCount == 0)
        }
    }

    @Test func `small segments become one, as large as a segment may be`() throws {
        let store = try store({ _ in }, { $0.segmentBytes = 3000 })
        for index in 0..<80 {
            try store.append(
                records: [record("k\(index)", String(repeating: "x", count: 100))], to: "t")
            if index % 5 == 4 { try store.compact("t") }
        }
        let sealed = try store.sealed("t")
        #expect(sealed.count < 10)
        #expect(sealed.allSatisfy { $0.size <= 3000 })
        #expect(zip(sealed, sealed.dropFirst()).allSatisfy { $0.endOffset == $1.baseOffset })
        #expect(try store.records("t").records.count == 80)
        try verify(store)
    }

    @Test func `a segment of which nothing goes is not written again`() throws {
        let store = try store()
        for index in 0..<60 {
            try store.append(records: [record("k\(index)", String(repeating: "x", count: 700))], to: "t")
        }
        let before = try store.sealed("t")
        try store.compact("t")
        #expect(try store.sealed("t").prefix(before.count) == before[...])
        #expect(try store.sealed("t").allSatisfy { $0.generation == 0 })
    }

    @Test func `a tombstone goes when its time is over, and not before`() throws {
        let store = try store({ _ in }, { $0.deleteRetentionMilliseconds = 5000 })
        func fill(_ count: Int) throws {
            for index in 0..<count { try store.append(records: [record("f\(index)", "x")], to: "t") }
        }
        try store.append(records: [record("a", "1"), record("b", "1")], to: "t")
        try store.append(records: [record("a", nil), record("c", "1")], to: "t")
        try store.compact("t")
        let first = try store.records("t")
        #expect(first.records == [1: record("b", "1"), 2: record("a", nil), 3: record("c", "1")])
        let horizon = try #require(first.batches.first { $0.hasDeleteHorizon })
        #expect(horizon.baseTimestamp <= store.clock.now.wallMilliseconds + 5000)
        store.clock.advance(by: .milliseconds(4000))
        try fill(1)
        try store.compact("t")
        #expect(try store.records("t").records[2] == record("a", nil))
        store.clock.advance(by: .milliseconds(2000))
        try fill(1)
        try store.compact("t")
        let left = try store.records("t").records
        #expect(left[2] == nil)
        #expect(left[3] == record("c", "1"))
        try verify(store)
    }

    @Test func `the timestamps of a batch with a horizon are what they were`() throws {
        let store = try store()
        try store.append(records: [record("a", nil), record("b", "1")], to: "t", codec: .lz4)
        let number = try store.number("t")
        func times() throws -> [Int64] {
            let view = try #require(try store.opened!.volume.segment(number, at: 0))
            let reader = SegmentReader(store.files, mayRepair: true)
            let fetched = try #require(try reader.fetch(view, from: 0, maxBytes: 1))
            var context = CodecContext()
            return try reader.decode(fetched.bytes, at: 0, in: view, &context).all.map(\.timestamp)
        }
        let before = try times()
        store.clock.advance(by: .seconds(60))
        try store.compact("t")
        #expect(try times() == before)
    }

    @Test func `records without a key go, control batches and the last batch of a producer stay`() throws {
        let store = try store()
        let producer = ProducerSequence(producerID: 7, epoch: 0, baseSequence: 5)
        try store.append(records: [KeyedRecord(key: nil, value: "x"), record("a", "1")], to: "t")
        try store.append(records: [record("a", "2"), record("b", "2")], to: "t", producer: producer)
        try store.append(records: [record("a", "3"), record("b", "3")], to: "t")
        try store.append(records: [record("c", "3")], to: "t")
        try store.compact("t")
        let (records, batches) = try store.records("t")
        #expect(records == [4: record("a", "3"), 5: record("b", "3"), 6: record("c", "3")])
        let kept = try #require(batches.first { $0.producerID == 7 })
        #expect(
            kept.recordCount == 0 && kept.baseSequence == 5 && kept.baseOffset == 2 && kept.lastOffset == 3)
    }

    @Test func `the dirty ratio begins a pass, and a map that is too small the next one`() throws {
        let store = try store(
            { $0.compactionMemoryBytes = 300 }, { $0.minDirtyRatio = 0.5 })
        for index in 0..<200 {
            try store.append(records: [record("k\(index % 50)", "\(index)")], to: "t")
        }
        store.drive()
        let passes = store.events.count { if case .compacted = $0 { true } else { false } }
        #expect(passes > 5)
        let base = try #require(try store.sealed("t").last).endOffset
        let found = try store.records("t").records.filter { $0.key < base }
        #expect(found.count == 50)
    }

    @Test func `a damaged batch is left alone and reported, and what it may delete stays deleted`() throws {
        let store = try store(
            { _ in },
            {
                $0.deleteRetentionMilliseconds = 0; $0.segmentBytes = 400
            })
        for index in 0..<40 {
            try store.append(records: [record("k\(index % 4)", "\(index)")], to: "t")
        }
        let damaged = try store.sealed("t")[1]
        let path = store.log("t", base: damaged.baseOffset)
        store.files.flipBit(path, byte: 80, bit: 3)
        let bytes = store.files.contents(path)
        for key in 0..<4 { try store.append(records: [record("k\(key)", nil)], to: "t") }
        for _ in 0..<3 {
            try store.append(records: [record("x", "1")], to: "t")
            #expect(try store.compact("t") != nil)
            store.clock.advance(by: .seconds(1))
        }
        #expect(store.files.contents(path) == bytes)
        let reports = store.events.count { if case .recordsUnreadable = $0 { true } else { false } }
        #expect(reports > 0)
        // As of the scrub: the next opening and a plain verification know it.
        let number = try store.number("t")
        let key = try #require(store.opened?.volume.partitions[number]?.key)
        #expect(store.opened?.volume.manifest.state.partitions[key]?.damage[damaged.baseOffset] != nil)
        #expect(store.opened?.volume.partitions[number]?.cleaning.damagedEnd == damaged.endOffset)
        // The tombstones are there still, though their time is over.
        let sealed = try store.sealed("t")
        #expect(sealed.contains { $0.baseOffset == damaged.baseOffset && $0.generation == 0 })
        // Mended, all is cleaned again, and they go.
        store.files.flipBit(path, byte: 80, bit: 3)
        for _ in 0..<4 {
            try store.append(records: [record("x", "1")], to: "t")
            try store.compact("t")
            store.drive()
            store.clock.advance(by: .seconds(1))
        }
        #expect(try lastValues(store.records("t").records) == ["x": record("x", "1")])
    }

    @Test func `a full disk ends a pass, and it comes again`() throws {
        let store = try store()
        for index in 0..<60 { try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t") }
        let before = try store.records("t").records
        var policy = FaultPolicy.none
        policy.capacityBytes = 1
        store.files.policy = policy
        let number = try store.number("t")
        // The manifest wants room as well: only what has been rolled is asked for.
        let answer = try store.request { volume, request in
            try volume.compact(number, rollBytes: .max, request: request)
        }
        let isRefused = if case .failure(.io) = answer { true } else { false }
        #expect(isRefused, "\(String(describing: answer))")
        #expect(try store.records("t").records == before)
        store.files.policy = .none
        #expect(try store.compact("t")?.get() == 60)
        #expect(try store.records("t").records.count == 7)
        try verify(store)
    }

    @Test(arguments: [true, false])
    func `a crash at any call of a compaction loses nothing`(power: Bool) throws {
        var calls = 0
        var isOver = false
        while !isOver {
            let store = try store(seed: UInt64(calls) + 1)
            for index in 0..<40 { try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t") }
            let last = lastValues(try store.records("t").records)
            store.files.crashAfterCalls = calls
            let result = try store.compact("t")
            store.drive(waits: false)
            isOver = !store.files.hasCrashed
            if isOver { #expect(try result?.get() == 40) }
            power ? store.losePower() : store.die()
            store.files.crashAfterCalls = nil
            try store.open()
            #expect(try store.report.isDamaged == false)
            #expect(lastValues(try store.records("t").records) == last)
            try store.compact("t")
            store.drive()
            #expect(try store.records("t").records.count == 7)
            // Nothing is left of the pass that was cut off.
            try verify(store)
            let names = try store.names("t")
            #expect(names.allSatisfy { $0.split(separator: ".").count == 2 })
            #expect(names.count { $0.hasSuffix(".log") } <= (try store.sealed("t").count) + 1)
            calls += 1
        }
        #expect(calls > 20)
    }

    @Test func `a reader with an old view is told so`() throws {
        let store = try store()
        for index in 0..<60 { try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t") }
        let number = try store.number("t")
        let old = try #require(try store.opened!.volume.segment(number, at: 20))
        let active = try #require(try store.opened!.volume.segment(number, at: 59))
        func isReplaced(_ view: SegmentView) -> Bool? { store.opened?.volume.isReplaced(view, of: number) }
        #expect(isReplaced(old) == false)
        try store.compact("t")
        store.drive()
        #expect(isReplaced(old) == true)
        #expect(isReplaced(active) == true)
        let new = try #require(try store.opened!.volume.segment(number, at: 20))
        #expect(isReplaced(new) == false)
    }

    @Test func `the rate is kept by deadlines`() throws {
        let store = try store({
            $0.compactionBytesPerSecond = 2000
            $0.compactionSliceBytes = 500
        })
        for index in 0..<60 { try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t") }
        let bytes = try store.sealed("t").reduce(0) { $0 + $1.size }
        let start = store.clock.now.monotonicNanoseconds
        try store.compact("t")
        let seconds = Double(store.clock.now.monotonicNanoseconds - start) / 1e9
        // Read for the map and for the copy.
        #expect(seconds > Double(2 * bytes) / 2000 * 0.8)
    }

    @Test func `closing, deleting and configuring end a pass`() throws {
        let store = try store({ $0.compactionSliceBytes = 1 })
        for index in 0..<60 { try store.append(records: [record("k\(index % 7)", "\(index)")], to: "t") }
        let number = try store.number("t")
        try store.opened!.volume.compact(number, request: 1000)
        for _ in 0..<30 { if let job = store.take(.background) { store.run(job) } }
        #expect(store.opened?.volume.compaction != nil)
        try store.close()
        #expect(store.requests[1000] == .failure(.closed))
        try store.open()
        #expect(try store.records("t").records.keys.contains(59))
        try store.opened!.volume.compact(number, request: 1001)
        for _ in 0..<30 { if let job = store.take(.background) { store.run(job) } }
        let answer = try store.request { volume, request in
            try volume.deleteTopic("t", request: request)
        }
        #expect(try answer?.get() == 0)
        #expect(store.requests[1001] == .failure(.unknownTopic("t")))
    }

    @Test func `segments that wait to be consumed go below the floor alone`() throws {
        let store = try store({ _ in }) {
            $0.isCompacted = false
            $0.isDeleted = true
            $0.isUntilConsumed = true
            $0.retentionBytes = 0
            $0.retentionMilliseconds = 1
        }
        for index in 0..<60 { try store.append(records: [record("k", "\(index)")], to: "t") }
        let number = try store.number("t")
        store.clock.advance(by: .seconds(60))
        store.opened!.volume.enforceRetention(wall: store.clock.now.wallMilliseconds)
        store.drive()
        #expect(try store.opened!.volume.offsets(number).lowerBound == 0)
        let second = try store.sealed("t")[1]
        try store.opened!.volume.setConsumedFloor(number, to: second.endOffset - 1)
        store.drive()
        #expect(try store.opened!.volume.offsets(number).lowerBound == second.baseOffset)
        try store.opened!.volume.setConsumedFloor(number, to: second.endOffset)
        store.drive()
        #expect(try store.opened!.volume.offsets(number).lowerBound == second.endOffset)
    }
}
