// Time comes in as an argument. The engine reads no clock: the shell does, and the simulator makes one up.

/// A moment as the engine sees it: wall clock for records and retention, monotonic for intervals.
public struct Instant: Sendable, Hashable {
    /// Milliseconds since 1970, UTC, as the wall clock says: may jump.
    public var wallMilliseconds: Int64
    /// Nanoseconds of a clock that never goes back; its zero means nothing.
    public var monotonicNanoseconds: Int64
    public init(wallMilliseconds: Int64, monotonicNanoseconds: Int64) {
        self.wallMilliseconds = wallMilliseconds
        self.monotonicNanoseconds = monotonicNanoseconds
    }
}
