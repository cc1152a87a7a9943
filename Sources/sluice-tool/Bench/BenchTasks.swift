// `sluice bench tasks`: jobs that are published, run and asked for; and many that wait for their time.

#if Tool
import ArgumentParser
import Foundation
import Sluice
import SluiceCore
import SluiceTasks
import Synchronization

struct BenchTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "Publish tasks durably, run them, and wait for their results.",
        discussion: """
            So many are in flight; each is published, leased and completed with a sync in between, which \
            those that are at the same point share. With --rate they are published when they are due, and \
            how long until one is begun is told from then. With --years they are spread over so long, and \
            it is measured what waiting costs: memory, counting, cancelling, and an opening.
            """)

    @Option(help: ArgumentHelp("How many tasks.", valueName: "n"))
    var tasks = 100_000

    @Option(help: ArgumentHelp("Published and not asked for yet, 1 to 100,000.", valueName: "n"))
    var inFlight = 1_000

    @Option(help: ArgumentHelp("Tasks that the worker runs at a time, 1 to 10,000.", valueName: "n"))
    var concurrency = 64

    @Option(help: ArgumentHelp("Tasks per second; without it as fast as can be.", valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("Bytes of text in a payload, up to 100,000.", valueName: "bytes"))
    var size = 100

    @Option(help: ArgumentHelp("Publish them for moments of so many years to come.", valueName: "n"))
    var years: Int?

    @Option(help: ArgumentHelp("Where the store is made, and removed at the end.", valueName: "dir"))
    var directory = NSTemporaryDirectory()

    @Flag(help: "Print the line of JSON alone.")
    var json = false

    mutating func validate() throws {
        if !(1...16_000_000).contains(tasks) { throw ValidationError("--tasks takes 1 to 16000000.") }
        if !(1...100_000).contains(inFlight) { throw ValidationError("--in-flight takes 1 to 100000.") }
        if !(1...10_000).contains(concurrency) { throw ValidationError("--concurrency takes 1 to 10000.") }
        if !(0...100_000).contains(size) { throw ValidationError("--size takes 0 to 100000.") }
        if let rate, !rate.isFinite || !(0.01...1e7).contains(rate) {
            throw ValidationError("--rate takes 0.01 to 10000000.")
        }
        if let years, !(1...1_000).contains(years) { throw ValidationError("--years takes 1 to 1000.") }
        if rate != nil, years != nil { throw ValidationError("--rate and --years exclude each other.") }
    }

    func run() async throws {
        let directory = try BenchDirectory(in: directory)
        defer { directory.remove() }
        var figures = BenchFigures()
        figures.add("bench", .string("tasks"))
        figures.addMachine(directory.path)
        figures.add("tasks", .integer(Int64(tasks)))
        figures.add("in_flight", .integer(Int64(inFlight)))
        figures.add("payload_bytes", .integer(Int64(size)))
        if let years {
            try await BenchTimers(count: tasks, inFlight: inFlight, size: size, years: years, isShown: !json)
                .run(in: directory, &figures, json)
        } else {
            try await work(in: directory, &figures)
        }
    }

    private func work(in directory: BenchDirectory, _ figures: inout BenchFigures) async throws {
        figures.add("concurrency", .integer(Int64(concurrency)))
        figures.add("rate", rate.map { .number($0) } ?? .null)
        let store = try await directory.openStore()
        let queue = try await TaskQueue("bench", in: store)
        let run = TasksRun(queue: queue, count: tasks, text: String(repeating: "x", count: size), rate: rate)
        let meter = BenchMeter(run.done, bytesPerRecord: size, isShown: !json)
        let worker = Worker(
            queue, concurrency: concurrency,
            handlers: [TaskHandler(BenchJob.self) { job, _ in run.begin(job) }])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            try await run.publish(inFlight: inFlight)
            group.cancelAll()
            try await group.waitForAll()
        }
        let (cost, worst, peak) = await meter.end()
        let counts = try await queue.counts()
        try await store.close()
        try run.verify(counts)
        let perTask = cost.cpuSeconds / Double(tasks) * 1e9
        figures.add("seconds", rounded: cost.seconds, 4)
        figures.add("tasks_per_second", rounded: Double(tasks) / cost.seconds, 0)
        figures.add("worst_second_tasks", worst.map { .integer(Int64($0)) } ?? .null)
        figures.add("cpu_ns_per_task", rounded: perTask)
        figures.add("peak_memory_bytes", .integer(peak))
        figures.add(run.starts.withLock { $0 }, prefix: "start")
        figures.add(run.results.withLock { $0 }, prefix: "result")
        figures.add("verified", true)
        let rate = Amounts.grouped(Int64(Double(tasks) / cost.seconds))
        try BenchReport.print(
            figures,
            "tasks: \(rate) tasks/s published, run and answered, each durable three times; "
                + "\(Amounts.decimal(perTask / 1000)) µs of CPU a task, peak \(Amounts.megabytes(peak))",
            [
                "until it is begun \(run.starts.withLock { $0.words })",
                "until its result  \(run.results.withLock { $0.words })",
            ], json)
    }
}

