// The parts of an append and of a replay, each alone: SluiceMicro has them.
//
// (1) The tool measures times, which depend on what else the machine does. (2) Instructions and allocations
// do not: thresholds are on them. The tool's own counters of both need hardware and packages that are often
// missing, and then there is no figure, or 0; so micro-part is run under valgrind, once for each part.
// (3) Scripts/bench-micro builds that program, and says where it is. Without it there are times alone.

import Benchmark
import Foundation
import SluiceMicro

private let instructions = BenchmarkMetric.custom("callgrindInstructions")
private let allocations = BenchmarkMetric.custom("allocations")

/// A measurement is so many times: the tool's `.kilo`.
private let times = 1_000

let benchmarks: @Sendable () -> Void = {
    for part in MicroBenchmark.allCases {
        Benchmark(
            part.rawValue,
            configuration: .init(
                metrics: [.throughput, .wallClock, instructions, allocations], scalingFactor: .kilo,
                maxDuration: .seconds(1),
                thresholds: [
                    instructions: .init(relative: [.p90: 1]),
                    // A tenth of an allocation more each time.
                    allocations: .init(absolute: [.p90: times / 10]),
                ]),
            closure: { benchmark, prepared in
                benchmark.startMeasurement()
                blackHole(prepared.run.run(times))
                benchmark.stopMeasurement()
                guard let counts = prepared.counts else { return }
                benchmark.measurement(instructions, counts.instructions)
                benchmark.measurement(allocations, counts.allocations)
            },
            setup: { try Prepared(run: part.prepare(), counts: Counts(part)) })
    }
}

private struct Prepared {
    let run: MicroRun
    let counts: Counts?
}

/// What micro-part counted of a part, for so many `times`.
private struct Counts {
    let instructions: Int
    let allocations: Int

    /// Nil where no program was named.
    init?(_ part: MicroBenchmark) throws {
        var environment = ProcessInfo.processInfo.environment
        guard let program = environment["SLUICE_MICRO_PART"] else { return nil }
        // The same order in every table of hashes.
        environment["SWIFT_DETERMINISTIC_HASHING"] = "1"
        let (output, errors) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*7counted*",
            program, part.rawValue, "\(times)",
        ]
        process.environment = environment
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // A few lines: neither pipe is ever full.
        process.waitUntilExit()
        let told = Self.text(errors)
        guard process.terminationStatus == 0, let allocations = Int(Self.text(output)),
            let collected = told.firstMatch(of: /Collected : ([0-9]+)/), let instructions = Int(collected.1),
            instructions > 0
        else { throw CountError(told: told) }
        self.instructions = instructions
        self.allocations = allocations
    }

    private static func text(_ pipe: Pipe) -> String {
        String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }
}

private struct CountError: Error {
    let told: String
}
