// Queues of tasks with seeds: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceCore
import SluiceTesting
import Testing

@Suite struct TaskSimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 100
        #else
        let usual: UInt64 = 3_000
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil))
    func `a queue keeps its promises whatever happens`() {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var sum = TaskSimulationOutcome()
        for seed in first..<(first + Self.seeds) {
            do {
                let outcome = try TaskSimulation.run(seed: seed)
                sum.leases += outcome.leases
                sum.fenced += outcome.fenced
                sum.deaths += outcome.deaths
                sum.replays += outcome.replays
                sum.alone += outcome.alone
                sum.fired += outcome.fired
                sum.vanished += outcome.vanished
                sum.edited += outcome.edited
                sum.shared += outcome.shared
                sum.limited += outcome.limited
                sum.waiting += outcome.waiting
                sum.givenUp += outcome.givenUp
                sum.endings.merge(outcome.endings, uniquingKeysWith: +)
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        // What is to be tried out happens.
        guard Self.seeds >= 200 else { return }
        #expect(sum.leases > 1_000 && sum.fenced > 100 && sum.deaths > 100 && sum.replays > 100)
        #expect(sum.alone > 10 && sum.vanished > 100 && sum.edited > 100)
        #expect(sum.fired > 1_000 && sum.shared > 1_000 && sum.limited > 1_000)
        #expect(sum.waiting > 1_000 && sum.givenUp > 100)
        for state in TaskState.allCases where state.isFinal {
            #expect(sum.endings[state.rawValue, default: 0] > 10, "\(state)")
        }
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        try TaskSimulation.run(seed: seed)
    }
}
