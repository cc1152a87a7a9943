// The parts of an append and a replay at length: SluiceMicro has them.

import Benchmark
import SluiceMicro

let benchmarks: @Sendable () -> Void = {
    for part in MicroBenchmark.allCases {
        Benchmark(
            part.rawValue,
            configuration: .init(
                metrics: [.cpuUser, .instructions, .throughput], scalingFactor: .kilo,
                maxDuration: .seconds(3))
        ) { benchmark in
            guard let run = try? part.prepare() else { return benchmark.error("cannot be prepared") }
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(run.run(1)) }
        }
    }
}
