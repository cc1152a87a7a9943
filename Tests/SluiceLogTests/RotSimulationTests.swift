// Stores whose bytes change at rest: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceTesting
import Testing

@Suite struct RotSimulationTests {
    static let environment = VolumeSimulationTests.environment

    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 100
        #else
        let usual: UInt64 = 1_200
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil))
    func `bytes that change at rest are not served, and reported`() {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var kinds: [String: Int] = [:]
        var (unreadable, foundByScrub) = (0, 0)
        for seed in first..<(first + Self.seeds) {
            do {
                guard let outcome = try VolumeSimulation.runRot(seed: seed) else { continue }
                kinds[outcome.kind, default: 0] += 1
                unreadable += outcome.unreadable
                foundByScrub += outcome.isFoundByScrub ? 1 : 0
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        var figures = kinds
        figures["records unreadable"] = unreadable
        figures["found by the scrub"] = foundByScrub
        printFigures(figures)
        // A simulation that draws too little proves nothing.
        guard Self.seeds >= 1_000 else { return }
        #expect(kinds.count == 7)
        #expect(unreadable > 0 && foundByScrub > 0)
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        let simulation = VolumeSimulation(seed: seed)
        if Self.environment["SLUICE_TRACE"] != nil { simulation.log = { print($0) } }
        print(try simulation.runRot() as Any)
    }
}
