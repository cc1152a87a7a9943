// Limits and tenants of a queue in a store.

@testable import Sluice
@testable import SluiceTasks
import Testing

@Suite struct QueueLimitTests {
    @Test func `limits are those that were set, also after the store was closed`() async throws {
        let directory = try TemporaryDirectory()
        let limits = QueueLimits {
            $0.queue = TaskLimit(concurrency: 100, rate: .perMinute(600))
            $0.tenant = TaskLimit(concurrency: 5, rate: .perSecond(20, burst: 7))
            $0.names["shout"] = TaskLimit(rate: .perSecond(1))
        }
        #expect(limits.queue.rate?.burst == 1 && TaskRate.perSecond(50).burst == 5)
        for round in 0..<2 {
            let store = try await directory.open()
            let queue = try await TaskQueue("q", in: store)
            if round == 0 {
                #expect(try await queue.limits() == QueueLimits())
                await #expect(throws: TaskError.self) {
                    try await queue.setLimits(.init { $0.queue.concurrency = 0 })
                }
                try await queue.setLimits(limits)
            }
            #expect(try await queue.limits() == limits)
            try await store.close()
        }
    }

    @Test func `no more run at a time than may, of a tenant and of all`() async throws {
        try await withQueue { queue, _ in
            try await queue.setLimits(
                .init {
                    $0.queue.concurrency = 3
                    $0.tenant.concurrency = 2
                })
            let (all, most, mine, mostMine) = (Counter(), Counter(), Counter(), Counter())
            let handler = TaskHandler(Shout.self) { task, _ in
                most.raise(to: all.add())
                if task.text == "t" { mostMine.raise(to: mine.add()) }
                for _ in 0..<20 { await Task.yield() }
                if task.text == "t" { mine.add(-1) }
                all.add(-1)
                return Shout.Output(text: task.text)
            }
            var handles: [TaskHandle<Shout>] = []
            for number in 0..<60 {
                let tenant = number % 3 == 0 ? "u" : "t"
                handles.append(
                    try await queue.publish(Shout(text: tenant), options: .init { $0.tenant = tenant }))
            }
            try await withWorker(queue, concurrency: 8, [handler]) {
                for handle in handles { _ = try await handle.result(within: .seconds(120)) }
            }
            #expect((1...3).contains(most.value) && (1...2).contains(mostMine.value))
            #expect(try await handles[0].status().tenant == "u")
        }
    }

    @Test func `a worker that waits gets what a rate allows when it does`() async throws {
        try await withQueue { queue, _ in
            try await queue.setLimits(
                .init {
                    $0.queue.rate = .perSecond(100, burst: 1)
                    $0.tenant.rate = .perSecond(50, burst: 1)
                })
            let handles = try await queue.publish((0..<8).map { Add(a: $0, b: 1) })
            try await withWorker(queue, [adding]) {
                for (number, handle) in handles.enumerated() {
                    let sum = try await handle.result(within: .seconds(120))
                    #expect(sum == number + 1)
                }
            }
        }
    }
}
