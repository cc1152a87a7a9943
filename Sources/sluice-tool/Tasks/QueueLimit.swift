// `sluice queue limit`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct QueueLimit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit",
        abstract: "Limit how many tasks of a queue run at a time, and how many are started in a while.",
        discussion: """
            Limits are the queue's, for all its workers, also after a restart; they change while workers \
            run, and what runs goes on. What is not named stays as it is. A rate is so many in a second, \
            minute, hour or day, with what may start at once behind a colon: 10/s, 100/m:20. Tasks without \
            a tenant are one tenant's.
            """)

    @Argument(help: "The queue's name.")
    var name = "default"

    @Option(help: "How many tasks run at a time.")
    var concurrency: Int?

    @Option(help: "How many tasks are started in a while.")
    var rate: RateOption?

    @Option(help: ArgumentHelp("How many tasks of each tenant run at a time.", valueName: "n"))
    var tenantConcurrency: Int?

    @Option(help: ArgumentHelp("How many tasks of each tenant are started in a while.", valueName: "rate"))
    var tenantRate: RateOption?

    @Option(help: ArgumentHelp("How many tasks of a kind run at a time; again.", valueName: "kind=n"))
    var taskConcurrency: [NamedOption] = []

    @Option(help: ArgumentHelp("How many of a kind are started in a while; again.", valueName: "kind=rate"))
    var taskRate: [NamedOption] = []

    @Option(
        help: """
            A limit that is to be none; may be given again. concurrency, rate, tenant-concurrency, \
            tenant-rate, task=KIND, all.
            """)
    var none: [String] = []

    @OptionGroup var store: StoreOption

    func validate() throws {
        guard (concurrency ?? 1) >= 1, (tenantConcurrency ?? 1) >= 1 else {
            throw ValidationError("A concurrency is 1 or more.")
        }
        _ = try changes
    }

    /// What `limitQueue` is asked.
    var changes: JSONValue {
        get throws {
            var (queue, tenant): ([String: JSONValue], [String: JSONValue]) = ([:], [:])
            var names: [String: [String: JSONValue]] = [:]
            var members: [String: JSONValue] = [:]
            for what in none {
                switch what {
                case "concurrency": queue["concurrency"] = .null
                case "rate": queue["rate"] = .null
                case "tenant-concurrency": tenant["concurrency"] = .null
                case "tenant-rate": tenant["rate"] = .null
                case "all": (members["queue"], members["tenant"], members["names"]) = (.null, .null, .null)
                case _ where what.hasPrefix("task="):
                    names[String(what.dropFirst(5))] = ["concurrency": .null, "rate": .null]
                default: throw ValidationError("--none knows no limit \"\(what)\".")
                }
            }
            if !none.isEmpty, none.contains("all") {
                guard none.count == 1, !hasLimits else {
                    throw ValidationError("--none all stands alone.")
                }
                return .object(members)
            }
            if let concurrency { queue["concurrency"] = .integer(Int64(concurrency)) }
            if let rate { queue["rate"] = rate.json }
            if let tenantConcurrency { tenant["concurrency"] = .integer(Int64(tenantConcurrency)) }
            if let tenantRate { tenant["rate"] = tenantRate.json }
            for option in taskConcurrency {
                guard let count = Int64(option.value), count >= 1 else {
                    throw ValidationError("--task-concurrency is such as thumbnail=4.")
                }
                names[option.name, default: [:]]["concurrency"] = .integer(count)
            }
            for option in taskRate {
                guard let rate = RateOption(argument: option.value) else {
                    throw ValidationError("--task-rate is such as thumbnail=10/s.")
                }
                names[option.name, default: [:]]["rate"] = rate.json
            }
            guard hasLimits || !none.isEmpty else { throw ValidationError("Give a limit, or --none.") }
            if !queue.isEmpty { members["queue"] = .object(queue) }
            if !tenant.isEmpty { members["tenant"] = .object(tenant) }
            if !names.isEmpty { members["names"] = .object(names.mapValues { .object($0) }) }
            return .object(members)
        }
    }

    private var hasLimits: Bool {
        concurrency != nil || rate != nil || tenantConcurrency != nil || tenantRate != nil
            || !taskConcurrency.isEmpty || !taskRate.isEmpty
    }

    func run() async throws {
        let changes = try changes
        let answer = try await store.withQueues(mayMake: true) {
            try await $0.ask("limitQueue", of: name, ["limits": changes])
        }
        let text = Self.text(answer["limits"] ?? [:])
        try StandardOutput.print(text.isEmpty ? "queue \(name) has no limits" : text)
    }

    /// Limits for people, a line each.
    static func text(_ limits: JSONValue) -> String {
        func words(_ limit: JSONValue) -> String {
            var words: [String] = []
            if let count = limit["concurrency"]?.integer { words.append("\(count) at a time") }
            if let rate = limit["rate"] { words.append(RateOption.text(rate)) }
            return words.joined(separator: ", ")
        }
        var lines: [String] = []
        if let limit = limits["queue"] { lines.append("limit      \(words(limit))") }
        if let limit = limits["tenant"] { lines.append("limit      \(words(limit)), for each tenant") }
        for (name, limit) in (limits["names"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            lines.append("limit      \(words(limit)), of \(name)")
        }
        return lines.map { $0 + "\n" }.joined()
    }
}

/// `KIND=VALUE`.
struct NamedOption: ExpressibleByArgument, Hashable {
    var name: String
    var value: String

    init?(argument: String) {
        guard let index = argument.lastIndex(of: "="), index != argument.startIndex else { return nil }
        name = String(argument[..<index])
        value = String(argument[argument.index(after: index)...])
    }
}

/// `10/s`, `100/m`, `5000/h`, `1/d`; with a burst `100/m:20`.
struct RateOption: ExpressibleByArgument, Hashable {
    var count: Int64
    var period: Int64
    var burst: Int64?

    private static let units: [(name: Substring, period: Int64)] = [
        ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let halves = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let count = Int64(halves[0]), count > 0,
            let unit = Self.units.first(where: { $0.name == halves[1] })
        else { return nil }
        (self.count, period) = (count, unit.period)
        guard parts.count == 2 else { return }
        guard let burst = Int64(parts[1]), burst > 0 else { return nil }
        self.burst = burst
    }

    var json: JSONValue {
        var members: [String: JSONValue] = ["count": .integer(count), "period": .integer(period)]
        members["burst"] = burst.map { .integer($0) }
        return .object(members)
    }

    /// As it was given, if it was given so.
    static func text(_ rate: JSONValue) -> String {
        let (count, period) = (rate["count"]?.integer ?? 0, rate["period"]?.integer ?? 0)
        let unit = units.first { $0.period == period }?.name ?? "\(period)ms"
        return "\(count)/\(unit), \(rate["burst"]?.integer ?? 1) at once"
    }
}
#endif
