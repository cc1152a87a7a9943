// A store on a simulated machine that nothing fails on, driven by one thread, for targets that open one.
//
// (1) All jobs that there are, are done at once, one after another. (2) Time passes only when something waits
// for it. (3) At most so many jobs: a store that is never done is a failure.

@testable import SluiceLog
@testable import SluiceTesting

/// What a reader has found in a partition.
struct FuzzedReading: Equatable {
    struct Record: Hashable {
        var offset: Int64
        var value: String
    }

    var records: [Record] = []
    /// Why something could not be read.
    var errors: [String] = []
    /// There was always more to come.
    var isEndless = false
}

final class FuzzStore {
    static let root = "/store"
    static let diskBytes: Int64 = 64 << 20

    let files: SimulatedFileSystem
    var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1_000_000_000)
    var random = SeededRandom(seed: 7)
    private(set) var opened: OpenedStore?
    /// What the last opening found.
    private(set) var findings: [RecoveryFinding] = []
    private var runner: JobRunner?
    private var answers: [UInt64: Result<AppendedBatch, LogError>] = [:]
    private var requests: Set<UInt64> = []
    private var isClosed = false
    private var lastNumber: UInt64 = 0

    init(_ files: SimulatedFileSystem) { self.files = files }

    static var configuration: VolumeConfiguration {
        var configuration = VolumeConfiguration()
        configuration.journalBytes = 32 << 10
        configuration.diskBytes = diskBytes
        // Time passes in leaps here, and the scrub would come after each.
        configuration.scrubMilliseconds = 0
        return configuration
    }

    func open() throws(LogError) {
        let store = try StoreDirectory.open(
            Self.root, files, configuration: Self.configuration, now: now, random: &random,
            interpret: { LogSettings(simulated: $0) })
        runner = JobRunner(files, storeID: store.storeID)
        findings = store.report.findings
        opened = consume store
        isClosed = false
    }

    static func verify(_ root: String, _ files: SimulatedFileSystem) throws(LogError) -> RecoveryReport {
        try StoreDirectory.verify(root, files, deep: true, interpret: { LogSettings(simulated: $0) })
    }

    func close() throws(FuzzFailure) {
        guard opened != nil else { return }
        opened?.volume.close(now: now)
        try drive { self.isClosed }
        try require(isClosed, "the store does not close")
        for file in opened?.volume.openFiles ?? [] { files.close(file) }
        if let lock = opened?.lock { files.close(lock) }
        opened = nil
    }

    /// The process ends without a word.
    func die() {
        opened = nil
        files.processDeath()
    }

    private func drain() {
        guard let taken = opened?.volume.takeCompletions() else { return }
        for append in taken.appends { answers[append.origin.number] = append.result }
        for (id, _) in taken.requests { requests.insert(id) }
        if taken.closed != nil { isClosed = true }
    }

    /// Does jobs until `isDone`, or until nothing is left.
    func drive(until isDone: () -> Bool = { false }) throws(FuzzFailure) {
        for _ in 0..<5_000 {
            drain()
            if isDone() { return }
            if let job = opened?.volume.nextJob(.append, now: now)
                ?? opened?.volume.nextJob(.background, now: now)
            {
                guard let result = runner?.run(job) else { return }
                opened?.volume.finished(job, result, now: now)
            } else if let deadline = opened?.volume.nextDeadline, deadline < .max {
                let wait = max(1, deadline - now.monotonicNanoseconds + 1)
                now.monotonicNanoseconds += wait
                now.wallMilliseconds += wait / 1_000_000
            } else {
                return
            }
        }
        throw FuzzFailure(description: "there are jobs without end")
    }

    /// The topics that the manifest has.
    var names: [TopicRecord] {
        guard opened != nil else { return [] }
        return opened!.volume.manifest.state.topics.values.sorted { $0.name < $1.name }
    }

    func withVolume(_ body: (inout Volume) -> Void) { if opened != nil { body(&opened!.volume) } }

    // MARK: Topics and records

    func createTopic(
        _ name: String, partitions: Int, _ change: (inout LogSettings) -> Void = { _ in }
    ) throws(FuzzFailure) {
        var settings = LogSettings()
        settings.retentionMilliseconds = nil
        settings.indexIntervalBytes = 200
        change(&settings)
        lastNumber += 1
        let request = lastNumber
        do throws(LogError) {
            try opened?.volume.createTopic(
                name, id: UniqueID(using: &random), partitions: partitions, settings: settings.simulatedText,
                log: settings, request: request)
        } catch {
            throw FuzzFailure(description: "the topic \(name): \(error)")
        }
        try drive { self.requests.contains(request) }
    }

    /// Queues a batch; returns the number of its answer, or nil when it is refused at once.
    func submit(_ values: [String], _ topic: String, _ partition: Int, _ codec: Codec = .none) -> UInt64? {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 14)
        var context = CodecContext()
        for value in values {
            let (key, bytes) = (Array(value.utf8.suffix(2)), Array(value.utf8))
            _ = builder.append(timestamp: now.wallMilliseconds, key: key.span.bytes, value: bytes.span.bytes)
        }
        let sealed = builder.seal(codec, with: &context)
        lastNumber += 1
        let batch = PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp, origin: BatchOrigin(producer: 1, number: lastNumber))
        guard opened != nil, let number = try? opened!.volume.number(topic: topic, partition: partition),
            (try? opened!.volume.submit(batch, to: number, .durable)) != nil
        else { return nil }
        now.wallMilliseconds += 1
        return lastNumber
    }

    /// Appends and waits; the base offset, or nil when it was refused.
    func append(
        _ values: [String], _ topic: String, _ partition: Int, _ codec: Codec = .none
    ) throws(FuzzFailure) -> Int64? {
        guard let number = submit(values, topic, partition, codec) else { return nil }
        try drive { self.answers[number] != nil }
        return (try? answers[number]?.get())?.baseOffset
    }

    /// All of a partition that can be read, as a consumer reads it: past what is damaged.
    func read(_ topic: String, _ partition: Int, from first: Int64 = 0) -> FuzzedReading {
        guard opened != nil else { return FuzzedReading(errors: ["not open"]) }
        let reader = SegmentReader(files, mayRepair: true)
        do throws(LogError) {
            let number = try opened!.volume.number(topic: topic, partition: partition)
            var offsets = try opened!.volume.offsets(number)
            offsets = max(first, offsets.lowerBound)..<max(first, offsets.upperBound)
            return Self.read(offsets, reader) { offset throws(LogError) in
                try self.opened!.volume.segment(number, at: offset)
            }
        } catch {
            return FuzzedReading(errors: [error.description])
        }
    }

    static func read(
        _ offsets: Range<Int64>, _ reader: SegmentReader,
        _ segment: (Int64) throws(LogError) -> SegmentView?
    ) -> FuzzedReading {
        var reading = FuzzedReading()
        var context = CodecContext()
        var next = offsets.lowerBound
        for _ in 0..<2_000 where next < offsets.upperBound {
            var end: Int64 = .max
            do throws(LogError) {
                guard let view = try segment(next) else { return reading }
                end =
                    view.damage.map { $0.endOffset > next ? $0.endOffset : view.endOffset } ?? view.endOffset
                let start = try reader.position(of: next, in: view)
                guard let fetched = try reader.fetch(view, from: start, maxBytes: 4096) else {
                    next = max(view.endOffset, next + 1)
                    continue
                }
                var place = 0
                while place < fetched.bytes.count, next < offsets.upperBound {
                    let rest = ByteSlice(
                        fetched.bytes.buffer, start: fetched.bytes.start + place,
                        count: fetched.bytes.count - place)
                    guard let header = try? BatchHeader(rest.bytes) else { break }
                    if let fault = view.fault(of: header, at: next) {
                        let position = start + Int64(place)
                        throw LogError.corrupt(file: view.paths.log, position: position, reason: fault)
                    }
                    let stored = ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes)
                    let batch = try reader.decode(stored, at: start + Int64(place), in: view, &context)
                    var cursor = batch.cursor(from: next)
                    while !header.isControl, cursor.next() {
                        guard let start = cursor.value else { continue }
                        let bytes = UnsafeRawBufferPointer(start: start, count: cursor.valueCount)
                        let value = String(decoding: bytes, as: UTF8.self)
                        reading.records.append(.init(offset: cursor.offset, value: value))
                    }
                    place += header.totalBytes
                    next = max(next, header.nextOffset)
                    end = max(end, next)
                }
            } catch {
                reading.errors.append(error.description)
                guard end < .max, end > next else { return reading }
                next = end
            }
        }
        reading.isEndless = next < offsets.upperBound && reading.errors.isEmpty
        return reading
    }
}

extension SimulatedFileSystem {
    /// Puts a whole file, in a directory that there is.
    func put(_ path: String, _ bytes: [UInt8]) {
        guard let file = try? open(path, .replace) else { return }
        defer { close(file) }
        if !bytes.isEmpty { _ = writeFully(file, at: 0, [ByteSlice(ByteBuffer(bytes))]) }
    }
}