/// What is done: nothing, but its number is asked for.
struct BenchJob: TaskPayload {
    typealias Output = Int
    static let taskName = "bench"
    var number: Int
    /// When it was due to be published, monotonic.
    var due: Int64
    var text: String
}

/// Publishers that each wait for the result before they go on.
final class TasksRun: Sendable {
    let queue: TaskQueue
    let count: Int
    let text: String
    let rate: Double?
    let done = BenchCounters(1)
    let starts = Mutex(BenchLatencies())
    let results = Mutex(BenchLatencies())
    private let begun = Atomic<Int>(0)
    private let wrong = Atomic<Int>(0)

    init(queue: TaskQueue, count: Int, text: String, rate: Double?) {
        (self.queue, self.count, self.text, self.rate) = (queue, count, text, rate)
    }

    func begin(_ job: BenchJob) -> Int {
        begun.add(1, ordering: .relaxed)
        let took = System.monotonicNanoseconds - job.due
        starts.withLock { $0.record(nanoseconds: took) }
        return job.number
    }

    func publish(inFlight: Int) async throws {
        let start = System.monotonicNanoseconds
        try await forEach(below: count, atOnce: inFlight) { [self] in try await publish($0, start) }
    }

    private func publish(_ number: Int, _ start: Int64) async throws {
        var due = System.monotonicNanoseconds
        if let rate {
            due = start + Int64(Double(number) / rate * 1e9)
            let wait = due - System.monotonicNanoseconds
            if wait > 0 { try await Task.sleep(for: .nanoseconds(wait), tolerance: .zero) }
        }
        let handle = try await queue.publish(BenchJob(number: number, due: due, text: text))
        if try await handle.result() != number { wrong.add(1, ordering: .relaxed) }
        let took = System.monotonicNanoseconds - due
        results.withLock { $0.record(nanoseconds: took) }
        done.add(1, 0)
    }

    /// Every task was begun once, has given its number, and is kept as one that succeeded.
    func verify(_ counts: TaskCounts) throws {
        let (begun, wrong) = (begun.load(ordering: .relaxed), wrong.load(ordering: .relaxed))
        guard begun == count, wrong == 0, done.sum == count else {
            throw ToolError.failed("Of \(count) tasks \(begun) were begun, \(wrong) with a wrong result.")
        }
        let unfinished = counts.byState.filter { !$0.key.isFinal }.reduce(0) { $0 + $1.value }
        guard unfinished == 0 else { throw ToolError.failed("\(unfinished) tasks are not done.") }
    }
}

/// Runs `body` for each number below a count, so many at a time.
private func forEach(
    below count: Int, atOnce: Int, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    let next = NextNumber()
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<min(atOnce, count) {
            group.addTask {
                while case let number = next.take(), number < count { try await body(number) }
            }
        }
        try await group.waitForAll()
    }
}

/// Gives each number once, from 0 on.
private final class NextNumber: Sendable {
    private let value = Atomic<Int>(0)
    func take() -> Int { value.add(1, ordering: .relaxed).oldValue }
}

