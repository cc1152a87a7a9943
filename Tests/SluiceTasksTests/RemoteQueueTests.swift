// Queues through the control socket: workers that are elsewhere, fences, and requests that make no sense.

import Foundation
import Logging
@testable import Sluice
@testable import SluiceCore
@testable import SluiceTasks
import Testing

@Suite struct RemoteQueueTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withSocket(_ body: (TaskQueue, StreamStore) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open { $0.controlSocket = true }
        let queue = try await TaskQueue("q", in: store)
        do {
            try await body(queue, store)
        } catch {
            try? await store.close()
            throw error
        }
        try await store.close()
    }

    /// One request over a connection that is kept.
    private func ask(
        _ line: ControlLine, _ request: String, _ members: [String: JSONValue] = [:]
    ) async throws -> JSONValue {
        var all: [String: JSONValue] = ["queue": "q", "host": 7]
        all.merge(members) { $1 }
        switch await line.ask(request, all) {
        case .result(let json): return json
        case .refused(let code, _): return ["refused": .string(code)]
        case .silent: throw Failure("nobody answers \(request)")
        }
    }

    private func open(_ store: StreamStore) throws -> ControlLine {
        try #require(ControlLine.open(store.path))
    }

    private static let asking: [String: JSONValue] = [
        "worker": 1, "handlers": [["name": "add", "attempts": 9, "base": 0, "cap": 0]], "visibility": 60_000,
        "wait": 0, "count": 10,
    ]

    @Test func `a worker of another process does tasks like any other`() async throws {
        try await withSocket { queue, store in
            let handles = try await queue.publish((0..<100).map { Add(a: $0, b: 1) })
            let remote = try await RemoteQueue.join("q", at: store.path, logger: Self.logger)
            let worker = Worker(
                remote, concurrency: 8, configuration: .init(),
                handlers: [
                    TaskHandler(Add.self) { task, context in
                        try await context.progress(0.5, "half")
                        try await context.extend(by: .seconds(90))
                        if task.a == 5, context.attempt == 1 { throw TaskPostponement(after: .zero, "later") }
                        if task.a == 6 { throw TaskRejection("never") }
                        return task.a + task.b
                    }
                ])
            let run = Task { try await worker.run() }
            for (number, handle) in handles.enumerated() where number != 6 {
                #expect(try await handle.result(within: .seconds(60)) == number + 1)
            }
            let error = await #expect(throws: TaskError.self) {
                _ = try await handles[6].result(within: .seconds(60))
            }
            if case .ended(let status) = error { #expect(status.lastError == "never") }
            #expect(try await handles[5].status().attempt == 2)
            worker.shutdown()
            try await run.value
            await remote.close()
        }
    }

    @Test func `a connection that ends takes the leases of its process with it, and nobody else's`()
        async throws
    {
        try await withSocket { queue, store in
            let handles = try await queue.publish((0..<3).map { Add(a: $0, b: 1) })
            let (here, there) = (try open(store), try open(store))
            _ = try await ask(here, "joinQueue")
            _ = try await ask(there, "joinQueue", ["host": 8])
            let mine = try await ask(here, "leaseTasks", Self.asking.merging(["count": 2]) { $1 })
            let others = try await ask(there, "leaseTasks", Self.asking.merging(["host": 8]) { $1 })
            #expect(mine["tasks"]?.array?.count == 2 && others["tasks"]?.array?.count == 1)
            let updates = handles[0].updates.makeAsyncIterator()
            #expect(try await updates.next()?.state == .leased)
            here.close()
            #expect(try await updates.next()?.state == .available)
            #expect(try await handles[0].status().lastError == "the worker's process has ended")
            #expect(try await handles[2].status().state == .leased)
            // What it says later, by whichever connection, is refused.
            let token = mine["tasks"]?.array?.first?.object ?? [:]
            let again = try await ask(there, "completeTask", token.merging(["result": ""]) { $1 })
            #expect(again["refused"]?.string == "leaseLost")
            let taken = try await ask(there, "leaseTasks", Self.asking.merging(["host": 8]) { $1 })
            #expect(taken["tasks"]?.array?.first?["attempt"]?.integer == 2)
            #expect(try await ask(there, "leaseTasks", Self.asking)["refused"]?.string == "unknownWorker")
        }
    }

    @Test func `who says goodbye gives back what it has, and no attempt counts`() async throws {
        try await withSocket { queue, store in
            let handle = try await queue.publish(Add(a: 1, b: 1))
            let line = try open(store)
            _ = try await ask(line, "joinQueue")
            _ = try await ask(line, "leaseTasks", Self.asking)
            #expect(try await handle.status().attempt == 1)
            _ = try await ask(line, "leaveQueue")
            let status = try await handle.status()
            #expect(status.state == .available && status.attempt == 0 && status.history.isEmpty)
        }
    }

    @Test func `who joins again by another connection keeps what it has when the first one ends`()
        async throws
    {
        try await withSocket { queue, store in
            let handle = try await queue.publish(Add(a: 1, b: 1))
            let (first, second) = (try open(store), try open(store))
            _ = try await ask(first, "joinQueue")
            let leased = try await ask(first, "leaseTasks", Self.asking)
            _ = try await ask(second, "joinQueue")
            first.close()
            let lease = leased["tasks"]?.array?.first?.object ?? [:]
            let alive = try await ask(second, "aliveTasks", ["leases": [.object(lease)]])
            #expect(alive["lost"]?.array?.isEmpty == true)
            _ = try await ask(
                second, "completeTask", lease.merging(["result": .base64(Array("2".utf8))]) { $1 })
            #expect(try await handle.result() == 2)
        }
    }

    @Test func `who waits for tasks gets one when it is published, and none when it is gone`() async throws {
        try await withSocket { queue, store in
            let (line, waiting) = (try open(store), try open(store))
            _ = try await ask(line, "joinQueue")
            async let answer = ask(waiting, "leaseTasks", Self.asking.merging(["wait": 30_000]) { $1 })
            let handle = try await queue.publish(Add(a: 1, b: 1))
            #expect(try await answer["tasks"]?.array?.count == 1)
            #expect(try await handle.status().state == .leased)
            _ = try await ask(line, "leaveQueue")
            _ = try await ask(line, "joinQueue")
            let taken = try await ask(waiting, "leaseTasks", Self.asking)
            #expect(taken["tasks"]?.array?.count == 1)
            // Nobody is there any more to get what comes now.
            let lost = Task {
                await waiting.ask(
                    "leaseTasks", Self.asking.merging(["queue": "q", "host": 7, "wait": 30_000]) { $1 })
            }
            waiting.close()
            _ = await lost.value
            line.close()
            let other = try await queue.publish(Add(a: 1, b: 1))
            #expect(try await other.status().state == .available)
        }
    }

    @Test func `payloads beyond an answer's room are asked for one by one`() async throws {
        try await withSocket { queue, store in
            let payload = [UInt8](repeating: 3, count: 400_000)
            for _ in 0..<4 { try await queue.publish("big", payload: payload) }
            let remote = try await RemoteQueue.join("q", at: store.path, logger: Self.logger)
            let done = Counter()
            let worker = Worker(
                remote, concurrency: 4, configuration: .init(),
                handlers: [
                    TaskHandler(name: nil) { bytes, _ in
                        if bytes == payload { done.add() }
                        return bytes
                    }
                ])
            let run = Task { try await worker.run() }
            for task in try await queue.tasks() {
                let status = try await queue.status(of: task.id, finalWithin: .seconds(60))
                #expect(status.state == .succeeded)
            }
            #expect(done.value == 4)
            worker.shutdown()
            try await run.value
            await remote.close()
        }
    }

    @Test func `requests that make no sense are refused by name, and the queue goes on`() async throws {
        try await withSocket { queue, store in
            let line = try open(store)
            _ = try await ask(line, "joinQueue")
            let handle = try await queue.publish(Add(a: 1, b: 1))
            let id = JSONValue.string(handle.id.description)
            let requests: [(String, [String: JSONValue], String)] = [
                ("joinQueue", ["host": -1], "illegalRequest"), ("joinQueue", ["host": "x"], "illegalRequest"),
                ("joinQueue", ["queue": "no/name"], "illegal"), ("queue", ["queue": "none"], "unknownQueue"),
                ("task", ["id": "short"], "illegalID"), ("task", [:], "illegalRequest"),
                ("task", ["id": .string(String(repeating: "A", count: 22))], "unknownTask"),
                ("completeTask", ["id": id, "token": 1, "result": ""], "leaseLost"),
                ("completeTask", ["id": id, "token": -1, "result": ""], "illegalRequest"),
                ("completeTask", ["id": id, "token": 1, "result": "?"], "illegalRequest"),
                ("leaseTasks", [:], "illegalRequest"), ("aliveTasks", [:], "illegalRequest"),
                ("publishTasks", ["name": "a"], "illegalRequest"),
                ("publishTasks", ["name": "a", "payloads": ["!"]], "illegalRequest"),
                ("publishTasks", ["name": "", "payloads": [""]], "illegal"),
                ("publishTasks", ["name": "a", "payloads": [""], "due": .integer(.max)], "illegal"),
                ("publishTasks", ["name": "a", "payloads": [""], "priority": 99], "illegal"),
                ("tasks", ["states": ["lost"]], "illegalRequest"),
                ("editTask", ["id": id, "payload": ""], "notPossible"),
                ("retryTasks", ["states": ["leased"]], "notPossible"), ("taskResult", ["id": id], "ended"),
                ("purgeTask", ["id": id], "illegal"), ("taskNothing", [:], "unsupported"),
            ]
            for (request, members, code) in requests {
                let answer = try await ask(line, request, members)
                #expect(answer["refused"]?.string == code, "\(request) \(members): \(answer)")
            }
            // Numbers out of range count as the nearest.
            var odd = Self.asking
            odd["visibility"] = .integer(.min)
            odd["count"] = .integer(.min)
            odd["wait"] = .integer(.min)
            odd["worker"] = .integer(.min)
            #expect(try await ask(line, "leaseTasks", odd)["tasks"]?.array?.isEmpty == true)
            odd["count"] = .integer(.max)
            odd["visibility"] = .integer(.max)
            odd["others"] = ["attempts": .integer(.max), "base": .integer(.min), "cap": .integer(.max)]
            let leased = try await ask(line, "leaseTasks", odd)["tasks"]?.array?.first?.object ?? [:]
            let failed = leased.merging(["cause": "no", "retryAfter": .integer(.max)]) { $1 }
            #expect(try await ask(line, "failTask", failed) == [:])
            #expect(try await handle.status().state == .retrying)
        }
    }

    @Test func `without a queue that is open the socket answers nothing about them`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open { $0.controlSocket = true }
        let line = try #require(ControlLine.open(store.path))
        #expect(try await ask(line, "queues")["refused"]?.string == "unsupported")
        await #expect(throws: TaskError.self) {
            _ = try await RemoteQueue.join("q", at: store.path, logger: Self.logger)
        }
        TaskRequests.serve(store)
        #expect(try await ask(line, "queues")["queues"]?.array?.isEmpty == true)
        try await store.close()
        await #expect(throws: TaskError.unreachable(store: store.path)) {
            _ = try await RemoteQueue.join("q", at: store.path, logger: Self.logger)
        }
    }

    @Test func `dead tasks are edited, run anew and removed by the hundred`() async throws {
        try await withQueue { queue, _ in
            let rejecting = TaskHandler(name: nil) { _, _ in throw TaskRejection("no") }
            for number in 0..<1_100 { try await queue.publish("a", payload: [UInt8(number & 255)], .now) }
            let all = try await queue.tasks(limit: 2_000)
            try await withWorker(queue, concurrency: 64, [rejecting]) {
                for task in all { _ = try await queue.status(of: task.id, finalWithin: .seconds(60)) }
            }
            #expect(try await queue.counts().byState[.dead] == 1_100)
            let waiting = try await queue.publish(Nothing(), .after(.seconds(3600)))
            await #expect(throws: TaskError.notPossible(.scheduled)) {
                try await queue.edit(waiting.id, payload: [1])
            }
            try await queue.edit(all[0].id, payload: [9, 9])
            #expect(try await queue.retryAll(name: "other") == 0)
            #expect(try await queue.retryAll() == 1_100)
            #expect(try await queue.status(of: all[1].id).lastError == "no")
            let seen = Locked<[TaskID: [UInt8]]>([:])
            let echo = TaskHandler(name: nil) { payload, context in
                seen.withLock { $0[context.id] = payload }
                throw TaskRejection("again")
            }
            try await withWorker(queue, concurrency: 64, [echo]) {
                for task in all { _ = try await queue.status(of: task.id, finalWithin: .seconds(60)) }
            }
            #expect(seen.withLock { $0[all[0].id] } == [9, 9])
            #expect(seen.withLock { $0[all[1_000].id] } == [UInt8(1_000 & 255)])
            #expect(try await queue.purgeAll() == 1_100)
            #expect(try await queue.tasks().map(\.id) == [waiting.id])
        }
    }
}
