// `sluice bench limit`: the same work as a plain C loop, in turns with the library, so that a figure is a
// part of what the machine can do and not of what it could do at another time.

#if Tool
import ArgumentParser
import CSluiceBench
import Foundation
import Sluice
import SluiceCore

struct BenchLimit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit",
        abstract:
            "Sluice against a C loop that does the same work: encode, LZ4, CRC, index, write; and back.",
        discussion: """
            The two take turns, --pairs times, on the same records. A ratio is the C loop's time or \
            processor time over Sluice's: 1 is the speed of the C loop. Printed is the median with its 95 % \
            interval. One producer, one partition, sluice.durability=written; nothing is synced by either.
            """)

    @OptionGroup var workload: WorkloadOptions

    @Option(help: ArgumentHelp("Where; on /dev/shm it is the programs that are compared.", valueName: "dir"))
    var directory = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()

    @Option(help: "The codec: lz4, none.")
    var codec = TargetOptions.Codec.lz4

    @Option(help: ArgumentHelp("Raw bytes of a batch.", valueName: "bytes"))
    var batch = 64 << 10

    @Option(help: ArgumentHelp("How often they take turns, 3 to 1,000.", valueName: "n"))
    var pairs = 31

    @Flag(help: "Print the line of JSON alone.")
    var json = false

    @Flag(help: "Do not read back and compare what was written; then no ratio is printed.")
    var noVerify = false

    mutating func validate() throws {
        if !(3...1_000).contains(pairs) { throw ValidationError("--pairs takes 3 to 1000.") }
        if !(1_024...1 << 20).contains(batch) { throw ValidationError("--batch takes 1024 to 1048576.") }
        if ![.lz4, .none].contains(codec) { throw ValidationError("The C loop has lz4 and none.") }
        if workload.keys > 0 || workload.headers > 0 {
            throw ValidationError("The C loop's records have neither keys nor headers.")
        }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.records ?? max(1_000, min(2_000_000, 60_000_000 / max(records.meanBytes, 40)))
        let place = try BenchDirectory(in: directory)
        defer { place.remove() }
        var target = try TargetOptions.parse([])
        target.codec = codec
        target.acks = .written
        target.batch = batch
        target.json = json
        var figures = target.figures(of: "limit", records, workload, in: place)
        figures.add("records", .integer(Int64(count)))
        figures.add("pairs", .integer(Int64(pairs)))
        let run = LimitRun(place: place, records: records, target: target, workload: workload, count: count)
        let slices = try await run.slices(pairs, isVerified: !noVerify, isShown: !json)
        figures.add("verified", .bool(!noVerify))
        var lines: [String] = []
        for slice in [slices.append, slices.replay] {
            lines += slice.report(count, hasRatio: !noVerify, into: &figures)
        }
        for part in try await [run.twoLoops()] + run.parts() {
            figures.add(part.key, rounded: part.value, part.digits)
            lines.append(part.words)
        }
        try BenchReport.print(
            figures, "limit: \(Amounts.grouped(Int64(count))) records, \(records.name), \(pairs) pairs",
            lines,
            json)
    }
}

/// The figures of the two sides of a comparison, slice by slice.
struct LimitSlices {
    let name: String
    /// Of one slice: seconds of wall time and of processor time.
    var limit: [(wall: Double, cpu: Double)] = []
    var sluice: [(wall: Double, cpu: Double)] = []

    func report(_ records: Int, hasRatio: Bool, into figures: inout BenchFigures) -> [String] {
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        let count = Double(records)
        var lines: [String] = []
        for (side, slices) in [("limit", limit), ("sluice", sluice)] {
            let (wall, cpu) = (median(slices.map(\.wall)), median(slices.map(\.cpu)))
            figures.add("\(name)_\(side)_records_per_second", rounded: count / wall, 0)
            figures.add("\(name)_\(side)_cpu_ns_per_record", rounded: cpu / count * 1e9)
            let label = side == "limit" ? "C loop" : "Sluice"
            lines.append(
                "\(name) \(label)  \(Amounts.grouped(Int64(count / wall))) records/s, "
                    + "\(Amounts.decimal(cpu / count * 1e9)) ns of CPU a record")
        }
        guard hasRatio else { return lines }
        let wall = BenchRatio(zip(limit, sluice).map { $0.wall / $1.wall })
        let cpu = BenchRatio(zip(limit, sluice).map { $0.cpu / $1.cpu })
        figures.add("\(name)_cpu_ratio", rounded: cpu.median, 3)
        figures.add("\(name)_cpu_ratio_95", .array([.number(cpu.low), .number(cpu.high)]))
        figures.add("\(name)_wall_ratio", rounded: wall.median, 3)
        figures.add("\(name)_wall_ratio_95", .array([.number(wall.low), .number(wall.high)]))
        lines.append("\(name) ratio   by CPU \(cpu.words), by wall time \(wall.words)")
        return lines
    }
}

/// The median of ratios, and where it lies with 95 % confidence: order statistics of the binomial
/// distribution.
struct BenchRatio {
    let median: Double
    let low: Double
    let high: Double

    init(_ ratios: [Double]) {
        let sorted = ratios.sorted()
        let count = Double(sorted.count)
        median = sorted[sorted.count / 2]
        let half = 0.98 * count.squareRoot()
        func place(_ index: Double) -> Double {
            let value = sorted[max(0, min(sorted.count - 1, Int(index)))]
            return (value * 1000).rounded() / 1000
        }
        let rank = max(1, (count / 2 - half).rounded(.down))
        low = place(rank - 1)
        high = place(count - rank)
    }

    var words: String { "\(Amounts.decimal(median)) (\(Amounts.decimal(low)) to \(Amounts.decimal(high)))" }
}

