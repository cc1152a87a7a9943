// Where `consume -o` begins: start, end, an offset, or @ and a moment.

#if Tool
import Sluice

enum StartPosition {
    /// Reads `start`, `end`, `17`, `@1385254800000` or `@2013-11-24T01:00:00Z`. nil: none of these.
    static func parse(_ text: String) -> Position? {
        switch text {
        case "start": return .earliest
        case "end": return .latest
        default: break
        }
        if text.hasPrefix("@") {
            let moment = String(text.dropFirst())
            return (digits(moment[...]) ?? milliseconds(ofISO: moment)).map {
                .timestamp(Timestamp(millisecondsSince1970: $0))
            }
        }
        return digits(text[...]).map { .offset(Offset($0)) }
    }

    /// Milliseconds since 1970 of `2013-11-24T01:00:00Z`; a fraction of a second is allowed, digits below the
    /// millisecond are dropped. nil: not of that form, or there is no such moment.
    static func milliseconds(ofISO text: String) -> Int64? {
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        let time = halves[1].split(separator: ":", omittingEmptySubsequences: false)
        guard date.count == 3, time.count == 3 else { return nil }
        let second = time[2].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let year = digits(date[0], 4), let month = digits(date[1], 2), let day = digits(date[2], 2),
            let hour = digits(time[0], 2), let minute = digits(time[1], 2), let whole = digits(second[0], 2),
            year >= 1, (1...12).contains(month), day >= 1, day <= days(in: month, of: year), hour < 24,
            minute < 60, whole < 60
        else { return nil }
        var thousandths: Int64 = 0
        if second.count == 2 {
            guard digits(second[1]) != nil else { return nil }
            thousandths = digits(second[1].prefix(3)) ?? 0
            for _ in second[1].count..<max(3, second[1].count) { thousandths *= 10 }
        }
        let seconds = ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + whole
        return seconds * 1000 + thousandths
    }

    /// A number of nothing but digits; of exactly `count` when that is given.
    private static func digits(_ text: Substring, _ count: Int? = nil) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return count == nil || count == text.utf8.count ? Int64(text) : nil
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // Leap days before the year, by the Gregorian calendar, less the 477 before 1970.
        let before = year - 1
        let leapDays = before / 4 - before / 100 + before / 400
        let months = (1..<month).reduce(0) { $0 + days(in: $1, of: year) }
        return (year - 1970) * 365 + leapDays - 477 + months + day - 1
    }
}
#endif
