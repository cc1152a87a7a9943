// Stores with groups on simulated machines: SLUICE_SEEDS says how many, SLUICE_SEED which one.

import Foundation
import SluiceTesting
import Testing

@Suite struct ConsumerSimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    /// As many machines as one test takes; the tests run side by side.
    static let lanes = 2
    static var seeds: UInt64 {
        #if DEBUG
        let usual: UInt64 = 200
        #else
        let usual: UInt64 = 1_000
        #endif
        return environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual
    }

    @Test(.disabled(if: environment["SLUICE_SEED"] != nil), arguments: 0..<UInt64(lanes))
    func `what is acknowledged is processed whatever happens`(lane: UInt64) throws {
        let first = Self.environment["SLUICE_FIRST_SEED"].flatMap(UInt64.init) ?? 1
        var failures = 0
        var events: [ConsumerEvent: Int] = [:]
        for seed in first..<(first + Self.seeds) where seed % UInt64(Self.lanes) == lane {
            do {
                events.merge(try ConsumerSimulation.run(seed: seed).events, uniquingKeysWith: +)
            } catch {
                Issue.record(error)
                failures += 1
                if failures >= 3 { return }
            }
        }
        if Self.environment["SLUICE_TRACE"] != nil {
            print(ConsumerEvent.allCases.map { "\($0) \(events[$0] ?? 0)" }.joined(separator: ", "))
        }
        // A simulation that draws too little proves nothing; the rarest are in one seed of two hundred.
        // The usual seeds must meet every kind; of others a thousand may miss one that is rare.
        guard Self.seeds >= 1_000, Self.environment["SLUICE_FIRST_SEED"] == nil else { return }
        for event in ConsumerEvent.allCases { #expect(events[event] ?? 0 > 0, "\(event) never happened") }
    }

    @Test(.enabled(if: environment["SLUICE_SEED"] != nil))
    func `the seed that was asked for`() throws {
        let seed = try #require(Self.environment["SLUICE_SEED"].flatMap(UInt64.init))
        let simulation = ConsumerSimulation(seed: seed)
        if Self.environment["SLUICE_TRACE"] != nil { simulation.log = { print($0) } }
        print(try simulation.run())
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `the same seed does the same`(seed: UInt64) throws {
        #expect(try ConsumerSimulation.run(seed: seed) == ConsumerSimulation.run(seed: seed))
    }
}
