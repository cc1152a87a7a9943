// `sluice bench append`: producers as fast as they can, at a rate, or each waiting for its record.

#if Tool
import ArgumentParser
import CSluiceBench
import Foundation
import Sluice
import SluiceCore

struct BenchAppend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "append",
        abstract: "Append records: how fast, at what cost, and how soon they are acknowledged.",
        discussion: """
            Without --rate and --wait each producer appends as fast as it can and flushes at the end. With \
            --rate a record has its time, and its latency is counted from that, whether or not anybody had \
            time for it (open loop). With --wait each producer waits for its record before the next.
            """)

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    @Option(help: ArgumentHelp("Records per second, of all producers together.", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            "Append so many before, which are not measured: files and memory are there then.",
            valueName: "n"))
    var warm = 0

    @Flag(help: "Each producer waits until its record is acknowledged.")
    var wait = false

    @Option(help: ArgumentHelp("Tasks that share each producer, 1 to 1,024; with --wait.", valueName: "n"))
    var tasks = 1

    @Flag(help: "Append from threads, through the blocking interface; with --wait.")
    var blocking = false

    mutating func validate() throws {
        if let rate, !rate.isFinite || rate < 0.01 || rate > 1e8 {
            throw ValidationError("--rate takes 0.01 to 100000000.")
        }
        if !(1...1_024).contains(tasks) { throw ValidationError("--tasks takes 1 to 1024.") }
        if tasks > 1, !wait { throw ValidationError("--tasks is for --wait.") }
        if blocking, !wait { throw ValidationError("--blocking is for --wait.") }
        if !(0...100_000_000_000).contains(warm) { throw ValidationError("--warm takes 0 or more.") }
    }

    func run() async throws {
        let records = try workload.make()
        // Who waits does so for each.
        let count = workload.count(of: records, bytes: wait ? 2_500_000 : 300_000_000)
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "append", records, workload, in: directory)
        figures.add("rate", rate.map { .number($0) } ?? .null)
        figures.add("waits", .bool(wait))
        figures.add("tasks", .integer(Int64(tasks)))
        figures.add("blocking", .bool(blocking))
        figures.add("warm", .integer(Int64(warm)))
        let store = try await directory.openStore()
        try await target.makeTopic(in: store)
        let run = AppendRun(
            store: store, topic: Self.topic, records: records, keys: BenchKeys(workload), target: target,
            count: count, tasks: tasks)
        let before = AppendRun(
            store: store, topic: Self.topic, records: records, keys: BenchKeys(workload), target: target,
            count: warm)
        if warm > 0 { try await before.flatOut() }
        let measured: (cost: BenchCost, worstSecond: Int?, peakBytes: Int64)
        var latencies: BenchLatencies?
        let meter = BenchMeter(
            run.counters, bytesPerRecord: records.meanBytes, isShown: !target.json)
        if blocking {
            latencies = try await run.waitInThreads(rate: rate)
        } else if wait {
            latencies = try await run.waitForEach(rate: rate)
        } else if let rate {
            latencies = try await run.atRate(rate)
        } else {
            try await run.flatOut()
        }
        measured = await meter.end()
        let expected = run.expected
        let all = warm > 0 ? expected + before.expected : expected
        try await store.close()
        let stored = BenchMachine.logBytes(below: directory.path)
        figures.add(
            records: expected.records, bytes: expected.bytes, stored: stored, measured)
        if let latencies { figures.add(latencies) }
        figures.add("verified", .bool(!target.noVerify))
        if !target.noVerify {
            let store = try await directory.openStore()
            try await BenchReading.verify(store, Self.topic, all)
            try await store.close()
        }
        try BenchReport.print(
            figures, figures.summary("append"), latencies.map { ["latency \($0.words)"] } ?? [], target.json)
    }

    static let topic = "bench"
}

/// Producers that share out so many records.
struct AppendRun: Sendable {
    let store: StreamStore
    let topic: String
    let records: BenchWorkload
    let keys: BenchKeys
    let target: TargetOptions
    let count: Int
    /// What works at once: the producers, or the tasks that share them.
    let workers: Int
    let counters: BenchCounters
    /// Of the first record; the others follow by a millisecond each. nil: their times are those of the clock.
    var firstTimestamp: Timestamp?

    init(
        store: StreamStore, topic: String, records: BenchWorkload, keys: BenchKeys, target: TargetOptions,
        count: Int, tasks: Int = 1
    ) {
        (self.store, self.topic, self.records, self.keys) = (store, topic, records, keys)
        (self.target, self.count) = (target, count)
        workers = target.producers * tasks
        counters = BenchCounters(workers)
    }

    /// The records of worker `index`: from where, and how many.
    func share(_ index: Int) -> (start: Int, count: Int) {
        let each = count / workers
        let more = count % workers
        return (index * each + min(index, more), each + (index < more ? 1 : 0))
    }

    var expected: BenchSummary { records.summary(from: 0, count) }

    /// Each worker keeps to a partition of its own where there are enough of them for that.
    func partition(_ worker: Int) -> Int? {
        keys.keys.isEmpty && workers >= target.partitions ? worker % target.partitions : nil
    }

    // MARK: Ways to append

