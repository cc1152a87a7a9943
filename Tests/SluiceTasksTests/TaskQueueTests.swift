// Tasks from publishing to their result, over a real store.

import Foundation
@testable import Sluice
@testable import SluiceTasks
import Testing

@Suite struct TaskQueueTests {
    @Test func `a task is published, done, and its result is read`() async throws {
        try await withQueue { queue, _ in
            let handle = try await queue.publish(Add(a: 2, b: 3))
            #expect(try await handle.status().state == .available)
            try await withWorker(queue, [adding]) {
                let sum = try await handle.result(within: .seconds(60))
                #expect(sum == 5)
            }
            let status = try await handle.status()
            #expect(status.state == .succeeded && status.attempt == 1 && status.lastError == nil)
            // Whoever has the id from elsewhere gets the same.
            let again = queue.handle(Add.self, id: try TaskID(handle.id.description))
            #expect(try await again.result() == 5)
        }
    }

    @Test func `a thousand tasks are each done once`() async throws {
        try await withQueue { queue, _ in
            let done = Counter()
            let handler = TaskHandler(Add.self) { task, _ in
                done.add()
                return task.a + task.b
            }
            try await withWorker(queue, concurrency: 16, [handler]) {
                let handles = try await queue.publish((0..<1_000).map { Add(a: $0, b: 1) })
                for (number, handle) in handles.enumerated() {
                    #expect(try await handle.result(within: .seconds(60)) == number + 1)
                }
            }
            #expect(done.value == 1_000)
            #expect(try await queue.counts().byState[.succeeded] == 1_000)
        }
    }

    @Test func `a task may return nothing, and results may be read from the log`() async throws {
        try await withQueue(.init { $0.cacheBytes = 0 }) { queue, _ in
            let nothing = try await queue.publish(Nothing())
            let shouts = try await queue.publish((0..<200).map { Shout(text: "text \($0)") })
            let handlers = [
                TaskHandler(Nothing.self) { _, _ in NoOutput() },
                TaskHandler(Shout.self) { task, _ in .init(text: task.text.uppercased()) },
            ]
            try await withWorker(queue, handlers) {
                _ = try await nothing.result(within: .seconds(60))
                for (number, shout) in shouts.enumerated() {
                    #expect(try await shout.result(within: .seconds(60)).text == "TEXT \(number)")
                }
            }
        }
    }

    @Test func `a task is not begun before its time, and waits for nobody to ask`() async throws {
        try await withQueue { queue, _ in
            let due = Timestamp.now + .milliseconds(150)
            let begun = Locked<Timestamp?>(nil)
            let handler = TaskHandler(Add.self) { _, _ in
                begun.withLock { $0 = .now }
                return 0
            }
            try await withWorker(queue, [handler]) {
                let handle = try await queue.publish(Add(a: 1, b: 1), .at(due))
                let state = try await handle.status().state
                #expect(state == .scheduled || Timestamp.now >= due)
                _ = try await handle.result(within: .seconds(60))
            }
            #expect(try #require(begun.withLock { $0 }) >= due)
        }
    }

    @Test func `a handler that fails is tried again, and its task is dead behind the last attempt`()
        async throws
    {
        try await withQueue { queue, _ in
            let tries = Counter()
            let handler = TaskHandler(Add.self, retry: impatient) { task, context in
                tries.add()
                if task.a == 0 || context.attempt < 3 { throw Failure("attempt \(context.attempt)") }
                return 7
            }
            try await withWorker(queue, [handler]) {
                let good = try await queue.publish(Add(a: 1, b: 0))
                #expect(try await good.result(within: .seconds(60)) == 7)
                #expect(try await good.status().history.map(\.cause) == ["attempt 1", "attempt 2"])
                let bad = try await queue.publish(Add(a: 0, b: 0))
                do {
                    _ = try await bad.result(within: .seconds(60))
                    Issue.record("a dead task has a result")
                } catch TaskError.ended(let status) {
                    #expect(status.state == .dead && status.lastError == "attempt 3")
                    #expect(status.history.count == 3)
                }
                #expect(try await queue.tasks(in: [.dead]).map(\.id) == [bad.id])
                // Another life, which ends as the one before.
                try await queue.retry(bad.id)
                await #expect(throws: TaskError.self) { try await bad.result(within: .seconds(60)) }
                #expect(try await bad.status().history.count == 6)
                try await queue.purge(bad.id)
                await #expect(throws: TaskError.unknownTask(bad.id)) { try await bad.status() }
            }
            #expect(tries.value == 9)
        }
    }

