// What a worker has in hand: which tasks run, which places are free, whether it is to stop.
//
// (1) A place is taken from a task's lease until its outcome is in the log, or its lease is lost and its body
// has ended. (2) Every body runs in a task of its own that this session cancels and whose end it awaits, but
// for one that has gone beyond its hard limit or a shutdown's patience. (3) Signs of life come from the
// store's timer, not from a task: a busy pool does not cost a lease.

import Logging
import Sluice
import SluiceCore

final class WorkerSession: Sendable {
    let source: any TaskSource
    let concurrency: Int
    let configuration: WorkerConfiguration
    private let handlers: [String: TaskHandler]
    /// For tasks of other kinds.
    private let others: TaskHandler?
    private let holder = Locked<TaskHolder?>(nil)
    private let state = Locked(State())

    private struct State {
        var running: [TaskLease: RunningTask] = [:]
        var isStopping = false
        var isUrgent = false
        var hasHeartbeat = false
        var waiter: LeaseWaiter?
        /// Who waits for a place, or for the last task to end.
        var pending: PendingAnswer<Void>?
    }

    init(
        _ source: any TaskSource, concurrency: Int, configuration: WorkerConfiguration,
        handlers: [TaskHandler]
    ) {
        self.source = source
        self.concurrency = concurrency
        self.configuration = configuration
        others = handlers.last { $0.name == nil }
        self.handlers = Dictionary(
            handlers.compactMap { handler in handler.name.map { ($0, handler) } }
        ) { $1 }
    }

    /// Takes and runs tasks until it is to stop. Throws `stream`, but not for a store that is closed.
    func run() async throws(TaskError) {
        defer { state.withLock { state in (state.isStopping, state.isUrgent) = (false, false) } }
        do throws(TaskError) {
            while let places = await freePlaces() {
                let waiter = LeaseWaiter(request(places))
                guard begin(waiter) else { break }
                for delivery in try await source.lease(waiter) { start(delivery) }
            }
        } catch {
            stop(isUrgent: true)
            await drain()
            switch error {
            case .stream(.closed), .cancelled: return
            default: throw error
            }
        }
        await drain()
    }

    private func request(_ count: Int) -> LeaseRequest {
        let holder = holder.withLock { holder in
            let known = holder ?? source.enroll(self)
            holder = known
            return known
        }
        var request = LeaseRequest(
            holder: holder,
            handlers: handlers.map { ($0.key, $0.value.retry.policy) }.sorted { $0.0 < $1.0 },
            count: count, visibility: configuration.visibility.milliseconds)
        request.others = others?.retry.policy
        return request
    }

    /// How many tasks may be begun, at least one; nil: it is to stop.
    private func freePlaces() async -> Int? {
        while true {
            let pending = PendingAnswer<Void>()
            let places = state.withLock { state -> Int? in
                if state.isStopping { return nil }
                let free = concurrency - state.running.count
                if free == 0 { state.pending = pending }
                return free
            }
            guard let places else { return nil }
            if places > 0 { return places }
            _ = await pending.value()
            if Task.isCancelled { return nil }
        }
    }

    private func begin(_ waiter: LeaseWaiter) -> Bool {
        state.withLock { state in
            state.waiter = state.isStopping ? nil : waiter
            return !state.isStopping
        }
    }

    /// Waits until nothing runs. Not to be cancelled: bodies are.
    private func drain() async {
        while true {
            let pending = PendingAnswer<Void>()
            let isEmpty = state.withLock { state in
                state.pending = pending
                return state.running.isEmpty
            }
            if isEmpty { return }
            // In a task that nobody cancels.
            await Task.detached { _ = await pending.value() }.value
        }
    }

    // MARK: Stopping

