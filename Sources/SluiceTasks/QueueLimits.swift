// What a queue may start: how many tasks at a time, and how many in a while.

import Sluice
import SluiceCore

/// So many tasks started in a span, evenly but for a burst. Celery: rate_limit.
public struct TaskRate: Hashable, Sendable {
    /// Tasks in a period; 1 … 1,000,000.
    public var count: Int
    /// The period, in whole milliseconds, a day at most.
    public var period: Duration
    /// Tasks that may start at once, when none has for a while; 1 … 1,000,000.
    public var burst: Int

    /// A rate. Without a burst that is a tenth of what comes in a second, one at least.
    public init(_ count: Int, per period: Duration, burst: Int? = nil) {
        let rate = StartRate(count: count, period: period.milliseconds, burst: burst)
        (self.count, self.period, self.burst) = (count, period, rate.burst)
    }

    /// So many in a second.
    public static func perSecond(_ count: Int, burst: Int? = nil) -> TaskRate {
        TaskRate(count, per: .seconds(1), burst: burst)
    }

    /// So many in a minute.
    public static func perMinute(_ count: Int, burst: Int? = nil) -> TaskRate {
        TaskRate(count, per: .seconds(60), burst: burst)
    }
}

/// What may be started of something; without limits as much as there are workers.
public struct TaskLimit: Hashable, Sendable {
    /// Tasks that run at a time, over all workers. Leases are counted: a worker that dies holds nothing for
    /// longer than them.
    public var concurrency: Int?
    /// Tasks that are started in a while, each attempt being one. After an opening the burst is used up.
    public var rate: TaskRate?

    /// A limit.
    public init(concurrency: Int? = nil, rate: TaskRate? = nil) {
        self.concurrency = concurrency
        self.rate = rate
    }
}

/// What a queue may start.
///
/// ```swift
/// try await queue.setLimits(.init {
///     $0.queue.concurrency = 100
///     $0.tenant = TaskLimit(concurrency: 5, rate: .perSecond(20))
///     $0.names["thumbnail"] = TaskLimit(rate: .perMinute(100))
/// })
/// ```
public struct QueueLimits: Hashable, Sendable {
    /// All tasks together.
    public var queue = TaskLimit()
    /// Each tenant's tasks; those without a tenant are one tenant's.
    public var tenant = TaskLimit()
    /// The tasks of a name; 1,000 names at most.
    public var names: [String: TaskLimit] = [:]

    /// No limits, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}

extension TaskQueue {
    /// Sets the queue's limits, for all its workers, durably; those that were set before do not count any
    /// more.
    ///
    /// What runs goes on, also when that is more than a limit allows now. A rate that changes begins with its
    /// burst used up. Throws `illegal`, `stream`.
    public nonisolated(nonsending) func setLimits(_ limits: QueueLimits) async throws(TaskError) {
        let limits = StartLimits(limits)
        try await engine.change { state, now throws(TaskRefusal) in
            try state.machine.setLimits(limits, now: now)
        }
    }

    /// The limits that are in force. Throws `stream`.
    public nonisolated(nonsending) func limits() async throws(TaskError) -> QueueLimits {
        try await engine.ready()
        return QueueLimits(engine.state.withLock { $0.machine.limits })
    }
}

extension StartLimits {
    init(_ limits: QueueLimits) {
        self.init()
        queue = StartLimit(limits.queue)
        tenant = StartLimit(limits.tenant)
        // One that limits nothing is none.
        names = limits.names.filter { $0.value != TaskLimit() }.mapValues(StartLimit.init)
    }
}

extension StartLimit {
    init(_ limit: TaskLimit) {
        self.init(
            concurrency: limit.concurrency,
            rate: limit.rate.map {
                StartRate(count: $0.count, period: $0.period.milliseconds, burst: $0.burst)
            })
    }
}

extension QueueLimits {
    init(_ limits: StartLimits) {
        queue = TaskLimit(limits.queue)
        tenant = TaskLimit(limits.tenant)
        names = limits.names.mapValues(TaskLimit.init)
    }
}

extension TaskLimit {
    init(_ limit: StartLimit) {
        concurrency = limit.concurrency
        rate = limit.rate.map {
            TaskRate($0.count, per: .milliseconds($0.period), burst: $0.burst)
        }
    }
}
