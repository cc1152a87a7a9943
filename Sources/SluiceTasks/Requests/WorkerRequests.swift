// What workers of other processes say and ask, over the store's control socket.
//
//   request        members beside "queue" and "host"           result
//   joinQueue                                                   {}
//   leaveQueue                                                  {}; what it had is given back
//   leaseTasks     worker, handlers: [{name, attempts, base,    tasks: [{id, token, name, attempt, payload,
//                  cap}], others: the same without a name,    after: [id]}]
//                  count, visibility, wait: ms
//   aliveTasks     leases: [{id, token}]                        lost: [{id, token}]
//   completeTask   id, token, result: base64                    {}
//   failTask       id, token, cause, retryAfter                 {}
//   rejectTask     id, token, cause                             {}
//   releaseTask    id, token                                    {}
//   extendTask     id, token, span                              {}
//   reportTask     id, token, fraction, note                    {}
//
// (1) A host is a process: a number below 2⁶³ that it has drawn at random. It is there from `joinQueue` until
// the connection ends that has asked for it: what it has leased is others' then, at once. (2) After the
// program that has the store open was restarted, the host joins again and goes on with what it has: leases
// are in the log. (3) Tokens are asked for as of any worker. (4) A payload that does not fit into the answer
// is not in it, and is asked for with `taskPayload`; one that is null cannot be read.

import Sluice
import SluiceCore

enum WorkerRequests {
    /// How long an answer to `leaseTasks` may take.
    static let longestWaitMilliseconds: Int64 = 30_000
    /// Bytes of payloads in one answer.
    static let answerBytes = 512 << 10

    static let handlers: [String: TaskRequests.Handler] = [
        "joinQueue": { request in
            try await request.queue(mayMake: true).engine.join(try request.host(), request.peer)
            return [:]
        },
        "leaveQueue": { request in
            try await request.queue().engine.leave(try request.host())
            return [:]
        },
        "leaseTasks": { request in try await lease(request) },
        "aliveTasks": { request in
            guard let leases = request.json["leases"]?.array else {
                throw ControlFailure.illegal("The request needs \"leases\".")
            }
            let engine = try await request.queue().engine
            let alive = try leases.map { try TaskLease(json: $0) }
            return ["lost": .array(engine.heartbeat(alive).map(\.json))]
        },
        "completeTask": { request in
            let (lease, result) = (try TaskLease(json: request.json), try request.bytes("result"))
            try await request.queue().engine.complete(lease, result: result)
            return [:]
        },
        "failTask": { request in
            let (lease, cause) = (try TaskLease(json: request.json), try request.json.text("cause"))
            try await request.queue().engine.fail(
                lease, cause: cause, retryAfter: request.json["retryAfter"]?.integer)
            return [:]
        },
        "rejectTask": { request in
            let (lease, cause) = (try TaskLease(json: request.json), try request.json.text("cause"))
            try await request.queue().engine.reject(lease, cause: cause)
            return [:]
        },
        "releaseTask": { request in
            let lease = try TaskLease(json: request.json)
            try await request.queue().engine.release(lease)
            return [:]
        },
        "extendTask": { request in
            let lease = try TaskLease(json: request.json)
            let span = try request.json.number("span")
            try await request.queue().engine.extend(lease, by: .milliseconds(span))
            return [:]
        },
        "reportTask": { request in
            let lease = try TaskLease(json: request.json)
            let progress = TaskProgress(
                fraction: request.json["fraction"]?.double ?? 0, note: request.json["note"]?.string ?? "")
            try await request.queue().engine.report(progress, of: lease)
            return [:]
        },
    ]

    private static func lease(_ request: TaskRequest) async throws -> JSONValue {
        let host = try request.host()
        let queue = try await request.queue()
        let engine = queue.engine
        guard engine.hasJoined(host) else { throw TaskError.unknownWorker }
        let waiter = LeaseWaiter(try request.lease(for: host))
        let ending = request.peer.whenEnded { engine.abandon(waiter) }
        defer { request.peer.forget(ending) }
        let wait = min(max(0, request.json["wait"]?.integer ?? 0), longestWaitMilliseconds)
        let deliveries = try await engine.lease(waiter, within: .milliseconds(wait))
        guard engine.hasJoined(host) else {
            engine.giveBack(deliveries.map(\.lease))
            throw TaskError.unknownWorker
        }
        var bytes = 0
        var tasks: [JSONValue] = []
        for delivery in deliveries {
            var members = delivery.lease.members
            members["name"] = .string(delivery.name)
            members["attempt"] = .integer(Int64(delivery.attempt))
            if !delivery.after.isEmpty {
                members["after"] = .array(delivery.after.map { .string($0.description) })
            }
            bytes += (delivery.payload?.count ?? 0) + 25 * delivery.after.count
            if bytes <= answerBytes || tasks.isEmpty {
                members["payload"] = delivery.payload.map { .base64(Array($0)) } ?? .null
            }
            tasks.append(.object(members))
        }
        return ["tasks": .array(tasks)]
    }
}

extension TaskRequest {
    /// The process that asks.
    fileprivate func host() throws -> UInt64 {
        let number = try json.number("host")
        guard number > 0 else { throw ControlFailure.illegal("\"host\" is a number above 0.") }
        return UInt64(number)
    }

    fileprivate func lease(for host: UInt64) throws -> LeaseRequest {
        var request = LeaseRequest(
            holder: TaskHolder(host: host, worker: UInt64(clamping: try json.number("worker"))),
            handlers: try (json["handlers"]?.array ?? []).map { (try $0.text("name"), $0.retryPolicy) },
            count: Int(clamping: json["count"]?.integer ?? 1), visibility: try json.number("visibility"))
        request.others = json["others"]?.retryPolicy
        return request
    }
}

extension TaskLease {
    init(json: JSONValue) throws {
        let id = try TaskID(try json.text("id"))
        guard let token = UInt32(exactly: try json.number("token")) else {
            throw ControlFailure.illegal("\"token\" is a number as `leaseTasks` gives it.")
        }
        self.init(task: id.identity, token: token)
    }

    var members: [String: JSONValue] {
        ["id": .string(TaskID(task).description), "token": .integer(Int64(token))]
    }

    var json: JSONValue { .object(members) }
}

extension JSONValue {
    /// A member that must be there, and a whole number. Throws `ControlFailure`.
    func number(_ name: String) throws -> Int64 {
        guard let number = self[name]?.integer else {
            throw ControlFailure.illegal("The request needs \"\(name)\", a whole number.")
        }
        return number
    }

    fileprivate var double: Double? {
        switch self {
        case .number(let number): number
        case .integer(let number): Double(number)
        default: nil
        }
    }

    fileprivate var retryPolicy: TaskRetryPolicy {
        let usual = TaskRetryPolicy()
        return TaskRetryPolicy(
            attempts: Int(clamping: self["attempts"]?.integer ?? Int64(usual.attempts)),
            base: self["base"]?.integer ?? usual.base, cap: self["cap"]?.integer ?? usual.cap)
    }
}

extension TaskRetryPolicy {
    var members: [String: JSONValue] {
        ["attempts": .integer(Int64(attempts)), "base": .integer(base), "cap": .integer(cap)]
    }
}