    @Test func `a rejection is final, and a payload that is none is rejected`() async throws {
        try await withQueue { queue, _ in
            let handlers = [
                TaskHandler(Add.self) { _, _ in throw TaskRejection("never") },
                TaskHandler(name: "wrong", body: { _, _ in Array(repeating: 0, count: 600_000) }),
            ]
            struct Wrong: TaskPayload {
                static let taskName = "add"
                var unlike: String
            }
            struct Large: TaskPayload { static let taskName = "wrong" }
            try await withWorker(queue, handlers) {
                let rejected = try await queue.publish(Add(a: 1, b: 1))
                let undecodable = try await queue.publish(Wrong(unlike: "x"))
                let large = try await queue.publish(Large())
                for id in [rejected.id, undecodable.id, large.id] {
                    let handle = queue.handle(Nothing.self, id: id)
                    await #expect(throws: TaskError.self) { try await handle.result(within: .seconds(60)) }
                    #expect(try await queue.status(of: id).state == .dead)
                }
                #expect(try await queue.status(of: rejected.id).lastError == "never")
                #expect(try await queue.status(of: undecodable.id).lastError?.contains("no Add") == true)
                #expect(try await queue.status(of: large.id).lastError?.contains("600000 bytes") == true)
            }
        }
    }

    @Test func `a task that is cancelled while it runs is cancelled in its worker`() async throws {
        try await withQueue { queue, _ in
            let (began, ended) = (Signal(), Signal())
            let handler = TaskHandler(Add.self) { _, _ in
                began.give()
                await withTaskCancellationHandler {
                    await ended.wait()
                } onCancel: {
                    ended.give()
                }
                throw CancellationError()
            }
            try await withWorker(queue, [handler]) {
                let handle = try await queue.publish(Add(a: 1, b: 1))
                await began.wait()
                try await handle.cancel()
                await ended.wait()
                await #expect(throws: TaskError.self) { try await handle.result() }
                #expect(try await handle.status().state == .cancelled)
            }
        }
    }

    @Test func `progress is told while the task runs, and its changes come in order`() async throws {
        try await withQueue { queue, _ in
            let goOn = Signal()
            let handler = TaskHandler(Add.self) { _, context in
                try await context.progress(0.25, "a quarter")
                await goOn.wait()
                return 1
            }
            try await withWorker(queue, [handler]) {
                let handle = try await queue.publish(Add(a: 1, b: 1))
                var states: [TaskState] = []
                for try await status in handle.updates {
                    if states.last != status.state { states.append(status.state) }
                    if status.progress == 0.25, status.note == "a quarter" { goOn.give() }
                }
                #expect(states.last == .succeeded)
                #expect(states == [.available, .leased, .succeeded].suffix(states.count))
            }
        }
    }

