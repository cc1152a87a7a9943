// `sluice bench seek`: the first record from an offset or a time in a topic, with nothing in memory.

#if Tool
import ArgumentParser
import CSluiceBench
import Foundation
import Sluice
import SluiceCore

struct BenchSeek: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seek",
        abstract: "Go to random offsets and times, with the files dropped from the system's cache.",
        discussion: """
            Beside it stands what one read of 64 KiB at random places of the same files takes, cold too. On \
            tmpfs nothing is ever cold.
            """)

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    @Option(help: ArgumentHelp("How many of each.", valueName: "n"))
    var seeks = 200

    mutating func validate() throws {
        if !(1...1_000_000).contains(seeks) { throw ValidationError("--seeks takes 1 to 1000000.") }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.count(of: records)
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "seek", records, workload, in: directory)
        figures.add("records", .integer(Int64(count)))
        let store = try await directory.openStore()
        try await target.makeTopic(in: store)
        var run = AppendRun(
            store: store, topic: BenchAppend.topic, records: records, keys: BenchKeys(workload),
            target: target, count: count)
        // A log that was filled over a time, not within a blink.
        run.firstTimestamp = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        try await run.flatOut()
        let stored = BenchMachine.logBytes(below: directory.path)
        figures.add("stored_bytes", .integer(stored))
        var random = SplitMix64(state: 11)
        var lines: [String] = []
        for (name, isTime) in [("offset", false), ("timestamp", true)] {
            let (latencies, reads) = try await measure(store, directory, isTime, &random)
            figures.add(latencies, prefix: name)
            figures.add("\(name)_reads", reads.map { .number(($0 * 100).rounded() / 100) } ?? .null)
            lines.append(
                "by \(name) \(latencies.words)\(reads.map { "; \(Amounts.decimal($0)) calls that read" } ?? "")"
            )
        }
        let cold = try coldReads(directory, &random)
        figures.add(cold, prefix: "cold_read")
        lines.append("one cold read \(cold.words)")
        try await store.close()
        figures.add("verified", true)
        try BenchReport.print(
            figures, "seek: \(Amounts.megabytes(stored)), \(Amounts.grouped(Int64(count))) records", lines,
            target.json)
    }

    /// The time to the first record of each, and how many calls that read each took.
    private func measure(
        _ store: StreamStore, _ directory: BenchDirectory, _ isTime: Bool, _ random: inout SplitMix64
    ) async throws -> (BenchLatencies, Double?) {
        var latencies = BenchLatencies()
        var reads: Int64? = 0
        for _ in 0..<seeks {
            let place = TopicPartition(
                topic: BenchAppend.topic, partition: Int(random.next() % UInt64(target.partitions)))
            let range = try await store.admin.offsets(of: place)
            guard !range.isEmpty else { continue }
            let length = UInt64(range.upperBound - range.lowerBound)
            let offset = range.lowerBound + Int64(random.next() % length)
            var position = Position.offset(offset)
            if isTime {
                // The time of a record somewhere.
                let consumer = try await store.consumer(of: [place], from: position, until: .end)
                for try await batch in consumer {
                    var view = batch.records
                    if let record = view.next() { position = .timestamp(record.timestamp) }
                    break
                }
                try await consumer.close()
            }
            try directory.dropFromCache()
            let before = BenchMachine.readCalls
            // Looking costs a call or two itself.
            let cost = BenchMachine.readCalls.flatMap { now in before.map { now - $0 } }
            let began = System.monotonicNanoseconds
            let consumer = try await store.consumer(of: [place], from: position, until: .end)
            var found: Offset?
            for try await batch in consumer {
                var view = batch.records
                found = view.next()?.offset
                break
            }
            latencies.record(nanoseconds: System.monotonicNanoseconds - began)
            if let before, let after = BenchMachine.readCalls, let cost, let sum = reads {
                reads = sum + (after - before - 2 * cost)
            } else {
                reads = nil
            }
            try await consumer.close()
            guard isTime ? (found ?? 0) <= offset : found == offset else {
                throw ToolError.failed(
                    "Offset \(offset) of \(place) was asked for, \(String(describing: found)) came.")
            }
        }
        return (latencies, reads.map { Double($0) / Double(max(latencies.count, 1)) })
    }

    private func coldReads(_ directory: BenchDirectory, _ random: inout SplitMix64) throws -> BenchLatencies {
        var files: [(path: String, bytes: UInt64)] = []
        let names = FileManager.default.enumerator(atPath: directory.path)
        while let name = names?.nextObject() as? String {
            guard name.hasSuffix(".log") else { continue }
            let attributes = try? FileManager.default.attributesOfItem(atPath: directory.path + "/" + name)
            let bytes = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
            if bytes > 65_536 { files.append((directory.path + "/" + name, bytes)) }
        }
        var latencies = BenchLatencies()
        guard !files.isEmpty else { return latencies }
        for _ in 0..<seeks {
            let file = files[Int(random.next() % UInt64(files.count))]
            var time: UInt64 = 0
            var position = random.next() % (file.bytes - 65_536)
            guard bench_read(file.path, 65_536, &position, 1, &time) == 0 else {
                throw ToolError.failed("\(file.path) cannot be read.")
            }
            latencies.record(nanoseconds: Int64(time))
        }
        return latencies
    }
}
#endif
