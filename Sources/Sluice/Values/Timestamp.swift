// A moment as Kafka stores it: milliseconds since 1970, UTC, by whatever clock the producer or the log has.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A moment, to the millisecond.
@frozen
public struct Timestamp: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds; negative before.
    public let millisecondsSince1970: Int64

    /// The moment so many milliseconds after 1970-01-01T00:00:00Z.
    @inlinable public init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// What the machine's wall clock says. It may jump, also backwards.
    public static var now: Timestamp {
        var time = timespec()
        // Cannot fail: the clock exists everywhere and the address is ours.
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSince1970: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// By time.
    @inlinable public static func < (a: Self, b: Self) -> Bool {
        a.millisecondsSince1970 < b.millisecondsSince1970
    }

    /// The moment `span` later, by whole milliseconds of it; at the most the last moment there is.
    public static func + (moment: Self, span: Duration) -> Self {
        Self(millisecondsSince1970: moment.millisecondsSince1970.addingSaturated(span.wholeMilliseconds))
    }

    /// The moment `span` earlier, by whole milliseconds of it; at the least the first moment there is.
    public static func - (moment: Self, span: Duration) -> Self { moment + (.zero - span) }

    /// How long after `b` is `a`.
    public static func - (a: Self, b: Self) -> Duration {
        .milliseconds(a.millisecondsSince1970) - .milliseconds(b.millisecondsSince1970)
    }
}

extension Timestamp: CustomStringConvertible {
    /// ISO 8601 in UTC: `2013-01-01T10:00:00.000Z`. Years before 0 have a sign.
    public var description: String {
        let (days, milliseconds) = Self.floorDivide(millisecondsSince1970, by: 86_400_000)
        let (year, month, day) = Self.civilDate(daysSince1970: days)
        let seconds = milliseconds / 1000
        return (year < 0 ? "-" : "") + digits(abs(year), 4) + "-" + digits(month, 2) + "-" + digits(day, 2)
            + "T" + digits(seconds / 3600, 2) + ":" + digits(seconds / 60 % 60, 2) + ":"
            + digits(seconds % 60, 2)
            + "." + digits(milliseconds % 1000, 3) + "Z"
    }

    /// The Gregorian date of a day: years begin in March here, so that the leap day is the last of its year.
    ///
    /// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(daysSince1970 + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func floorDivide(
        _ value: Int64, by divisor: Int64
    ) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private func digits(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
