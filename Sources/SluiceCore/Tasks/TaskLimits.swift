// Every maximum of a queue of tasks, with its reason. Reaching one is a named refusal, or cuts a text short.

/// The bounds of what a queue takes and holds.
package enum TaskLimits {
    /// Tasks of one queue, unfinished and kept: slots are numbered, and memory is to be bounded.
    package static let tasks = 1 << 24
    /// Kinds of tasks in one queue: each has a heap of its own.
    package static let names = 10_000
    /// Bytes of a task's name, a tenant's, a group's or a unique key.
    package static let nameBytes = 249
    /// Bytes of a payload or a result: a batch holds some of them.
    package static let payloadBytes = 512 << 10
    /// Bytes of what a failure is told with; the rest is cut off.
    package static let causeBytes = 512
    /// Bytes of the note beside a progress.
    package static let noteBytes = 256
    /// Attempts that a task's history shows; of older ones the number.
    package static let historyEntries = 16
    /// Attempts of one task before it is dead, whatever its policy says.
    package static let attempts = 10_000
    /// The greatest priority; 0 is the least.
    package static let priority = 9
    /// The longest visibility time-out. SQS: 12 h.
    package static let visibilityMilliseconds: Int64 = 12 * 3_600_000
    /// Tasks in one lease.
    package static let leaseCount = 1_000
    /// Schedules of one queue: each is looked at whenever one of them is due.
    package static let schedules = 1_000
    /// Bytes of a schedule's payload: memory has it, and it is written whenever the schedule has fired.
    package static let schedulePayloadBytes = 64 << 10
    /// Moments that were missed and are made good.
    package static let missedMoments = 100
    /// How late a moment may be fired that is not to be when it was missed.
    package static let lateMilliseconds: Int64 = 60_000
    /// When a moment is tried again that the queue could not take.
    package static let refusedMilliseconds: Int64 = 1_000
    /// Tasks that a limit may allow at a time: more than a queue has.
    package static let concurrency = 1 << 24
    /// Starts in a rate's period, and in its burst.
    package static let rateCount = 1_000_000
    /// A rate's period: a day.
    package static let ratePeriodMilliseconds: Int64 = 24 * 3_600_000
    /// How long an empty bucket may take until it is full.
    package static let refillMilliseconds: Int64 = 30 * 24 * 3_600_000
    /// Names that have limits of their own: each is in one record, and is asked for each task.
    package static let limitedNames = 1_000
    /// Tasks that one task runs after: they are in its definition.
    package static let predecessors = 10_000
    /// Tasks that one call looks at because others have ended.
    package static let followersAtOnce = 2_000
    /// Timers that one `advance` does: others wait for the queue's lock.
    package static let timersAtOnce = 2_000
    /// How often a running task's progress goes into the log.
    package static let progressMilliseconds: Int64 = 1_000
    /// The last moment that a task may be due at, the year 9999: sums with it cannot overflow.
    package static let latest: Int64 = 253_402_300_799_999

    /// The text, cut at a character so that its UTF-8 has at most so many bytes.
    static func cut(_ text: String, _ bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: bytes)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text.unicodeScalars[..<end])
    }
}