    /// Takes nothing more; cancels what runs, at once or after a while.
    func stop(isUrgent: Bool) {
        let (waiter, isNews) = state.withLock { state in
            let isNews = !state.isStopping || (isUrgent && !state.isUrgent)
            state.isStopping = true
            state.isUrgent = state.isUrgent || isUrgent
            defer { state.waiter = nil }
            return (state.waiter, isNews)
        }
        if let waiter { source.abandon(waiter) }
        wake()
        guard isNews else { return }
        let grace = isUrgent ? Duration.zero : configuration.shutdownGrace
        source.schedule(after: grace) { [weak self] in self?.cancelAll() }
    }

    private func cancelAll() {
        let running = state.withLock { state in
            state.isStopping ? Array(state.running.values) : []
        }
        for task in running { task.cancel(.shutdown) }
        source.schedule(after: configuration.cancellationGrace) {
            for task in running { task.end(.abandoned) }
        }
    }

    private func wake() { state.withLock { $0.pending.take() }?.give(()) }

    // MARK: One task

    private func start(_ delivery: Delivery) {
        guard let handler = handlers[delivery.name] ?? others else {
            return source.giveBack([delivery.lease])
        }
        let running = RunningTask(delivery.lease) { [self] running, outcome in
            await settle(running, outcome)
            state.withLock { state in state.running[running.lease] = nil }
            wake()
        }
        let isLate = state.withLock { state in
            state.running[delivery.lease] = running
            return state.isUrgent
        }
        heartbeat()
        let context = TaskContext(
            id: TaskID(delivery.lease.task), attempt: delivery.attempt, name: delivery.name,
            after: delivery.after, lease: delivery.lease, source: source)
        running.start {
            guard let payload = delivery.payload else {
                throw TaskRejection("what was published cannot be read from the log")
            }
            return try await handler.run(payload, context)
        }
        if isLate { running.cancel(.shutdown) }
        if let limit = handler.softLimit {
            source.schedule(after: limit) { [weak running] in running?.cancel(.softLimit(limit)) }
        }
        if let limit = handler.hardLimit {
            source.schedule(after: limit) { [weak running] in running?.end(.overdue(limit)) }
        }
    }

    /// Says what became of a task.
    private func settle(_ running: RunningTask, _ outcome: RunningTask.Outcome) async {
        let lease = running.lease
        do throws(TaskError) {
            switch outcome {
            case .done(let result):
                do throws(TaskError) {
                    try await source.complete(lease, result: result)
                } catch .tooLarge(let bytes, let limit) {
                    try await source.reject(
                        lease, cause: "its result has \(bytes) bytes; a result has \(limit) at most")
                }
            case .failed(let cause, let delay):
                try await source.fail(lease, cause: cause, retryAfter: delay?.milliseconds)
            case .rejected(let cause): try await source.reject(lease, cause: cause)
            case .overdue(let limit):
                let cause = "it took longer than its hard limit of \(limit)"
                try await source.fail(lease, cause: cause, retryAfter: nil)
            case .interrupted, .abandoned: try await source.release(lease)
            case .lost: break
            }
        } catch {
            // Another has the task, or nobody can say anything of it: its lease will end.
            source.logger.debug(
                "the outcome of a task is not taken",
                metadata: ["queue": "\(source.name)", "task": "\(lease.task.text)", "reason": "\(error)"])
        }
    }

    // MARK: Signs of life

    /// Sees that there is a next sign of life, while anything runs.
    private func heartbeat() {
        let isNeeded = state.withLock { state in
            defer { state.hasHeartbeat = true }
            return !state.hasHeartbeat
        }
        guard isNeeded else { return }
        source.schedule(after: min(configuration.visibility / 3, source.longestSilence)) { [weak self] in
            self?.beat()
        }
    }

    private func beat() {
        let running = state.withLock { state in
            state.hasHeartbeat = false
            return state.running
        }
        guard !running.isEmpty else { return }
        source.heartbeat(Array(running.keys)) { lost in
            for lease in lost { running[lease]?.cancel(.lost) }
        }
        heartbeat()
    }

    /// Cancelled from outside: who runs it is told at once, not at the next sign of life.
    func lost(_ lease: TaskLease) { state.withLock { $0.running[lease] }?.cancel(.lost) }
}
