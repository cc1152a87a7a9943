// `sluice task run -- COMMAND`: any program as a worker.

#if Tool
import ArgumentParser
import Foundation
import Logging
import Sluice
import SluiceCore
import SluiceTasks

struct TaskRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Do tasks with a program: the payload on its standard input, the result from its output.",
        discussion: """
            The program is started once for each task. Exit code 0: the task is done, and what was written \
            to standard output is its result. 65: it is not to be tried again. Every other: it failed, and \
            is tried again after a while; the last lines of standard error are the cause.

            In its environment are SLUICE_TASK_ID, SLUICE_TASK_NAME, SLUICE_TASK_ATTEMPT, SLUICE_TASK_QUEUE, \
            SLUICE_STORE, and in SLUICE_AFTER the ids of the tasks that it runs after, with spaces between, \
            5,000 at most: sluice task result prints what one returned. A task may be done more than once, \
            when a worker dies: make it idempotent.

            Ctrl-C or SIGTERM: nothing more is begun, and what runs may end within --grace; what does not is \
            given back. A store that another program has open is worked on through its control socket; if \
            that program ends and is started again within half a minute, the worker goes on.
            """)

    @Argument(parsing: .postTerminator, help: "The program and its arguments, behind --.")
    var command: [String]

    @Option(help: "Only this kind of task; may be given again.")
    var name: [String] = []

    @Option(name: .shortAndLong, help: "How many tasks at a time.")
    var concurrency = 1

    @Option(help: "How often a task is tried before it is dead.")
    var attempts = 5

    @Option(help: "What is waited behind the first attempt, at most; it doubles with each.")
    var backoff = TimeSpan(milliseconds: 1_000)

    @Option(help: "What is ever waited, at most.")
    var backoffCap = TimeSpan(milliseconds: 600_000)

    @Option(help: "How long the program may take before it gets SIGTERM.")
    var softLimit: TimeSpan?

    @Option(help: "How long it may take before it is killed.")
    var hardLimit: TimeSpan?

    @Option(help: "How long running tasks may take after the worker was asked to end.")
    var grace = TimeSpan(milliseconds: 30_000)

    @Option(help: "How long the queue waits for a sign of life of this worker before others get its tasks.")
    var visibility = TimeSpan(milliseconds: 30_000)

    @Flag(help: "End when nothing that it could do is available, running or to be tried again.")
    var drain = false

    @OptionGroup var queue: QueueOption

    /// A program that got SIGTERM has so long before SIGKILL.
    private static let killGrace = Duration.seconds(4)
    /// The result that is not to be tried again: sysexits' EX_DATAERR.
    private static let rejection: Int32 = 65

    func validate() throws {
        guard (1...128).contains(concurrency) else { throw ValidationError("--concurrency is 1 to 128.") }
        guard attempts >= 1 else { throw ValidationError("--attempts is 1 or more.") }
        guard visibility.milliseconds >= 1_000 else { throw ValidationError("--visibility is 1s or more.") }
        guard !command.isEmpty else { throw ValidationError("Give the program behind --.") }
        guard System.isProgram(command[0]) else {
            throw ValidationError("\(command[0]) is no program that could be run.")
        }
    }

    func run() async throws {
        System.keepDescriptorsFromChildren()
        var logger = Logger(label: "sluice", factory: StandardErrorLog.init)
        logger.logLevel = .notice
        let counts = Counts()
        let handlers = handlers(counts)
        do {
            var configuration = StoreConfiguration()
            configuration.logger = logger
            try await queue.store.withStore(configuration, mayMake: true) { store in
                let keeper = try await QueueKeeper.open(store)
                let tasks = try await TaskQueue(queue.queue, in: store)
                let worker = Worker(
                    tasks, concurrency: concurrency, configuration: worker, handlers: handlers)
                try await work(worker, QueueAsker(store: store, path: queue.store.path))
                withExtendedLifetime(keeper) {}
            }
        } catch let error as StreamError {
            guard case .locked = error else { throw error }
            let remote: RemoteQueue
            do throws(TaskError) {
                remote = try await RemoteQueue.join(queue.queue, at: queue.store.path, logger: logger)
            } catch {
                switch error {
                case .unreachable: throw StreamError.locked(path: queue.store.path, processID: nil)
                case .refused("unsupported", _):
                    throw ToolError.failed(QueueAsker.unsupported(queue.store.path))
                default: throw ToolError.failed(error.description)
                }
            }
            let worker = Worker(
                remote, concurrency: concurrency, configuration: worker, handlers: handlers)
            let result: Result<Void, any Error>
            do {
                try await work(worker, QueueAsker(store: nil, path: queue.store.path))
                result = .success(())
            } catch {
                result = .failure(error)
            }
            // Not cancelled with this task: the store is to hear it.
            await Task { await remote.close() }.value
            try result.get()
        }
        StandardError.print("sluice: \(counts.done) tasks done, \(counts.failed) attempts failed")
    }

    private var worker: WorkerConfiguration {
        WorkerConfiguration {
            $0.visibility = visibility.duration
            $0.shutdownGrace = grace.duration
            // Longer than what a killed program takes to be gone.
            $0.cancellationGrace = Self.killGrace + .seconds(4)
        }
    }

    /// Works until the command is interrupted, or nothing is left.
    private func work(_ worker: Worker, _ asker: QueueAsker) async throws {
        let running = Task { try await worker.run() }
        let watching = Task { if drain { try await waitUntilEmpty(asker, worker) } }
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            worker.shutdown()
        }
        watching.cancel()
        do {
            try result.get()
        } catch let error as TaskError {
            throw ToolError.failed(error.description)
        }
        // What it was not to find out is no reason to fail once the work has ended.
        if case .failure(let error) = await watching.result, !(error is CancellationError), drain {
            throw error
        }
    }

    private func waitUntilEmpty(_ asker: QueueAsker, _ worker: Worker) async throws {
        defer { worker.shutdown() }
        while true {
            var isLeft = false
            for name in name.isEmpty ? [nil] : name.map(Optional.some) {
                var members: [String: JSONValue] = [
                    "states": ["available", "leased", "retrying"], "limit": 1,
                ]
                members["name"] = name.map { .string($0) }
                let tasks = try await asker.ask("tasks", of: queue.queue, members)["tasks"]?.array
                if tasks?.isEmpty == false { isLeft = true }
            }
            if !isLeft { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: One task

    private func handlers(_ counts: Counts) -> [TaskHandler] {
        let retry = RetryPolicy {
            $0.attempts = attempts
            $0.base = backoff.duration
            $0.cap = backoffCap.duration
        }
        let names: [String?] = name.isEmpty ? [nil] : name
        return names.map { name in
            TaskHandler(name: name, retry: retry, softLimit: softLimit?.duration) { payload, context in
                do {
                    let result = try await run(payload, context)
                    counts.add(isDone: true)
                    return result
                } catch {
                    counts.add(isDone: false)
                    StandardError.print(
                        "sluice: task \(context.id) (\(context.name)), attempt \(context.attempt): "
                            + Self.text(error))
                    throw error
                }
            }
        }
    }

    private func run(_ payload: [UInt8], _ context: TaskContext) async throws -> [UInt8] {
        var environment = ProcessInfo.processInfo.environment
        environment["SLUICE_TASK_ID"] = context.id.description
        environment["SLUICE_TASK_NAME"] = context.name
        environment["SLUICE_TASK_ATTEMPT"] = "\(context.attempt)"
        environment["SLUICE_TASK_QUEUE"] = context.queue
        // One variable has 128 KiB at most.
        environment["SLUICE_AFTER"] = context.after.prefix(Self.shownAfter).map(\.description)
            .joined(separator: " ")
        environment["SLUICE_STORE"] = URL(filePath: queue.store.path).path
        let child = ChildProcess(
            .init(
                outputBytes: Self.resultBytes,
                deadline: hardLimit.map { System.monotonicNanoseconds + $0.milliseconds * 1_000_000 },
                graceNanoseconds: Self.killGrace.components.seconds * 1_000_000_000))
        let variables = environment
        let outcome = try await withTaskCancellationHandler {
            try await onThread { child.run(command, environment: variables, input: payload) }
        } onCancel: {
            child.terminate()
        }
        return try result(of: outcome)
    }

    private static let shownAfter = 5_000
    private static let resultBytes = TaskLimits.payloadBytes

    private func result(of outcome: ChildOutcome) throws -> [UInt8] {
        let cause: String
        switch outcome.end {
        case .exited(0):
            guard outcome.output.count <= Self.resultBytes else {
                throw TaskRejection(
                    "its result has more than the \(Self.resultBytes) bytes that one may have")
            }
            return outcome.output
        case .exited(let code): cause = "exit code \(code)"
        case .killed(let signal): cause = "ended by signal \(signal)"
        case .overdue: cause = "killed at its hard limit of \(hardLimit?.defaultValueDescription ?? "")"
        case .notStarted(let error):
            cause = "\(command[0]) could not be started: \(System.text(ofErrno: error))"
        }
        let text = cause + Self.lastLines(of: outcome.errors)
        if outcome.end == .exited(Self.rejection) { throw TaskRejection(text) }
        throw CommandFailure(description: text)
    }

    /// The last three lines of what is at most 400 bytes.
    static func lastLines(of bytes: [UInt8]) -> String {
        let lines = String(decoding: bytes.suffix(400), as: UTF8.self).split(separator: "\n").suffix(3)
        return lines.isEmpty ? "" : ": " + lines.joined(separator: "\n")
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as TaskRejection: "\(error.reason); it is not tried again"
        default: "\(error)"
        }
    }
}

/// A program that did not do its task.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
}

/// What a worker has done.
private final class Counts: Sendable {
    private let state = Locked((done: 0, failed: 0))
    var done: Int { state.withLock { $0.done } }
    var failed: Int { state.withLock { $0.failed } }
    func add(isDone: Bool) {
        state.withLock { state in if isDone { state.done += 1 } else { state.failed += 1 } }
    }
}
#endif
