// `sluice task publish`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TaskPublish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish a task, or one for each line, and print its id.",
        discussion: """
            A task is durable when its id is printed. Who has the unique key of a task that is published is \
            printed in its stead. Spans are such as 500ms, 30s, 5m, 2h, 10d.
            """)

    @Argument(help: "The kind of task, by which workers take it.")
    var name: String

    @OptionGroup var payload: PayloadOptions

    @Flag(help: "Each line of the payload is the payload of a task of its own.")
    var lines = false

    @Option(help: ArgumentHelp("Not before so long from now.", valueName: "span"))
    var after: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "Not before: ms since 1970, or such as 2026-11-24T01:00:00Z.", valueName: "moment"))
    var at: Moment?

    @Option(help: "0 to 9; a greater one goes first.")
    var priority = 4

    @Option(help: ArgumentHelp("Not begun any more so long from now.", valueName: "span"))
    var expiresAfter: TimeSpan?

    @Option(help: "Of tasks with the same group one runs at a time.")
    var group: String?

    @Option(help: "Whose the task is; tenants share the queue fairly.")
    var tenant: String?

    @Option(help: ArgumentHelp("It runs after these tasks have ended, if all did well.", valueName: "id,id"))
    var runAfter: String?

    @Flag(help: "With --run-after: it runs however they end.")
    var evenIfFailed = false

    @Option(help: ArgumentHelp("There is one unfinished task of this key.", valueName: "key"))
    var unique: String?

    @Option(help: ArgumentHelp("There is one task of the unique key in so long a time.", valueName: "span"))
    var uniqueFor: TimeSpan?

    @Flag(help: "Print JSON: the id, and whether the task is new.")
    var json = false

    @OptionGroup var queue: QueueOption

    /// Tasks and bytes of one request: a message has a megabyte, in base64.
    private static let (maxTasks, maxBytes) = (500, 512 << 10)

    func validate() throws {
        if after != nil, at != nil { throw ValidationError("Give --after or --at, not both.") }
        if uniqueFor != nil, unique == nil { throw ValidationError("--unique-for needs --unique.") }
        if evenIfFailed, runAfter == nil { throw ValidationError("--even-if-failed needs --run-after.") }
        guard (0...9).contains(priority) else { throw ValidationError("--priority is 0 to 9.") }
    }

    func run() async throws {
        let bytes = try payload.read()
        let payloads = lines ? Self.lines(of: bytes) : [bytes]
        try await queue.withQueue(mayMake: true) { asker in
            var rest = payloads[...]
            while !rest.isEmpty {
                try Task.checkCancellation()
                var (batch, count): ([JSONValue], Int) = ([], 0)
                while let next = rest.first, batch.count < Self.maxTasks,
                    batch.isEmpty || count + next.count <= Self.maxBytes
                {
                    batch.append(.base64(next))
                    count += next.count
                    rest.removeFirst()
                }
                var members = options
                members["payloads"] = .array(batch)
                let answer = try await asker.ask("publishTasks", of: queue.queue, members)
                let tasks = answer["tasks"]?.array ?? []
                try StandardOutput.print(
                    tasks.map { json ? $0.line : $0["id"]?.string ?? "" }.joined(separator: "\n"))
            }
        }
    }

    private var options: [String: JSONValue] {
        let now = Timestamp.now.millisecondsSince1970
        var members: [String: JSONValue] = [
            "name": .string(name), "priority": .integer(Int64(priority)),
        ]
        members["due"] = (at?.milliseconds ?? after.map { now + $0.milliseconds }).map { .integer($0) }
        members["expires"] = expiresAfter.map { .integer(now + $0.milliseconds) }
        members["group"] = group.map { .string($0) }
        members["tenant"] = tenant.map { .string($0) }
        members["after"] = runAfter.map { ids in .array(ids.split(separator: ",").map { .string(String($0)) })
        }
        if evenIfFailed { members["afterFailure"] = "run" }
        members["uniqueKey"] = unique.map { .string($0) }
        members["uniquePeriod"] = uniqueFor.map { .integer($0.milliseconds) }
        return members
    }

    /// Lines without what ends them; an empty one is one, but not what follows the last line feed.
    static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(
            Array.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }
}

/// Milliseconds since 1970, or `2013-11-24T01:00:00Z`.
struct Moment: ExpressibleByArgument, Hashable {
    var milliseconds: Int64

    init?(argument: String) {
        guard let milliseconds = Int64(argument) ?? StartPosition.milliseconds(ofISO: argument),
            milliseconds >= 0
        else { return nil }
        self.milliseconds = milliseconds
    }
}
#endif
