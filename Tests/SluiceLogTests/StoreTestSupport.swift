// A store on a simulated machine, driven by one thread: what the suites of the volume and of recovery share.

import SluiceTesting
import Testing

@testable import SluiceLog

/// A machine with a store on it.
final class TestStore {
    static let root = "/store"
    let files: SimulatedFileSystem
    var clock = SimulatedClock()
    var configuration = VolumeConfiguration()
    var opened: OpenedStore?
    var runner: JobRunner?
    var random: SeededRandom
    var answers: [UInt64: Result<AppendedBatch, LogError>] = [:]
    var requests: [UInt64: Result<Int64, LogError>] = [:]
    var events: [VolumeEvent] = []
    var isClosed = false
    var closeResult: Result<Void, LogError>?
    /// The jobs that were done, in order.
    var done: [String] = []
    private var next: UInt64 = 1

    init(seed: UInt64 = 1, _ configure: (inout VolumeConfiguration) -> Void = { _ in }) {
        files = SimulatedFileSystem(seed: seed)
        random = SeededRandom(seed: seed)
        configuration.journalBytes = 64 << 10
        // Time passes in leaps here, and the scrub would come after each.
        configuration.scrubMilliseconds = 0
        configure(&configuration)
    }

    /// A machine with an open store that has the topic `t`.
    static func withTopic(
        _ configure: (inout VolumeConfiguration) -> Void, _ change: (inout LogSettings) -> Void
    ) throws -> TestStore {
        let store = TestStore(seed: 1, configure)
        try store.open()
        try store.createTopic("t", change)
        return store
    }

    var report: RecoveryReport {
        get throws {
            let report = opened?.report
            return try #require(report)
        }
    }

    func open(strict: Bool = false) throws {
        let store = try StoreDirectory.open(
            Self.root, files, configuration: configuration, strict: strict, now: clock.now, random: &random,
            interpret: { LogSettings(simulated: $0) })
        runner = JobRunner(files, storeID: store.storeID)
        opened = consume store
        isClosed = false
    }

    func verify(deep: Bool = true) throws -> RecoveryReport {
        try StoreDirectory.verify(Self.root, files, deep: deep, interpret: { LogSettings(simulated: $0) })
    }

    func close() throws {
        opened?.volume.close(now: clock.now)
        drive { self.isClosed }
        let isOver = isClosed || files.hasCrashed
        #expect(isOver)
        for file in opened?.volume.openFiles ?? [] { files.close(file) }
        if let lock = opened?.lock { files.close(lock) }
        opened = nil
    }

    func reopen() throws {
        try close()
        try open()
    }

    func losePower() {
        opened = nil
        files.powerLoss()
    }

    func die() {
        opened = nil
        files.processDeath()
    }

    // MARK: Jobs

    func drain() {
        guard let taken = opened?.volume.takeCompletions() else { return }
        for append in taken.appends {
            #expect(answers[append.origin.number] == nil)
            answers[append.origin.number] = append.result
        }
        for (id, result) in taken.requests {
            #expect(requests[id] == nil)
            requests[id] = result
        }
        events += taken.events
        if let result = taken.closed { (isClosed, closeResult) = (true, result) }
    }

    /// Takes one job; nil when that lane has none.
    func take(_ lane: JobLane) -> IOJob? {
        defer { drain() }
        return opened?.volume.nextJob(lane, now: clock.now)
    }

    func run(_ job: IOJob) {
        guard let result = runner?.run(job) else { return }
        done.append("\(job)")
        if files.hasCrashed { return }
        opened?.volume.finished(job, result, now: clock.now)
        drain()
    }

    /// Does jobs until `isDone` or nothing is left; time passes when nothing else happens.
    func drive(waits: Bool = true, until isDone: () -> Bool = { false }) {
        drain()
        for _ in 0..<10_000 where !isDone() && !files.hasCrashed {
            if let job = take(.append) ?? take(.background) ?? take(.append) {
                run(job)
            } else if waits, let deadline = opened?.volume.nextDeadline {
                let now = clock.now.monotonicNanoseconds
                clock.advance(by: .nanoseconds(max(deadline, now) - now + 1))
            } else {
                return
            }
        }
    }

