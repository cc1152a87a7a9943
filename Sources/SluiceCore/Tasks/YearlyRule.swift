// What a time zone's clock does each year, as POSIX has it for TZ: CET-1CEST,M3.5.0,M10.5.0/3
//
//   name offset [name [offset] , begin [/time] , end [/time]]
//   name: three letters or more, or <anything>; offset: [+-]h[:m[:s]], positive to the west
//   begin, end: Mm.w.d (weekday d, 0 is Sunday, of week w, 5 is the last), Jn (1–365, no leap day), n (0–365)
//   time: by the clock of then, 2:00 if not said, −167 to 167 hours
//
// (1) Without a second name the clock never changes. (2) Text that makes no sense throws.

import SluiceLog

/// A yearly rule.
struct YearlyRule: Hashable, Sendable {
    /// Ahead of UTC, in seconds.
    private var standard: Int64
    private var summer: Summer?

    private struct Summer: Hashable, Sendable {
        var offset: Int64
        var begin: Moment
        var end: Moment
    }

    private enum Day: Hashable, Sendable {
        case weekday(month: Int64, week: Int64, day: Int64)
        case julian(Int64)
        case ofYear(Int64)
    }

    /// A day of a year, and seconds behind its midnight.
    private struct Moment: Hashable, Sendable {
        var day: Day
        var time: Int64
    }

    /// When the clock changes in a year, in seconds since 1970, and to what; in order.
    func changes(in year: Int64) -> [(moment: Int64, offset: Int64)] {
        guard let summer else { return [] }
        let begin = Self.seconds(summer.begin, year) - standard
        let end = Self.seconds(summer.end, year) - summer.offset
        return begin <= end
            ? [(begin, summer.offset), (end, standard)] : [(end, standard), (begin, summer.offset)]
    }

    private static func seconds(_ moment: Moment, _ year: Int64) -> Int64 {
        let day: Int64
        switch moment.day {
        case .ofYear(let number): day = CivilDays.day(year, 1, 1) + number
        case .julian(let number):
            let isLeap = CivilDays.day(year, 3, 1) - CivilDays.day(year, 2, 1) == 29
            day = CivilDays.day(year, 1, 1) + number - 1 + (isLeap && number >= 60 ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let first = CivilDays.day(year, month, 1)
            let next = month == 12 ? CivilDays.day(year + 1, 1, 1) : CivilDays.day(year, month + 1, 1)
            // 1970-01-01 was a Thursday.
            var found = first + CivilDays.floorDivide(weekday - first - 4, 7).1 + 7 * (week - 1)
            if found >= next { found -= 7 }
            day = found
        }
        return day * 86_400 + moment.time
    }

    // MARK: Reading

    init(_ text: String) throws(MalformedRecord) {
        var rest = Array(text.utf8)[...]
        func wrong() -> MalformedRecord {
            MalformedRecord(reason: "\"\(text)\" is no rule of a time zone")
        }
        func name() throws(MalformedRecord) {
            let isQuoted = rest.first == UInt8(ascii: "<")
            let end = rest.firstIndex { byte in
                isQuoted ? byte == UInt8(ascii: ">") : !(65...90).contains(byte & 0xDF)
            }
            let stop = (end ?? rest.endIndex) + (isQuoted ? 1 : 0)
            guard stop - rest.startIndex >= 3, stop <= rest.endIndex else { throw wrong() }
            rest = rest[stop...]
        }
        func take(_ byte: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: byte) else { return false }
            rest.removeFirst()
            return true
        }
        func number(_ range: ClosedRange<Int64>) throws(MalformedRecord) -> Int64 {
            let digits = rest.prefix { (48...57).contains($0) }
            guard (1...3).contains(digits.count) else { throw wrong() }
            rest.removeFirst(digits.count)
            let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
            guard range.contains(value) else { throw wrong() }
            return value
        }
        func span(_ hours: ClosedRange<Int64>) throws(MalformedRecord) -> Int64 {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            var seconds = try number(hours) * 3600
            if take(":") { seconds += try number(0...59) * 60 }
            if take(":") { seconds += try number(0...59) }
            return isNegative ? -seconds : seconds
        }
        func moment() throws(MalformedRecord) -> Moment {
            guard take(",") else { throw wrong() }
            var day: Day
            if take("M") {
                let month = try number(1...12)
                guard take(".") else { throw wrong() }
                let week = try number(1...5)
                guard take(".") else { throw wrong() }
                day = .weekday(month: month, week: week, day: try number(0...6))
            } else if take("J") {
                day = .julian(try number(1...365))
            } else {
                day = .ofYear(try number(0...365))
            }
            return Moment(day: day, time: take("/") ? try span(0...167) : 7200)
        }
        try name()
        standard = -(try span(0...24))
        if rest.isEmpty { return }
        try name()
        let offset = rest.first == UInt8(ascii: ",") ? standard + 3600 : -(try span(0...24))
        let begin = try moment()
        summer = Summer(offset: offset, begin: begin, end: try moment())
        guard rest.isEmpty else { throw wrong() }
    }
}

/// Days of the Gregorian calendar, counted from 1970-01-01.
enum CivilDays {
    /// A date's day. Years begin in March here, so that the leap day is the last of its year.
    static func day(_ year: Int64, _ month: Int64, _ date: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let (era, ofEra) = floorDivide(year, 400)
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    /// A day's year.
    static func year(ofDay day: Int64) -> Int64 {
        // At most one off.
        let guess = 1970 + floorDivide(day * 400, 146_097).0
        if Self.day(guess, 1, 1) > day { return guess - 1 }
        return Self.day(guess + 1, 1, 1) <= day ? guess + 1 : guess
    }

    static func floorDivide(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
        let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
        return rest < 0 ? (quotient - 1, rest + b) : (quotient, rest)
    }
}
