// The read-only view on a simulated machine: after crashes, and beside a writer between any two of its jobs.

import SluiceTesting
import Testing

@testable import SluiceLog

/// What a view shows of a partition, read as a consumer does.
func readAll(_ volume: ReadOnlyVolume, _ topic: String, _ files: SimulatedFileSystem) throws
    -> [String]
{
    let number = try volume.number(topic: topic, partition: 0)
    let range = try volume.offsets(number)
    let reader = SegmentReader(files, mayRepair: false)
    var context = CodecContext()
    var values: [String] = []
    var next = range.lowerBound
    while next < range.upperBound, let segment = try volume.segment(number, at: next) {
        var position = try reader.position(of: next, in: segment)
        while let batches = try reader.fetch(segment, from: position, maxBytes: 200) {
            var inside = 0
            while inside < batches.bytes.count {
                let rest = ByteSlice(
                    batches.bytes.buffer, start: batches.bytes.start + inside,
                    count: batches.bytes.count - inside)
                let header = try BatchHeader(rest.bytes)
                let stored = ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes)
                let batch = try reader.decode(stored, at: position, in: segment, &context)
                if !header.isControl {
                    values += batch.all.map { String(decoding: $0.value ?? [], as: UTF8.self) }
                }
                inside += header.totalBytes
                position += Int64(header.totalBytes)
                next = header.nextOffset
            }
        }
        next = max(next, segment.endOffset)
    }
    return values
}

@Suite struct ReadOnlyVolumeTests {
    private func view(_ store: TestStore, includesUnsynced: Bool = false) throws -> ReadOnlyVolume {
        try ReadOnlyVolume(
            TestStore.root, store.files, includesUnsynced: includesUnsynced,
            interpret: { LogSettings(simulated: $0) })
    }

    private func read(_ volume: ReadOnlyVolume, _ topic: String, _ files: SimulatedFileSystem) throws
        -> [String]
    {
        try readAll(volume, topic, files)
    }

    @Test(arguments: 0..<60)
    func `after a loss of power it shows what an opening then recovers`(seed: UInt64) throws {
        let store = TestStore(seed: seed)
        try store.open()
        try store.createTopic("d") { $0.segmentBytes = 600 }
        try store.createTopic("w") { $0.isDurable = false }
        for number in 0..<Int(10 + seed % 7) {
            try store.append(["d\(number)"], to: "d")
            try store.append(["w\(number)"], to: "w", acks: .written)
        }
        // Some of it is on its way.
        for number in 0..<3 { try store.submit(["late\(number)"], to: "d") }
        for _ in 0..<(seed % 4) { if let job = store.take(.append) { store.run(job) } }
        if seed % 2 == 0 { store.losePower() } else { store.die() }
        let volume = try view(store)
        #expect(volume.stage == .crashed)
        let shown = [try read(volume, "d", store.files), try read(volume, "w", store.files)]
        try store.open()
        #expect(try store.read("d").compactMap { $0 } == shown[0])
        #expect(try store.read("w").compactMap { $0 } == shown[1])
        // The view that was made before goes on with the writer.
        var later = volume
        _ = try later.look()
        #expect(later.stage == .live)
        #expect(try read(later, "d", store.files) == shown[0])
        try store.append(["more"], to: "d")
        _ = try later.look()
        #expect(try read(later, "d", store.files) == shown[0] + ["more"])
        try store.close()
        _ = try later.look()
        #expect(later.stage == .closed)
        #expect(try read(later, "d", store.files) == shown[0] + ["more"])
    }

    @Test(arguments: 0..<20)
    func
        `between any two jobs of the writer it shows a prefix that only grows, and all that was acknowledged`(
            seed: UInt64
        ) throws
    {
        let store = TestStore(seed: seed) {
            $0.manifestBytes = 2000
            // Commits of more than a frame holds are seen when their recovery point is on record.
            $0.journalBytes = 32 << 10
        }
        try store.open()
        try store.createTopic("d") { $0.segmentBytes = 900 }
        try store.createTopic("w") {
            $0.segmentBytes = 900; $0.isDurable = false
        }
        var volume = try view(store)
        var random = SeededRandom(seed: seed)
        var submitted: [String: [UInt64]] = ["d": [], "w": []]
        var ends: [String: Int64] = ["d": 0, "w": 0]
        for _ in 0..<400 {
            for topic in ["d", "w"] where random.chance(0.3) {
                submitted[topic]?.append(
                    try store.submit(["value"], to: topic, acks: topic == "d" ? .durable : .written))
            }
            if let job = random.chance(0.5) ? store.take(.append) : store.take(.background) { store.run(job) }
            guard random.chance(0.4) else { continue }
            _ = try volume.look()
            for topic in ["d", "w"] {
                let number = try volume.number(topic: topic, partition: 0)
                let end = try volume.offsets(number).upperBound
                #expect(end >= ends[topic] ?? 0)
                ends[topic] = end
                let acknowledged = submitted[topic]?.prefix { store.answers[$0] != nil }.count ?? 0
                #expect(end >= Int64(acknowledged))
                #expect(try read(volume, topic, store.files).count == Int(end))
            }
        }
        store.drive()
        _ = try volume.look()
        for topic in ["d", "w"] {
            #expect(try read(volume, topic, store.files).count == submitted[topic]?.count)
        }
    }

    @Test(arguments: 0..<30)
    func `a backup is whole, or no store, wherever the disk is full or the power goes`(seed: UInt64) throws {
        let store = TestStore(seed: seed)
        try store.open()
        try store.createTopic("d") { $0.segmentBytes = 600 }
        for number in 0..<12 { try store.append(["d\(number)"], to: "d") }
        var volume = try view(store)
        let expected = try read(volume, "d", store.files)
        if seed % 2 == 0 {
            store.files.fail(.write, errno: 28, .call(Int(seed) / 2 + 1))
            do {
                try StoreBackup.make(of: &volume, at: "/copy", store.files, now: store.clock.now)
            } catch {
                #expect("\(error)".contains("28"))
                #expect(try store.files.status("/copy") == nil)
                return
            }
            // The call that failed was an index's: it is made again when it is needed.
            let copy = try ReadOnlyVolume("/copy", store.files, interpret: { LogSettings(simulated: $0) })
            #expect(try read(copy, "d", store.files) == expected)
            return
        }
        try StoreBackup.make(of: &volume, at: "/copy", store.files, now: store.clock.now)
        store.losePower()
        let copy = try ReadOnlyVolume("/copy", store.files, interpret: { LogSettings(simulated: $0) })
        #expect(copy.stage == .closed)
        #expect(try read(copy, "d", store.files) == expected)
    }
}