    /// A number that no batch and no request has had.
    func nextNumber() -> UInt64 {
        next += 1
        return next
    }

    // MARK: Topics

    func request(_ body: (inout Volume, UInt64) throws -> Void) throws -> Result<Int64, LogError>? {
        next += 1
        let id = next
        if opened != nil { try body(&opened!.volume, id) }
        drive { self.requests[id] != nil }
        return requests[id]
    }

    @discardableResult
    func createTopic(
        _ name: String, partitions: Int = 1, _ change: (inout LogSettings) -> Void = { _ in }
    ) throws -> Result<Int64, LogError>? {
        var settings = LogSettings()
        settings.retentionMilliseconds = nil
        change(&settings)
        let id = UniqueID(using: &random)
        return try request { volume, request in
            try volume.createTopic(
                name, id: id, partitions: partitions, settings: settings.simulatedText, log: settings,
                request: request)
        }
    }

    // MARK: Records

    func prepared(_ values: [String], producer: UInt32 = 1) -> PreparedBatch {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 16)
        var context = CodecContext()
        for value in values {
            let bytes = Array(value.utf8)
            precondition(
                builder.append(timestamp: clock.now.wallMilliseconds, key: nil, value: bytes.span.bytes))
        }
        let sealed = builder.seal(.none, with: &context)
        next += 1
        return PreparedBatch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp,
            origin: BatchOrigin(producer: producer, number: next))
    }

    func number(_ topic: String, _ partition: Int = 0) throws -> Int {
        guard opened != nil else { throw LogError.closed }
        return try opened!.volume.number(topic: topic, partition: partition)
    }

    /// Queues a batch and returns the number that its answer will have.
    @discardableResult
    func submit(
        _ values: [String], to topic: String, _ partition: Int = 0, acks: Acks = .durable,
        producer: UInt32 = 1
    ) throws -> UInt64 {
        let batch = prepared(values, producer: producer)
        let number = try number(topic, partition)
        try opened!.volume.submit(batch, to: number, acks)
        return batch.origin.number
    }

    /// Appends and waits for the answer.
    @discardableResult
    func append(
        _ values: [String], to topic: String, _ partition: Int = 0, acks: Acks = .durable
    ) throws -> Result<AppendedBatch, LogError>? {
        let id = try submit(values, to: topic, partition, acks: acks)
        drive { self.answers[id] != nil }
        return answers[id]
    }

    /// All that readers see of a partition; nil stands for offsets that are stepped over.
    func read(_ topic: String, _ partition: Int = 0) throws -> [String?] {
        let number = try number(topic, partition)
        let range = try opened!.volume.offsets(number)
        var values: [String?] = []
        var offset = range.lowerBound
        var context = CodecContext()
        while offset < range.upperBound, let view = try opened!.volume.segment(number, at: offset) {
            let bytes = ByteBuffer(try #require(files.contents(view.paths.log)))
            var position = 0
            while position < Int(view.limit) {
                let head = try BatchHeader(
                    ByteSlice(bytes, start: position, count: BatchLayout.headerBytes).bytes)
                let slice = ByteSlice(bytes, start: position, count: head.totalBytes)
                let batch = try DecodedBatch(slice, with: &context, maxBytes: 1 << 20)
                position += head.totalBytes
                for record in batch.all.enumerated() where head.baseOffset + Int64(record.offset) >= offset {
                    if head.isControl {
                        values += [String?](repeating: nil, count: Int(head.lastOffsetDelta) + 1)
                    } else {
                        values.append(String(decoding: record.element.value ?? [], as: UTF8.self))
                    }
                }
            }
            offset = view.endOffset
        }
        return values
    }

    func log(_ topic: String, _ partition: Int = 0, base: Int64 = 0) -> String {
        SegmentPaths(directory: "\(Self.root)/topics/\(topic)-\(partition)", baseOffset: base).log
    }
}

extension Result where Success == AppendedBatch {
    var offset: Int64? { (try? get())?.baseOffset }
}

extension Result<AppendedBatch, LogError> {
    var isStopped: Bool { if case .failure(.stopped) = self { true } else { false } }
    var isIndeterminate: Bool { if case .failure(.indeterminate) = self { true } else { false } }
}