    @Test func `limits end what takes too long, whether it listens or not`() async throws {
        try await withQueue { queue, _ in
            let (never, ever) = (Signal(), Signal())
            var once = impatient
            once.attempts = 1
            let handlers = [
                TaskHandler(Add.self, retry: once, softLimit: .milliseconds(20)) { _, _ in
                    await never.wait()
                    throw CancellationError()
                },
                TaskHandler(Shout.self, retry: once, hardLimit: .milliseconds(20)) { task, _ in
                    // Does not listen to its cancellation.
                    await Task.detached { await ever.wait() }.value
                    return .init(text: task.text)
                },
            ]
            try await withWorker(queue, concurrency: 1, handlers) {
                let soft = try await queue.publish(Add(a: 1, b: 1))
                let hard = try await queue.publish(Shout(text: "x"))
                await #expect(throws: TaskError.self) { try await soft.result(within: .seconds(60)) }
                await #expect(throws: TaskError.self) { try await hard.result(within: .seconds(60)) }
                #expect(try await soft.status().lastError?.contains("soft limit") == true)
                #expect(try await hard.status().lastError?.contains("hard limit") == true)
            }
            ever.give()
        }
    }

    @Test func `a result that does not come in time is no end of the task`() async throws {
        try await withQueue { queue, _ in
            let handle = try await queue.publish(Add(a: 1, b: 1), .after(.seconds(3600)))
            await #expect(throws: TaskError.timedOut) { try await handle.result(within: .milliseconds(5)) }
            #expect(try await handle.status().state == .scheduled)
            try await handle.cancel()
            await #expect(throws: TaskError.notPossible(.cancelled)) { try await handle.cancel() }
        }
    }

    @Test func `one task of a unique key, one of a group at a time`() async throws {
        try await withQueue { queue, _ in
            let first = try await queue.publish(Add(a: 1, b: 1), options: .init { $0.uniqueKey = "k" })
            let same = try await queue.publish(Add(a: 2, b: 2), options: .init { $0.uniqueKey = "k" })
            #expect(first == same)
            let (running, most) = (Counter(), Counter())
            let handler = TaskHandler(Shout.self) { task, _ in
                if running.add() > 1 { most.add() }
                await Task.yield()
                running.add(-1)
                return .init(text: task.text)
            }
            try await withWorker(queue, concurrency: 8, [handler]) {
                let handles = try await queue.publish(
                    (0..<50).map { Shout(text: "\($0)") }, options: .init { $0.group = "g" })
                for handle in handles { _ = try await handle.result(within: .seconds(60)) }
            }
            #expect(most.value == 0)
        }
    }

    @Test func `paused, nothing is begun`() async throws {
        try await withQueue { queue, _ in
            try await queue.pause()
            try await withWorker(queue, [adding]) {
                let handle = try await queue.publish(Add(a: 1, b: 1))
                await #expect(throws: TaskError.timedOut) {
                    try await handle.result(within: .milliseconds(20))
                }
                #expect(try await queue.counts().isPaused)
                try await queue.resume()
                #expect(try await handle.result(within: .seconds(60)) == 2)
            }
        }
    }

    @Test func `what cannot be is refused by name`() async throws {
        try await withQueue { queue, store in
            await #expect(throws: TaskError.self) { try await TaskQueue("no/name", in: store) }
            await #expect(throws: TaskError.self) { try await TaskQueue("", in: store) }
            #expect(throws: TaskError.illegalID("nonsense")) { try TaskID("nonsense") }
            await #expect(throws: TaskError.self) {
                try await queue.publish(Add(a: 1, b: 1), options: .init { $0.priority = 10 })
            }
            await #expect(throws: TaskError.tooLarge(bytes: 600_011, limit: 524_288)) {
                try await queue.publish(Shout(text: String(repeating: "x", count: 600_000)))
            }
            // Nobody else writes into the topic, or takes it away.
            await #expect(throws: StreamError.self) { try await store.producer(for: "__tasks-q") }
            await #expect(throws: StreamError.self) { try await store.admin.deleteTopic("__tasks-q") }
            await #expect(throws: StreamError.self) { try await store.admin.createTopic("__tasks-other") }
            try await store.close()
            await #expect(throws: TaskError.stream(.closed)) { try await queue.publish(Add(a: 1, b: 1)) }
        }
    }
}
