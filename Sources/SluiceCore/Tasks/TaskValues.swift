// What goes into a queue of tasks and what comes out of it, as values. Times are milliseconds since 1970
// unless the name says something else; spans are milliseconds.

import SluiceLog

/// Which task: a number that rises, and random bits, so that it cannot be guessed nor be mistaken for one of
/// an earlier life.
package struct TaskIdentity: Hashable, Sendable {
    /// The order of publishing.
    package var sequence: UInt64
    /// Random.
    package var nonce: UInt64

    /// A task's identity.
    package init(sequence: UInt64, nonce: UInt64) {
        self.sequence = sequence
        self.nonce = nonce
    }

    /// As text: 22 characters that may stand in a URL and a file name.
    package var text: String { UniqueID(high: sequence, low: nonce).description }

    /// Reads `text`; nil when it is not that.
    package init?(text: some StringProtocol) {
        guard let id = UniqueID(text) else { return nil }
        self.init(sequence: id.high, nonce: id.low)
    }
}

/// A right to say what becomes of a task: good while its lease is.
package struct TaskLease: Hashable, Sendable {
    /// The task.
    package var task: TaskIdentity
    /// The fencing token: how often it has been delivered.
    package var token: UInt32

    /// A lease of a task.
    package init(task: TaskIdentity, token: UInt32) {
        self.task = task
        self.token = token
    }
}

/// A task that is to be published.
package struct TaskDraft: Sendable {
    /// The kind of task, by which workers ask.
    package var name: String
    /// What the handler gets.
    package var payload: [UInt8]
    /// When it is due; nil, or a moment that has passed: at once.
    package var due: Int64?
    /// 0 … 9; a greater one goes first.
    package var priority = 4
    /// When it is not to be begun any more.
    package var expires: Int64?
    /// Of tasks with the same one runs at a time.
    package var group: String?
    /// Whose it is: tenants share a queue fairly.
    package var tenant: String?
    /// There is one task of a key: while it is unfinished, or for a period from its publishing.
    package var uniqueKey: String?
    /// The period of the key.
    package var uniquePeriod: Int64?
    /// It runs after these, each of which is there.
    package var after: [TaskIdentity] = []
    /// Whether it runs when one of them does not end well, too; else it is cancelled then.
    package var runsAnyway = false
    /// The schedule that publishes it.
    var origin: TaskOrigin?

    /// A task that is to be published.
    package init(name: String, payload: [UInt8]) {
        self.name = name
        self.payload = payload
    }
}

/// What became of a draft.
package enum Published: Hashable, Sendable {
    /// It is a task now.
    case accepted(TaskIdentity)
    /// Another task has its unique key, and is meant.
    case duplicate(of: TaskIdentity)

    /// The task, new or not.
    package var task: TaskIdentity {
        switch self {
        case .accepted(let task), .duplicate(let task): task
        }
    }
}

/// How often a task is tried, and how long is waited in between.
package struct TaskRetryPolicy: Hashable, Sendable {
    /// Attempts, the first included, before a task is dead; 1 … 10,000.
    package var attempts: UInt32
    /// The back-off behind the first attempt; it doubles with each.
    package var base: Int64
    /// The greatest back-off.
    package var cap: Int64

    /// A policy; numbers out of range count as the nearest within.
    package init(attempts: Int = 5, base: Int64 = 1_000, cap: Int64 = 600_000) {
        self.attempts = UInt32(min(max(attempts, 1), TaskLimits.attempts))
        self.base = min(max(base, 0), TaskLimits.latest)
        self.cap = min(max(cap, 0), TaskLimits.latest)
    }

    /// The most that is waited behind an attempt: the base, doubled for each that was before, up to the cap.
    package func ceiling(behind attempt: UInt32) -> Int64 {
        let doublings = Int64(attempt) - 1
        guard base > 0 else { return 0 }
        guard doublings < Int64(base.leadingZeroBitCount) - 1 else { return cap }
        return min(cap, base << max(0, doublings))
    }

    /// Full jitter: any span up to the ceiling, each as likely as the others.
    package func delay(behind attempt: UInt32, _ random: inout some RandomNumberGenerator) -> Int64 {
        Int64.random(in: 0...ceiling(behind: attempt), using: &random)
    }
}

/// Who holds leases.
package struct TaskHolder: Hashable, Sendable {
    /// What dies as one: a process. The opening's own number for workers in this process.
    package var host: UInt64
    /// The worker within it.
    package var worker: UInt64

    /// A holder.
    package init(host: UInt64, worker: UInt64) {
        self.host = host
        self.worker = worker
    }
}

/// A worker asks for tasks.
package struct LeaseRequest: Sendable {
    /// Who asks.
    package var holder: TaskHolder
    /// What it can do, and how often each is to be tried.
    package var handlers: [(name: String, policy: TaskRetryPolicy)]
    /// How many at most.
    package var count: Int
    /// How long a lease holds without a heartbeat.
    package var visibility: Int64
    /// How often tasks of other names are tried, if it can do these, too.
    package var others: TaskRetryPolicy?

    /// A request.
    package init(
        holder: TaskHolder, handlers: [(name: String, policy: TaskRetryPolicy)], count: Int, visibility: Int64
    ) {
        self.holder = holder
        self.handlers = handlers
        self.count = count
        self.visibility = visibility
    }
}

