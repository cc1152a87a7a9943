// Time zones, and cron lines that are of their clocks.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct ZoneRulesTests {
    /// A file of version 2, as the database has them.
    static func file(_ offset: Int32, _ changes: [(Int64, Int32)] = [], _ footer: String) -> [UInt8] {
        func header(_ times: Int, _ types: Int) -> [UInt8] {
            var writer = BinaryWriter()
            writer.bytes = Array("TZif2".utf8) + Array(repeating: 0, count: 15)
            for count in [0, 0, 0, times, types, 4] { writer.put(UInt32(count)) }
            return writer.bytes
        }
        var writer = BinaryWriter()
        writer.bytes = header(0, 1) + Array(repeating: 0, count: 6) + Array("ABC\0".utf8)
        writer.bytes += header(changes.count, changes.count + 1)
        for change in changes { writer.put(change.0) }
        for index in changes.indices { writer.put(UInt8(index + 1)) }
        for offset in [offset] + changes.map(\.1) {
            writer.put(offset)
            writer.put(UInt16(0))
        }
        writer.bytes += Array("ABC\0\n\(footer)\n".utf8)
        return writer.bytes
    }

    static func berlin() throws -> ZoneRules {
        try ZoneRules(name: "Europe/Berlin", file(3_600, [], "CET-1CEST,M3.5.0,M10.5.0/3"))
    }

    /// 2026-01-01.
    private let year: Int64 = 1_767_225_600_000
    private let minute: Int64 = 60_000
    private var hour: Int64 { 60 * minute }
    private var day: Int64 { 24 * hour }
    /// 2026-03-29 and 2026-10-25, 01:00 UTC.
    private let spring: Int64 = 1_774_746_000_000
    private let autumn: Int64 = 1_792_890_000_000

    // MARK: Rules

    @Test func `a clock changes when its rule says, this year and in a thousand`() throws {
        let zone = try Self.berlin()
        #expect(zone.period(at: spring - 1).offset == hour && zone.period(at: spring).offset == 2 * hour)
        #expect(zone.period(at: spring) == .init(start: spring, end: autumn, offset: 2 * hour))
        #expect(zone.period(at: autumn).offset == hour)
        // 3026-07-01
        #expect(zone.period(at: 33_339_772_800_000).offset == 2 * hour)
        #expect(zone.period(at: -TaskLimits.latest).offset == hour)
    }

    @Test func `what the file says comes before its rule`() throws {
        let zone = try ZoneRules(
            name: "x",
            Self.file(100, [(-5_000, 200), (0, 200), (1_000, 3_600)], "CET-1CEST,M3.5.0,M10.5.0/3"))
        #expect(zone.period(at: -5_000_001) == .init(start: .min, end: -5_000_000, offset: 100_000))
        #expect(zone.period(at: -5_000_000) == .init(start: -5_000_000, end: 1_000_000, offset: 200_000))
        #expect(zone.period(at: 1_000_000).offset == hour && zone.period(at: spring).offset == 2 * hour)
        let fixed = try ZoneRules(name: "x", Self.file(0, [(7, 60)], ""))
        #expect(fixed.period(at: 1 << 45) == .init(start: 7_000, end: .max, offset: 60_000))
    }

    @Test(arguments: [
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_746_000_000, -3_600_000),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_775_318_400_000, 36_000_000),
        ("NZST-12NZDT,M9.5.0,M4.1.0/3", 1_775_311_200_000, 43_200_000),
        ("EST5EDT,J60/2:30,300", 1_772_350_200_000, -14_400_000),
    ])
    func `rules of every form are read`(_ rule: String, _ change: Int, _ offset: Int) throws {
        let zone = try ZoneRules(name: "x", Self.file(0, [], rule))
        let period = zone.period(at: Int64(change))
        #expect(period.start == Int64(change) && period.offset == Int64(offset), "\(period)")
    }

    @Test func `summer time that never ends is one period`() throws {
        let zone = try ZoneRules(name: "x", Self.file(-14_400, [(0, -10_800)], "XXX4EDT3,0/0,J365/25"))
        for moment in [year - 1, year, year + 100 * day] {
            #expect(zone.period(at: moment).offset == -3 * hour)
        }
    }

    @Test func `no bytes trap`() throws {
        let whole = Self.file(100, [(-5_000, 200), (1_000, 3_600)], "CET-1CEST,M3.5.0,M10.5.0/3")
        for count in 0..<whole.count {
            #expect(throws: MalformedRecord.self) { try ZoneRules(name: "x", Array(whole[..<count])) }
        }
        var random = SplitMix64(state: 6)
        for _ in 0..<3_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                bytes[place] = Bool.random(using: &random) ? .random(in: 0...255, using: &random) : 255
            }
            guard let zone = try? ZoneRules(name: "x", bytes) else { continue }
            for moment in [-TaskLimits.latest, 0, year, TaskLimits.latest] { _ = zone.period(at: moment) }
            if let line = try? CronLine("30 2 * * *", zone: zone) { _ = line.next(after: year) }
        }
    }

    // MARK: Cron

    @Test func `a time of day that is skipped is due when the clock is put forward, once`() throws {
        for text in ["30 2 * * *", "0,30 2 * * *"] {
            let line = try CronLine(text, zone: Self.berlin())
            #expect(line.next(after: spring - 12 * hour) == spring)
            let next = try #require(line.next(after: spring))
            #expect(next > spring + 22 * hour)
            #expect(line.moments(after: spring - hour, through: spring + hour, limit: 9) == [spring])
        }
        // One that is due then anyway is due once.
        let line = try CronLine("30,0 2,3 * * *", zone: Self.berlin())
        #expect(
            line.moments(after: spring - hour, through: spring + hour, limit: 9)
                == [spring, spring + 30 * minute])
    }

    @Test func `a time of day that comes twice is due the first time`() throws {
        let line = try CronLine("30 2 * * *", zone: Self.berlin())
        #expect(line.next(after: autumn - 12 * hour) == autumn - 30 * minute)
        #expect(line.next(after: autumn - 30 * minute) == autumn + day + 30 * minute)
    }

    @Test func `every hour is every hour, whatever is done to the clock`() throws {
        for (text, count) in [("30 * * * *", 24), ("*/20 2 * * *", 3)] {
            let line = try CronLine(text, zone: Self.berlin())
            for moment in [spring, autumn] {
                let due = line.moments(after: moment - 12 * hour, through: moment + 12 * hour, limit: 99)
                let isHourly = count == 24
                #expect(due.count == (isHourly ? 24 : moment == spring ? 0 : 6), "\(text)")
            }
        }
    }

    /// Looks at every minute.
    private func plain(_ line: CronLine, _ text: String, _ zone: ZoneRules, _ days: Range<Int64>) throws
        -> [Int64]
    {
        let utc = try CronLine(text)
        var shown: Set<Int64> = []
        var found: [Int64] = []
        var before = zone.period(at: days.lowerBound * day - 1).offset
        for moment in stride(from: days.lowerBound * day, to: days.upperBound * day, by: Int(minute)) {
            let offset = zone.period(at: moment).offset
            let clock = moment + offset
            func isDue(_ clock: Int64) -> Bool { utc.next(after: clock - 1) == clock }
            var isNow = isDue(clock)
            if line.isOfTimeOfDay {
                if !shown.insert(clock).inserted { isNow = false }
                for skipped in stride(from: moment + before, to: clock, by: Int(minute)) where isDue(skipped)
                {
                    isNow = true
                }
            }
            if isNow { found.append(moment) }
            before = offset
        }
        return found
    }

    @Test(arguments: ["30 2 * * *", "15 1-3 * * *", "*/30 2 * * sun", "0 */2 * * *", "0 0,2 25-31 * *"])
    func `lines are due as they are when every minute is looked at`(_ text: String) throws {
        for rule in ["CET-1CEST,M3.5.0,M10.5.0/3", "AEST-10AEDT,M10.1.0,M4.1.0/3"] {
            let zone = try ZoneRules(name: "x", Self.file(rule.hasPrefix("CET") ? 3_600 : 36_000, [], rule))
            let line = try CronLine(text, zone: zone)
            // The days about the changes of 2026.
            for first in [year / day + 84, year / day + 92, year / day + 274, year / day + 294] {
                let days = first..<(first + 7)
                let wanted = try plain(line, text, zone, days)
                let (start, end) = (days.lowerBound * day - 1, days.upperBound * day - 1)
                #expect(line.moments(after: start, through: end, limit: 10_000) == wanted, "\(rule)")
                #expect(line.moments(after: start, through: end, limit: 3) == Array(wanted.suffix(3)))
                var next: [Int64] = []
                var moment = start
                while let due = line.next(after: moment), due <= end {
                    next.append(due)
                    moment = due
                }
                #expect(next == wanted, "\(rule)")
            }
        }
    }

    // MARK: Schedules

    @Test func `a schedule has its zone's name, and one that is not known here is told and left alone`()
        throws
    {
        let zone = try Self.berlin()
        var bench = TaskBench()
        let schedule = TaskSchedule(
            name: "s", line: try CronLine("0 9 * * *", zone: zone), task: "a", payload: [])
        #expect(schedule.bytes.suffix(22) == [5, 0, 0, 0, 17, 0, 0, 0, 13] + Array("Europe/Berlin".utf8))
        #expect(try TaskSchedule(schedule.bytes[...]) { _ in zone } == schedule)
        try bench.machine.add(schedule, now: bench.now)
        bench.store()
        let lost = bench.reopened()
        #expect(lost.scheduleList.isEmpty && lost.unreadable[0].reason.contains("Europe/Berlin"))
        var machine = TaskMachine(seed: 1, localHost: TaskBench.host) { $0 == zone.name ? zone : nil }
        for (index, record) in bench.log.enumerated() {
            machine.load(key: record.key.bytes[...], value: record.value?[...], offset: Int64(index))
        }
        machine.finishLoading(now: bench.now)
        #expect(machine.scheduleList == bench.machine.scheduleList)
    }
}
