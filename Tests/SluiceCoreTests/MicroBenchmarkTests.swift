// Each micro-benchmark runs, and does what it says.

import Foundation
import SluiceMicro
import Testing

@Suite struct MicroBenchmarkTests {
    @Test(arguments: MicroBenchmark.allCases)
    func `a micro-benchmark does the same each time`(benchmark: MicroBenchmark) throws {
        let run = try benchmark.prepare()
        let once = run.run(3)
        #expect(once > 0)
        #expect(run.run(3) == once)
        #expect(try benchmark.prepare().run(3) == once)
    }

    /// What has no threshold, Scripts/bench-micro passes over without a word.
    @Test(arguments: MicroBenchmark.allCases)
    func `a micro-benchmark has thresholds`(benchmark: MicroBenchmark) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "Benchmarks/Thresholds/Micro.\(benchmark.rawValue).p90.json")
        let thresholds = try JSONDecoder().decode([String: Int].self, from: Data(contentsOf: file))
        #expect(Set(thresholds.keys) == ["allocations", "callgrindInstructions"])
    }
}
