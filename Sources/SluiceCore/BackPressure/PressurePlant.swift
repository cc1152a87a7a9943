// Something that fills and drains: what is waiting in it, how fast it drains, whether it still does.
//
// (1) What was drained is what was appended less what the waiting bytes grew by: no event is needed but that
// a group was set back, and over time the sum is exact. (2) Seconds and bytes; moments are differences that
// the caller gives.

import SluiceLog

struct PressurePlant: Hashable, Sendable {
    /// μ̂: what the law feeds forward.
    private(set) var drain = RateAverage(windowSeconds: Self.longestDrainSeconds)
    /// Over three commit intervals, and over ten minutes: what the promise is reckoned by.
    private var recent = RateAverage(windowSeconds: 15)
    private var lasting = RateAverage(windowSeconds: 600)
    private var last: Level?
    private var drainedSinceMark = 0.0
    /// Since it was last seen to drain.
    private(set) var stillSeconds = 0.0

    private struct Level: Hashable, Sendable {
        var appended: Double
        var waiting: Double
    }

    /// τ: how long a rate is averaged, at most.
    static let longestDrainSeconds = 5.0
    /// After so long without draining it counts as not draining.
    static let stillLimitSeconds = 60.0
    /// Less than this may be the measuring.
    private static let noiseBytes = 65_536.0

    /// Takes note of the counter of all that was appended, and of what is waiting of it.
    ///
    /// - Parameters:
    ///   - returned: what is waiting again though it had been drained: a group was set back.
    ///   - drainSeconds: τ, over how long μ̂ is averaged.
    mutating func observe(
        appended: Double, waiting: Double, returned: Double = 0, intervalSeconds: Double, seconds: Double,
        drainSeconds: Double = Self.longestDrainSeconds
    ) {
        defer { last = Level(appended: appended, waiting: waiting) }
        guard let last, seconds > 0 else { return }
        let drained = (appended - last.appended) - (waiting - last.waiting) + returned
        drain.windowSeconds = drainSeconds
        recent.windowSeconds = max(3 * Self.longestDrainSeconds, 3 * intervalSeconds)
        drain.add(bytes: drained, seconds: seconds)
        recent.add(bytes: drained, seconds: seconds)
        lasting.add(bytes: drained, seconds: seconds)
        stillSeconds += seconds
        drainedSinceMark = max(0, drainedSinceMark + drained)
        if drainedSinceMark > Self.noiseBytes || waiting <= 0 {
            (drainedSinceMark, stillSeconds) = (0, 0)
        }
    }

    /// μ̂, bytes per second.
    var drainBytesPerSecond: Double { max(0, drain.bytesPerSecond) }

    /// μ_ref: what it can be expected to drain, bytes per second.
    func referenceBytesPerSecond(floor: Double) -> Double {
        max(recent.bytesPerSecond, lasting.bytesPerSecond, floor)
    }

    /// Whether waiting helps.
    func isDraining(intervalSeconds: Double) -> Bool {
        stillSeconds < max(Self.stillLimitSeconds, 3 * intervalSeconds)
    }

    func encode(into writer: inout BinaryWriter) {
        for average in [drain, recent, lasting] { average.encode(into: &writer) }
        writer.put(stillSeconds.bitPattern)
        writer.put(drainedSinceMark.bitPattern)
    }

    /// What outlives the process; the counters begin anew.
    mutating func decode(from reader: inout BinaryReader) throws(MalformedRecord) {
        try drain.decode(from: &reader)
        try recent.decode(from: &reader)
        try lasting.decode(from: &reader)
        stillSeconds = max(0, try reader.finite())
        drainedSinceMark = max(0, try reader.finite())
    }
}

/// X*, as it follows what can be expected to drain.
struct PressureTarget: Hashable, Sendable {
    /// 0: not known yet.
    var bytes = 0.0

    /// Lets the target follow: at once while nobody feels it, else slowly, since producers are faster or
    /// slower than what drains by as much as it moves.
    mutating func move(to wanted: Double, waiting x: Double, drain: Double, seconds: Double) {
        let isFelt = x > PressureMarks.softShare * min(bytes, wanted)
        guard bytes > 0, isFelt else { return bytes = wanted }
        let step = Self.share * drain * seconds
        bytes = min(max(wanted, bytes - step), bytes + step)
    }

    /// The part of the drain by which a moving target may change the rate.
    private static let share = 0.05
}
