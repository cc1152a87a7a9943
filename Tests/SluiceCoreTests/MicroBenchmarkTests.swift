// Each micro-benchmark runs, and does what it says.

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
}
