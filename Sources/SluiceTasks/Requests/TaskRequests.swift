// What queues of tasks answer on a live store's control socket, and to the command line in its own process.
//
//   request         members beside "queue"                      result
//   queues          (no queue)                                  queues: [queue]
//   queue                                                       a queue: name, isPaused, limits,
//                                                               tasks {state: n}
//   pauseQueue, resumeQueue                                     {}
//   publishTasks    name, payloads: [base64]; due, priority,    tasks: [{id, isNew}]
//                   expires, group, tenant, uniqueKey,
//                   uniquePeriod, after: [id],
//                   afterFailure: cancel or run
//   tasks           states, name, behind, limit                 tasks: [status]
//   task            id; wait: ms until it is final              a status: TaskStatus+JSON.swift
//   taskPayload     id                                          payload: base64
//   taskResult      id                                          result: base64
//   cancelTask, retryTask, purgeTask                            {}
//   editTask        id, payload: base64                         {}
//   retryTasks      states, name                                count
//   purgeTasks      states, name                                count
//
// Of workers: WorkerRequests.swift; of schedules: CronRequests.swift; of limits: LimitRequests.swift. Times
// are milliseconds since 1970, spans milliseconds. A queue that is not there is made by who publishes to it,
// gives it a schedule or limits, or works on it, and by nobody else.

package import Sluice
package import SluiceCore

/// A request about a queue, with its store.
struct TaskRequest: Sendable {
    let store: StreamStore
    let json: JSONValue
    let peer: ControlPeer

    /// The queue that is meant. Throws `unknownQueue` when it is not there and is not to be made.
    func queue(mayMake: Bool = false) async throws -> TaskQueue {
        let name = json["queue"]?.string ?? "default"
        try QueueTopic.check(name)
        guard mayMake || ServedStore(store).topic(QueueTopic.name(of: name)) != nil else {
            throw TaskError.unknownQueue(name)
        }
        let queue = try await TaskQueue(name, in: store)
        QueueKeeper.of(store)?.keep(queue)
        return queue
    }

    func id() throws -> TaskID { try TaskID(try json.text("id")) }

    func states(_ usual: [TaskState] = TaskState.allCases) throws -> Set<TaskState> {
        guard let names = json["states"]?.array else { return Set(usual) }
        return Set(try names.map { try Self.state($0.string ?? "") })
    }

    static func state(_ name: String) throws -> TaskState {
        guard let state = TaskState.allCases.first(where: { "\($0)" == name }) else {
            let names = TaskState.allCases.map { "\($0)" }.joined(separator: ", ")
            throw ControlFailure.illegal("There is no state \"\(name)\"; the states are \(names).")
        }
        return state
    }

    func bytes(_ name: String) throws -> [UInt8] {
        guard let bytes = Base64.decode(try json.text(name).utf8) else {
            throw ControlFailure.illegal("\"\(name)\" is no base64.")
        }
        return bytes
    }

    /// Drafts of tasks that differ in their payloads.
    func drafts() throws -> [TaskDraft] {
        guard let payloads = json["payloads"]?.array else {
            throw ControlFailure.illegal("The request needs \"payloads\", an array of base64.")
        }
        var draft = TaskDraft(name: try json.text("name"), payload: [])
        draft.due = json["due"]?.integer
        draft.priority = Int(clamping: json["priority"]?.integer ?? 4)
        draft.expires = json["expires"]?.integer
        draft.group = json["group"]?.string
        draft.tenant = json["tenant"]?.string
        draft.uniqueKey = json["uniqueKey"]?.string
        draft.uniquePeriod = json["uniquePeriod"]?.integer
        draft.after = try (json["after"]?.array ?? []).map { try TaskID($0.string ?? "").identity }
        if let name = json["afterFailure"]?.string {
            guard let after = AfterFailure(rawValue: name) else {
                throw ControlFailure.illegal("\"afterFailure\" is cancel or run.")
            }
            draft.runsAnyway = after == .run
        }
        return try payloads.map { payload in
            guard let bytes = payload.string.flatMap({ Base64.decode($0.utf8) }) else {
                throw ControlFailure.illegal("A payload is no base64.")
            }
            draft.payload = bytes
            return draft
        }
    }
}

