// Tasks across closings and crashes of their store, and in atomic writes.

import Foundation
@testable import Sluice
@testable import SluiceCore
@testable import SluiceTasks
import Testing

@Suite struct TaskStoreTests {
    @Test func `closed and opened again, a queue is as it was`() async throws {
        let directory = try TemporaryDirectory()
        var store = try await directory.open()
        var queue = try await TaskQueue("q", in: store)
        let done = try await queue.publish(Add(a: 1, b: 2))
        try await withWorker(queue, [adding]) {
            let sum = try await done.result(within: .seconds(60))
            #expect(sum == 3)
        }
        let waiting = try await queue.publish(Add(a: 3, b: 4))
        let later = try await queue.publish(Add(a: 5, b: 6), .after(.seconds(3600)))
        try await queue.pause()
        try await store.close()

        store = try await directory.open()
        queue = try await TaskQueue("q", in: store)
        #expect(try await queue.counts().isPaused)
        #expect(try await queue.handle(Add.self, id: done.id).result() == 3)
        #expect(try await queue.status(of: later.id).state == .scheduled)
        try await queue.resume()
        try await withWorker(queue, [adding]) {
            let sum = try await queue.handle(Add.self, id: waiting.id).result(within: .seconds(60))
            #expect(sum == 7)
        }
        try await store.close()
    }

    /// A copy of the directory while the store is open is what a kill leaves behind.
    @Test func `after a kill what was acknowledged is there, and what ran is tried again`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await directory.open()
        let queue = try await TaskQueue("q", in: store)
        let done = try await queue.publish((0..<100).map { Add(a: $0, b: 1) })
        let (began, goOn) = (Signal(), Signal())
        let handlers = [
            adding,
            TaskHandler(Shout.self) { task, _ in
                began.give()
                await goOn.wait()
                return .init(text: task.text)
            },
        ]
        let running = try await withWorker(queue, handlers) {
            for handle in done { _ = try await handle.result(within: .seconds(60)) }
            let running = try await queue.publish(Shout(text: "x"))
            let waiting = try await queue.publish(Nothing())
            await began.wait()
            let copy = directory("killed")
            try FileManager.default.copyItem(atPath: directory("store"), toPath: copy)
            goOn.give()
            return [running.id, waiting.id]
        }
        try await store.close()

