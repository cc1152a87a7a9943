// The law as a function, and in a loop with dead time: where it begins to oscillate.

import SluiceTesting
import Testing

@testable import SluiceCore

@Suite struct PressureLawTests {
    private let marks = PressureMarks(targetBytes: 1_000)
    private let wide = RateBounds(minimum: 1, maximum: 1e12)

    private func rate(_ x: Double, drain: Double = 100, gain: Double = 0.2) -> Double? {
        PressureLaw.rate(waitingBytes: x, marks, drainBytesPerSecond: drain, gain: gain, wide)
    }

    @Test func `up to S there is no bound`() {
        #expect(marks.softBytes == 700)
        for x in [-1.0, 0, 699.999, 700] { #expect(rate(x) == nil) }
        #expect(rate(700.001) != nil)
    }

    @Test func `at the target producers are as fast as what drains`() {
        #expect(rate(1_000) == 100)
        #expect(rate(990)! > 100)
        #expect(rate(1_010)! < 100)
    }

    @Test func `the bound falls as more waits, without a jump`() {
        var before = Double.infinity
        for step in 1...4_000 {
            let x = 700 + Double(step) * 0.1
            let now = rate(x)!
            #expect(now <= before)
            // Linear in 1/r: a step of a three hundredth of the blend.
            if x > 701 { #expect(1 / now - 1 / before < 1e-4) }
            before = now
        }
    }

    @Test func `the blend ends after a quarter of the way`() {
        #expect(rate(775) == 100 + 0.2 * 225)
        #expect(abs(rate(737.5)! - 2 * (100 + 0.2 * 262.5)) < 1e-9)
    }

    @Test func `bounds hold, and a tenth of what drains is always admitted`() {
        let bounds = RateBounds(minimum: 5, maximum: 120)
        func bounded(_ x: Double, _ drain: Double) -> Double? {
            PressureLaw.rate(waitingBytes: x, marks, drainBytesPerSecond: drain, gain: 0.2, bounds)
        }
        #expect(bounded(800, 100) == 120)
        #expect(bounded(1e9, 0) == 5)
        #expect(bounded(1e9, 100) == 10)
        #expect(
            PressureLaw.rate(
                waitingBytes: 2_000, marks, drainBytesPerSecond: 0, gain: 0.2,
                RateBounds(minimum: 7, maximum: 3)) == 7)
    }

    @Test func `the gain stays at a quarter of the dead time`() {
        #expect(PressureLaw.gain(deadTimeSeconds: 0) == 0.2)
        #expect(PressureLaw.gain(deadTimeSeconds: 1.25) == 0.2)
        #expect(PressureLaw.gain(deadTimeSeconds: 5) == 0.05)
        #expect(PressureLaw.gain(deadTimeSeconds: 30) * 30 == 0.25)
    }

    @Test(arguments: [0.001, 0.06, 0.2, 0.5, 0.9, 0.999])
    func `the overshoot after a stop is bounded, and not by much`(_ product: Double) {
        // x' = μ·e^(−t/τ) − k·x, by small steps; τ = 1.
        var (x, drain, greatest) = (0.0, 1.0, 0.0)
        for _ in 0..<200_000 {
            x += (drain - product * x) * 1e-4
            drain -= drain * 1e-4
            greatest = max(greatest, x)
        }
        let bound = PressureLaw.overshoot(drainBytesPerSecond: 1, drainSeconds: 1, gain: product)
        #expect(bound >= greatest - 1e-3)
        #expect(bound <= 1.2 * greatest)
    }

    // MARK: In a loop with dead time

    /// How far x goes beyond its target, as a part of where it began, when the law is felt a second late.
    private func overshoot(gain: Double) -> Double {
        let steps = 1_000
        let target = PressureMarks(targetBytes: 1e9)
        var history = Array(repeating: 0.95e9, count: steps)
        var (x, greatest) = (0.95e9, -Double.infinity)
        for step in 0..<(60 * steps) {
            let seen = history[step % steps]
            history[step % steps] = x
            let rate = PressureLaw.rate(
                waitingBytes: seen, target, drainBytesPerSecond: 1e9, gain: gain,
                RateBounds(minimum: 0, maximum: 1e12))!
            x += (rate - 1e9) / Double(steps)
            greatest = max(greatest, x)
        }
        return (greatest - 1e9) / 0.05e9
    }

    @Test func `gain times dead time decides: 0.1 creeps, 0.37 just so, 0.8 swings`() {
        #expect(overshoot(gain: 0.1) < 0)
        #expect(overshoot(gain: 0.37) < 1e-6)
        #expect(overshoot(gain: 0.8) > 0.2)
        #expect(overshoot(gain: PressureLaw.gainTimesDeadTime) < 0)
    }

    @Test func `the boundary of oscillation is 1 divided by e`() {
        var (still, swings) = (0.1, 0.8)
        while swings - still > 1e-4 {
            let middle = (still + swings) / 2
            if overshoot(gain: middle) > 1e-9 { swings = middle } else { still = middle }
        }
        #expect(abs(swings - 0.36788) < 0.02 * 0.36788)
    }
}
