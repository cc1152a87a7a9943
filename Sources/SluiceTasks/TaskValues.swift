// What the API of tasks speaks in.

public import Sluice
import SluiceCore

/// Which task. Its text goes into a URL or a database, and comes back as the same.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
    let identity: TaskIdentity

    init(_ identity: TaskIdentity) { self.identity = identity }

    /// Reads `description`. Throws `illegalID`.
    public init(_ text: String) throws(TaskError) {
        guard let identity = TaskIdentity(text: text) else { throw .illegalID(text) }
        self.identity = identity
    }

    /// 22 letters, digits, '-' and '_', which nobody can guess.
    public var description: String { identity.text }
}

extension TaskID: Codable {
    /// From its text.
    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// As its text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// When a task is due.
public enum TaskTime: Hashable, Sendable {
    /// At once.
    case now
    /// After a span; at once when it is negative.
    case after(Duration)
    /// At a moment by the wall clock, years ahead or not; at once when it has passed.
    case at(Timestamp)

    func milliseconds(from now: Timestamp) -> Int64 {
        switch self {
        case .now: now.millisecondsSince1970
        case .after(let span): (now + span).millisecondsSince1970
        case .at(let moment): moment.millisecondsSince1970
        }
    }
}

/// How a task is published.
public struct PublishOptions: Hashable, Sendable {
    /// 0 … 9; a greater one goes first.
    public var priority = 4
    /// When it is not to be begun any more; nil: never. A task that is running is not stopped.
    public var expires: TaskTime?
    /// There is one task of a key: publishing another gives the handle of the one that is there. Held while
    /// the task is unfinished, or for `uniqueFor`.
    public var uniqueKey: String?
    /// How long the key is held, from the publishing on, whether the task is done or not.
    public var uniqueFor: Duration?
    /// Of the tasks with the same group one runs at a time, in the order of their publishing. SQS:
    /// MessageGroupId.
    public var group: String?
    /// Whose the task is. Tenants share a queue: the one that has the fewest tasks running is served first,
    /// and `QueueLimits.tenant` holds for each. SQS: fair queues.
    public var tenant: String?
    /// Tasks of the queue that must have ended before this one is available, 10,000 at most; they are kept
    /// until it has ended. Its handler finds them, and what they returned, in its context. Celery: chain,
    /// chord.
    public var after: [TaskID] = []
    /// What becomes of it when one of those does not end well.
    public var afterFailure = AfterFailure.cancel

    /// The defaults, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    /// The defaults, for a task that runs after others.
    public static func after(
        _ tasks: TaskID..., failure: AfterFailure = .cancel
    ) -> PublishOptions {
        PublishOptions { ($0.after, $0.afterFailure) = (tasks, failure) }
    }
}

/// What becomes of a task when one that it runs after is dead, cancelled or expired.
public enum AfterFailure: String, Hashable, Sendable {
    /// It is cancelled, at once, and what runs after it likewise.
    case cancel
    /// It runs once all have ended, however they did. Celery: link_error.
    case run
}

/// How often a task is tried, and how long is waited in between.
public struct RetryPolicy: Hashable, Sendable {
    /// Attempts, the first included, before a task is dead: 1 … 10,000.
    public var attempts = 5
    /// The most that is waited behind the first attempt; it doubles with each.
    public var base = Duration.seconds(1)
    /// The most that is ever waited.
    public var cap = Duration.seconds(600)

    /// The defaults, changed as `change` says. What is waited is drawn from zero to the most: full jitter.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    var policy: TaskRetryPolicy {
        TaskRetryPolicy(attempts: attempts, base: base.milliseconds, cap: cap.milliseconds)
    }
}

/// Where a task stands.
public struct TaskStatus: Hashable, Sendable {
    /// An attempt that did not succeed.
    public struct Attempt: Hashable, Sendable {
        /// From 1; counted anew after a redrive.
        public var number: Int
        /// When it began.
        public var began: Timestamp
        /// When it ended.
        public var ended: Timestamp
        /// What went wrong.
        public var cause: String
    }
    /// Which.
    public var id: TaskID
    /// The kind of task.
    public var name: String
    /// The state.
    public var state: TaskState
    /// The attempt that runs, or the last; 0 before the first.
    public var attempt: Int
    /// How far it has come, by its own account.
    public var progress: Double?
    /// A word about that.
    public var note: String?
    /// Whose it is.
    public var tenant: String?
    /// Why the last attempt that failed did; or which task has failed that it was to run after.
    public var lastError: String?
    /// What it waits for, the first 16 of those that have not ended.
    public var waitsFor: [TaskID]
    /// When it is due; of one that runs, since when; of one in a final state, since when it is.
    public var due: Timestamp
    /// The attempts that did not succeed, the last 16.
    public var history: [Attempt]
}

/// How many tasks a queue has.
public struct TaskCounts: Hashable, Sendable {
    /// By state; each state is there.
    public var byState: [TaskState: Int]
    /// Whether the queue gives nothing out.
    public var isPaused: Bool
}

/// How a queue behaves.
public struct QueueConfiguration: Hashable, Sendable {
    /// How long a task is kept that succeeded, was cancelled or expired.
    public var retention = Duration.seconds(24 * 3600)
    /// How many of those are kept at most; the oldest go first.
    public var kept = 100_000
    /// How long a dead task is kept.
    public var deadRetention = Duration.seconds(14 * 24 * 3600)
    /// Bytes of payloads and results that memory keeps, so that they need not be read from the log.
    public var cacheBytes = 16 << 20

    /// The defaults, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    var machine: TaskConfiguration {
        TaskConfiguration {
            $0.retention = max(0, retention.milliseconds)
            $0.kept = max(0, kept)
            $0.deadRetention = max(0, deadRetention.milliseconds)
        }
    }
}

extension Duration {
    /// Whole milliseconds, at the ends of what a task's time may be when they do not fit.
    var milliseconds: Int64 {
        let limit = TaskLimits.latest
        let (seconds, attoseconds) = components
        if seconds > limit / 1000 { return limit }
        if seconds < -limit / 1000 { return -limit }
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
