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
        let usual: UInt64 = 4_000
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    /// Faults and branches of recovery that some thousand seeds must meet.
    static let kinds = [
        "power losses", "process deaths", "syncs delayed", "compactions", "segments scrubbed",
        "found torn tail", "found restored", "found offsets skipped", "found torn manifest",
        "found torn journal", "fault write 5", "fault write 28", "fault fdatasync 5", "fault fdatasync 28",
        "fault fsync 5", "fault open 24", "fault open 28", "fault read 5",
    ]
    /// Those that are met once in some ten thousand.
    static let rareKinds =
        ["found hole", "found unreferenced"] + FaultPolicy.usualFaults.map { "fault \($0.rawValue) \($1)" }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil), arguments: 0..<UInt64(lanes))
    func `what was acknowledged survives whatever happens`(lane: UInt64) throws {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var figures: [String: Int] = [:]
        for seed in first..<(first + Self.seeds) where seed % UInt64(Self.lanes) == lane {
            do {
                let outcome = try VolumeSimulation.run(seed: seed)
                figures.merge(outcome.mishaps, uniquingKeysWith: +)
                let counts = [
                    "steps": outcome.steps, "batches": outcome.batches, "openings": outcome.openings,
                    "compactions": outcome.compactions, "syncs delayed": outcome.delayedSyncs,
                    "segments scrubbed": outcome.scrubbedSegments,
                ]
                figures.merge(counts, uniquingKeysWith: +)
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        printFigures(figures)
        // A simulation that draws too little proves nothing.
        guard Self.seeds >= 5_000 else { return }
        let kinds = Self.kinds + (Self.seeds >= 500_000 ? Self.rareKinds : [])
        for kind in kinds { #expect(figures[kind] ?? 0 > 0, "\(kind) never happened") }
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
