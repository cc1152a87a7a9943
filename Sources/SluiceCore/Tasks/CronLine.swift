// When a schedule is due: cron's five fields, or a name for them.
//
//   minute 0–59 · hour 0–23 · day 1–31 · month 1–12 or jan–dec · weekday 0–7 or sun–sat, 0 and 7 are Sunday
//   a field is items with commas between: *  5  1-5  */15  1-30/2  10/5 (from 10 on)
//   @hourly  @daily, @midnight  @weekly  @monthly  @yearly, @annually
//
// (1) As cron has it: when day and weekday are both given, which is when neither begins with *, either makes
// a day; else both have to. (2) A moment is a whole minute of the clock that is meant: of UTC and an offset,
// or of a time zone; CronLine+Moments.swift says what becomes of times that it skips or shows twice. (3) A
// line that never comes, as 30 February, is refused.

/// What is wrong with a cron line, and where.
package struct CronError: Error, Hashable, Sendable {
    /// Where, in characters from 1.
    package var column: Int
    /// What, as a sentence without its full stop.
    package var reason: String
}

/// A cron line.
package struct CronLine: Hashable, Sendable {
    /// As it was given, without white space at its ends.
    package let text: String
    /// What the wall clock it is for is ahead of UTC.
    package let offsetMinutes: Int
    /// The time zone of the clock it is for; the offset is 0 then.
    package let zone: ZoneRules?
    /// Whether its minutes and hours are given, so that it is of a time of day.
    private(set) var isOfTimeOfDay = false
    private var minutes: UInt64 = 0
    private var hours: UInt64 = 0
    private var days: UInt64 = 0
    private var months: UInt64 = 0
    private var weekdays: UInt64 = 0
    private var isEitherDay = false

    private static let names: [String: String] = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]
    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// Reads a line. Throws where it makes no sense.
    ///
    /// - Parameters:
    ///   - offsetMinutes: −18 to 18 hours; of no account with a zone.
    ///   - zone: of the clock that is meant.
    package init(_ line: String, offsetMinutes: Int = 0, zone: ZoneRules? = nil) throws(CronError) {
        guard line.utf8.count <= TaskLimits.nameBytes else {
            throw CronError(column: 1, reason: "the line has more than \(TaskLimits.nameBytes) bytes")
        }
        guard (-1080...1080).contains(offsetMinutes) else {
            throw CronError(column: 1, reason: "an offset from UTC is 18 hours at most")
        }
        self.offsetMinutes = zone == nil ? offsetMinutes : 0
        self.zone = zone
        var parts = Self.parts(of: Array(line))
        text = parts.map(\.text).joined(separator: " ")
        if let first = parts.first, first.text.hasPrefix("@") {
            guard parts.count == 1, let known = Self.names[first.text.lowercased()] else {
                throw CronError(
                    column: first.column,
                    reason: "\"\(text)\" is none of \(Self.names.keys.sorted().joined(separator: ", "))")
            }
            parts = Self.parts(of: Array(known))
        }
        guard parts.count == 5 else {
            throw CronError(
                column: parts.count > 5 ? parts[5].column : line.count + 1,
                reason:
                    "a cron line has five fields, minute, hour, day, month and weekday, not \(parts.count)")
        }
        minutes = try Self.field("minute", parts[0], 0...59)
        hours = try Self.field("hour", parts[1], 0...23)
        days = try Self.field("day", parts[2], 1...31)
        months = try Self.field("month", parts[3], 1...12, Self.monthNames)
        weekdays = try Self.field("weekday", parts[4], 0...7, Self.dayNames)
        if weekdays & 1 << 7 != 0 { weekdays |= 1 }
        isEitherDay = !parts[2].text.hasPrefix("*") && !parts[4].text.hasPrefix("*")
        isOfTimeOfDay = !parts[0].text.hasPrefix("*") && !parts[1].text.hasPrefix("*")
        // From a leap year on.
        guard next(after: 946_684_800_000) != nil else {
            throw CronError(column: parts[2].column, reason: "there is no such day in any year")
        }
    }

    // MARK: Days and minutes

    /// Whether a day, counted from 1970-01-01, is one of the line's.
    func matches(_ day: Int64) -> Bool {
        let (month, date) = Self.monthAndDate(day)
        guard months & 1 << month != 0 else { return false }
        // 1970-01-01 was a Thursday.
        let isDay = days & 1 << date != 0
        let isWeekday = weekdays & 1 << CivilDays.floorDivide(day + 4, 7).1 != 0
        return isEitherDay ? isDay || isWeekday : isDay && isWeekday
    }

    /// The first minute of a day that is not before one of them.
    func firstMinute(from: Int) -> Int? {
        guard from < 1440 else { return nil }
        for hour in (from / 60)..<24 where hours & 1 << hour != 0 {
            for minute in (hour == from / 60 ? from % 60 : 0)..<60 where minutes & 1 << minute != 0 {
                return hour * 60 + minute
            }
        }
        return nil
    }

    /// The minutes of a day, the last first.
    var lastMinutes: [Int] {
        var found: [Int] = []
        for hour in (0..<24).reversed() where hours & 1 << hour != 0 {
            for minute in (0..<60).reversed() where minutes & 1 << minute != 0 {
                found.append(hour * 60 + minute)
            }
        }
        return found
    }

    /// Of the Gregorian calendar. Years begin in March here, so that the leap day is the last of its year.
    private static func monthAndDate(_ day: Int64) -> (Int64, Int64) {
        let (_, ofEra) = CivilDays.floorDivide(day + 719_468, 146_097)
        let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        return (month < 10 ? month + 3 : month - 9, ofYear - (153 * month + 2) / 5 + 1)
    }
}

