// Manifest and journal: their frames, their records, and what an opening makes of them.
//
//   input   u8: bit 0 the bytes are a file as it is; else payloads, each behind its length in two bytes,
//           which are put in frames with the right CRC · bit 1 (journal) the store was closed · bytes
//
// What is left out: states with over 500 partitions. Thirty bytes of a manifest make a topic of 100,000,
// which is right, and only takes long.

@testable import SluiceLog
@testable import SluiceTesting

enum ManifestTarget {
    static let storeID = UniqueID(high: 1, low: 2)
    private static let maxPartitions = 500

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        let isRaw = input.byte() & 1 != 0
        let manifest = isRaw ? input.remainder() : FrameRuns.file(.manifest, input.runs(), storeID, from: 1)
        let scan = Frame.scan(.manifest, storeID: storeID, in: manifest)
        try FrameRuns.check(scan, manifest)
        guard let partitions = try records(scan), partitions <= maxPartitions else { return }
        let files = SimulatedFileSystem(seed: 1)
        for path in ["/store", "/store/manifest", "/store/topics"] { try? files.makeDirectory(path) }
        files.put(
            "/store/meta.properties",
            Array("version=1\nstore.id=\(storeID)\ncompat=\nro-compat=\nincompat=\n".utf8))
        files.put("/store/manifest/000001.log", manifest)
        try FrameRuns.use(files)
    }

    /// Reads the records; how many partitions they make at most, or nil when they are none.
    private static func records(_ scan: FrameScan) throws(FuzzFailure) -> Int? {
        var partitions = 0
        for frame in scan.frames {
            var reader = BinaryReader(frame.payload)
            while reader.left > 0 {
                guard let record = try? ManifestRecord(from: &reader) else { return nil }
                var writer = BinaryWriter()
                record.encode(into: &writer)
                var again = BinaryReader(writer.bytes[...])
                try require(
                    (try? ManifestRecord(from: &again)) == record && again.left == 0,
                    "\(record) is not read back")
                try require(
                    record.mostBytes >= writer.bytes.count, "\(record) takes more than is reckoned with")
                if case .topicCreated(let topic) = record { partitions += Int(topic.partitions) }
                if case .partitionsAdded(_, let total) = record { partitions += Int(total) }
            }
        }
        return partitions
    }
}

enum JournalTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let sample = StoreSample.all[flags & 2 == 0 ? 1 : 0]
        let files = sample.files.copy()
        let paths = StorePaths(FuzzStore.root)
        guard let storeID = try? StoreDirectory.readMeta(paths, files) else { return }
        let journal =
            flags & 1 != 0 ? input.remainder() : FrameRuns.file(.journal, input.runs(), storeID, from: 1_000)
        let scan = Frame.scan(.journal, storeID: storeID, in: journal)
        try FrameRuns.check(scan, journal)
        for frame in scan.frames {
            let entries = RecoveryPlanner.entries(of: frame)
            let bytes = entries.reduce(0) { $0 + $1.1.count }
            try require(bytes <= frame.payload.count, "entries hold more than their frame")
        }
        try? files.makeDirectory(paths.journal)
        files.put(paths.journal(0), journal)
        try FrameRuns.use(files)
    }
}

enum FrameRuns {
    /// A file of frames with these payloads.
    static func file(
        _ kind: FrameKind, _ payloads: [[UInt8]], _ storeID: UniqueID, from sequence: UInt64
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, payload) in payloads.enumerated() {
            bytes += Frame.encode(
                kind, sequence: sequence + UInt64(index), storeID: storeID, payload: payload)
            while bytes.count % kind.alignment != 0 { bytes.append(0) }
        }
        return bytes
    }

    /// Frames lie one behind another, and their payloads where they say.
    static func check(_ scan: FrameScan, _ bytes: [UInt8]) throws(FuzzFailure) {
        var end = 0
        for frame in scan.frames {
            try require(frame.position >= end, "a frame at \(frame.position) begins before \(end)")
            try require(frame.payload.endIndex <= bytes.count, "a payload ends behind the file")
            end = frame.payload.endIndex
        }
        try require(scan.end <= bytes.count && scan.torn >= 0, "\(scan.end) and \(scan.torn) torn bytes")
    }

    /// Looks at a store in every way, and lives in it for a while. Errors are answers.
    static func use(_ files: SimulatedFileSystem) throws(FuzzFailure) {
        _ = try? FuzzStore.verify(FuzzStore.root, files)
        _ = try? ReadOnlyVolume(FuzzStore.root, files, interpret: { LogSettings(simulated: $0) })
        var random = SeededRandom(seed: 3)
        let salvaged = files.copy()
        let now = Instant(wallMilliseconds: 1_800_000_000_000, monotonicNanoseconds: 0)
        _ = try? Salvage.run(
            FuzzStore.root, to: "/saved", salvaged, now: now, random: &random,
            interpret: { LogSettings(simulated: $0) }, report: { _ in })
        let store = FuzzStore(files)
        guard (try? store.open()) != nil else { return }
        try store.live()
        try store.close()
        guard (try? store.open()) != nil else {
            throw FuzzFailure(description: "a store that was open does not open again")
        }
        try store.close()
    }
}

extension FuzzStore {
    /// Reads, appends, and lets retention and relief look at every partition.
    func live() throws(FuzzFailure) {
        for topic in names {
            for partition in 0..<min(topic.partitions, 4) {
                let reading = read(topic.name, Int(partition))
                try require(!reading.isEndless, "reading does not end")
                _ = try append(["new"], topic.name, Int(partition))
            }
        }
        withVolume { $0.enforceRetention(wall: self.now.wallMilliseconds) }
        try drive()
    }
}
