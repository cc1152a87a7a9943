// A schedule: a task that is published again and again, and what is done about moments that went by.
//
//   version u8 (1) · last i64 · missed u8 · offset i32, minutes · priority u8 · name string · line string
//   · task string · payload u32 and bytes · fields: 1 group string, 2 expires i64, ms behind its moment,
//   3 unique string, 4 tenant string, 5 time zone string
//
// (1) `last` only rises: no moment up to it is fired again. (2) A task that a schedule made has the schedule
// and the moment in its definition, which comes into the log before the schedule's record: of a log that ends
// between the two the definition says what was fired.

package import SluiceLog

/// What is done about moments at which nobody had the store open, or the queue could take no more.
package enum MissedMoments: UInt8, Sendable, CaseIterable {
    /// Nothing: only what is due by less than a minute is fired.
    case skip = 0
    /// One task, for the last of them.
    case once = 1
    /// A task for each, but for no more than the last 100.
    case all = 2
}

/// A task that is published whenever its line says.
package struct TaskSchedule: Hashable, Sendable {
    /// Its name within the queue.
    package var name: String
    /// When.
    package var line: CronLine
    /// What is done about those that were missed.
    package var missed: MissedMoments
    /// The kind of task.
    package var task: String
    /// What each task's handler gets.
    package var payload: [UInt8]
    /// 0 … 9.
    package var priority = 4
    /// Whose tasks run one at a time.
    package var group: String?
    /// Whose tasks they are.
    package var tenant: String?
    /// How long behind its moment a task is not begun any more.
    package var expires: Int64?
    /// None is published while the one before is unfinished.
    package var uniqueKey: String?
    /// Moments up to this one have been dealt with.
    package internal(set) var last: Int64 = 0

    private enum Field: UInt8 { case group = 1, expires, unique, tenant, zone }

    /// A schedule that has not begun.
    package init(
        name: String, line: CronLine, missed: MissedMoments = .once, task: String, payload: [UInt8]
    ) {
        self.name = name
        self.line = line
        self.missed = missed
        self.task = task
        self.payload = payload
    }

    /// Reads a record's value.
    ///
    /// - Parameter zones: time zones by their names.
    package init(
        _ bytes: ArraySlice<UInt8>, zones: (String) -> ZoneRules? = { _ in nil }
    ) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        try reader.version("schedule")
        last = min(max(try reader.integer(), 0), TaskLimits.latest)
        let number = try reader.integer(UInt8.self)
        guard let missed = MissedMoments(rawValue: number) else {
            throw MalformedRecord(reason: "a schedule with number \(number) for what was missed")
        }
        self.missed = missed
        let offset = Int(try reader.integer(Int32.self))
        priority = min(Int(try reader.integer(UInt8.self)), TaskLimits.priority)
        name = try reader.string()
        let text = try reader.string()
        task = try reader.string()
        payload = Array(try reader.bytes(Int(try reader.integer(UInt32.self))))
        var zone: ZoneRules?
        while let (tag, bytes) = try reader.field() {
            var field = BinaryReader(bytes)
            switch Field(rawValue: tag) {
            case .group: group = try field.string()
            case .expires: expires = min(max(try field.integer(), 0), TaskLimits.latest)
            case .unique: uniqueKey = try field.string()
            case .tenant: tenant = try field.string()
            case .zone:
                let name = try field.string()
                zone = zones(name)
                guard zone != nil else {
                    throw MalformedRecord(
                        reason: "a schedule of the time zone \(name), which is not known here")
                }
            case nil: try checkSkippable(tag)
            }
        }
        do throws(CronError) {
            line = try CronLine(text, offsetMinutes: offset, zone: zone)
        } catch {
            throw MalformedRecord(reason: "a schedule whose line makes no sense: \(error.reason)")
        }
    }

    /// The value's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.put(UInt8(1))
        writer.put(last)
        writer.put(missed.rawValue)
        writer.put(Int32(line.offsetMinutes))
        writer.put(UInt8(priority))
        writer.put(name)
        writer.put(line.text)
        writer.put(task)
        writer.put(UInt32(payload.count))
        writer.bytes.append(contentsOf: payload)
        if let group { writer.field(Field.group.rawValue) { $0.put(group) } }
        if let expires { writer.field(Field.expires.rawValue) { $0.put(expires) } }
        if let uniqueKey { writer.field(Field.unique.rawValue) { $0.put(uniqueKey) } }
        if let tenant { writer.field(Field.tenant.rawValue) { $0.put(tenant) } }
        if let zone = line.zone { writer.field(Field.zone.rawValue) { $0.put(zone.name) } }
        return writer.bytes
    }

    /// The task of one of its moments.
    func draft(at moment: Int64, of number: UInt64) -> TaskDraft {
        var draft = TaskDraft(name: task, payload: payload)
        draft.due = moment
        draft.priority = priority
        draft.group = group
        draft.uniqueKey = uniqueKey
        draft.tenant = tenant
        draft.expires = expires.map { min(moment + $0, TaskLimits.latest) }
        draft.origin = TaskOrigin(schedule: number, moment: moment)
        return draft
    }
}

/// Which schedule made a task, for which of its moments.
package struct TaskOrigin: Hashable, Sendable {
    /// The schedule's number.
    package var schedule: UInt64
    /// The moment.
    package var moment: Int64

    /// A moment of a schedule.
    package init(schedule: UInt64, moment: Int64) {
        self.schedule = schedule
        self.moment = moment
    }
}

/// What a queue says of a schedule.
package struct ScheduleSummary: Hashable, Sendable {
    /// Its number: in the definitions of its tasks.
    package var number: UInt64
    /// As it is.
    package var schedule: TaskSchedule
    /// Its next moment; nil when that is behind the year 9999.
    package var next: Int64?
}
