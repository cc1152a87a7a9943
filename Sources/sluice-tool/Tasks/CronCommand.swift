// `sluice cron …`: tasks that are published again and again.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceTasks

struct CronCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron",
        abstract: "Publish tasks again and again, at the moments of a cron line.",
        discussion: """
            Schedules are in the queue itself; they fire while some program has the queue open: sluice \
            serve, task run, or one of yours. A moment is fired once, whoever works on the queue.
            """,
        subcommands: [CronAdd.self, CronList.self, CronRemove.self])
}

struct CronAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Begin with a schedule.",
        discussion: """
            The line has five fields, minute, hour, day, month and weekday, each of numbers, names, ranges, \
            steps and lists (*/15 9-17 * * mon-fri), or is @hourly, @daily, @weekly, @monthly or @yearly. \
            Its time is UTC, unless --zone or --utc-offset says otherwise. A time of day that a zone's clock \
            skips is due at that moment, one that it shows twice the first time.
            """)

    @Argument(help: "The schedule's name.")
    var name: String

    @Argument(help: "When; as one argument, in quotes.")
    var line: String

    @Argument(help: "The kind of task that is published.")
    var task: String

    @OptionGroup var payload: PayloadOptions

    @Option(
        help: "What is done about moments at which nobody had the store open: skip, once or all (of 100).")
    var missed = MissedOption.once

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Of the clock that is meant: +02:00, -05:30.", valueName: "offset"))
    var utcOffset = ClockOffset(minutes: 0)

    @Option(help: ArgumentHelp("Of the clock that is meant: Europe/Berlin.", valueName: "name"))
    var zone: String?

    @Option(help: "0 to 9; a greater one goes first.")
    var priority = 4

    @Option(help: "Of tasks with the same group one runs at a time.")
    var group: String?

    @Option(help: "Whose the tasks are; tenants share the queue fairly.")
    var tenant: String?

    @Option(help: ArgumentHelp("None is published while one of this key is unfinished.", valueName: "key"))
    var unique: String?

    @Option(help: ArgumentHelp("A task is not begun any more so long behind its moment.", valueName: "span"))
    var expiresAfter: TimeSpan?

    @Flag(help: "If there is a schedule of the name, put this one in its place.")
    var replace = false

    @OptionGroup var queue: QueueOption

    func validate() throws {
        guard (0...9).contains(priority) else { throw ValidationError("--priority is 0 to 9.") }
        do throws(TaskError) {
            _ = try Cron(line, utcOffset: .seconds(60 * utcOffset.minutes))
            if let zone { _ = try Cron(line, zone: zone) }
        } catch {
            throw ValidationError(error.description)
        }
    }

    func run() async throws {
        var members: [String: JSONValue] = [
            "name": .string(name), "line": .string(line), "task": .string(task),
            "payload": .base64(try payload.read()), "offset": .integer(Int64(utcOffset.minutes)),
            "missed": .string(missed.rawValue), "priority": .integer(Int64(priority)),
            "mayReplace": .bool(replace),
        ]
        members["zone"] = zone.map { .string($0) }
        members["group"] = group.map { .string($0) }
        members["tenant"] = tenant.map { .string($0) }
        members["uniqueKey"] = unique.map { .string($0) }
        members["expires"] = expiresAfter.map { .integer($0.milliseconds) }
        _ = try await queue.ask("addSchedule", members, mayMake: true)
        try StandardOutput.print("added schedule \(name)")
    }
}

struct CronList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the schedules of a queue with when each is due next.")

    @Flag(help: "Print JSON, a schedule on each line.")
    var json = false

    @OptionGroup var queue: QueueOption

    func run() async throws {
        let schedules = try await queue.ask("schedules")["schedules"]?.array ?? []
        if json { return try StandardOutput.printLines(schedules.map(\.line)) }
        var table = Table(["NAME", "LINE", "CLOCK", "TASK", "MISSED", "NEXT"])
        for schedule in schedules {
            let minutes = Int(clamping: schedule["offset"]?.integer ?? 0)
            table.add([
                schedule["name"]?.string ?? "-", schedule["line"]?.string ?? "-",
                schedule["zone"]?.string ?? ClockOffset(minutes: minutes).description,
                schedule["task"]?.string ?? "-",
                schedule["missed"]?.string ?? "-", schedule.moment("next"),
            ])
        }
        try StandardOutput.print(table.text)
    }
}

struct CronRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "End a schedule; the tasks that it has published stay.")

    @Argument(help: "The schedule's name.")
    var name: String

    @OptionGroup var queue: QueueOption

    func run() async throws {
        _ = try await queue.ask("endSchedule", ["name": .string(name)])
        try StandardOutput.print("removed schedule \(name)")
    }
}

/// What is done about moments that went by.
enum MissedOption: String, ExpressibleByArgument, CaseIterable {
    case skip, once, all
}

/// `+02:00`, `-05:30`, `UTC`.
struct ClockOffset: ExpressibleByArgument, Hashable, CustomStringConvertible {
    var minutes: Int

    init(minutes: Int) { self.minutes = minutes }

    init?(argument: String) {
        if argument == "UTC" || argument == "Z" {
            self.init(minutes: 0)
            return
        }
        let parts = argument.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard let sign = argument.first, sign == "+" || sign == "-", parts.count == 2,
            parts.allSatisfy({ $0.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hours = Int(parts[0]), let rest = Int(parts[1]), rest < 60, hours * 60 + rest <= 1080
        else { return nil }
        self.init(minutes: (sign == "-" ? -1 : 1) * (hours * 60 + rest))
    }

    var description: String {
        if minutes == 0 { return "UTC" }
        let (hours, rest) = (abs(minutes) / 60, abs(minutes) % 60)
        return (minutes < 0 ? "-" : "+") + (hours < 10 ? "0" : "") + "\(hours):" + (rest < 10 ? "0" : "")
            + "\(rest)"
    }

    var defaultValueDescription: String { description }
}
#endif
