// Groups with seeds: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceCore
import Testing

@Suite struct GroupSimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 300
        #else
        let usual: UInt64 = 2_500
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil))
    func `a group keeps its promises whatever happens`() {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        for seed in first..<(first + Self.seeds) {
            do {
                try GroupSimulation.run(seed: seed)
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        try GroupSimulation.run(seed: seed)
    }
}
