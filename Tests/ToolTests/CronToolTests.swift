// `sluice cron`, alone and beside a server.

#if Tool
import Foundation
import Testing

@testable import sluice_tool

@Suite struct CronToolTests {
    @Test func `schedules are added, listed and removed`() throws {
        let tool = try Tool()
        try tool.expect("cron", "add", "nightly", "0 3 * * *", "backup", "{}", "--missed", "all")
        try tool.expect("cron", "add", "often", "*/5 * * * mon-fri", "poll", "--utc-offset", "-05:30")
        let lines = try tool.expect("cron", "list").lines
        try #require(lines.count == 3)
        #expect(lines[0] == "NAME     LINE               CLOCK   TASK    MISSED  NEXT")
        #expect(lines[1].hasPrefix("nightly  0 3 * * *          UTC     backup  all     2"))
        #expect(lines[1].hasSuffix("T03:00:00.000Z"))
        #expect(lines[2].hasPrefix("often    */5 * * * mon-fri  -05:30  poll    once    2"))
        let again = try tool.run("cron", "add", "often", "@daily", "poll")
        #expect(again.status == 1 && again.errors.contains("there is a schedule \"often\" already"))
        try tool.expect("cron", "add", "often", "@daily", "poll", "--replace")
        #expect(try tool.expect("cron", "remove", "nightly").text == "removed schedule nightly\n")
        #expect(try tool.run("cron", "remove", "nightly").status == 1)
        #expect(try tool.expect("cron", "list", "--json").text.contains("\"line\":\"@daily\""))
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/share/zoneinfo/Europe/Berlin")))
    func `a schedule is of a time zone's clock, and one that is not known is exit 2`() throws {
        let tool = try Tool()
        try tool.expect("cron", "add", "report", "0 9 * * *", "report", "--zone", "Europe/Berlin")
        let lines = try tool.expect("cron", "list").lines
        try #require(lines.count == 2)
        #expect(lines[1].hasPrefix("report  0 9 * * *  Europe/Berlin  report  once    2"), "\(lines[1])")
        #expect(lines[1].hasSuffix("T07:00:00.000Z") || lines[1].hasSuffix("T08:00:00.000Z"))
        for zone in ["Europe/Atlantis", "../passwd", "/etc/passwd", ""] {
            let result = try tool.run("cron", "add", "x", "@daily", "a", "--zone", zone)
            #expect(
                result.status == 2 && result.errors.contains("no time zone \"\(zone)\""), "\(result.errors)")
        }
    }

    @Test func `a line that makes no sense is exit 2, and says where`() throws {
        let tool = try Tool()
        let result = try tool.run("cron", "add", "x", "0 25 * * *", "a")
        #expect(
            result.status == 2 && result.errors.contains("\"25\" as hour: it is 0 to 23, at character 3."))
        for arguments in [
            ["cron", "add", "x", "@daily"], ["cron", "add", "x", "@daily", "a", "--missed", "some"],
            ["cron", "add", "x", "@daily", "a", "--utc-offset", "25:00"],
            ["cron", "add", "x", "@daily", "a", "--priority", "10"], ["cron", "remove"],
        ] {
            #expect(try tool.run(arguments, input: Data()).status == 2, "\(arguments)")
        }
    }

    @Test func `an offset is read as people write it`() {
        for (text, minutes) in [("UTC", 0), ("Z", 0), ("+02:00", 120), ("-05:30", -330), ("+18:00", 1080)] {
            #expect(ClockOffset(argument: text)?.minutes == minutes)
        }
        for text in ["", "2", "+2:00", "02:00", "+02:60", "+18:01", "+-1:00", "+02:00:00"] {
            #expect(ClockOffset(argument: text) == nil, "\(text)")
        }
        #expect(ClockOffset(minutes: -330).description == "-05:30")
    }
}
#endif
