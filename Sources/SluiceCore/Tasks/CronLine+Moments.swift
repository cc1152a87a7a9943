// The moments of a cron line, by a clock that is ahead of UTC by the same all the year, or by a time zone's.
//
// (1) A line whose minutes and hours are both given is of a time of day. When the clock is put forward over
// such a time, it is due as the clock is put, once; when the clock is put back over it, it is due the first
// time only. (2) Any other line is due by what the clock shows: every hour is every hour. Both as Debian's
// cron has it. (3) A period of one offset is looked at after another; within one there is nothing but minutes
// of days.

extension CronLine {
    /// From a 29 February to the next there may be eight years.
    private static let farthest: Int64 = 3_000 * dayMilliseconds
    private static let dayMilliseconds: Int64 = 86_400_000

    /// The first moment behind one, in milliseconds since 1970; nil when it is behind the year 9999.
    package func next(after moment: Int64) -> Int64? {
        let moment = min(max(moment, -TaskLimits.latest), TaskLimits.latest)
        guard let zone else {
            return next(after: moment, before: .max, offset: Int64(offsetMinutes) * 60_000)
        }
        var from = moment
        while from - moment < Self.farthest {
            let period = zone.period(at: from + 1)
            let before = period.start == .min ? period : zone.period(at: period.start - 1)
            if from + 1 == period.start, let jump = jump(from: before, to: period) { return jump }
            if let found = next(
                after: max(from, first(of: period, behind: before) - 1), before: period.end,
                offset: period.offset)
            {
                return found
            }
            guard period.end < TaskLimits.latest else { return nil }
            from = period.end - 1
        }
        return nil
    }

    /// The last moments behind one and not behind another, in order.
    package func moments(after start: Int64, through end: Int64, limit: Int) -> [Int64] {
        guard start < end, limit > 0 else { return [] }
        guard let zone else {
            return moments(after: start, through: end, limit, offset: Int64(offsetMinutes) * 60_000)
        }
        var found: [Int64] = []
        var end = end
        // A hundred years are enough of the past.
        let earliest = max(start, end - 36_600 * Self.dayMilliseconds)
        while end > earliest, found.count < limit {
            let period = zone.period(at: end)
            let before = period.start == .min ? period : zone.period(at: period.start - 1)
            let lower = max(earliest, first(of: period, behind: before) - 1)
            var some: [Int64] = []
            if lower < end {
                some = moments(after: lower, through: end, limit - found.count, offset: period.offset)
            }
            if some.count + found.count < limit, period.start > earliest, some.first != period.start,
                let jump = jump(from: before, to: period)
            {
                some.insert(jump, at: 0)
            }
            found = some + found
            guard period.start > earliest else { break }
            end = period.start - 1
        }
        return found
    }

    /// The moment at which a period begins, when the clock is put forward over a time of the line.
    private func jump(from before: ZoneRules.Period, to period: ZoneRules.Period) -> Int64? {
        guard isOfTimeOfDay, period.offset > before.offset else { return nil }
        let (skipped, shown) = (period.start + before.offset, period.start + period.offset)
        return next(after: skipped - 1, before: shown, offset: 0) == nil ? nil : period.start
    }

    /// The first moment of a period at which the clock shows what it has not shown before.
    private func first(of period: ZoneRules.Period, behind before: ZoneRules.Period) -> Int64 {
        guard isOfTimeOfDay, before.offset > period.offset else {
            return period.start == .min ? -TaskLimits.latest : period.start
        }
        return period.start + before.offset - period.offset
    }

    // MARK: One offset

    /// The first moment behind one and before another.
    private func next(after moment: Int64, before end: Int64, offset: Int64) -> Int64? {
        let (first, rest) = CivilDays.floorDivide(moment + offset, Self.dayMilliseconds)
        for day in first...(first + Self.farthest / Self.dayMilliseconds) {
            let midnight = day * Self.dayMilliseconds - offset
            if midnight >= end || midnight > TaskLimits.latest { return nil }
            guard matches(day) else { continue }
            let from = day == first ? Int(rest / 60_000) + 1 : 0
            guard let minute = firstMinute(from: from) else { continue }
            let next = midnight + Int64(minute) * 60_000
            return next <= TaskLimits.latest && next < end ? next : nil
        }
        return nil
    }

    /// The last moments behind one and not behind another, in order.
    private func moments(after start: Int64, through end: Int64, _ limit: Int, offset: Int64) -> [Int64] {
        let (first, last) = (
            CivilDays.floorDivide(start + offset, Self.dayMilliseconds).0,
            CivilDays.floorDivide(end + offset, Self.dayMilliseconds).0
        )
        let minutes = lastMinutes
        var found: [Int64] = []
        var day = last
        // A hundred years are enough of the past.
        while day >= max(first, last - 36_600), found.count < limit {
            defer { day -= 1 }
            guard matches(day) else { continue }
            for minute in minutes {
                let moment = day * Self.dayMilliseconds + Int64(minute) * 60_000 - offset
                if moment > start, moment <= end, found.count < limit { found.append(moment) }
            }
        }
        return found.reversed()
    }
}