/// Tasks that wait for years.
struct BenchTimers {
    let count: Int
    let inFlight: Int
    let size: Int
    let years: Int
    let isShown: Bool

    func run(in directory: BenchDirectory, _ figures: inout BenchFigures, _ json: Bool) async throws {
        figures.add("years", .integer(Int64(years)))
        var store = try await directory.openStore()
        var queue = try await TaskQueue("bench", in: store)
        let before = BenchMachine.residentMemory
        let (ids, published) = try await publish(queue)
        figures.add("publish_seconds", rounded: published, 3)
        figures.add("published_per_second", rounded: Double(count) / published, 0)
        figures.add("live_memory_bytes", .integer(BenchMachine.residentMemory - before))
        let counting = try await seconds { try await expect(queue, scheduled: count, cancelled: 0) }
        figures.add("count_us", rounded: counting * 1e6)
        let some = stride(from: 0, to: count, by: max(1, count / 10_000)).map { ids[$0] }
        let cancelling = try await seconds { try await cancel(some, in: queue) }
        figures.add("cancelled", .integer(Int64(some.count)))
        figures.add("cancelled_per_second", rounded: Double(some.count) / cancelling, 0)
        try await store.close()
        let stored = BenchMachine.logBytes(below: directory.path + "/store")
        figures.add("stored_bytes", .integer(stored))
        let closed = BenchMachine.residentMemory
        let began = System.monotonicNanoseconds
        store = try await directory.openStore()
        queue = try await TaskQueue("bench", in: store)
        try await expect(queue, scheduled: count - some.count, cancelled: some.count)
        let opening = Double(System.monotonicNanoseconds - began) / 1e9
        figures.add("open_seconds", rounded: opening, 3)
        figures.add("open_memory_bytes", .integer(BenchMachine.residentMemory - closed))
        try await store.close()
        figures.add("verified", true)
        try BenchReport.print(
            figures,
            "tasks: \(Amounts.grouped(Int64(count))) over \(years) years: published "
                + "\(Amounts.grouped(Int64(Double(count) / published)))/s, counted in "
                + "\(Amounts.decimal(counting * 1e6)) µs, cancelled "
                + "\(Amounts.grouped(Int64(Double(some.count) / cancelling)))/s, opened in "
                + "\(Amounts.decimal(opening)) s; \(Amounts.megabytes(stored)) in the log",
            [], json)
    }

    private func seconds(_ body: () async throws -> Void) async rethrows -> Double {
        let began = System.monotonicNanoseconds
        try await body()
        return Double(System.monotonicNanoseconds - began) / 1e9
    }

    private func publish(_ queue: TaskQueue) async throws -> (ids: [TaskID], seconds: Double) {
        let began = System.monotonicNanoseconds
        let now = Timestamp.now
        let span = Int64(years) * 365 * 86_400_000
        let text = String(repeating: "x", count: size)
        var random = SplitMix64(state: 1)
        let moments = (0..<count).map { _ in Int64(random.next() % UInt64(span)) + 3_600_000 }
        let ids = Mutex<[TaskID]>([])
        try await forEach(below: count, atOnce: inFlight) { number in
            let job = BenchJob(number: number, due: 0, text: text)
            let id = try await queue.publish(job, .at(now + .milliseconds(moments[number]))).id
            ids.withLock { $0.append(id) }
        }
        return (ids.withLock { $0 }, Double(System.monotonicNanoseconds - began) / 1e9)
    }

    private func cancel(_ tasks: [TaskID], in queue: TaskQueue) async throws {
        try await forEach(below: tasks.count, atOnce: inFlight) { try await queue.cancel(tasks[$0]) }
    }

    private func expect(_ queue: TaskQueue, scheduled: Int, cancelled: Int) async throws {
        let counts = try await queue.counts()
        let states = counts.byState
        guard states[.scheduled] == scheduled, states[.cancelled] == cancelled else {
            throw ToolError.failed(
                "\(scheduled) tasks were to wait and \(cancelled) to be cancelled; there are "
                    + "\(states[.scheduled] ?? 0) and \(states[.cancelled] ?? 0).")
        }
    }
}
#endif