    func flatOut() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for index in 0..<workers { tasks.addTask { try await flatOut(index) } }
            try await tasks.waitForAll()
        }
    }

    private func flatOut(_ index: Int) async throws {
        let producer = try await store.producer(for: topic, configuration: target.producer)
        var lane = producer.appender()
        let (start, count) = share(index)
        let partition = partition(index)
        var at = start % records.count
        if keys.isEmpty, firstTimestamp == nil {
            // Addresses, as the C loop has them: what a class holds would be counted for each record.
            let values = records.records
            var left = count
            while left > 0 {
                let some = min(left, 1024)
                for _ in 0..<some {
                    let value = UnsafeRawBufferPointer(
                        start: values.values[at], count: Int(values.lengths[at]))
                    try await lane.append(value: RawSpan(_unsafeBytes: value), partition: partition)
                    at += 1
                    if at == values.count { at = 0 }
                }
                counters.add(some, index)
                left -= some
            }
        } else {
            var cursor = BenchCursor(records, keys, from: start)
            for done in 0..<count {
                let (key, value) = cursor.next()
                try await lane.append(
                    key: key, value: RawSpan(_unsafeBytes: value), headers: keys.headers,
                    timestamp: firstTimestamp.map { $0 + .milliseconds(start + done) }, partition: partition)
                counters.add(1, index)
            }
        }
        try await lane.close()
        try await producer.close()
    }

    /// What each worker measures, together.
    private func inEach(
        _ body: @escaping @Sendable (Int) async throws -> BenchLatencies
    ) async throws -> BenchLatencies {
        try await withThrowingTaskGroup(of: BenchLatencies.self) { tasks in
            for index in 0..<workers { tasks.addTask { try await body(index) } }
            var all = BenchLatencies()
            for try await one in tasks { all.add(one) }
            return all
        }
    }

    private func pace(_ rate: Double?) -> BenchPace { BenchPace(rate.map { $0 / Double(workers) }) }

    private func producers() async throws -> [Producer] {
        var producers: [Producer] = []
        for _ in 0..<target.producers {
            producers.append(try await store.producer(for: topic, configuration: target.producer))
        }
        return producers
    }

    /// Closed loops: the latency of each record, or with a rate from the time that it had.
    func waitForEach(rate: Double?) async throws -> BenchLatencies {
        let producers = try await producers()
        return try await inEach { index in
            let producer = producers[index % producers.count]
            var latencies = BenchLatencies()
            var pace = pace(rate)
            let (start, count) = share(index)
            var cursor = BenchCursor(records, keys, from: start)
            for _ in 0..<count {
                let intended = try await pace.next()
                let (key, value) = cursor.next()
                _ = try await producer.send(
                    key: key, value: RawSpan(_unsafeBytes: value), headers: keys.headers,
                    partition: partition(index))
                latencies.record(nanoseconds: System.monotonicNanoseconds - intended)
                counters.add(1, index)
            }
            return latencies
        }
    }

    /// The same from threads.
    func waitInThreads(rate: Double?) async throws -> BenchLatencies {
        let producers = try await producers()
        return try await inEach { index in
            try await onThread {
                let store = BlockingStore(self.store)
                let producer = producers[index % producers.count]
                var latencies = BenchLatencies()
                var pace = pace(rate)
                let (start, count) = share(index)
                var cursor = BenchCursor(records, keys, from: start)
                for _ in 0..<count {
                    let intended = pace.waitForNext()
                    let (key, value) = cursor.next()
                    _ = try store.send(
                        producer, key: key, value: RawSpan(_unsafeBytes: value), headers: keys.headers,
                        partition: partition(index))
                    latencies.record(nanoseconds: System.monotonicNanoseconds - intended)
                    counters.add(1, index)
                }
                return latencies
            }
        }
    }

    /// An open loop: records are handed over at their times, and others wait for their acknowledgements.
    func atRate(_ rate: Double) async throws -> BenchLatencies {
        try await inEach { index in
            let producer = try await store.producer(for: topic, configuration: target.producer)
            let (sent, sending) = AsyncStream<(record: PendingRecord, intended: Int64)>.makeStream()
            async let latencies = waitForAll(sent, producer, index)
            do {
                defer { sending.finish() }
                var pace = pace(rate)
                let (start, count) = share(index)
                var cursor = BenchCursor(records, keys, from: start)
                for _ in 0..<count {
                    let intended = try await pace.next()
                    let (key, value) = cursor.next()
                    let record = try await producer.append(
                        key: key, value: RawSpan(_unsafeBytes: value), headers: keys.headers,
                        partition: partition(index))
                    sending.yield((record, intended))
                }
            }
            let result = try await latencies
            try await producer.close()
            return result
        }
    }

    private func waitForAll(
        _ sent: AsyncStream<(record: PendingRecord, intended: Int64)>, _ producer: Producer, _ index: Int
    ) async throws -> BenchLatencies {
        var latencies = BenchLatencies()
        for await (record, intended) in sent {
            _ = try await producer.acknowledgement(of: record)
            latencies.record(nanoseconds: System.monotonicNanoseconds - intended)
            counters.add(1, index)
        }
        return latencies
    }
}

enum BenchReport {
    /// A line for people, with more below it, and one for machines; or that alone.
    static func print(
        _ figures: BenchFigures, _ summary: String, _ more: [String], _ isJSON: Bool
    ) throws(ToolError) {
        if !isJSON { for line in [summary] + more { try StandardOutput.print(line) } }
        try StandardOutput.print(figures.line)
    }
}
#endif
