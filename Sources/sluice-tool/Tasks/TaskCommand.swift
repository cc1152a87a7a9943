// `sluice task …`: tasks of a queue, published, shown, changed and done.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceTasks

struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task",
        abstract: "Publish tasks, see what became of them, and do them.",
        discussion: """
            A store that a program has open is asked through its control socket, if that program has opened \
            a queue itself; `sluice serve` always answers.
            """,
        subcommands: [
            TaskPublish.self, TaskList.self, TaskShow.self, TaskPayloadCommand.self, TaskResult.self,
            TaskCancel.self, TaskRetry.self, TaskRun.self, TaskDead.self,
        ])
}

struct TaskList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List tasks in the order of their publishing.",
        discussion: """
            WHEN is when a task is due; of one that runs, since when; of one that has ended, when it did; of \
            one that waits for others the first of them, and that there are more.
            """)

    @Option(
        help: """
            Only in this state; may be given again. waiting, scheduled, available, leased, retrying, \
            succeeded, dead, cancelled, expired.
            """)
    var state: [String] = []

    @Option(help: "Only this kind of task.")
    var name: String?

    @Option(help: ArgumentHelp("Only those published after this one.", valueName: "id"))
    var behind: String?

    @Option(help: "How many at most.")
    var limit = 100

    @Flag(help: "Print JSON, a task on each line.")
    var json = false

    @OptionGroup var queue: QueueOption

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is 1 or more.") }
        try Self.check(state)
    }

    static func check(_ states: [String]) throws {
        for name in states where !TaskState.allCases.contains(where: { "\($0)" == name }) {
            let names = TaskState.allCases.map { "\($0)" }.joined(separator: ", ")
            throw ValidationError("There is no state \"\(name)\"; the states are \(names).")
        }
    }

    func run() async throws {
        let tasks = try await Self.tasks(queue, state, name, behind, limit)
        if json { return try StandardOutput.printLines(tasks.map(\.line)) }
        var table = Table(["ID", "NAME", "STATE", "ATTEMPT", "WHEN"])
        for task in tasks {
            table.add([
                task["id"]?.string ?? "-", task["name"]?.string ?? "-", task["state"]?.string ?? "-",
                task["attempt"]?.integer.map(String.init) ?? "-", Self.when(task),
            ])
        }
        try StandardOutput.print(table.text)
    }

    private static func when(_ task: JSONValue) -> String {
        guard let others = task["waitsFor"]?.array, let first = others.first?.string else {
            return task.moment("due")
        }
        return "after \(first)" + (others.count > 1 ? ", …" : "")
    }

    static func tasks(
        _ queue: QueueOption, _ states: [String], _ name: String?, _ behind: String?, _ limit: Int
    ) async throws -> [JSONValue] {
        try await queue.withQueue { asker in
            var tasks: [JSONValue] = []
            var behind = behind
            while tasks.count < limit {
                try Task.checkCancellation()
                let count = min(limit - tasks.count, 1_000)
                var members: [String: JSONValue] = ["limit": .integer(Int64(count))]
                if !states.isEmpty { members["states"] = .array(states.map { .string($0) }) }
                members["name"] = name.map { .string($0) }
                members["behind"] = behind.map { .string($0) }
                let page = try await asker.ask("tasks", of: queue.queue, members)["tasks"]?.array ?? []
                tasks += page
                behind = page.last?["id"]?.string
                if page.count < count { break }
            }
            return tasks
        }
    }
}