/// A task that was given out.
package struct LeasedTask: Hashable, Sendable {
    /// The right to speak of it.
    package var lease: TaskLease
    /// The kind of task.
    package var name: String
    /// Which attempt this is, from 1.
    package var attempt: UInt32
    /// Where its definition is in the log; −1 while that is not known, until what was appended is placed.
    package var definitionOffset: Int64
    /// What it runs after.
    package var after: [TaskIdentity] = []

    /// A task that was given out.
    package init(
        lease: TaskLease, name: String, attempt: UInt32, definitionOffset: Int64 = -1,
        after: [TaskIdentity] = []
    ) {
        self.after = after
        self.lease = lease
        self.name = name
        self.attempt = attempt
        self.definitionOffset = definitionOffset
    }
}

/// A lease that its holder has no more.
package struct RevokedLease: Hashable, Sendable {
    /// The lease.
    package var lease: TaskLease
    /// Who had it.
    package var holder: TaskHolder
}

/// How an attempt ended.
package enum AttemptEnd: UInt8, Sendable {
    /// The handler failed.
    case failed = 0
    /// The lease ended: its worker died, or was silent.
    case lost = 1
    /// The worker said that it is not to be tried again.
    case rejected = 2
}

/// An attempt that did not succeed.
package struct TaskAttempt: Hashable, Sendable {
    /// Its number, from 1.
    package var number: UInt32
    /// When it began.
    package var began: Int64
    /// When it ended.
    package var ended: Int64
    /// How.
    package var end: AttemptEnd
    /// What was said, cut to 512 bytes.
    package var cause: String

    /// An attempt.
    package init(number: UInt32, began: Int64, ended: Int64, end: AttemptEnd, cause: String) {
        self.number = number
        self.began = began
        self.ended = ended
        self.end = end
        self.cause = cause
    }
}

/// The attempts of a task that did not succeed: the last of them, and how many there were before.
package struct TaskHistory: Hashable, Sendable {
    /// Attempts that are not shown any more.
    package var dropped: UInt32 = 0
    /// The last ones, in order.
    package var attempts: [TaskAttempt] = []

    /// No attempts.
    package init() {}

    mutating func add(_ attempt: TaskAttempt) {
        if attempts.count >= TaskLimits.historyEntries {
            attempts.removeFirst()
            dropped &+= 1
        }
        attempts.append(attempt)
    }
}

/// How far a running task has come, by its own account.
package struct TaskProgress: Hashable, Sendable {
    /// 0 … 1, or whatever the handler says.
    package var fraction: Double
    /// A word about it, at most 256 bytes.
    package var note: String

    /// A progress.
    package init(fraction: Double, note: String = "") {
        self.fraction = fraction
        self.note = note
    }
}

/// What memory knows of a task.
package struct TaskSummary: Hashable, Sendable {
    /// Which.
    package var task: TaskIdentity
    /// The kind.
    package var name: String
    /// Where it stands.
    package var state: TaskState
    /// The attempt that runs, or the last.
    package var attempt: UInt32
    /// How often it was given out.
    package var deliveries: UInt32
    /// 0 … 9.
    package var priority: UInt8
    /// Whose it is.
    package var tenant: String?
    /// When it is, or was, due; of a final one when it became so; of a leased one when that was.
    package var time: Int64
    /// How far it has come; nil when nothing was said.
    package var progress: TaskProgress?
    /// Where its definition is in the log.
    package var definitionOffset: Int64
    /// Where its standing is in the log, with result and history; nil before the first.
    package var standingOffset: Int64?
    /// What it waits for, 16 at most.
    package var awaited: [TaskIdentity]
    /// Whether all that this says is in the log.
    package var isSettled: Bool
}

/// A task as far as the log is to give it back: what two machines of one log must agree on.
package struct TaskAccount: Hashable, Sendable {
    /// Which.
    package var task: TaskIdentity
    /// The kind.
    package var name: String
    /// Where it stands.
    package var state: TaskState
    /// Attempts that count.
    package var attempt: UInt32
    /// How often it was given out.
    package var deliveries: UInt32
    /// Leases that were lost.
    package var losses: UInt8
    /// When it is due, or since when it is as it is.
    package var time: Int64
    /// Who has it.
    package var holder: TaskHolder?
    /// How long a heartbeat makes its lease hold.
    package var visibility: Int64?
    /// Its group.
    package var group: String?
    /// Whose it is.
    package var tenant: String?
    /// 0 … 9.
    package var priority: UInt8
    /// When it is not to be begun any more.
    package var expires: Int64?
    /// What came before; of one that is not final.
    package var history: TaskHistory?
}

/// Why a queue does not do what it was asked to.
package enum TaskRefusal: Error, Hashable, Sendable {
    /// There is no such task, or no more.
    case unknownTask
    /// There is no such task, or no more, that another is to run after.
    case unknownPredecessor(TaskIdentity)
    /// The lease is not the task's: it ended, and another may have it.
    case leaseLost
    /// The task is in a state in which that cannot happen.
    case notPossible(TaskEvent, TaskState)
    /// An option has a value that cannot be.
    case illegal(String)
    /// A payload or a result is too large.
    case tooLarge(bytes: Int, limit: Int)
    /// The queue has as many tasks as one may have.
    case queueFull(limit: Int)
}

/// What is to be appended to the queue's topic.
package struct TaskRecord: Hashable, Sendable {
    /// What it is about.
    package var key: TaskRecordKey
    /// The value; nil is a tombstone.
    package var value: [UInt8]?
}
