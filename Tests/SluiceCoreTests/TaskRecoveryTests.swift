// A queue of tasks out of its log: bytes, replays, damage.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct TaskRecoveryTests {
    @Test func `the bytes of a definition are these`() throws {
        let definition = TaskDefinition(
            nonce: 0x0102_0304_0506_0708, published: 0x10, due: 0x20, priority: 4, name: "ab",
            payload: [0xFE, 0xFF], expires: 0x30, group: "g", unique: .init(key: "k", until: nil))
        let bytes: [UInt8] = [
            1,  // version
            1, 2, 3, 4, 5, 6, 7, 8,  // nonce
            0, 0, 0, 0, 0, 0, 0, 0x10,  // published
            0, 0, 0, 0, 0, 0, 0, 0x20,  // due
            4,  // priority
            0, 0, 0, 2, 0x61, 0x62,  // name
            0, 0, 0, 2, 0xFE, 0xFF,  // payload
            1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x30,  // expires
            2, 0, 0, 0, 5, 0, 0, 0, 1, 0x67,  // group
            3, 0, 0, 0, 13, 0, 0, 0, 1, 0x6B, 255, 255, 255, 255, 255, 255, 255, 255,  // unique
        ]
        #expect(definition.bytes == bytes)
        #expect(try TaskDefinition(bytes[...]) == definition)
        #expect(TaskRecordKey(.definition, 0x0A0B).bytes == [1, 0, 0, 0, 0, 0, 0, 0x0A, 0x0B])
    }

    @Test func `the bytes of a standing are these`() throws {
        var standing = TaskStanding(
            state: .leased, losses: 1, attempt: 2, deliveries: 3, changed: 4, due: 5)
        standing.isExpiryLifted = true
        standing.lease = .init(
            holder: TaskHolder(host: 6, worker: 7), until: 8, visibility: 9,
            policy: TaskRetryPolicy(attempts: 10, base: 11, cap: 12))
        standing.result = [0xAA]
        var history = TaskHistory()
        history.add(TaskAttempt(number: 1, began: 2, ended: 3, end: .lost, cause: "c"))
        standing.history = history
        standing.progress = TaskProgress(fraction: 1, note: "n")
        let bytes: [UInt8] = [
            1, 2, 1, 1,  // version, state, losses, flags
            0, 0, 0, 2, 0, 0, 0, 3,  // attempt, deliveries
            0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5,  // changed, due
            1, 0, 0, 0, 48,  // lease
            0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 9,
            0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 12,
            2, 0, 0, 0, 1, 0xAA,  // result
            3, 0, 0, 0, 34, 0, 0, 0, 0, 0, 0, 0, 1,  // history: dropped, count
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 1, 0x63,
            4, 0, 0, 0, 13, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x6E,  // progress
        ]
        #expect(standing.bytes == bytes)
        #expect(try TaskStanding(bytes[...]) == standing)
    }

    @Test func `a field of a later version is stepped over or refused, as its tag says`() throws {
        let definition = TaskDefinition(
            nonce: 1, published: 2, due: 3, priority: 4, name: "a", payload: [], expires: nil, group: nil,
            unique: nil)
        let skippable = definition.bytes + [200, 0, 0, 0, 1, 7]
        #expect(try TaskDefinition(skippable[...]) == definition)
        #expect(throws: MalformedRecord.self) {
            try TaskDefinition((definition.bytes + [4, 0, 0, 0, 1, 7])[...])
        }
        #expect(throws: MalformedRecord.self) {
            try TaskDefinition((definition.bytes + [200, 0, 0, 0, 2, 7])[...])
        }
    }

    @Test func `no bytes trap`() throws {
        var bench = TaskBench()
        try bench.publish { ($0.group, $0.uniqueKey, $0.expires) = ("g", "k", 1_800_000_000_000) }
        let lease = bench.lease()[0].lease
        try bench.machine.fail(lease, cause: "no", now: bench.now)
        bench.store()
        bench.pass(10_000)
        _ = bench.lease()
        var random = SplitMix64(state: 3)
        for _ in 0..<300 {
            var machine = TaskMachine(seed: 1, localHost: TaskBench.host)
            for (index, record) in bench.log.enumerated() {
                var value = record.value ?? []
                for _ in 0..<Int.random(in: 0...3, using: &random) where !value.isEmpty {
                    let place = Int.random(in: value.indices, using: &random)
                    switch Int.random(in: 0...2, using: &random) {
                    case 0: value[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: value[place] = 255
                    default: value.removeLast()
                    }
                }
                machine.load(key: record.key.bytes[...], value: value[...], offset: Int64(index))
            }
            machine.finishLoading(now: bench.now)
            let task = machine.accounts.first?.task
            bench.machine = machine
            for _ in 0..<3 {
                bench.now.wallMilliseconds += 100_000_000_000
                bench.now.monotonicNanoseconds += 100_000_000_000
                for leased in bench.lease(3) {
                    try? bench.machine.fail(leased.lease, cause: "no", now: bench.now)
                }
                if let task { try? bench.machine.redrive(task, now: bench.now) }
            }
        }
    }

    @Test func `a task whose standing cannot be read is dead, the others are as they were`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        let other = try bench.publish()
        _ = bench.lease()
        let index = try #require(bench.log.firstIndex { $0.key.kind == .standing })
        bench.log[index].value = [1, 99]
        let machine = bench.reopened()
        #expect(try machine.status(of: task).state == .dead)
        #expect(try machine.status(of: other).state == .available)
        #expect(machine.unreadable.map(\.sequence) == [task.sequence])
    }

    @Test func `a definition that cannot be read is left alone`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        _ = bench.lease()
        bench.log[0].value = [2]
        var machine = bench.reopened()
        #expect(throws: TaskRefusal.unknownTask) { try machine.status(of: task) }
        #expect(machine.takeRecords().isEmpty && machine.unreadable.count == 1)
        // Its number is not given to another.
        let draft = TaskDraft(name: "a", payload: [])
        #expect(try machine.publish(draft, now: bench.now).task.sequence == task.sequence + 1)
    }

    @Test func `a standing without its task is put away`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        _ = bench.lease()
        bench.log.removeFirst()
        var machine = bench.reopened()
        #expect(machine.taskCount == 0)
        #expect(
            machine.takeRecords() == [
                TaskRecord(key: TaskRecordKey(.standing, task.sequence), value: nil)
            ])
    }

    @Test func `at an opening the leases of the program's earlier life end, others get their time anew`()
        throws
    {
        var bench = TaskBench()
        let tasks = try (0..<2).map { _ in try bench.publish() }
        let mine = bench.lease()[0].lease
        let another = bench.lease(1, host: 9)[0].lease
        #expect(mine.task == tasks[0] && another.task == tasks[1])
        bench.pass(29_000)
        bench.machine = bench.reopened(host: 1 << 63 | 77)
        bench.store()
        #expect(bench.state(tasks[0]) == .available && bench.state(tasks[1]) == .leased)
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.complete(mine, result: [], now: bench.now)
        }
        bench.pass(29_999)
        #expect(bench.state(tasks[1]) == .leased)
        try bench.machine.complete(another, result: [], now: bench.now)
        let again = bench.lease(1, host: 1 << 63 | 77)[0]
        #expect(again.attempt == 2 && again.lease.token == 2)
    }

    @Test func `compacted or not, the log gives the same queue`() throws {
        var bench = TaskBench()
        for number in 0..<200 {
            let due = bench.wall + Int64(number % 7) * 500
            try bench.publish(number % 2 == 0 ? "a" : "b") {
                $0.due = due
                if number % 5 == 0 { $0.group = "g\(number % 3)" }
            }
            for leased in bench.lease(2) {
                switch leased.lease.task.sequence % 4 {
                case 0: try bench.machine.complete(leased.lease, result: [1], now: bench.now)
                case 1: try bench.machine.fail(leased.lease, cause: "no", now: bench.now)
                case 2: try bench.machine.release(leased.lease, delay: 300, now: bench.now)
                default: break
                }
            }
            bench.pass(100)
        }
        let accounts = bench.machine.accounts
        #expect(Set(accounts.map(\.state)).count >= 4)
        #expect(bench.reopened().accounts == accounts)
        #expect(bench.reopened(compacted: true).accounts == accounts)
    }
}
