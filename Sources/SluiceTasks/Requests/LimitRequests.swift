// Limits of a queue, as the control socket has them.
//
//   request      members beside "queue"                           result
//   limitQueue   limits: what is to change; null takes away       limits
//
//   limits       {"queue": limit, "tenant": limit, "names": {name: limit}}
//   limit        {"concurrency": n, "rate": {"count": n, "period": ms, "burst": n}}
//
// What a request does not name stays as it is.

import Sluice
import SluiceCore

enum LimitRequests {
    static let handlers: [String: TaskRequests.Handler] = [
        "limitQueue": { request in
            guard let changes = request.json["limits"], changes.object != nil else {
                throw ControlFailure.illegal("The request needs \"limits\".")
            }
            // Read before the queue's lock is taken: what makes no sense changes nothing.
            var probe = StartLimits()
            try probe.change(changes)
            let queue = try await request.queue(mayMake: true)
            let limits = try await queue.engine.change { state, now throws(TaskRefusal) in
                var limits = state.machine.limits
                try? limits.change(changes)
                try state.machine.setLimits(limits, now: now)
                return limits
            }
            return ["limits": limits.json]
        }
    ]
}

extension StartLimits {
    fileprivate mutating func change(_ json: JSONValue) throws {
        if let json = json["queue"] { try queue.change(json) }
        if let json = json["tenant"] { try tenant.change(json) }
        if json["names"] == .null { names = [:] }
        for (name, json) in json["names"]?.object ?? [:] {
            var limit = names[name] ?? StartLimit()
            try limit.change(json)
            names[name] = limit == StartLimit() ? nil : limit
        }
    }

    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        if queue != StartLimit() { members["queue"] = queue.json }
        if tenant != StartLimit() { members["tenant"] = tenant.json }
        if !names.isEmpty { members["names"] = .object(names.mapValues(\.json)) }
        return .object(members)
    }
}

extension StartLimit {
    fileprivate mutating func change(_ json: JSONValue) throws {
        guard json != .null else { return self = StartLimit() }
        if let json = json["concurrency"] {
            concurrency = json == .null ? nil : Int(clamping: try Self.number(json, "concurrency"))
        }
        if let json = json["rate"] {
            rate =
                json == .null
                ? nil
                : StartRate(
                    count: Int(clamping: try json.number("count")), period: try json.number("period"),
                    burst: json["burst"]?.integer.map { Int(clamping: $0) })
        }
    }

    private static func number(_ json: JSONValue, _ name: String) throws -> Int64 {
        guard let number = json.integer else {
            throw ControlFailure.illegal("\"\(name)\" is a whole number, or null.")
        }
        return number
    }

    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["concurrency"] = concurrency.map { .integer(Int64($0)) }
        members["rate"] = rate.map {
            [
                "count": .integer(Int64($0.count)), "period": .integer($0.period),
                "burst": .integer(Int64($0.burst)),
            ]
        }
        return .object(members)
    }
}
