// `sluice queue …`: queues of tasks.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore
import SluiceTasks

struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Show queues of tasks, limit them, pause them and go on.",
        subcommands: [
            QueueList.self, QueueDescribe.self, QueueLimit.self, QueuePause.self, QueueResume.self,
        ])
}

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the queues with how many tasks each has.")

    @Flag(help: "Print JSON, a queue on each line.")
    var json = false

    @OptionGroup var store: StoreOption

    func run() async throws {
        let answer = try await store.withQueues { try await $0.ask("queues", of: "default") }
        let queues = answer["queues"]?.array ?? []
        if json { return try StandardOutput.printLines(queues.map(\.line)) }
        var table = Table(["NAME", "WAITING", "RUNNING", "SUCCEEDED", "DEAD", "PAUSED"])
        for queue in queues {
            func count(_ states: TaskState...) -> String {
                "\(states.reduce(0) { $0 + (queue["tasks"]?["\($1)"]?.integer ?? 0) })"
            }
            table.add([
                queue["name"]?.string ?? "-", count(.waiting, .scheduled, .available, .retrying),
                count(.leased),
                count(.succeeded), count(.dead), queue["isPaused"]?.bool == true ? "yes" : "no",
            ])
        }
        try StandardOutput.print(table.text)
    }
}

struct QueueDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Show a queue's limits, and how many tasks are in each state.")

    @Argument(help: "The queue's name.")
    var name = "default"

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var store: StoreOption

    func run() async throws {
        let queue = try await store.withQueues { try await $0.ask("queue", of: name) }
        if json { return try StandardOutput.print(queue.line) }
        var text = "name       \(name)\npaused     \(queue["isPaused"]?.bool == true ? "yes" : "no")\n"
        text += QueueLimit.text(queue["limits"] ?? [:])
        for state in TaskState.allCases {
            let count = queue["tasks"]?["\(state)"]?.integer ?? 0
            text += "\(state)" + String(repeating: " ", count: 11 - "\(state)".count) + "\(count)\n"
        }
        try StandardOutput.print(text)
    }
}

struct QueuePause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Give nothing out from now on, also after a restart; what runs goes on.")

    @Argument(help: "The queue's name.")
    var name = "default"

    @OptionGroup var store: StoreOption

    func run() async throws {
        _ = try await store.withQueues { try await $0.ask("pauseQueue", of: name) }
        try StandardOutput.print("paused queue \(name)")
    }
}

struct QueueResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Give tasks out again.")

    @Argument(help: "The queue's name.")
    var name = "default"

    @OptionGroup var store: StoreOption

    func run() async throws {
        _ = try await store.withQueues { try await $0.ask("resumeQueue", of: name) }
        try StandardOutput.print("resumed queue \(name)")
    }
}
#endif
