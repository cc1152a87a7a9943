// The law: how fast producers may be, from how much is waiting.
//
//            ┌───────────── admitted bytes ──────────────┐
//  offered →  gate ──────────────────────────────────►  log ──► drained, μ
//             ▲                                           │ x
//             └── r = clamp(μ̂ + k·(X* − x), r.min, r.max) ◄┘      only when x > S, blended in
//
//       r │ no bound │ blend │        law         │
//         │          :\      :                    :
//         │          : ·.    :                    :
//       μ̂ │..........:....·--:--------...........·:......
//         │          :       :                    : ·--- r.min
//         └──────────┴───────┴────────────────────┴────── x
//                    S     S + ¼(X* − S)          X*         r.min: a tenth of μ̂, or 64 KiB/s
//
// The log integrates, dx/dt = r − μ, so proportional control with the drain fed forward is enough: x comes to
// rest at X* where the producers are as fast as what drains. There is no oscillation as long as the gain
// times the dead time is at most 1/e.
//
// (1) Below S there is no bound at all. (2) The bound is continuous in x. (3) Bytes and bytes per second.

/// The marks between which a law works, in bytes.
struct PressureMarks: Hashable, Sendable {
    /// S: below it there is no bound.
    var softBytes: Double
    /// X*: where x comes to rest.
    var targetBytes: Double

    /// The part of X* at which the law begins.
    static let softShare = 0.7

    init(targetBytes: Double) {
        self.targetBytes = targetBytes
        softBytes = Self.softShare * targetBytes
    }
}

/// The bounds of the admitted rate, in bytes per second.
struct RateBounds: Hashable, Sendable {
    var minimum: Double
    var maximum: Double
}

enum PressureLaw {
    /// The gain for a dead time, per second: k·θ stays at a quarter, where the bound is 1/e = 0.37.
    static func gain(deadTimeSeconds: Double) -> Double {
        min(greatestGain, gainTimesDeadTime / max(deadTimeSeconds, 1e-3))
    }

    static let greatestGain = 0.2
    static let gainTimesDeadTime = 0.25

    /// The admitted rate in bytes per second; nil: no bound.
    ///
    /// - Parameter drainBytesPerSecond: μ̂, fed forward.
    static func rate(
        waitingBytes x: Double, _ marks: PressureMarks, drainBytesPerSecond: Double, gain: Double,
        _ bounds: RateBounds
    ) -> Double? {
        guard x > marks.softBytes else { return nil }
        let wanted = drainBytesPerSecond + gain * (marks.targetBytes - x)
        // Far beyond X* too producers get a little of what drains: x falls nearly as fast, and nobody stops.
        let least = max(bounds.minimum, leastShare * drainBytesPerSecond)
        let law = min(max(wanted, least), max(bounds.maximum, least))
        let blend = min(1, (x - marks.softBytes) / (blendShare * (marks.targetBytes - marks.softBytes)))
        // Linear in 1/r: at S it is infinite, and the producers notice nothing.
        return law / blend
    }

    /// The part of μ̂ that is admitted whatever x is.
    static let leastShare = 0.1

    /// How far x goes beyond X* when the drain stops and is still fed forward, bytes.
    ///
    /// - Source: x' = μ·e^(−t/τ) − k·x has the greatest value μτ·a^(a/(1−a)), a = kτ. This is a bound of it
    ///   for a up to 1, exact at 0 and 1.
    static func overshoot(drainBytesPerSecond: Double, drainSeconds: Double, gain: Double) -> Double {
        drainBytesPerSecond * drainSeconds / (1 + 1.72 * gain * drainSeconds)
    }

    /// The part of S … X* in which the law comes into force.
    static let blendShare = 0.25
}
