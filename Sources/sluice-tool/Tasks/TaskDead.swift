// `sluice task dead …`: the dead-letter queue.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TaskDead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Tasks that were given up: look at them, mend them, run them anew, remove them.",
        subcommands: [DeadList.self, DeadEdit.self, DeadRedrive.self, DeadPurge.self])
}

struct DeadList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List dead tasks with the cause of their end; `sluice task show` has all attempts.")

    @Option(help: "Only this kind of task.")
    var name: String?

    @Option(help: "How many at most.")
    var limit = 100

    @Flag(help: "Print JSON, a task on each line.")
    var json = false

    @OptionGroup var queue: QueueOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is 1 or more.") }
    }

    func run() async throws {
        var tasks = try await TaskList.tasks(queue, ["dead"], name, nil, limit)
        // The causes are in the log.
        tasks = try await queue.withQueue { asker in
            var whole: [JSONValue] = []
            for task in tasks {
                try Task.checkCancellation()
                let asked = ["id": task["id"] ?? .null]
                whole.append((try? await asker.ask("task", of: queue.queue, asked)) ?? task)
            }
            return whole
        }
        if json { return try StandardOutput.printLines(tasks.map(\.line)) }
        var table = Table(["ID", "NAME", "ATTEMPTS", "SINCE", "CAUSE"])
        for task in tasks {
            let cause = task["lastError"]?.string?.split(separator: "\n").last.map(String.init) ?? "-"
            table.add([
                task["id"]?.string ?? "-", task["name"]?.string ?? "-",
                task["attempt"]?.integer.map(String.init) ?? "-", task.moment("due"), cause,
            ])
        }
        try StandardOutput.print(table.text)
    }
}

struct DeadEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Give a dead task another payload; then redrive it.",
        discussion: "`sluice task payload ID` prints the payload that it has.")

    @Argument(help: "The task's id.")
    var id: String

    @OptionGroup var payload: PayloadOptions
    @OptionGroup var queue: QueueOption

    func run() async throws {
        let bytes = try payload.read()
        _ = try await queue.ask("editTask", ["id": .string(id), "payload": .base64(bytes)])
        try StandardOutput.print("\(id) edited")
    }
}

struct DeadRedrive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive",
        abstract: "Run dead tasks anew: those that are named, or all.")

    @OptionGroup var which: DeadOptions
    @OptionGroup var queue: QueueOption

    func run() async throws {
        if !which.ids.isEmpty { return try await queue.forEach(which.ids, "retryTask", "available") }
        let answer = try await queue.ask("retryTasks", which.members)
        try StandardOutput.print("\(answer["count"]?.integer ?? 0) tasks available")
    }
}

struct DeadPurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Remove dead tasks for good: those that are named, or all.")

    @OptionGroup var which: DeadOptions
    @OptionGroup var queue: QueueOption

    func run() async throws {
        if !which.ids.isEmpty { return try await queue.forEach(which.ids, "purgeTask", "removed") }
        let answer = try await queue.ask("purgeTasks", which.members)
        try StandardOutput.print("\(answer["count"]?.integer ?? 0) tasks removed")
    }
}

struct DeadOptions: ParsableArguments {
    @Argument(help: "The tasks' ids.")
    var ids: [String] = []

    @Flag(help: "All that are dead.")
    var all = false

    @Option(help: "With --all: only this kind of task.")
    var name: String?

    func validate() throws {
        if ids.isEmpty != all { throw ValidationError("Give ids, or --all.") }
        if name != nil, !all { throw ValidationError("--name needs --all.") }
    }

    var members: [String: JSONValue] {
        var members: [String: JSONValue] = ["states": ["dead"]]
        members["name"] = name.map { .string($0) }
        return members
    }
}
#endif
