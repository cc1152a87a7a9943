// Back pressure on a virtual clock: what producers, groups and the disk get from the controller that ships.
//
// SLUICE_SEEDS says how many random traces, SLUICE_SEED which one. Optimised: 24; in debug: 4.

import Foundation
import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct PressureSimulationTests {
    typealias Steps = PressureTrace.Steps

    static let environment = ProcessInfo.processInfo.environment

    #if DEBUG
    static let isOptimised = false
    #else
    static let isOptimised = true
    #endif

    /// Without optimisation a run takes a second.
    static let sizes = isOptimised ? [16, 64, 256, 4_096] : [64]
    static let commits = isOptimised ? [0.25, 1, 5, 30] : [5]
    static let moments = isOptimised ? [50.0, 120, 205, 241, 300] : [205]

    static var seeds: ClosedRange<UInt64> {
        if let seed = environment["SLUICE_SEED"].flatMap(UInt64.init) { return seed...seed }
        let usual: UInt64 = isOptimised ? 24 : 4
        return 1...(environment["SLUICE_SEEDS"].flatMap(UInt64.init) ?? usual)
    }

    /// The steps of the issue: MB/s.
    static let steps: Steps = [(0, 60e6), (100, 20e6), (200, 0), (240, 100e6), (340, 60e6)]

    private func trace(
        drain: Steps = steps, seconds: Double = 440, offered: Double = 200e6,
        _ change: (inout PressureTrace) -> Void = { _ in }
    ) -> PressureTrace {
        var trace = PressureTrace(producers: [.init(offered: offered)], groups: [.init(drain: drain)])
        trace.seconds = seconds
        change(&trace)
        return trace
    }

    private func run(_ trace: PressureTrace) -> PressureSimulation.Result {
        var simulation = PressureSimulation(trace)
        simulation.run()
        check(trace, simulation.result)
        return simulation.result
    }

    /// What holds of every run: the disk, the account, and no delay below S.
    private func check(
        _ trace: PressureTrace, _ result: PressureSimulation.Result, _ comment: Comment? = nil,
        location: SourceLocation = #_sourceLocation
    ) {
        if trace.limitBytes < .max {
            #expect(result.greatestExcess <= 0, comment, sourceLocation: location)
        }
        #expect(result.delayedBelowSoft == 0, comment, sourceLocation: location)
        // Accepted = consumed + passed over because it was dropped + there, for each group and to the byte.
        for (account, group) in zip(result.accounts, trace.groups) {
            let sum = account.start + account.consumed + account.skipped + account.unread
            #expect(sum == result.appended[group.topic], comment, sourceLocation: location)
        }
        let history = trace.groups.map(\.history).reduce(0, max)
        if history == 0 {
            #expect(
                result.appended.reduce(0, +) == result.sent.reduce(0, +), comment, sourceLocation: location)
        }
    }

    // MARK: 1, 2: the disk and the account

    @Test(arguments: sizes, commits)
    func `no disk is ever above H, and all that was accepted is accounted for`(
        _ megabytes: Int, _ commit: Double
    ) {
        for tells in [true, false] {
            let result = run(
                trace {
                    $0.limitBytes = Int64(megabytes) << 20
                    $0.exemptBytes = $0.limitBytes / 64
                    $0.segmentBytes = max(1 << 20, $0.limitBytes / 64)
                    $0.groups[0].commitSeconds = commit
                    $0.groups[0].tells = tells
                    $0.groups[0].heldBytes = tells ? 0 : 1 << 20
                })
            // A group that tells commits when the disk is short: the size of the disk costs little.
            if tells, megabytes >= 64 {
                #expect(result.refused == 0)
                #expect(Double(result.sent[0]) > 0.9 * 24e9)
            }
        }
    }

    @Test func `segments larger than the disk do not deadlock it`() {
        let result = run(
            trace {
                $0.limitBytes = 64 << 20
                $0.segmentBytes = 128 << 20
            })
        #expect(result.sent[0] > 5_000_000_000)
    }

    @Test func `what drop-oldest takes from a group is counted to the byte`() {
        let result = run(
            trace(drain: [(0, 20e6)], seconds: 200) {
                $0.settings.dropsOldest = true
                $0.settings.lagTargetSeconds = 5
            })
        #expect(result.accounts[0].skipped > 1_000_000_000)
        #expect(abs(result.accounts[0].skipped - result.dropped[0]) <= Int64(4 << 20))
        #expect(result.longestStalls[0] < 0.1)
    }

    @Test func `time retention without groups: producers wait for the clock, the disk stays below H`() {
        let trace = trace(seconds: 300) {
            $0.groups = []
            $0.retention = .time(seconds: 30)
            $0.limitBytes = 1 << 30
            $0.segmentBytes = 16 << 20
        }
        let result = run(trace)
        // H in 30 s is what there can be.
        let most = Double(trace.limitBytes) * 300 / 30
        #expect(Double(result.sent[0]) > 0.6 * most && Double(result.sent[0]) < 1.1 * most)
    }

    @Test func `a wall clock that jumps makes nothing of it but what retention does`() {
        let result = run(
            trace {
                $0.limitBytes = 1 << 30
                $0.jumps = [(50, 86_400), (60, -86_400), (150, 1e7)]
            })
        #expect(result.refused == 0)
    }

    @Test func `without groups and without a limit nobody is ever delayed`() {
        let result = run(trace(seconds: 60) { $0.groups = [] })
        #expect(result.delayed == 0)
        #expect(result.steps < 300)
    }

    // MARK: 3: it settles

    /// When the rate has come to within a tenth of its final value for good, and how often it passed it.
    private func settling(
        _ rates: ArraySlice<Double>, final: Double
    ) -> (seconds: Double, crossings: Int) {
        let last = rates.lastIndex { abs($0 - final) > 0.1 * final } ?? rates.startIndex
        var side = 0.0
        var crossings = 0
        for rate in rates where abs(rate - final) > 0.1 * final {
            let now = rate > final ? 1.0 : -1.0
            if side != 0, now != side { crossings += 1 }
            side = now
        }
        return (Double(last - rates.startIndex) / 10, crossings)
    }

    @Test(arguments: commits, [true, false])
    func `after a step the rate crosses its final value at most twice, and settles`(
        _ commit: Double, _ tells: Bool
    ) {
        for limit in [Int64.max, 1 << 34] {
            let result = run(
                trace {
                    $0.groups[0].commitSeconds = commit
                    $0.groups[0].tells = tells
                    $0.groups[0].heldBytes = tells ? 0 : 4 << 20
                    $0.limitBytes = limit
                    $0.segmentBytes = 64 << 20
                })
            // k is a fifth and θ a tenth of a second: what groups hold is seen at each look.
            let bound = 4 / 0.2 + 2 * 5 + 3 * 0.102
            for (from, to, drain) in [(0, 1_000, 60e6), (1_000, 2_000, 20e6), (3_400, 4_400, 60e6)] {
                let (seconds, crossings) = settling(result.allowed[from..<to], final: drain)
                #expect(seconds <= bound + (from == 0 ? 10 : 0), "\(from)")
                #expect(crossings <= 2)
            }
        }
    }

    @Test(arguments: [1, 5])
    func `commits that are all that is known make it slower, not wild`(_ commit: Double) {
        let result = run(
            trace(drain: [(0, 60e6), (200, 20e6)], seconds: 600) {
                $0.groups[0].commitSeconds = commit
                $0.groups[0].tells = false
                $0.groups[0].isServed = false
            })
        let deadTime = 0.102 + commit
        let gain = min(0.2, 0.25 / deadTime)
        let (seconds, crossings) = settling(result.allowed[2_000..<6_000], final: 20e6)
        #expect(seconds <= 4 / gain + 2 * 5 + 3 * deadTime)
        #expect(crossings <= 2)
    }

    // MARK: 4: stalls

    /// What has been read is freed when it is committed, or too old: on a disk that holds less than is sent
    /// until then, producers have to wait whoever decides.
    private func canBeSmooth(_ trace: PressureTrace) -> Bool {
        guard trace.limitBytes < .max else { return true }
        if case .time = trace.retention { return false }
        return trace.groups.allSatisfy { $0.tells || $0.commitSeconds * 300e6 < Double(trace.limitBytes) }
    }

    @Test func `random traces: the invariants, short stalls, and far longer ones under on and off`() {
        var stalls: [Double] = []
        var others: [Double] = []
        for seed in Self.seeds {
            var trace = PressureTrace.random(seed: seed)
            var simulation = PressureSimulation(trace)
            simulation.run()
            check(trace, simulation.result, "seed \(seed)")
            guard canBeSmooth(trace) else { continue }
            stalls.append(simulation.result.longestStalls.max() ?? 0)
            trace.control = .onOff
            simulation = PressureSimulation(trace)
            simulation.run()
            others.append(simulation.result.longestStalls.max() ?? 0)
        }
        guard stalls.count >= 20 else { return }
        stalls.sort()
        others.sort()
        let place = stalls.count * 95 / 100
        #expect(stalls[place] <= 1)
        #expect(others[place] >= 5 * stalls[place])
    }

    // MARK: 5: no delay below S

    @Test func `bursts that a group keeps up with are never delayed`() {
        var bursts: Steps = []
        for start in stride(from: 0.0, to: 300, by: 10) { bursts += [(start, 200e6), (start + 2, 10e6)] }
        let result = run(
            trace(drain: [(0, 60e6)], seconds: 300) {
                $0.producers[0].offered = bursts
                $0.limitBytes = 4 << 30
            })
        #expect(result.delayed == 0)
    }

    @Test func `a group that begins with history delays nobody until it has caught up`() {
        let result = run(
            trace(drain: [(0, 100e6)], seconds: 100, offered: 20e6) { $0.groups[0].history = 4e9 })
        #expect(result.delayed == 0)
        #expect(result.accounts[0].unread < 1_000_000)
    }

    @Test func `a group that seeks back does not stop the producers`() {
        let result = run(
            trace(drain: [(0, 60e6)], seconds: 100, offered: 50e6) {
                $0.retention = .time(seconds: 1e6)
                $0.groups[0].rewindsAt = 80
            })
        #expect(result.delayed == 0)
    }

    // MARK: 6: a group comes back

    @Test(arguments: [true, false])
    func `when the group comes back, producers are faster at the next look`(_ hasLimit: Bool) {
        let trace = trace(drain: [(0, 60e6), (60, 0), (180, 60e6)], seconds: 200) {
            if hasLimit { $0.limitBytes = 1 << 30 }
        }
        let result = run(trace)
        #expect(result.allowed[1_790] <= 65_536)
        // A tick, and the dead time of another.
        #expect(result.allowed[1_803] > 3 * 65_536)
        #expect(result.allowed[1_900] > 30e6)
    }

    @Test func `a dead group stops producers at the promise, not before and not far beyond`() {
        let result = run(
            trace(drain: [(0, 60e6)], seconds: 300) { $0.groups[0].leavesAt = 100 })
        let waiting = Double(result.accounts[0].unread)
        #expect(waiting > 1.7e9 && waiting < 2.1e9)
    }

    // MARK: 8: restarts

    @Test(arguments: moments)
    func `a controller that was restarted decides the same from then on`(_ moment: Double) {
        for tells in [true, false] {
            for limit in [Int64.max, 1 << 30] {
                var simulation = PressureSimulation(
                    trace {
                        $0.groups[0].tells = tells
                        $0.groups[0].isServed = tells
                        $0.limitBytes = limit
                        $0.segmentBytes = 16 << 20
                    })
                while simulation.seconds < moment { _ = simulation.step() }
                simulation.restart()
                simulation.run()
                #expect(simulation.result.differences == 0)
            }
        }
    }

    // MARK: Several producers

    @Test func `producers share by weight, whatever their batches, also under both laws`() {
        let result = run(
            trace(drain: [(0, 40e6)], seconds: 200) {
                $0.limitBytes = 1 << 30
                $0.producers = zip([1, 1, 2, 4], [1_000, 65_536, 16_384, 1 << 20]).map { weight, batch in
                    var producer = PressureTrace.Producer(offered: 200e6)
                    producer.weight = weight
                    producer.batchBytes = batch
                    return producer
                }
            })
        // Without what came before the law was in force: the shares of the last, by the largest one's.
        let shares = zip(result.sent, [1.0, 1, 2, 4]).map { Double($0) / $1 }
        #expect(fairness(shares) > 0.95)
    }

    @Test func `one who sends little is not slowed by those who send much`() {
        let result = run(
            trace(drain: [(0, 40e6)], seconds: 200) {
                var little = PressureTrace.Producer(offered: 2e6)
                little.batchBytes = 4_096
                $0.producers += [$0.producers[0], little]
            })
        #expect(Double(result.sent[2]) > 0.99 * 400e6)
        #expect(result.longestStalls[2] < 0.03)
    }
}
