// Schedules: made, fired, read from the log.
//
// (1) There is one machine for a queue, whoever works on it: a moment is fired once. (2) Tasks of the moments
// that are due come first into the log, in the order of the moments, then the schedule with its last moment:
// whatever prefix of that is there, what it says is fired is not fired again, and what is not is. (3) A
// moment that the queue could not take, because it is full, is asked again a second later.

package import SluiceLog

/// A schedule, and when it is to be looked at next.
struct HeldSchedule: Sendable {
    var schedule: TaskSchedule
    var next: Int64?
}

extension TaskMachine {
    /// The schedules, by name.
    package var scheduleList: [ScheduleSummary] {
        schedules.map { number, held in
            ScheduleSummary(
                number: number, schedule: held.schedule,
                next: held.schedule.line.next(after: held.schedule.last))
        }.sorted { $0.schedule.name < $1.schedule.name }
    }

    /// Begins with a schedule: from now on. One of the same name is replaced, if it may be.
    ///
    /// Throws `illegal`, `tooLarge`.
    package mutating func add(
        _ schedule: TaskSchedule, mayReplace: Bool = false, now: Instant
    ) throws(TaskRefusal) {
        guard (1...TaskLimits.nameBytes).contains(schedule.name.utf8.count) else {
            throw .illegal("a schedule's name has 1 to \(TaskLimits.nameBytes) bytes")
        }
        guard schedule.payload.count <= TaskLimits.schedulePayloadBytes else {
            throw .tooLarge(bytes: schedule.payload.count, limit: TaskLimits.schedulePayloadBytes)
        }
        guard schedule.expires ?? 0 >= 0, schedule.expires ?? 0 <= TaskLimits.latest else {
            throw .illegal("a task expires behind its moment")
        }
        _ = try check(schedule.draft(at: now.wallMilliseconds, of: 0), now)
        var number = schedules.first { $0.value.schedule.name == schedule.name }?.key
        guard number == nil || mayReplace else {
            throw .illegal("there is a schedule \"\(schedule.name)\" already")
        }
        guard number != nil || schedules.count < TaskLimits.schedules else {
            throw .illegal("the queue has \(TaskLimits.schedules) schedules, and may have no more")
        }
        if number == nil {
            lastSequence += 1
            number = lastSequence
        }
        guard let number else { return }
        var begun = schedule
        begun.last = max(now.wallMilliseconds, schedules[number]?.schedule.last ?? 0)
        hold(begun, number)
        emit(.schedule, 0, number, begun.bytes)
    }

    /// Ends a schedule; the tasks that it made stay. Throws `illegal` when there is none of that name.
    package mutating func removeSchedule(_ name: String) throws(TaskRefusal) {
        guard let number = schedules.first(where: { $0.value.schedule.name == name })?.key else {
            throw .illegal("there is no schedule \"\(name)\"")
        }
        schedules[number] = nil
        noteNextSchedule()
        emit(.schedule, 0, number, nil)
    }

    private mutating func hold(_ schedule: TaskSchedule, _ number: UInt64) {
        schedules[number] = HeldSchedule(schedule: schedule, next: schedule.line.next(after: schedule.last))
        noteNextSchedule()
    }

    private mutating func noteNextSchedule() { nextSchedule = schedules.values.compactMap(\.next).min() }

    // MARK: Firing

    /// Publishes what is due. Returns how many tasks that were.
    mutating func fire(_ now: Instant) -> Int {
        guard let next = nextSchedule, next <= now.wallMilliseconds else { return 0 }
        var count = 0
        for (number, held) in schedules.sorted(by: { $0.key < $1.key }) {
            guard let next = held.next, next <= now.wallMilliseconds else { continue }
            count += fire(held.schedule, number, now)
        }
        return count
    }

    private mutating func fire(_ schedule: TaskSchedule, _ number: UInt64, _ now: Instant) -> Int {
        let wall = now.wallMilliseconds
        var due = schedule.line.moments(
            after: schedule.last, through: wall, limit: TaskLimits.missedMoments)
        switch schedule.missed {
        case .skip: due.removeAll { wall - $0 > TaskLimits.lateMilliseconds }
        case .once: due = due.suffix(1)
        case .all: break
        }
        var fired = schedule
        fired.last = max(schedule.last, wall)
        var count = 0
        var isRefused = false
        for moment in due {
            do throws(TaskRefusal) {
                // Who has the unique key is the one before, which is not done.
                _ = try publish(schedule.draft(at: moment, of: number), now: now)
                count += 1
            } catch {
                // Up to the moment before: none of the line's is in between.
                fired.last = max(schedule.last, moment - 1)
                isRefused = true
                break
            }
        }
        hold(fired, number)
        if isRefused {
            schedules[number]?.next = wall + TaskLimits.refusedMilliseconds
            noteNextSchedule()
        }
        if fired.last > schedule.last { emit(.schedule, 0, number, fired.bytes) }
        return count
    }

    // MARK: Loading

    mutating func loadSchedule(_ number: UInt64, _ value: ArraySlice<UInt8>?) throws(MalformedRecord) {
        guard number < 1 << 56 else { throw MalformedRecord(reason: "a schedule of number \(number)") }
        lastSequence = max(lastSequence, number)
        schedules[number] = nil
        guard let value else { return }
        schedules[number] = HeldSchedule(schedule: try TaskSchedule(value, zones: zones), next: nil)
    }

    /// All has been read: what a task was made for is fired.
    mutating func finishLoadingSchedules() {
        for (number, held) in schedules.sorted(by: { $0.key < $1.key }) {
            var schedule = held.schedule
            if let fired = firedMoments[number], fired > schedule.last, !PlantedBug.momentFiredAgain.isPlanted
            {
                // The record that said so was not durable, and the task may be gone at the next opening.
                schedule.last = fired
                emit(.schedule, 0, number, schedule.bytes)
            }
            hold(schedule, number)
        }
        firedMoments = [:]
    }
}