struct TaskShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show where a task stands, and what became of its attempts.")

    @Argument(help: "The task's id.")
    var id: String

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var queue: QueueOption

    func run() async throws {
        let task = try await queue.ask("task", ["id": .string(id)])
        if json { return try StandardOutput.print(task.line) }
        try StandardOutput.print(Self.text(task))
    }

    static func text(_ task: JSONValue) -> String {
        let state = task["state"]?.string ?? "-"
        let isOver = TaskState.allCases.contains { $0.isFinal && "\($0)" == state }
        var text = "id        \(task["id"]?.string ?? "-")\nname      \(task["name"]?.string ?? "-")\n"
        text += "state     \(state)\nattempt   \(task["attempt"]?.integer ?? 0)\n"
        let what = isOver ? "ended" : state == "leased" ? "began" : "due"
        text += "\(what)\(String(repeating: " ", count: 10 - what.count))\(task.moment("due"))\n"
        for (index, other) in (task["waitsFor"]?.array ?? []).enumerated() {
            text += "\(index == 0 ? "waits for" : "         ") \(other.string ?? "-")\n"
        }
        if let cause = task["lastError"]?.string, task["history"] == nil { text += "cause     \(cause)\n" }
        if let tenant = task["tenant"]?.string { text += "tenant    \(tenant)\n" }
        if let progress = task["progress"] {
            text += "progress  \(progress.line) \(task["note"]?.string ?? "")\n"
        }
        let attempts = task["history"]?.array ?? []
        guard !attempts.isEmpty else { return text }
        var table = Table(["ATTEMPT", "BEGAN", "ENDED", "CAUSE"])
        for attempt in attempts {
            let cause = (attempt["cause"]?.string ?? "-").split(separator: "\n").joined(separator: " | ")
            table.add([
                "\(attempt["number"]?.integer ?? 0)", attempt.moment("began"), attempt.moment("ended"), cause,
            ])
        }
        return text + "\n" + table.text
    }
}

struct TaskPayloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "payload", abstract: "Print what was published, byte for byte.")

    @Argument(help: "The task's id.")
    var id: String

    @OptionGroup var queue: QueueOption

    func run() async throws {
        try StandardOutput.write(
            try await queue.ask("taskPayload", ["id": .string(id)]).bytes("payload"))
    }
}

struct TaskResult: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Print what a task has returned, byte for byte.",
        discussion: "Exit 1 when there is no result: the task has not ended, or not well.")

    @Argument(help: "The task's id.")
    var id: String

    @Option(help: ArgumentHelp("Wait so long for its end.", valueName: "span"))
    var wait: TimeSpan?

    @OptionGroup var queue: QueueOption

    func run() async throws {
        let end = System.monotonicNanoseconds + (wait?.milliseconds ?? 0) * 1_000_000
        while true {
            let left = max(0, end - System.monotonicNanoseconds) / 1_000_000
            let (task, result) = try await queue.withQueue { asker in
                // Of a store that nobody else has open: whoever works on it needs it.
                let wait = asker.store == nil ? min(left, 1_000) : 0
                let task = try await asker.ask(
                    "task", of: queue.queue, ["id": .string(id), "wait": .integer(wait)])
                guard task["state"]?.string == "succeeded" else { return (task, [UInt8]?.none) }
                let answer = try await asker.ask("taskResult", of: queue.queue, ["id": .string(id)])
                return (task, answer.bytes("result"))
            }
            if let result { return try StandardOutput.write(result) }
            let state = task["state"]?.string ?? "-"
            let isOver = TaskState.allCases.contains { $0.isFinal && "\($0)" == state }
            guard !isOver, left > 0 else {
                let cause = task["lastError"]?.string.map { ": " + $0 } ?? ""
                throw ToolError.failed("The task is \(state)\(cause).")
            }
            try await Task.sleep(for: .milliseconds(min(left, 200)))
        }
    }
}

struct TaskCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Want tasks no more: they are not begun, and who runs one loses it.")

    @Argument(help: "The tasks' ids.")
    var ids: [String]

    @OptionGroup var queue: QueueOption

    func run() async throws { try await queue.forEach(ids, "cancelTask", "cancelled") }
}

struct TaskRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run tasks anew that are dead, cancelled or expired; others without waiting for their time."
    )

    @Argument(help: "The tasks' ids.")
    var ids: [String]

    @OptionGroup var queue: QueueOption

    func run() async throws { try await queue.forEach(ids, "retryTask", "available") }
}

extension QueueOption {
    /// Asks the same for several tasks. What is refused is told, and the others are done all the same.
    func forEach(_ ids: [String], _ request: String, _ done: String) async throws {
        let hasFailed = try await withQueue { asker in
            var hasFailed = false
            for id in ids {
                do {
                    _ = try await asker.ask(request, of: queue, ["id": .string(id)])
                    try StandardOutput.print("\(id) \(done)")
                } catch let error as ControlFailure {
                    StandardError.print("sluice: \(id): \(error.message)")
                    hasFailed = true
                } catch ToolError.failed(let message) {
                    StandardError.print("sluice: \(id): \(message)")
                    hasFailed = true
                }
            }
            return hasFailed
        }
        if hasFailed { throw ToolError.damaged }
    }
}
#endif