        let killed = try TemporaryDirectory()
        try FileManager.default.moveItem(atPath: directory("killed"), toPath: killed("store"))
        let again = try await killed.open()
        let reopened = try await TaskQueue("q", in: again)
        for (number, handle) in done.enumerated() {
            #expect(try await reopened.handle(Add.self, id: handle.id).result() == number + 1)
        }
        // Its worker is known to be gone: nobody waits for the lease.
        let status = try await reopened.status(of: running[0])
        #expect(status.state == .available && status.attempt == 1)
        #expect(status.lastError == "the program that ran it has ended")
        #expect(try await reopened.status(of: running[1]).state == .available)
        let handler = TaskHandler(Shout.self) { _, context in .init(text: "attempt \(context.attempt)") }
        try await withWorker(reopened, [handler]) {
            let result = try await reopened.handle(Shout.self, id: running[0]).result(within: .seconds(60))
            #expect(result.text == "attempt 2")
        }
        try await again.close()
    }

    @Test func `compacted, the topic has what is live, and payloads are found`() async throws {
        let directory = try TemporaryDirectory()
        var store = try await directory.open()
        let configuration = QueueConfiguration { ($0.kept, $0.cacheBytes) = (10, 0) }
        var queue = try await TaskQueue("q", in: store, configuration: configuration)
        try await store.admin.alterTopic("__tasks-q") {
            ($0.segmentBytes, $0.minCleanableDirtyRatio) = (32 << 10, 0.1)
            $0.deleteRetentionTime = .zero
        }
        let old = try await queue.publish(Shout(text: "from long ago"), .after(.seconds(3600)))
        try await withWorker(queue, concurrency: 64, [adding]) {
            for round in 0..<20 {
                let handles = try await queue.publish((0..<200).map { Add(a: $0, b: round) })
                for handle in handles { _ = try? await handle.result(within: .seconds(60)) }
            }
        }
        #expect(try await queue.counts().byState[.succeeded] == 10)
        try await store.close()
        store = try await directory.open()
        queue = try await TaskQueue("q", in: store, configuration: configuration)
        #expect(try await queue.counts().byState[.succeeded] == 10)
        try await queue.retry(old.id)
        let handler = TaskHandler(Shout.self) { task, _ in .init(text: task.text) }
        try await withWorker(queue, [handler]) {
            let result = try await queue.handle(Shout.self, id: old.id).result(within: .seconds(60))
            #expect(result.text == "from long ago")
        }
        try await store.close()
    }

    @Test func `a task of an atomic write is there with the rest of it, or not at all`() async throws {
        try await withQueue { queue, store in
            try await store.admin.ensureTopic("events")
            let handle = try await store.atomically { write in
                try write.append(to: "events", value: "uploaded")
                return try queue.publish(Add(a: 20, b: 22), in: &write)
            }
            #expect(try await handle.status().state == .available)
            let failed = Locked<TaskHandle<Add>?>(nil)
            await #expect(throws: Failure.self) {
                try await store.atomically { write in
                    try write.append(to: "events", value: "not this")
                    let handle = try queue.publish(Add(a: 0, b: 0), in: &write)
                    failed.withLock { $0 = handle }
                    throw Failure("changed my mind")
                }
            }
            let other = try #require(failed.withLock { $0 })
            await #expect(throws: TaskError.unknownTask(other.id)) { try await other.status() }
            try await withWorker(queue, [adding]) {
                let sum = try await handle.result(within: .seconds(60))
                #expect(sum == 42)
            }
            #expect(try await store.admin.offsets(of: TopicPartition(topic: "events", partition: 0)) == 0..<1)
        }
    }

    @Test func `a worker that is shut down lets its tasks end; cancelled it gives them back`() async throws {
        try await withQueue { queue, _ in
            let began = Signal()
            let handler = TaskHandler(Add.self) { task, _ in
                began.give()
                let forever = Signal()
                await withTaskCancellationHandler {
                    await forever.wait()
                } onCancel: {
                    forever.give()
                }
                throw CancellationError()
            }
            let handle = try await withWorker(queue, [handler]) {
                let handle = try await queue.publish(Add(a: 1, b: 1))
                await began.wait()
                return handle
            }
            let status = try await handle.status()
            #expect(status.state == .available && status.attempt == 0 && status.history.isEmpty)
            try await withWorker(queue, [adding]) {
                let sum = try await handle.result(within: .seconds(60))
                #expect(sum == 2)
            }
        }
    }

    @Test func `two queues of one name are one, of two names two`() async throws {
        try await withStore { store in
            let (one, same) = (try await TaskQueue("a", in: store), try await TaskQueue("a", in: store))
            let other = try await TaskQueue("b", in: store)
            let handle = try await one.publish(Add(a: 1, b: 1))
            #expect(try await same.status(of: handle.id).state == .available)
            await #expect(throws: TaskError.unknownTask(handle.id)) { try await other.status(of: handle.id) }
        }
    }

    @Test func `who waits for a result has it though the queue was read anew meanwhile`() async throws {
        try await withQueue { queue, _ in
            let handle = try await queue.publish(Add(a: 1, b: 2))
            let engine = queue.engine
            let waiting = Task { try await handle.result() }
            while engine.state.withLock({ $0.watches.isEmpty }) { await Task.yield() }
            engine.fail(.indeterminate(engine.place, reason: "an append has failed"))
            try await withWorker(queue, [adding]) {
                let sum = try await waiting.value
                #expect(sum == 3)
            }
        }
    }
}