/// C and Sluice in turns.
private struct LimitRun {
    let place: BenchDirectory
    let records: BenchWorkload
    let target: TargetOptions
    let workload: WorkloadOptions
    let count: Int

    func slices(
        _ pairs: Int, isVerified: Bool, isShown: Bool
    ) async throws -> (append: LimitSlices, replay: LimitSlices) {
        var append = LimitSlices(name: "append")
        var replay = LimitSlices(name: "replay")
        let store = try await place.openStore()
        let file = place.path + "/limit.log"
        let expected = records.summary(from: 0, count)
        var progress = Progress(isShown: isShown)
        for pair in 0..<pairs {
            let topic = "bench-\(pair)"
            try await store.admin.createTopic(topic, configuration: target.topic)
            let run = AppendRun(
                store: store, topic: topic, records: records, keys: BenchKeys(workload), target: target,
                count: count)
            // Who goes first takes turns too.
            for side in pair % 2 == 0 ? [0, 1] : [1, 0] {
                if side == 0 {
                    try append.limit.append(measure { try loop(file) })
                } else {
                    try await append.sluice.append(measure { try await run.flatOut() })
                }
            }
            for side in pair % 2 == 0 ? [0, 1] : [1, 0] {
                if side == 0 {
                    try replay.limit.append(
                        measure {
                            var seen = 0
                            let bytes = bench_replay(file, &seen)
                            guard Int(bytes) == expected.bytes, seen == expected.records else {
                                throw ToolError.failed(
                                    "The C loop has read \(seen) records of \(bytes) bytes.")
                            }
                        })
                } else {
                    try await replay.sluice.append(
                        measure {
                            let (seen, bytes) = try await BenchReading.count(store, topic)
                            guard bytes == expected.bytes, seen == expected.records else {
                                throw ToolError.failed("\(seen) records of \(bytes) bytes were read.")
                            }
                        })
                }
            }
            if isVerified { try await BenchReading.verify(store, topic, expected) }
            try await store.admin.deleteTopic(topic)
            progress.update(
                records: Int64((pair + 1) * count), bytes: Int64((pair + 1) * expected.bytes),
                storedBytes: nil)
        }
        progress.finish(records: Int64(pairs * count), bytes: Int64(pairs * expected.bytes), storedBytes: nil)
        try await store.close()
        return (append, replay)
    }

    /// The C loop, once.
    private func loop(_ file: String) throws {
        let codec: Int32 = target.codec == .none ? 0 : 1
        guard bench_append(file, records.records, count, target.batch, codec) > 0 else {
            throw ToolError.failed("\(file) cannot be written: \(System.text(ofErrno: errno))")
        }
    }

    private func measure(_ body: () throws -> Void) rethrows -> (wall: Double, cpu: Double) {
        let start = BenchMoment.now
        try body()
        let cost = BenchCost(from: start, to: .now)
        return (cost.seconds, cost.cpuSeconds)
    }

    private func measure(_ body: () async throws -> Void) async rethrows -> (wall: Double, cpu: Double) {
        let start = BenchMoment.now
        try await body()
        let cost = BenchCost(from: start, to: .now)
        return (cost.seconds, cost.cpuSeconds)
    }

    /// How many times as much two of the C loops append at once as one alone: what is there for a second
    /// producer.
    func twoLoops() async throws -> Part {
        let files = [place.path + "/loop-a", place.path + "/loop-b"]
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        var ratios: [Double] = []
        for _ in 0..<5 {
            let one = try measure { try loop(files[0]) }
            let two = try await measure {
                async let other: Void = onThread { try loop(files[1]) }
                try loop(files[0])
                try await other
            }
            ratios.append(2 * one.wall / two.wall)
        }
        let ratio = ratios.sorted()[2]
        return Part(
            key: "two_loops_speedup", value: ratio, digits: 2,
            words: "two C loops at once: \(Amounts.decimal(ratio)) × one")
    }

    // MARK: The parts alone

    struct Part {
        let key: String
        let value: Double
        let digits: Int
        let words: String
    }

    /// Writing, syncing, compressing and checksumming, each alone, in C.
    func parts() -> [Part] {
        var parts: [Part] = []
        let file = place.path + "/part"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let chunks = 4_096
        let written = bench_write(file, 64 << 10, chunks)
        if written > 0 {
            let rate = Double(chunks * 64 << 10) / Double(written) * 1000
            parts.append(
                Part(
                    key: "bare_write_mb_per_second", value: rate, digits: 1,
                    words: "bare write, 64 KiB each: \(Amounts.decimal(rate)) MB/s"))
        }
        if let sync = BenchMachine.syncMicroseconds(in: place.path) {
            parts.append(
                Part(
                    key: "bare_sync_p50_us", value: sync, digits: 1,
                    words: "bare fdatasync behind 190 bytes more: p50 \(Amounts.decimal(sync)) µs"))
        }
        let some = min(count, 500_000)
        let packing = measure { _ = bench_compress(records.records, some, target.batch) }
        let packed = packing.cpu / Double(some) * 1e9
        parts.append(
            Part(
                key: "bare_encode_lz4_ns_per_record", value: packed, digits: 1,
                words: "encoding and LZ4 alone: \(Amounts.decimal(packed)) ns a record"))
        let summing = measure { _ = bench_checksum(64 << 20, 8) }
        let sums = Double(8 * 64 << 20) / summing.wall / 1e6
        parts.append(
            Part(
                key: "bare_crc_mb_per_second", value: sums, digits: 0,
                words: "CRC-32C alone: \(Amounts.decimal(sums)) MB/s"))
        return parts
    }
}
#endif
