// The parts of an append and of a replay, each alone: what Benchmarks measures at length, and the tests run
// once.
//
// (1) `prepare` makes what a run needs, which is not measured. (2) A run does its part so many times and
// returns a sum of what it saw, which is always the same for the same number of times: nothing is optimised
// away, and a test can hold it.

import SluiceLog
import SluiceTesting

/// A part of the engine to be measured.
public enum MicroBenchmark: String, CaseIterable, Sendable {
    /// Records into a builder, 124 bytes each; one time is a record.
    case encode
    /// A batch of 64 KiB sealed with LZ4; one time is a batch.
    case compress
    /// CRC-32C over 64 KiB.
    case checksum
    /// A batch through the volume, on a simulated disk: submitted, written, answered.
    case append
    /// An offset in an index of 20,000 entries.
    case lookUp
    /// A batch of 64 KiB checked, decompressed, and every record visited.
    case iterate

    /// Makes what it needs. Throws when a simulated disk fails, which none does.
    public func prepare() throws -> MicroRun { try MicroRun(self) }
}

/// A benchmark that is ready to run. For one thread.
public final class MicroRun {
    private let benchmark: MicroBenchmark
    private var builder = RecordBatchBuilder(rawCapacity: 64 << 10)
    private var codecs = CodecContext()
    private let value: [UInt8]
    private let memory = ByteBuffer([UInt8](repeating: 0x5A, count: 64 << 10))
    private var batch: ByteSlice?
    private let files = SimulatedFileSystem(seed: 1)
    private var store: OpenedStore?
    private var runner: JobRunner?
    private var clock = SimulatedClock()
    private var number = 0
    private var appended: UInt64 = 0

    init(_ benchmark: MicroBenchmark) throws {
        self.benchmark = benchmark
        let text =
            #"{"id":31,"user":"u-7919","event":"view","page":"/item/17","ms":13,"ok":true,"session":"s4738"}"#
        value = Array(text.utf8) + [UInt8](repeating: 0x20, count: 124 - text.utf8.count)
        switch benchmark {
        case .compress, .iterate: batch = seal()
        case .append: try open()
        case .lookUp: try makeIndex()
        case .encode, .checksum: break
        }
    }

    /// Does it so many times.
    public func run(_ times: Int) -> Int64 {
        var sum: Int64 = 0
        switch benchmark {
        case .encode: sum = Self.encode(times, value, into: &builder)
        case .compress: for _ in 0..<times { sum += Int64(seal().count) }
        case .checksum:
            let memory = memory
            for _ in 0..<times { sum += Int64(CRC32C.checksum(memory.bytes)) }
        case .append: for _ in 0..<times { sum += append() }
        case .lookUp:
            for time in 0..<times {
                let offset = Int64(time * 7_919 % 200_000)
                let found = IndexFiles.position(
                    of: offset, baseOffset: 0, end: 200_000, in: "/index", bytes: .max, files)
                sum += Int64(found?.position ?? 0)
            }
        case .iterate: for _ in 0..<times { sum += iterate() }
        }
        return sum
    }

    /// The builder is an argument: as a member of a class it would be checked for exclusive access at every
    /// record, 127 instructions.
    private static func encode(
        _ times: Int, _ value: [UInt8], into builder: inout RecordBatchBuilder
    ) -> Int64 {
        for _ in 0..<times where !builder.append(timestamp: 1, key: nil, value: value.span.bytes) {
            builder.removeAll()
            _ = builder.append(timestamp: 1, key: nil, value: value.span.bytes)
        }
        builder.removeAll()
        return Int64(times)
    }

    /// As many records as a batch takes.
    private func seal() -> ByteSlice {
        let value = value
        while builder.append(timestamp: 1, key: nil, value: value.span.bytes) {}
        return ByteSlice(builder.seal(.lz4, with: &codecs).bytes)
    }

    private func iterate() -> Int64 {
        guard let batch,
            let decoded = try? DecodedBatch(batch, with: &codecs, maxBytes: 1 << 20)
        else { return -1 }
        var cursor = decoded.cursor(from: 0)
        var bytes: Int64 = 0
        while cursor.next() { bytes += Int64(cursor.valueCount) }
        return bytes
    }

    // MARK: The volume

    private func open() throws(LogError) {
        var random = SeededRandom(seed: 1)
        let opened = try StoreDirectory.open(
            "/store", files, configuration: VolumeConfiguration(), now: clock.now, random: &random,
            interpret: { LogSettings(simulated: $0) })
        runner = JobRunner(files, storeID: opened.storeID)
        store = consume opened
        var settings = LogSettings()
        settings.isDurable = false
        // What is old goes: the disk is memory.
        settings.segmentBytes = 1 << 20
        settings.retentionBytes = 4 << 20
        try store?.volume.createTopic(
            "t", id: UniqueID(using: &random), partitions: 1, settings: settings.simulatedText,
            log: settings, request: 1)
        drive { false }
        number = try store?.volume.number(topic: "t", partition: 0) ?? 0
        batch = seal()
    }

    /// Does jobs until `isDone`, or nothing is left.
    private func drive(until isDone: () -> Bool) {
        while !isDone() {
            guard
                let job = store?.volume.nextJob(.append, now: clock.now)
                    ?? store?.volume.nextJob(.background, now: clock.now)
            else { return }
            if let result = runner?.run(job) { store?.volume.finished(job, result, now: clock.now) }
        }
    }

    private func append() -> Int64 {
        guard let batch else { return -1 }
        appended += 1
        // The log assigns the offset in place: each batch has bytes of its own.
        let bytes = ByteBuffer(capacity: batch.count)
        bytes.append(batch.bytes)
        let prepared = PreparedBatch(
            bytes: ByteSlice(bytes), recordCount: 500, maxTimestamp: 1,
            origin: BatchOrigin(producer: 1, number: appended))
        var answered: Int64 = 0
        do throws(LogError) {
            try store?.volume.submit(prepared, to: number, .written)
        } catch {
            return -1
        }
        drive {
            answered += Int64(store?.volume.takeCompletions().appends.count ?? 0)
            return answered > 0
        }
        return answered
    }

    // MARK: An index

    private func makeIndex() throws(IOError) {
        // Entries of two big-endian numbers: an offset, and a position.
        let bytes = (0..<20_000).flatMap { entry in
            [entry * 10, entry * 4096].flatMap { number in
                stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
            }
        }
        let file = try files.open("/index", .replace)
        defer { files.close(file) }
        try files.writeAll(file, at: 0, bytes, path: "/index")
    }
}
