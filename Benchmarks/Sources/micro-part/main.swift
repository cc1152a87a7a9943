// A part of the engine, run so many times: valgrind(1) counts the instructions of `counted`, and the program
// prints the allocations.
//
//     micro-part PART TIMES

import CSluiceBench
import SluiceMicro

/// What is counted, known by its name.
@inline(never) private func counted(_ run: MicroRun, _ times: Int) -> Int64 { run.run(times) }

let arguments = CommandLine.arguments
guard arguments.count == 3, let part = MicroBenchmark(rawValue: arguments[1]), let times = Int(arguments[2])
else { fatalError("micro-part PART TIMES") }
let run = try part.prepare()
// What is done once, at the first use, is not counted.
let expected = run.run(times)
bench_count(1)
let sum = run.run(times)
bench_count(0)
guard sum == expected, counted(run, times) == expected else { fatalError("not the same each time") }
print(bench_counted().allocations)
