// Cron lines: what they mean, when they come, and what is said of those that make no sense.

import Foundation
@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct CronLineTests {
    private static let style = Date.ISO8601FormatStyle()

    private func moment(_ text: String) throws -> Int64 {
        Int64(try Date(text, strategy: Self.style).timeIntervalSince1970 * 1000)
    }

    private func text(_ moment: Int64?) -> String? {
        moment.map { Date(timeIntervalSince1970: Double($0) / 1000).formatted(Self.style) }
    }

    @Test(arguments: [
        ("* * * * *", "2026-11-28T10:00:00Z", "2026-11-28T10:01:00Z"),
        ("* * * * *", "2026-11-28T10:00:59Z", "2026-11-28T10:01:00Z"),
        ("@hourly", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
        ("@daily", "2026-11-28T10:00:00Z", "2026-11-29T00:00:00Z"),
        ("@weekly", "2026-11-28T10:00:00Z", "2026-11-29T00:00:00Z"),
        ("@monthly", "2026-11-28T10:00:00Z", "2026-12-01T00:00:00Z"),
        ("@Yearly", "2026-11-28T10:00:00Z", "2027-01-01T00:00:00Z"),
        ("*/15 9-17 * * mon-fri", "2026-11-27T17:45:00Z", "2026-11-30T09:00:00Z"),
        ("5,10-12 * * * *", "2026-11-28T10:05:00Z", "2026-11-28T10:10:00Z"),
        ("10/20 3 * * *", "2026-11-28T03:30:00Z", "2026-11-28T03:50:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 12 13 * fri", "2026-11-01T00:00:00Z", "2026-11-06T12:00:00Z"),
        ("0 12 13 * *", "2026-11-01T00:00:00Z", "2026-11-13T12:00:00Z"),
        ("0 12 */2 * sun", "2026-11-01T12:00:00Z", "2026-11-15T12:00:00Z"),
        ("0 0 * * 7", "2026-11-28T10:00:00Z", "2026-11-29T00:00:00Z"),
        ("0 0 * JAN Sat", "2026-11-28T10:00:00Z", "2027-01-02T00:00:00Z"),
        ("  1\t2  *  *  * ", "2026-11-28T02:01:00Z", "2026-11-29T02:01:00Z"),
        ("59 23 31 12 *", "1960-01-01T00:00:00Z", "1960-12-31T23:59:00Z"),
    ])
    func `a line comes next when cron says`(_ line: String, _ from: String, _ next: String) throws {
        let cron = try CronLine(line)
        #expect(text(cron.next(after: try moment(from))) == next)
    }

    @Test func `an offset moves a line to another clock`() throws {
        let cron = try CronLine("30 0 1 * *", offsetMinutes: 120)
        let first = cron.next(after: try moment("2026-11-28T10:00:00Z"))
        #expect(text(first) == "2026-11-30T22:30:00Z")
        let west = try CronLine("@daily", offsetMinutes: -300)
        #expect(text(west.next(after: try moment("2026-11-28T05:00:00Z"))) == "2026-11-29T05:00:00Z")
    }

    /// Minute by minute, by Foundation's calendar: what the fast one must agree with.
    @Test func `moments are those that a minute by minute search finds`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        let start = try moment("2027-12-30T20:17:00Z")
        let end = try moment("2028-03-02T00:00:00Z")
        for line in [
            "7,37 */5 * * *", "0 6 29 2 *", "0 0 31 * *", "1-59/29 23 1,15 * tue", "15 4 * 1-2 0,3-4",
        ] {
            let cron = try CronLine(line)
            var expected: [Int64] = []
            var moment = start
            while let next = cron.next(after: moment), next <= end {
                expected.append(next)
                moment = next
            }
            #expect(cron.moments(after: start, through: end, limit: 100_000) == expected, "\(line)")
            #expect(cron.moments(after: start, through: end, limit: 3) == expected.suffix(3), "\(line)")
            #expect(!expected.isEmpty)
        }
        // And the days of one of them by another's calendar.
        let cron = try CronLine("0 0 13 * fri")
        var day = start - start % 86_400_000
        while day < end {
            day += 86_400_000
            let date = Date(timeIntervalSince1970: Double(day) / 1000)
            let parts = calendar.dateComponents([.day, .weekday], from: date)
            let isDue = parts.day == 13 || parts.weekday == 6
            #expect((cron.next(after: day - 1) == day) == isDue, "\(date)")
        }
    }

    @Test(arguments: [
        ("", 1, "five fields"), ("* * * *", 8, "five fields"), ("* * * * * *", 11, "not 6"),
        ("60 * * * *", 1, "\"60\" as minute: it is 0 to 59"), ("0 24 * * *", 3, "as hour"),
        ("0 0 0 * *", 5, "as day: it is 1 to 31"), ("0 0 1 13 *", 7, "or jan to dec"),
        ("0 0 1 1 8", 9, "as weekday"), ("0 0 1,5,x * *", 9, "\"x\" as day"),
        ("5-1 * * * *", 1, "runs backwards"), ("*/0 * * * *", 1, "from 1 on"), ("*/ * * * *", 1, "from 1 on"),
        ("1-2-3 * * * *", 1, "it is 0 to 59"), ("-1 * * * *", 1, "it is 0"),
        ("1, * * * *", 3, "\"\" as minute"),
        ("0 0 30 2 *", 5, "no such day"), ("@reboot", 1, "none of"), ("@daily 5", 1, "none of"),
        ("٣ * * * *", 1, "as minute"), ("99999999999999999999 * * * *", 1, "as minute"),
        (" 0  61 * * *", 5, "\"61\" as hour"),
    ])
    func `a line that makes no sense is refused, with the place`(
        _ line: String, _ column: Int, _ reason: String
    ) {
        let error = #expect(throws: CronError.self) { try CronLine(line) }
        #expect(error?.column == column && error?.reason.contains(reason) == true, "\(line): \(error as Any)")
    }

    @Test func `no text traps`() {
        var random = SplitMix64(state: 5)
        let pieces = Array("*,-/ 0123456789@monjanx\t٣")
        for _ in 0..<3_000 {
            let text = String(
                (0..<Int.random(in: 0...20, using: &random)).map { _ in
                    pieces.randomElement(using: &random) ?? "*"
                })
            guard let line = try? CronLine(text, offsetMinutes: .random(in: -1_080...1_080, using: &random))
            else {
                continue
            }
            for moment in [Int64.min, -1, 0, 1_700_000_000_000, TaskLimits.latest, .max] {
                if let next = line.next(after: moment) { #expect(next > moment) }
            }
        }
        #expect(throws: CronError.self) { try CronLine(String(repeating: "*", count: 300)) }
        #expect(throws: CronError.self) { try CronLine("* * * * *", offsetMinutes: 1_081) }
    }
}