/// Requests about queues.
package enum TaskRequests {
    typealias Handler = @Sendable (TaskRequest) async throws -> JSONValue

    /// Has the store's control socket answer about queues, as long as the store is open.
    package static func serve(_ store: StreamStore) {
        ServedStore(store).answer(
            handlers.mapValues { handler in
                { store, json, peer in
                    try await answer(handler, TaskRequest(store: store, json: json, peer: peer))
                }
            })
    }

    /// Answers in the process that has the store open. Throws `ControlFailure`, `StreamError`.
    package static func answer(
        _ name: String, _ members: [String: JSONValue], _ store: StreamStore
    ) async throws -> JSONValue {
        guard let handler = handlers[name] else {
            throw ControlFailure(code: "unsupported", message: "There is no request \"\(name)\".")
        }
        let peer = ControlPeer()
        defer { peer.end() }
        return try await answer(
            handler, TaskRequest(store: store, json: .object(members), peer: peer))
    }

    private static func answer(_ handler: Handler, _ request: TaskRequest) async throws -> JSONValue {
        do {
            return try await handler(request)
        } catch let error as TaskError {
            if case .stream(let error) = error { throw error }
            throw ControlFailure(code: error.code, message: error.description)
        }
    }

    private static let handlers =
        administration.merging(WorkerRequests.handlers) { $1 }.merging(CronRequests.handlers) { $1 }
        .merging(LimitRequests.handlers) { $1 }

    private static let administration: [String: Handler] = [
        "queues": { request in
            var queues: [JSONValue] = []
            for name in QueueTopic.queues(in: request.store) {
                queues.append(try await describe(try await TaskQueue(name, in: request.store)))
            }
            return ["queues": .array(queues)]
        },
        "queue": { try await describe(try await $0.queue()) },
        "pauseQueue": { request in
            try await request.queue().pause()
            return [:]
        },
        "resumeQueue": { request in
            try await request.queue().resume()
            return [:]
        },
        "publishTasks": { request in
            let drafts = try request.drafts()
            let published = try await request.queue(mayMake: true).engine.publish(drafts)
            return [
                "tasks": .array(
                    published.map { one in
                        var isNew = false
                        if case .accepted = one { isNew = true }
                        return ["id": .string(TaskID(one.task).description), "isNew": .bool(isNew)]
                    })
            ]
        },
        "tasks": { request in
            let behind = try request.json["behind"]?.string.map { try TaskID($0) }
            let limit = Int(clamping: request.json["limit"]?.integer ?? 1_000)
            // An answer has a megabyte.
            let tasks = try await request.queue().tasks(
                in: try request.states(), name: request.json["name"]?.string, behind: behind,
                limit: min(limit, 1_000))
            return ["tasks": .array(tasks.map(\.json))]
        },
        "task": { request in
            let (queue, id) = (try await request.queue(), try request.id())
            let wait = request.json["wait"]?.integer ?? 0
            return try await queue.status(of: id, finalWithin: .milliseconds(wait)).json
        },
        "taskPayload": { request in
            let payload = try await request.queue().engine.payload(of: try request.id())
            return ["payload": .base64(Array(payload))]
        },
        "taskResult": { request in
            let id = try request.id()
            return ["result": .base64(Array(try await request.queue().engine.result(of: id)))]
        },
        "cancelTask": { request in
            try await request.queue().cancel(try request.id())
            return [:]
        },
        "retryTask": { request in
            try await request.queue().retry(try request.id())
            return [:]
        },
        "purgeTask": { request in
            try await request.queue().purge(try request.id())
            return [:]
        },
        "editTask": { request in
            try await request.queue().edit(try request.id(), payload: try request.bytes("payload"))
            return [:]
        },
        "retryTasks": { request in
            let count = try await request.queue().retryAll(
                in: try request.states([.dead]), name: request.json["name"]?.string)
            return ["count": .integer(Int64(count))]
        },
        "purgeTasks": { request in
            let count = try await request.queue().purgeAll(
                in: try request.states([.dead]), name: request.json["name"]?.string)
            return ["count": .integer(Int64(count))]
        },
    ]

    private static func describe(_ queue: TaskQueue) async throws -> JSONValue {
        let counts = try await queue.counts()
        let states = counts.byState.map { ("\($0.key)", JSONValue.integer(Int64($0.value))) }
        return [
            "name": .string(queue.name), "isPaused": .bool(counts.isPaused),
            "limits": StartLimits(try await queue.limits()).json,
            "tasks": .object(Dictionary(uniqueKeysWithValues: states)),
        ]
    }
}

extension JSONValue {
    static func base64(_ bytes: [UInt8]) -> JSONValue {
        .string(String(decoding: Base64.encode(bytes), as: UTF8.self))
    }
}
