// Tasks that run after others, in a store.

@testable import Sluice
@testable import SluiceTasks
import Testing

/// Adds up what the tasks that it runs after have returned.
private struct Sum: TaskPayload {
    typealias Output = Int
    static let taskName = "sum"
}

@Suite struct TaskAfterTests {
    private let handlers = [
        adding,
        TaskHandler(Sum.self) { _, context in
            var sum = 0
            for task in context.after { sum += try await context.result(of: task, as: Int.self) }
            return sum
        },
        TaskHandler(Nothing.self) { _, context in
            let states = await context.after.asyncMap { task in
                do throws(TaskError) {
                    return "\(try await context.resultBytes(of: task).count)"
                } catch {
                    if case .ended(let status) = error { return "\(status.state)" }
                    return "\(error)"
                }
            }
            throw TaskRejection(states.joined(separator: " "))
        },
    ]

    @Test func `a chord gets what its parts returned, in the order in which they were named`() async throws {
        try await withQueue { queue, _ in
            let parts = try await queue.publish((1...5).map { Add(a: $0, b: 0) })
            let sum = try await queue.publish(Sum(), options: .init { $0.after = parts.map(\.id) })
            let twice = try await queue.publish(Sum(), options: .after(sum.id, parts[0].id))
            let status = try await twice.status()
            #expect(status.state == .waiting && status.waitsFor == [sum.id, parts[0].id])
            try await withWorker(queue, handlers) {
                let results = try await parts.results(within: .seconds(120))
                #expect(results == [1, 2, 3, 4, 5])
                let sums = try await [sum, twice].results(within: .seconds(120))
                #expect(sums == [15, 16])
            }
            #expect(try await twice.status().waitsFor.isEmpty)
        }
    }

    @Test func `a failure is passed on and says of which task; what runs anyway sees how the others ended`()
        async throws
    {
        try await withQueue { queue, _ in
            let good = try await queue.publish(Add(a: 1, b: 2))
            let bad = try await queue.publish(Nothing())
            let next = try await queue.publish(Sum(), options: .after(bad.id))
            let last = try await queue.publish(Sum(), options: .after(next.id))
            let anyway = try await queue.publish(
                Nothing(), options: .after(good.id, bad.id, failure: .run))
            try await withWorker(queue, handlers) {
                await #expect(throws: TaskError.self) { try await last.result(within: .seconds(120)) }
                await #expect(throws: TaskError.self) { try await anyway.result(within: .seconds(120)) }
            }
            #expect(try await next.status().lastError == "\(bad.id), which it runs after, is dead")
            #expect(try await last.status().state == .cancelled)
            #expect(try await anyway.status().lastError == "1 dead")
        }
    }

    @Test func `a graph is published as a whole or not at all`() async throws {
        try await withStore { store in
            let queue = try await TaskQueue("q", in: store)
            await #expect(throws: Failure.self) {
                try await store.atomically { write in
                    let first = try queue.publish(Add(a: 1, b: 1), in: &write)
                    _ = try queue.publish(Sum(), options: .after(first.id), in: &write)
                    throw Failure("thought better of it")
                }
            }
            #expect(try await queue.tasks().isEmpty)
            let (parts, sum) = try await store.atomically { write in
                var parts: [TaskHandle<Add>] = []
                for number in 1...3 { parts.append(try queue.publish(Add(a: number, b: 0), in: &write)) }
                let ids = parts.map(\.id)
                return (parts, try queue.publish(Sum(), options: .init { $0.after = ids }, in: &write))
            }
            #expect(try await sum.status().state == .waiting)
            try await withWorker(queue, handlers) {
                let result = try await sum.result(within: .seconds(120))
                #expect(result == 6 && parts.count == 3)
            }
        }
    }

    @Test func `what waits waits after the store was closed, and one that is not there is refused`()
        async throws
    {
        let directory = try TemporaryDirectory()
        var store = try await directory.open()
        var queue = try await TaskQueue("q", in: store)
        let first = try await queue.publish(Add(a: 2, b: 2))
        let second = try await queue.publish(Sum(), options: .after(first.id))
        try await store.close()
        store = try await directory.open()
        queue = try await TaskQueue("q", in: store)
        let again = queue.handle(Sum.self, id: second.id)
        #expect(try await again.status().waitsFor == [first.id])
        let stranger = try TaskID(String(first.id.description.dropLast(8)) + "AAAAAAAA")
        await #expect(throws: TaskError.unknownTask(stranger)) {
            try await queue.publish(Sum(), options: .after(stranger))
        }
        try await withWorker(queue, handlers) {
            let result = try await again.result(within: .seconds(120))
            #expect(result == 4)
        }
        try await store.close()
    }
}

extension Array {
    fileprivate func asyncMap<R>(_ body: (Element) async -> R) async -> [R] {
        var mapped: [R] = []
        for element in self { mapped.append(await body(element)) }
        return mapped
    }
}
