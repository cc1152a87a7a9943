// `sluice bench tail`: how long after its time a record is in the hands of a consumer that waits for it.

#if Tool
import ArgumentParser
import Foundation
import Sluice
import SluiceCore

struct BenchTail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "From the time that a record is due to the moment that a consumer has it.",
        discussion: """
            Producers append at the rate, and one consumer reads at the end of the log. A record carries its \
            time. With --blocking both are threads that use the blocking interface, and the reader looks \
            again at once.
            """)

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    @Option(help: ArgumentHelp("Records per second.", valueName: "n"))
    var rate = 10_000.0

    @Option(help: ArgumentHelp("How long, 1 to 3,600.", valueName: "seconds"))
    var seconds = 10.0

    @Flag(help: "Threads and the blocking interface on both sides.")
    var blocking = false

    mutating func validate() throws {
        if !rate.isFinite || rate < 0.01 || rate > 1e8 {
            throw ValidationError("--rate takes 0.01 to 100000000.")
        }
        if !seconds.isFinite || seconds < 1 || seconds > 3_600 {
            throw ValidationError("--seconds takes 1 to 3600.")
        }
        if workload.size < 8 || workload.input != nil {
            throw ValidationError("A record carries its time: --size of 8 or more, and no --input.")
        }
        if blocking, target.partitions > 1 || target.producers > 1 {
            throw ValidationError("--blocking is for one producer and one partition.")
        }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.records ?? max(1, Int(rate * seconds))
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "tail", records, workload, in: directory)
        figures.add("rate", .number(rate))
        figures.add("blocking", .bool(blocking))
        let store = try await directory.openStore()
        try await target.makeTopic(in: store)
        let run = TailRun(store: store, records: records, target: target, count: count)
        let meter = BenchMeter(run.counters, bytesPerRecord: records.meanBytes, isShown: !target.json)
        let (latencies, batches) =
            blocking ? try await run.threads(rate) : try await run.tasks(rate: rate)
        let measured = await meter.end()
        try await store.close()
        let bytes = records.summary(from: 0, count).bytes
        figures.add(records: count, bytes: bytes, stored: nil, measured)
        figures.add(latencies)
        let perBatch = Double(count) / Double(max(batches, 1))
        figures.add("records_per_batch", rounded: perBatch, 2)
        figures.add("verified", true)
        try BenchReport.print(
            figures, figures.summary("tail"),
            ["latency \(latencies.words); \(Amounts.decimal(perBatch)) records a batch"], target.json)
    }
}

/// A producer and a consumer at once.
struct TailRun: Sendable {
    let store: StreamStore
    let records: BenchWorkload
    let target: TargetOptions
    let count: Int
    let counters = BenchCounters(1)

    init(store: StreamStore, records: BenchWorkload, target: TargetOptions, count: Int) {
        (self.store, self.records, self.target, self.count) = (store, records, target, count)
    }

    /// The record's value with its time in the first eight bytes.
    private func stamp(_ value: UnsafeRawBufferPointer, _ time: Int64, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: value)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: time, as: Int64.self) }
    }

    /// Producers share the rate; the consumer takes each record's time from itself.
    func tasks(rate: Double?) async throws -> (BenchLatencies, batches: Int) {
        let consumer = try await store.consumer(of: BenchAppend.topic, from: .earliest)
        return try await withThrowingTaskGroup(of: (BenchLatencies, Int)?.self) { tasks in
            tasks.addTask {
                var latencies = BenchLatencies()
                var (seen, batches) = (0, 0)
                for try await batch in consumer {
                    let now = System.monotonicNanoseconds
                    batches += 1
                    var view = batch.records
                    let before = seen
                    while let record = view.next() {
                        guard let value = record.value else { continue }
                        let time = value.unsafeLoadUnaligned(as: Int64.self)
                        latencies.record(nanoseconds: now - time)
                        seen += 1
                    }
                    counters.add(seen - before, 0)
                    if seen >= count { break }
                }
                return (latencies, batches)
            }
            for index in 0..<target.producers {
                tasks.addTask {
                    try await produce(rate.map { $0 / Double(target.producers) }, index)
                    return nil
                }
            }
            var result = (BenchLatencies(), 0)
            for try await one in tasks { if let one { result = one } }
            return (result.0, batches: result.1)
        }
    }

    private func produce(_ rate: Double?, _ index: Int) async throws {
        let producer = try await store.producer(for: BenchAppend.topic, configuration: target.producer)
        var pace = BenchPace(rate)
        var bytes: [UInt8] = []
        let share = count / target.producers + (index < count % target.producers ? 1 : 0)
        for done in 0..<share {
            let intended = try await pace.next()
            stamp(records[done % records.count], intended, into: &bytes)
            let partition = target.producers >= target.partitions ? index % target.partitions : nil
            try await producer.append(value: bytes, partition: partition)
        }
        try await producer.close()
    }

    /// A thread that sends, and one that looks for what was sent.
    func threads(_ rate: Double) async throws -> (BenchLatencies, batches: Int) {
        let place = TopicPartition(topic: BenchAppend.topic, partition: 0)
        async let reading = onThread {
            let store = BlockingStore(self.store)
            var latencies = BenchLatencies()
            var (seen, batches) = (0, 0)
            var next = Offset(0)
            while seen < count {
                guard let batch = try store.read(place, from: .offset(next)) else {
                    sched_yield()
                    continue
                }
                let now = System.monotonicNanoseconds
                batches += 1
                var view = batch.records
                while let record = view.next() {
                    guard let value = record.value else { continue }
                    latencies.record(nanoseconds: now - value.unsafeLoadUnaligned(as: Int64.self))
                    seen += 1
                }
                next = batch.nextOffset
            }
            return (latencies, batches)
        }
        try await onThread {
            let store = BlockingStore(self.store)
            let producer = try store.producer(for: BenchAppend.topic, configuration: target.producer)
            var pace = BenchPace(rate)
            var bytes: [UInt8] = []
            for done in 0..<count {
                let intended = pace.waitForNext()
                stamp(records[done % records.count], intended, into: &bytes)
                _ = try store.send(producer, value: bytes, partition: 0)
            }
        }
        let (latencies, batches) = try await reading
        return (latencies, batches: batches)
    }
}

struct BenchMixed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mixed",
        abstract: "Append as fast as can be while a consumer reads along.",
        discussion: "Both at once, until all is read; a record's latency is from its append to its reading.")

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    mutating func validate() throws {
        if workload.size < 8 || workload.input != nil {
            throw ValidationError("A record carries its time: --size of 8 or more, and no --input.")
        }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.count(of: records)
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "mixed", records, workload, in: directory)
        let store = try await directory.openStore()
        try await target.makeTopic(in: store)
        let run = TailRun(store: store, records: records, target: target, count: count)
        let meter = BenchMeter(run.counters, bytesPerRecord: records.meanBytes, isShown: !target.json)
        let (latencies, _) = try await run.tasks(rate: nil)
        let measured = await meter.end()
        try await store.close()
        let bytes = records.summary(from: 0, count).bytes
        figures.add(
            records: count, bytes: bytes, stored: BenchMachine.logBytes(below: directory.path), measured)
        figures.add(latencies)
        figures.add("verified", true)
        try BenchReport.print(
            figures, figures.summary("mixed"), ["latency \(latencies.words)"], target.json)
    }
}
#endif
