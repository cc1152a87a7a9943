// What a stretch of work cost: time, processor time of the whole process, allocations, memory; and how even
// it was.

#if Tool
import CSluiceBench
import Foundation
import SluiceCore
import Synchronization

/// Clocks at one moment.
struct BenchMoment {
    let wall: Int64
    let user: Double
    let system: Double
    let counts: bench_counts

    static var now: BenchMoment {
        var (user, system) = (0.0, 0.0)
        bench_processor_time(&user, &system)
        return BenchMoment(
            wall: System.monotonicNanoseconds, user: user, system: system, counts: bench_counted())
    }
}

/// What lies between two moments.
struct BenchCost {
    var seconds: Double
    var userSeconds: Double
    var systemSeconds: Double
    /// What the process did beside its work.
    var allocations, locks, clocks: UInt64

    init(from start: BenchMoment, to end: BenchMoment) {
        seconds = Double(end.wall - start.wall) / 1e9
        userSeconds = end.user - start.user
        systemSeconds = end.system - start.system
        allocations = end.counts.allocations - start.counts.allocations
        locks = end.counts.locks - start.counts.locks
        clocks = end.counts.clocks - start.counts.clocks
    }

    var cpuSeconds: Double { userSeconds + systemSeconds }
}

/// How many records the tasks of a run have done: each adds to its own counter.
final class BenchCounters: Sendable {
    private let counters: [Counter]
    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    init(_ count: Int) { counters = (0..<count).map { _ in Counter() } }

    func add(_ records: Int, _ index: Int) { counters[index].value.add(records, ordering: .relaxed) }
    var sum: Int { counters.reduce(0) { $0 + $1.value.load(ordering: .relaxed) } }
}

/// Measures a run: the first to the last call, with a look at the counters ten times a second.
struct BenchMeter {
    private let start: BenchMoment
    private let watch: Task<Int?, Never>

    /// - Parameters:
    ///   - bytesPerRecord: for the line of progress.
    ///   - isShown: whether there is one, on a terminal.
    init(_ counters: BenchCounters, bytesPerRecord: Int, isShown: Bool) {
        BenchMachine.resetPeak()
        bench_count(1)
        let begun = BenchMoment.now
        start = begun
        watch = Task.detached { await Self.watch(counters, begun.wall, bytesPerRecord, isShown) }
    }

    /// The fewest records of a whole second; nil when there was no whole one.
    private static func watch(
        _ counters: BenchCounters, _ begun: Int64, _ bytesPerRecord: Int, _ isShown: Bool
    ) async -> Int? {
        var progress = Progress(isShown: isShown)
        var worst: Int?
        var last = (time: begun, records: 0)
        while (try? await Task.sleep(for: .milliseconds(100))) != nil {
            let (now, records) = (System.monotonicNanoseconds, counters.sum)
            progress.update(
                records: Int64(records), bytes: Int64(records * bytesPerRecord), storedBytes: nil)
            guard now >= last.time + 1_000_000_000 else { continue }
            let rate = Double(records - last.records) / (Double(now - last.time) / 1e9)
            worst = min(worst ?? .max, Int(rate))
            last = (now, records)
        }
        let records = counters.sum
        progress.finish(records: Int64(records), bytes: Int64(records * bytesPerRecord), storedBytes: nil)
        return worst
    }

    /// Ends it, and says what it was.
    func end() async -> (cost: BenchCost, worstSecond: Int?, peakBytes: Int64) {
        let end = BenchMoment.now
        bench_count(0)
        let peak = BenchMachine.peakMemory
        watch.cancel()
        return (BenchCost(from: start, to: end), await watch.value, peak)
    }
}

extension BenchFigures {
    /// The figures that every run has.
    mutating func add(
        records: Int, bytes: Int, stored: Int64?,
        _ measured: (cost: BenchCost, worstSecond: Int?, peakBytes: Int64)
    ) {
        let cost = measured.cost
        let count = Double(max(records, 1))
        add("records", .integer(Int64(records)))
        add("seconds", rounded: cost.seconds, 4)
        add("records_per_second", rounded: count / max(cost.seconds, 1e-9), 0)
        add("raw_mb_per_second", rounded: Double(bytes) / 1e6 / max(cost.seconds, 1e-9))
        if let stored {
            add("stored_bytes", .integer(stored))
            add("stored_mb_per_second", rounded: Double(stored) / 1e6 / max(cost.seconds, 1e-9))
        }
        add("worst_second_records", measured.worstSecond.map { .integer(Int64($0)) } ?? .null)
        add("cpu_ns_per_record", rounded: cost.cpuSeconds / count * 1e9)
        add("cpu_user_ns_per_record", rounded: cost.userSeconds / count * 1e9)
        add("cpu_system_ns_per_record", rounded: cost.systemSeconds / count * 1e9)
        add("peak_memory_bytes", .integer(measured.peakBytes))
        add("allocations_per_record", rounded: Double(cost.allocations) / count, 5)
        add("locks_per_record", rounded: Double(cost.locks) / count, 5)
        add("clock_readings_per_record", rounded: Double(cost.clocks) / count, 5)
    }

    /// `1.23 M records/s, …`
    func summary(_ title: String) -> String {
        func value(_ name: String) -> Double {
            switch self[name] {
            case .number(let number): number
            case .integer(let number): Double(number)
            default: .nan
            }
        }
        var line =
            "\(title): \(Amounts.grouped(Int64(value("records_per_second")))) records/s, "
            + "\(Amounts.decimal(value("raw_mb_per_second"))) MB/s raw"
        if self["stored_mb_per_second"] != nil {
            line += ", \(Amounts.decimal(value("stored_mb_per_second"))) MB/s stored"
        }
        line +=
            ", \(Amounts.decimal(value("cpu_ns_per_record"))) ns of CPU a record "
            + "(user \(Amounts.decimal(value("cpu_user_ns_per_record"))), "
            + "system \(Amounts.decimal(value("cpu_system_ns_per_record")))), "
            + "peak \(Amounts.megabytes(Int64(value("peak_memory_bytes")))), "
            + "\(Amounts.decimal(value("allocations_per_record"))) allocations a record"
        return line
    }
}
#endif
