// Tasks that are published again and again, at the moments of a cron line.

public import Sluice
import SluiceCore

/// When a schedule is due: minute, hour, day, month, weekday, as cron has them; or `@hourly` and its like.
///
/// ```swift
/// try await queue.schedule("report", try Cron("0 6 * * mon-fri"), Report())
/// ```
public struct Cron: Hashable, Sendable, CustomStringConvertible {
    let line: CronLine

    /// Reads a line.
    ///
    /// - Parameters:
    ///   - line: as Docs/Tasks.md has it.
    ///   - utcOffset: what the clock it is for is ahead of UTC, 18 hours at most; it knows no summer time.
    /// - Throws: `illegalCron`, with the place.
    public init(_ line: String, utcOffset: Duration = .zero) throws(TaskError) {
        do throws(CronError) {
            self.line = try CronLine(
                line, offsetMinutes: Int(clamping: utcOffset.milliseconds / 60_000))
        } catch {
            throw .illegalCron(line: line, column: error.column, reason: error.reason)
        }
    }

    /// Reads a line that is of a time zone's clock.
    ///
    /// A time of day that the clock skips when it is put forward is due at that moment, one that it shows
    /// twice the first time; lines whose minute or hour begins with * go by what the clock shows.
    /// - Parameter zone: as the system's database of time zones has it: `Europe/Berlin`.
    /// - Throws: `illegalCron`; `unknownZone`.
    public init(_ line: String, zone: String) throws(TaskError) {
        guard let rules = ZoneFiles.rules(zone) else { throw .unknownZone(zone) }
        do throws(CronError) {
            self.line = try CronLine(line, zone: rules)
        } catch {
            throw .illegalCron(line: line, column: error.column, reason: error.reason)
        }
    }

    /// The time zone that it is of; nil: it is of UTC, or an offset from it.
    public var zone: String? { line.zone?.name }

    /// The line, with a space between its fields.
    public var description: String { line.text }

    /// The first moment behind another; nil when that is behind the year 9999.
    public func next(after moment: Timestamp) -> Timestamp? {
        line.next(after: moment.millisecondsSince1970).map { Timestamp(millisecondsSince1970: $0) }
    }
}

/// What is done about moments at which nobody had the store open, or the queue was full.
public enum MissedRuns: String, Hashable, Sendable, CaseIterable {
    /// Nothing: only what is due by less than a minute is published.
    case skip
    /// One task, for the last of them.
    case once
    /// A task for each, but for no more than the last 100.
    case all

    var moments: MissedMoments {
        switch self {
        case .skip: .skip
        case .once: .once
        case .all: .all
        }
    }

    init(_ moments: MissedMoments) {
        self =
            switch moments {
            case .skip: .skip
            case .once: .once
            case .all: .all
            }
    }
}

/// What a schedule's tasks are like.
public struct ScheduleOptions: Hashable, Sendable {
    /// What is done about moments that went by.
    public var missed = MissedRuns.once
    /// 0 … 9; a greater one goes first.
    public var priority = 4
    /// Of tasks with the same one runs at a time.
    public var group: String?
    /// Whose tasks they are; see `PublishOptions.tenant`.
    public var tenant: String?
    /// While a task of this key is unfinished no other is published: one run does not overlap the next.
    public var uniqueKey: String?
    /// How long behind its moment a task is not begun any more.
    public var expiresAfter: Duration?
    /// Whether a schedule of the same name is replaced; else that is an error.
    public var mayReplace = false

    /// The defaults, changed as `change` says.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }
}

/// A schedule of a queue.
public struct ScheduleStatus: Hashable, Sendable {
    /// Its name within the queue.
    public var name: String
    /// When it is due.
    public var cron: Cron
    /// What is done about moments that went by.
    public var missed: MissedRuns
    /// The kind of task that it publishes.
    public var taskName: String
    /// Its next moment; nil when that is behind the year 9999.
    public var next: Timestamp?
}

extension TaskQueue {
    /// Publishes a task at every moment of a line from now on; the schedule is durable on return.
    ///
    /// A moment is fired once, however many workers there are, while some program has the queue open; of what
    /// went by `options.missed` says what is done. There is no other process.
    /// - Throws: `illegal` when there is one of the name, or an option cannot be; `tooLarge` above 64 KiB;
    ///   `coding`, `stream`.
    public nonisolated(nonsending) func schedule<T: TaskPayload>(
        _ name: String, _ cron: Cron, _ task: T, options: ScheduleOptions = .init()
    ) async throws(TaskError) {
        try await schedule(name, cron, T.taskName, payload: try TaskCoder.encode(task), options: options)
    }

    /// The same for a task whose payload is bytes.
    public nonisolated(nonsending) func schedule(
        _ name: String, _ cron: Cron, _ task: String, payload: [UInt8], options: ScheduleOptions = .init()
    ) async throws(TaskError) {
        var schedule = TaskSchedule(
            name: name, line: cron.line, missed: options.missed.moments, task: task, payload: payload)
        schedule.priority = options.priority
        schedule.group = options.group
        schedule.tenant = options.tenant
        schedule.uniqueKey = options.uniqueKey
        schedule.expires = options.expiresAfter?.milliseconds
        let made = schedule
        try await engine.change { state, now throws(TaskRefusal) in
            try state.machine.add(made, mayReplace: options.mayReplace, now: now)
        }
    }

    /// The schedules, by name. Throws `stream`.
    public nonisolated(nonsending) func schedules() async throws(TaskError) -> [ScheduleStatus] {
        try await engine.ready()
        return engine.state.withLock { $0.machine.scheduleList }.map(ScheduleStatus.init)
    }

    /// Ends a schedule; the tasks that it has published stay. Throws `illegal` when there is none, `stream`.
    public nonisolated(nonsending) func removeSchedule(_ name: String) async throws(TaskError) {
        try await engine.change { state, _ throws(TaskRefusal) in try state.machine.removeSchedule(name) }
    }
}

extension ScheduleStatus {
    init(_ summary: ScheduleSummary) {
        name = summary.schedule.name
        cron = Cron(summary.schedule.line)
        missed = MissedRuns(summary.schedule.missed)
        taskName = summary.schedule.task
        next = summary.next.map { Timestamp(millisecondsSince1970: $0) }
    }
}

extension Cron {
    fileprivate init(_ line: CronLine) { self.line = line }
}
