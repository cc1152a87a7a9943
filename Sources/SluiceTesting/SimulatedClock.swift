// The clock of a test: it moves only when it is told to.

public import SluiceLog

/// A clock that moves only when told to: the source of `Instant`s in a test.
///
/// A value: give the one owner of time in a test a `var` of it.
public struct SimulatedClock: Sendable {
    /// The moment that it is.
    public private(set) var now: Instant

    /// A clock that says `wallMilliseconds` since 1970 (by default 1 January 2026) and an arbitrary monotonic
    /// time.
    public init(wallMilliseconds: Int64 = 1_767_225_600_000, monotonicNanoseconds: Int64 = 1_000_000_000) {
        now = Instant(wallMilliseconds: wallMilliseconds, monotonicNanoseconds: monotonicNanoseconds)
        wallRemainder = 0
    }

    /// Nanoseconds of the wall clock below its millisecond, so that many small steps add up.
    private var wallRemainder: Int64

    /// Lets time pass on both clocks.
    /// - Precondition: `duration` is not negative.
    public mutating func advance(by duration: Duration) {
        precondition(duration >= .zero, "a monotonic clock does not go back: jumpWallClock does")
        let passed = Self.nanoseconds(duration)
        now.monotonicNanoseconds += passed
        let wall = wallRemainder + passed
        now.wallMilliseconds += wall / 1_000_000
        wallRemainder = wall % 1_000_000
    }

    /// Sets the wall clock forward or back, as an operator or a time server does; the monotonic clock does
    /// not notice.
    public mutating func jumpWallClock(by duration: Duration) {
        now.wallMilliseconds += Self.nanoseconds(duration) / 1_000_000
    }

    /// Whole nanoseconds; 292 years fit.
    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
