// `sluice bench replay`: one consumer or several, each through all of a topic.

#if Tool
import ArgumentParser
import CSluiceBench
import Foundation
import Sluice
import SluiceCore

struct BenchReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Read a topic from its beginning to its end: how fast, and at what cost.",
        discussion: "The records are appended first, which is not measured. Each consumer reads them all.")

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    @Option(help: ArgumentHelp("How many read, each all of it, 1 to 64.", valueName: "n"))
    var consumers = 1

    @Flag(help: "Have the system drop the files from its cache before.")
    var cold = false

    mutating func validate() throws {
        if !(1...64).contains(consumers) { throw ValidationError("--consumers takes 1 to 64.") }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.count(of: records)
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "replay", records, workload, in: directory)
        figures.add("consumers", .integer(Int64(consumers)))
        figures.add("cold", .bool(cold))
        var store = try await directory.openStore()
        try await target.makeTopic(in: store)
        let run = AppendRun(
            store: store, topic: BenchAppend.topic, records: records, keys: BenchKeys(workload),
            target: target, count: count)
        try await run.flatOut()
        if cold {
            try await store.close()
            try directory.dropFromCache()
            store = try await directory.openStore()
        }
        let counters = BenchCounters(consumers)
        let meter = BenchMeter(
            counters, bytesPerRecord: records.meanBytes, isShown: !target.json)
        let opened = store
        let (seen, bytes) = try await withThrowingTaskGroup(of: (records: Int, bytes: Int).self) { tasks in
            for index in 0..<consumers {
                tasks.addTask { try await BenchReading.count(opened, BenchAppend.topic, counters, index) }
            }
            var sums = (records: 0, bytes: 0)
            for try await one in tasks { sums = (sums.records + one.records, sums.bytes + one.bytes) }
            return sums
        }
        let measured = await meter.end()
        let expected = run.expected
        guard seen == expected.records * consumers, bytes == expected.bytes * consumers else {
            throw ToolError.failed(
                "\(seen) records of \(bytes) bytes were read, not \(expected.records * consumers) of "
                    + "\(expected.bytes * consumers).")
        }
        let stored = BenchMachine.logBytes(below: directory.path) * Int64(consumers)
        figures.add(records: seen, bytes: bytes, stored: stored, measured)
        figures.add("verified", .bool(!target.noVerify))
        if !target.noVerify { try await BenchReading.verify(store, BenchAppend.topic, expected) }
        try await store.close()
        try BenchReport.print(figures, figures.summary("replay"), [], target.json)
    }
}

/// Goes through a topic from its beginning to its end.
enum BenchReading {
    /// Counts what is there.
    static func count(
        _ store: StreamStore, _ topic: String, _ counters: BenchCounters? = nil, _ index: Int = 0
    ) async throws -> (records: Int, bytes: Int) {
        let consumer = try await store.consumer(of: topic, until: .end)
        var (count, bytes) = (0, 0)
        for try await batch in consumer {
            var view = batch.records
            var inBatch = 0
            while let record = view.next() {
                bytes += record.value?.byteCount ?? 0
                inBatch += 1
            }
            count += inBatch
            counters?.add(inBatch, index)
        }
        return (count, bytes)
    }

    /// Holds it against what was appended, byte by byte.
    static func verify(_ store: StreamStore, _ topic: String, _ expected: BenchSummary) async throws {
        var found = BenchSummary()
        let consumer = try await store.consumer(of: topic, until: .end)
        for try await batch in consumer {
            var records = batch.records
            while let record = records.next() {
                record.value?.withUnsafeBytes { found.add($0) }
            }
        }
        guard found == expected else {
            throw ToolError.failed(
                """
                What was read back is not what was appended: \(found.records) records of \(found.bytes) \
                bytes, not \(expected.records) of \(expected.bytes)\
                \(found.records == expected.records ? "; their bytes differ" : "").
                """)
        }
    }
}

extension BenchDirectory {
    /// Every file of it goes from the system's cache.
    func dropFromCache() throws {
        let files = FileManager.default.enumerator(atPath: path)
        while let name = files?.nextObject() as? String {
            guard name.hasSuffix(".log") || name.hasSuffix("index") else { continue }
            guard bench_drop(path + "/" + name) == 0 else {
                throw ToolError.failed("\(name) could not be dropped from the cache of the system.")
            }
        }
    }
}
#endif
