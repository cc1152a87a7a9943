// Schedules of a queue, as the control socket has them.
//
//   request      members beside "queue"                           result
//   schedules                                                     schedules: [{name, line, offset, missed,
//                                                                 task, next}]
//   addSchedule  name, line, task, payload: base64; offset:       {}
//                minutes, or zone; missed, priority, group, tenant,
//                uniqueKey, expires: ms, mayReplace
//   endSchedule  name                                             {}

import Sluice
import SluiceCore

enum CronRequests {
    static let handlers: [String: TaskRequests.Handler] = [
        "schedules": { request in
            let schedules = try await request.queue().schedules()
            return ["schedules": .array(schedules.map(\.json))]
        },
        "addSchedule": { request in
            let (json, payload) = (request.json, try request.bytes("payload"))
            let offset = Duration.seconds(60) * Int(clamping: json["offset"]?.integer ?? 0).clamped
            let line = try json.text("line")
            let cron =
                if let zone = json["zone"]?.string { try Cron(line, zone: zone) } else {
                    try Cron(line, utcOffset: offset)
                }
            let missed = try json["missed"]?.string.map { name in
                guard let missed = MissedRuns(rawValue: name) else {
                    throw ControlFailure.illegal("\"missed\" is skip, once or all.")
                }
                return missed
            }
            let options = ScheduleOptions {
                $0.missed = missed ?? .once
                $0.priority = Int(clamping: json["priority"]?.integer ?? 4)
                $0.group = json["group"]?.string
                $0.tenant = json["tenant"]?.string
                $0.uniqueKey = json["uniqueKey"]?.string
                $0.expiresAfter = json["expires"]?.integer.map { .milliseconds($0) }
                $0.mayReplace = json["mayReplace"]?.bool ?? false
            }
            try await request.queue(mayMake: true).schedule(
                try json.text("name"), cron, try json.text("task"), payload: payload, options: options)
            return [:]
        },
        "endSchedule": { request in
            try await request.queue().removeSchedule(try request.json.text("name"))
            return [:]
        },
    ]
}

extension Int {
    /// No more minutes than an error can be told of.
    fileprivate var clamped: Int { Swift.min(Swift.max(self, -100_000), 100_000) }
}

extension ScheduleStatus {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(name), "line": .string(cron.description),
            "offset": .integer(Int64(cron.line.offsetMinutes)), "missed": .string(missed.rawValue),
            "task": .string(taskName),
        ]
        members["zone"] = cron.zone.map { .string($0) }
        members["next"] = next.map { .integer($0.millisecondsSince1970) }
        return .object(members)
    }
}
