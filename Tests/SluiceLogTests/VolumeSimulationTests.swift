// The volume on simulated machines: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceTesting
import Testing

@Suite struct VolumeSimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    /// As many machines as one test takes; the tests run side by side.
    static let lanes = 2
    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 300
        #else
        let usual: UInt64 = 10_000
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil), arguments: 0..<UInt64(lanes))
    func `what was acknowledged survives whatever happens`(lane: UInt64) throws {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var delayedSyncs = 0
        for seed in first..<(first + Self.seeds) where seed % UInt64(Self.lanes) == lane {
            do {
                delayedSyncs += try VolumeSimulation.run(seed: seed).delayedSyncs
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        // A simulation that draws too little proves nothing.
        if Self.seeds >= 2_000 { #expect(delayedSyncs > 0) }
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        let simulation = VolumeSimulation(seed: seed)
        if Self.environment["SLUICE_TRACE"] != nil { simulation.log = { print($0) } }
        print(try simulation.run())
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `the same seed does the same`(seed: UInt64) throws {
        #expect(try VolumeSimulation.run(seed: seed) == VolumeSimulation.run(seed: seed))
    }
}
