// Messages with seeds: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceTesting
import Testing

@Suite struct MessageSimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 60
        #else
        let usual: UInt64 = 3_000
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil))
    func `messages keep their promises whatever happens`() {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var sum = MessageSimulationOutcome()
        for seed in first..<(first + Self.seeds) {
            do {
                let outcome = try MessageSimulation.run(seed: seed)
                sum.handed += outcome.handed
                sum.accepted += outcome.accepted
                sum.buried += outcome.buried
                sum.fenced += outcome.fenced
                sum.refused += outcome.refused
                sum.deaths += outcome.deaths
                sum.gone += outcome.gone
                sum.longestMetadata = max(sum.longestMetadata, outcome.longestMetadata)
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        // What is to be tried out happens.
        guard Self.seeds >= 200 else { return }
        #expect(sum.handed > 5_000 && sum.accepted > 5_000 && sum.buried > 100 && sum.fenced > 100)
        #expect(sum.refused > 10 && sum.deaths > 100 && sum.gone > 100)
        #expect(sum.longestMetadata > 2_000)
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        try MessageSimulation.run(seed: seed)
    }
}