// MARK: Reading

extension CronLine {
    private typealias Part = (text: String, column: Int)

    /// Words with the places where they begin, from 1.
    private static func parts(of line: [Character]) -> [Part] {
        var parts: [Part] = []
        var start: Int?
        for index in 0...line.count {
            let isSpace = index == line.count || line[index] == " " || line[index] == "\t"
            if !isSpace, start == nil { start = index }
            guard isSpace, let first = start else { continue }
            parts.append((String(line[first..<index]), first + 1))
            start = nil
        }
        return parts
    }

    /// The set of a field's numbers, as bits.
    private static func field(
        _ name: String, _ part: Part, _ range: ClosedRange<Int>, _ words: [String] = []
    ) throws(CronError) -> UInt64 {
        var bits: UInt64 = 0
        var column = part.column
        for item in part.text.split(separator: ",", omittingEmptySubsequences: false) {
            bits |= try self.item(name, (String(item), column), range, words)
            column += item.count + 1
        }
        return bits
    }

    private static func item(
        _ name: String, _ item: Part, _ range: ClosedRange<Int>, _ words: [String]
    ) throws(CronError) -> UInt64 {
        func wrong(_ reason: String) -> CronError {
            CronError(column: item.column, reason: "\"\(item.text)\" as \(name): \(reason)")
        }
        let halves = item.text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var step = 1
        if halves.count == 2 {
            guard let number = number(halves[1]), number > 0 else {
                throw wrong("what follows / is a number from 1 on")
            }
            step = number
        }
        func value(_ text: Substring) throws(CronError) -> Int {
            let word = words.firstIndex(of: text.lowercased()).map { $0 + range.lowerBound }
            guard let value = word ?? number(text), range.contains(value) else {
                let also = words.isEmpty ? "" : ", or \(words[0]) to \(words[words.count - 1])"
                throw wrong("it is \(range.lowerBound) to \(range.upperBound)\(also)")
            }
            return value
        }
        var ends = range
        if halves[0] != "*" {
            let limits = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let first = try value(limits[0])
            let last = limits.count == 2 ? try value(limits[1]) : halves.count == 2 ? range.upperBound : first
            guard first <= last else { throw wrong("the range runs backwards") }
            ends = first...last
        }
        var bits: UInt64 = 0
        for value in stride(from: ends.lowerBound, through: ends.upperBound, by: step) { bits |= 1 << value }
        return bits
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
