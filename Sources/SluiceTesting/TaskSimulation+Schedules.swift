// Schedules in a simulated life of a queue: (10) no moment is fired twice, every one that is fired is one of
// the line's, and none is lost that the policy says is to be fired.

import SluiceCore
import SluiceLog

/// A schedule as whoever made it knows it.
struct KnownSchedule {
    var schedule: TaskSchedule
    var number: UInt64
    /// From when on it fires.
    var begin: Int64
    /// Its making was answered.
    var isSure = false
}

extension TaskSimulation {
    func administerSchedules() {
        let name = random.pick(["x", "y"])
        if let index = known.firstIndex(where: { $0.schedule.name == name }), random.chance(0.3) {
            guard (try? machine.removeSchedule(name)) != nil else {
                return failures.append("the schedule \(name) is not there")
            }
            note("ends the schedule \(name)")
            known.remove(at: index)
            return decided()
        }
        let text = random.pick(["* * * * *", "*/5 * * * *", "@hourly"])
        guard let line = try? CronLine(text, offsetMinutes: random.pick([0, 90])) else { return }
        let missed = random.pick(MissedMoments.allCases)
        var schedule = TaskSchedule(
            name: name, line: line, missed: missed, task: random.pick(["b", "c"]), payload: [])
        if random.chance(0.2) { schedule.uniqueKey = "s" }
        if random.chance(0.2) { schedule.expires = 200_000 }
        if random.chance(0.5) { schedule.tenant = "t" }
        guard (try? machine.add(schedule, mayReplace: random.chance(0.2), now: now)) != nil,
            let summary = machine.scheduleList.first(where: { $0.schedule.name == name })
        else { return }
        note("schedules \(name) as \(summary.number): \(text), \(missed)")
        known.removeAll { $0.schedule.name == name }
        let begin = summary.schedule.last
        known.append(KnownSchedule(schedule: schedule, number: summary.number, begin: begin))
        let number = summary.number
        decided { [self] in
            for index in known.indices where known[index].number == number && known[index].begin == begin {
                known[index].isSure = true
            }
        }
    }

    /// Looks at records that are about to be stored.
    func noteFired(_ records: [TaskRecord]) {
        for record in records where record.key.kind == .definition {
            guard let value = record.value, let origin = try? TaskDefinition(value[...]).origin else {
                continue
            }
            let other = fired.updateValue(record.key.sequence, forKey: origin)
            if let other, other != record.key.sequence {
                failures.append("\(origin.moment) of schedule \(origin.schedule) is fired twice")
            }
            // One that is edited is written again, and its schedule may be another by now.
            guard other == nil else { continue }
            outcome.fired += 1
            guard let schedule = known.first(where: { $0.number == origin.schedule })?.schedule else {
                continue
            }
            if schedule.line.next(after: origin.moment - 1) != origin.moment {
                failures.append("\(origin.moment) is none of \(schedule.line.text)")
            }
            if schedule.missed == .skip, now.wallMilliseconds - origin.moment > 60_000 {
                failures.append("\(origin.moment) was missed, and is fired")
            }
        }
    }

    /// What was appended from an offset on is durable.
    func noteDurable(_ offset: Int64) {
        for stored in log where stored.offset >= offset && stored.key.kind == .definition {
            guard let value = stored.value, let origin = try? TaskDefinition(value[...]).origin else {
                continue
            }
            firedDurably[origin] = stored.key.sequence
        }
    }

    /// What was not durable when the process died has not been fired.
    func forgetFired() {
        fired = firedDurably
        for stored in log where stored.key.kind == .definition {
            guard let value = stored.value, let origin = try? TaskDefinition(value[...]).origin else {
                continue
            }
            fired[origin] = stored.key.sequence
        }
        firedDurably = fired
    }

    /// After a death: a schedule whose making was answered is there, and of the others those that are there.
    func checkSchedules() throws {
        let there = machine.scheduleList
        for one in known where one.isSure && !there.contains(where: { $0.schedule.name == one.schedule.name })
        {
            // Its end may have come into the log, but not before it.
            throw broken("the schedule \(one.schedule.name) is lost")
        }
        known.removeAll { one in
            !there.contains { $0.number == one.number && $0.schedule.line == one.schedule.line }
        }
        known = there.map { summary in
            let same = known.first {
                $0.number == summary.number && $0.schedule.task == summary.schedule.task
                    && $0.schedule.missed == summary.schedule.missed
            }
            // One that was replaced, or whose end was not durable: what came before is not known.
            return same
                ?? KnownSchedule(
                    schedule: summary.schedule, number: summary.number, begin: summary.schedule.last,
                    isSure: true)
        }
    }

    /// Nothing is lost that is to be fired.
    func checkMoments() throws {
        for one in known where one.schedule.uniqueKey == nil {
            guard let summary = machine.scheduleList.first(where: { $0.number == one.number }) else {
                throw broken("the schedule \(one.schedule.name) has vanished")
            }
            let last = summary.schedule.last
            let due = one.schedule.line.moments(after: one.begin, through: last, limit: 10_000)
            let wanted: ArraySlice<Int64> =
                switch one.schedule.missed {
                case .skip: []
                case .once: due.suffix(1)
                case .all: due[...]
                }
            for moment in wanted {
                let origin = TaskOrigin(schedule: one.number, moment: moment)
                guard fired[origin] != nil else {
                    throw broken("\(moment) of schedule \(one.number) (\(one.schedule.missed)) is lost")
                }
            }
        }
    }
}
