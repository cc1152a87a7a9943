// A queue of tasks, call by call.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct TaskMachineTests {
    // MARK: Publishing

    @Test func `a task that is published is available, is leased once, and is done`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        #expect(bench.state(task) == .available)
        let leased = bench.lease(5)
        #expect(leased.map(\.lease.task) == [task])
        #expect(leased[0].attempt == 1 && leased[0].definitionOffset == 0)
        #expect(bench.lease().isEmpty)
        try bench.machine.complete(leased[0].lease, result: [9], now: bench.now)
        bench.store()
        #expect(bench.state(task) == .succeeded)
        let standing = try TaskStanding(try #require(bench.log.last?.value)[...])
        #expect(standing.result == [9])
        #expect(bench.log.map(\.key.kind) == [.definition, .standing, .standing])
    }

    @Test func `an identity is read back from its text, and nothing else is`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        #expect(TaskIdentity(text: task.text) == task)
        #expect(TaskIdentity(text: "") == nil && TaskIdentity(text: task.text + "A") == nil)
        let other = TaskIdentity(sequence: task.sequence, nonce: task.nonce ^ 1)
        #expect(throws: TaskRefusal.unknownTask) { try bench.machine.status(of: other) }
    }

    @Test func `a task is due at its time, not a millisecond before`() throws {
        var bench = TaskBench()
        let due = bench.wall + 1_000
        let task = try bench.publish { $0.due = due }
        #expect(bench.machine.nextWall == bench.wall + 1_000)
        bench.pass(999)
        #expect(bench.state(task) == .scheduled && bench.lease().isEmpty)
        bench.pass(1)
        #expect(bench.state(task) == .available && bench.lease().count == 1)
    }

    @Test func `a moment that has passed is now`() throws {
        var bench = TaskBench()
        let task = try bench.publish { $0.due = 5 }
        #expect(bench.state(task) == .available)
        #expect(try bench.machine.status(of: task).time == bench.wall)
    }

    @Test func `the greatest priority goes first, then who came first`() throws {
        var bench = TaskBench()
        let plain = try bench.publish()
        let low = try bench.publish { $0.priority = 0 }
        let high = try bench.publish("b") { $0.priority = 9 }
        let second = try bench.publish("b")
        #expect(bench.lease(10).map(\.lease.task) == [high, plain, second, low])
    }

    @Test func `a worker gets what it has handlers for`() throws {
        var bench = TaskBench()
        try bench.publish("b")
        #expect(bench.lease(1, names: ["a", "nobody's"]).isEmpty)
        #expect(bench.lease(1, names: ["b"]).count == 1)
    }

    @Test func `what cannot be is refused by name, and nothing is taken`() throws {
        var bench = TaskBench { $0.tasks = 1 }
        #expect(throws: TaskRefusal.self) { try bench.publish("") }
        #expect(throws: TaskRefusal.self) { try bench.publish(String(repeating: "x", count: 250)) }
        #expect(throws: TaskRefusal.self) { try bench.publish { $0.priority = 10 } }
        #expect(throws: TaskRefusal.self) { try bench.publish { $0.due = TaskLimits.latest + 1 } }
        #expect(throws: TaskRefusal.self) { try bench.publish { $0.group = "" } }
        #expect(throws: TaskRefusal.tooLarge(bytes: 524_289, limit: 524_288)) {
            try bench.publish { $0.payload = Array(repeating: 0, count: 524_289) }
        }
        #expect(bench.log.isEmpty && bench.machine.taskCount == 0)
        try bench.publish(String(repeating: "x", count: 249)) {
            $0.payload = Array(repeating: 0, count: 524_288)
        }
        #expect(throws: TaskRefusal.queueFull(limit: 1)) { try bench.publish() }
    }

    @Test func `what expires before it has begun is not begun`() throws {
        var bench = TaskBench()
        let end = bench.wall + 10
        let task = try bench.publish { $0.expires = end }
        let begun = try bench.publish { $0.expires = end }
        #expect(bench.lease().count == 1)
        bench.pass(10)
        #expect(bench.state(task) == .leased && bench.state(begun) == .expired)
        try bench.machine.redrive(begun, now: bench.now)
        bench.pass(1_000)
        #expect(bench.state(begun) == .available)
        #expect(bench.reopened().accounts == bench.machine.accounts)
    }

    // MARK: Unique keys and groups

    @Test func `a unique key is held until its task is final`() throws {
        var bench = TaskBench()
        let first = try bench.publish { $0.uniqueKey = "k" }
        #expect(try bench.publish { $0.uniqueKey = "k" } == first)
        #expect(try bench.publish { $0.uniqueKey = "l" } != first)
        let leased = bench.lease()
        try bench.machine.complete(leased[0].lease, result: [], now: bench.now)
        let second = try bench.publish { $0.uniqueKey = "k" }
        #expect(second != first)
        #expect(try bench.publish { $0.uniqueKey = "k" } == second)
    }

    @Test func `with a period a unique key is held that long, done or not, reopened or not`() throws {
        var bench = TaskBench { $0.retention = 1 }
        let unique: (inout TaskDraft) -> Void = { ($0.uniqueKey, $0.uniquePeriod) = ("k", 1_000) }
        let first = try bench.publish("a", unique)
        try bench.machine.cancel(first, now: bench.now)
        bench.pass(999)
        bench.machine = bench.reopened()
        #expect(try bench.publish("a", unique) == first)
        bench.pass(1)
        #expect(try bench.publish("a", unique) != first)
    }

    @Test func `of a group one task runs, in the order of publishing`() throws {
        var bench = TaskBench()
        let tasks = try (0..<3).map { _ in try bench.publish { $0.group = "g" } }
        let other = try bench.publish { $0.group = "h" }
        let leased = bench.lease(10)
        #expect(leased.map(\.lease.task) == [tasks[0], other])
        // It waits for its next attempt, and the group for it.
        try bench.machine.fail(leased[0].lease, cause: "no", retryAfter: 500, now: bench.now)
        #expect(bench.lease(10).isEmpty)
        bench.pass(500)
        let again = bench.lease(10)
        #expect(again.map(\.lease.task) == [tasks[0]])
        try bench.machine.cancel(tasks[1], now: bench.now)
        try bench.machine.reject(again[0].lease, cause: "never", now: bench.now)
        #expect(bench.lease(10).map(\.lease.task) == [tasks[2]])
    }

    // MARK: Leases

    @Test func `a lease ends at its time, not before, and the next holder's token is another`() throws {
        var bench = TaskBench()
        try bench.publish()
        let first = bench.lease()[0].lease
        bench.pass(29_999)
        #expect(bench.lease().isEmpty)
        bench.pass(1)
        let second = bench.lease()[0].lease
        #expect(second.task == first.task && second.token > first.token)
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.complete(first, result: [], now: bench.now)
        }
        #expect(throws: TaskRefusal.leaseLost) { try bench.machine.fail(first, cause: "", now: bench.now) }
        #expect(throws: TaskRefusal.leaseLost) { try bench.machine.release(first, now: bench.now) }
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.extend(first, by: 1_000, now: bench.now)
        }
        #expect(bench.machine.heartbeat([first, second], now: bench.now) == [first])
        try bench.machine.complete(second, result: [], now: bench.now)
    }

    @Test func `a heartbeat holds a lease and writes nothing`() throws {
        var bench = TaskBench()
        try bench.publish()
        let lease = bench.lease()[0].lease
        let records = bench.log.count
        for _ in 0..<10 {
            bench.pass(29_000)
            #expect(bench.machine.heartbeat([lease], now: bench.now).isEmpty)
        }
        bench.store()
        #expect(bench.log.count == records && bench.machine.leaseCount == 1)
    }

    @Test func `an extended lease holds as long as was said, also when reopened`() throws {
        var bench = TaskBench()
        try bench.publish()
        let lease = bench.lease(host: 7)[0].lease
        try bench.machine.extend(lease, by: 100_000, now: bench.now)
        bench.pass(99_999)
        #expect(bench.machine.leaseCount == 1)
        bench.machine = bench.reopened()
        bench.pass(99_999)
        #expect(bench.machine.leaseCount == 1)
        bench.pass(1)
        #expect(bench.machine.leaseCount == 0)
    }

    @Test func `what is released does not count, and with a delay it waits`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        try bench.machine.release(bench.lease()[0].lease, now: bench.now)
        #expect(bench.state(task) == .available)
        let leased = bench.lease()[0]
        #expect(leased.attempt == 1 && leased.lease.token == 2)
        try bench.machine.release(leased.lease, delay: 10, now: bench.now)
        #expect(bench.state(task) == .scheduled && bench.lease().isEmpty)
        bench.pass(10)
        #expect(bench.lease().count == 1)
    }

    @Test func `cancelled while it runs, a task is lost to its worker`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        let lease = bench.lease()[0].lease
        try bench.machine.cancel(task, now: bench.now)
        #expect(bench.machine.heartbeat([lease], now: bench.now) == [lease])
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.complete(lease, result: [], now: bench.now)
        }
        #expect(throws: TaskRefusal.notPossible(.cancel, .cancelled)) {
            try bench.machine.cancel(task, now: bench.now)
        }
    }

    @Test func `paused, a queue gives nothing out, and remembers that`() throws {
        var bench = TaskBench()
        try bench.publish()
        bench.machine.pause(true)
        bench.store()
        #expect(bench.lease().isEmpty && bench.reopened().isPaused)
        bench.machine.pause(false)
        #expect(bench.lease().count == 1)
    }

    // MARK: Failing

    @Test func `a task that always fails is dead behind its last attempt, with what happened`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        for attempt in 1...3 {
            let leased = bench.lease()[0]
            #expect(leased.attempt == UInt32(attempt))
            try bench.machine.fail(leased.lease, cause: "reason \(attempt)", now: bench.now)
            if attempt < 3 { #expect([.retrying, .available].contains(bench.state(task))) }
            bench.pass(4_000)
        }
        #expect(bench.state(task) == .dead)
        let standing = try TaskStanding(try #require(bench.log.last?.value)[...])
        #expect(standing.history?.attempts.map(\.cause) == ["reason 1", "reason 2", "reason 3"])
        #expect(standing.history?.attempts.map(\.end) == [.failed, .failed, .failed])
        // Another life, with its history.
        try bench.machine.redrive(task, history: standing.history, now: bench.now)
        #expect(bench.lease()[0].attempt == 1)
        #expect(bench.machine.accounts[0].history?.attempts.count == 3)
    }

    @Test func `the back-off doubles up to its cap, and is drawn from all of it`() {
        let policy = TaskRetryPolicy(attempts: 100, base: 1_000, cap: 60_000)
        #expect(
            (1...8).map { policy.ceiling(behind: $0) } == [
                1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
            ])
        #expect(policy.ceiling(behind: .max) == 60_000)
        #expect(TaskRetryPolicy(base: 0).ceiling(behind: 9) == 0)
        var random = SplitMix64(state: 7)
        let drawn = (0..<2_000).map { _ in policy.delay(behind: 3, &random) }
        #expect(drawn.allSatisfy { (0...4_000).contains($0) })
        #expect(drawn.min() ?? 9 < 100 && drawn.max() ?? 0 > 3_900)
    }

    @Test func `of a long history the last attempts are kept, and how many there were before`() {
        var history = TaskHistory()
        for number in 1...20 {
            history.add(TaskAttempt(number: UInt32(number), began: 0, ended: 1, end: .failed, cause: ""))
        }
        #expect(history.dropped == 4 && history.attempts.map(\.number) == Array(5...20))
    }

    @Test func `a cause is cut between two characters`() {
        let cut = TaskLimits.cut(String(repeating: "ü", count: 300), 511)
        #expect(cut.utf8.count == 510)
        #expect(TaskLimits.cut("short", 512) == "short")
    }

    @Test func `near its limit a task whose leases were lost is given out alone`() throws {
        var bench = TaskBench()
        bench.policy = TaskRetryPolicy(attempts: 4)
        let poison = try bench.publish { $0.priority = 9 }
        for _ in 1...2 {
            #expect(bench.lease(1).map(\.lease.task) == [poison])
            bench.pass(30_000)
        }
        let harmless = try (0..<3).map { _ in try bench.publish() }
        // Another host holds something: it gets nothing more until it has nothing.
        let other = bench.lease(1, host: 8, names: ["b"])
        #expect(other.isEmpty)
        let alone = bench.lease(10)
        #expect(alone.map(\.lease.task) == [poison] && alone[0].attempt == 3)
        #expect(bench.lease(10).isEmpty)
        let beside = bench.lease(10, host: 8)
        #expect(beside.map(\.lease.task) == harmless)
        bench.pass(30_000)
        #expect(bench.state(poison) == .available)
        let last = bench.lease(10, host: 8)
        #expect(last.map(\.lease.task) == [poison] && last[0].attempt == 4)
        bench.pass(30_000)
        #expect(bench.state(poison) == .dead)
    }

    // MARK: What is kept

    @Test func `what is done is removed after its retention, with two tombstones`() throws {
        var bench = TaskBench { $0.retention = 100 }
        let task = try bench.publish()
        try bench.machine.complete(bench.lease()[0].lease, result: [], now: bench.now)
        bench.pass(99)
        #expect(bench.state(task) == .succeeded)
        bench.pass(1)
        #expect(bench.state(task) == nil && bench.machine.taskCount == 0)
        #expect(bench.log.suffix(2).map(\.value) == [nil, nil])
        #expect(bench.reopened(compacted: true).taskCount == 0)
    }

    @Test func `more than so many are not kept, but the dead are`() throws {
        var bench = TaskBench { $0.kept = 2 }
        let dead = try bench.publish()
        try bench.machine.reject(bench.lease()[0].lease, cause: "never", now: bench.now)
        var done: [TaskIdentity] = []
        for _ in 0..<4 {
            bench.pass(1)
            done.append(try bench.publish())
            try bench.machine.complete(bench.lease()[0].lease, result: [], now: bench.now)
        }
        bench.store()
        #expect(done.map { bench.state($0) } == [nil, nil, .succeeded, .succeeded])
        #expect(bench.state(dead) == .dead)
        try bench.machine.purge(dead)
        #expect(bench.state(dead) == nil)
    }

    // MARK: Atomic writes

    @Test func `a prepared task is nobody's before its write is made, and never was if it is not`() throws {
        var bench = TaskBench()
        var draft = TaskDraft(name: "a", payload: [])
        draft.uniqueKey = "k"
        let (one, record) = try bench.machine.prepare(draft, write: 1, now: bench.now)
        #expect(record != nil && bench.machine.takeRecords().isEmpty)
        #expect(throws: TaskRefusal.unknownTask) { try bench.machine.status(of: one.task) }
        #expect(bench.lease().isEmpty)
        // Whether there will be a task of that key is not known.
        #expect(throws: TaskRefusal.self) { try bench.publish { $0.uniqueKey = "k" } }
        bench.machine.abandon(one.task)
        #expect(bench.machine.taskCount == 0)
        let (two, _) = try bench.machine.prepare(draft, write: 1, now: bench.now)
        bench.machine.confirm(two.task, at: 70, now: bench.now)
        #expect(bench.lease().map(\.definitionOffset) == [70])
    }

    // MARK: Other processes

    @Test func `what a process had that is gone is others' at once, and what it gives back does not count`()
        throws
    {
        var bench = TaskBench()
        let tasks = try (0..<3).map { _ in try bench.publish() }
        let lost = bench.lease(2, host: 8)
        let other = bench.lease(1, host: 9)[0]
        bench.machine.endHost(8, cause: "gone", now: bench.now)
        bench.store()
        #expect(tasks.map { bench.state($0) } == [.available, .available, .leased])
        #expect(bench.machine.takeRevoked().map(\.lease) == lost.map(\.lease))
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.complete(lost[0].lease, result: [], now: bench.now)
        }
        bench.machine.endHost(9, cause: nil, now: bench.now)
        bench.store()
        #expect(bench.state(tasks[2]) == .available && bench.machine.history(of: tasks[2]) == nil)
        #expect(throws: TaskRefusal.leaseLost) {
            try bench.machine.complete(other.lease, result: [], now: bench.now)
        }
        // Near their limit, and lost once: alone.
        #expect(bench.lease(3).map(\.attempt) == [2])
        #expect(bench.reopened().accounts == bench.machine.accounts)
    }

    @Test func `a worker may take tasks of names that it does not know`() throws {
        var bench = TaskBench()
        try bench.publish("a")
        try bench.publish("z")
        var request = LeaseRequest(
            holder: TaskHolder(host: 8, worker: 1), handlers: [("a", TaskRetryPolicy(attempts: 1))], count: 5,
            visibility: 1_000)
        request.others = TaskRetryPolicy(attempts: 2)
        let leased = bench.machine.lease(request, now: bench.now)
        #expect(leased.map(\.name) == ["a", "z"])
        for task in leased { try bench.machine.fail(task.lease, cause: "no", now: bench.now) }
        #expect(leased.map { bench.state($0.lease.task) } == [.dead, .retrying])
    }

    @Test func `a dead task gets another definition, and no other task does`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        var definition = try TaskDefinition(try #require(bench.log[0].value)[...])
        definition.payload = [7]
        #expect(throws: TaskRefusal.notPossible(.redrive, .available)) {
            try bench.machine.edit(task, definition)
        }
        try bench.machine.reject(bench.lease()[0].lease, cause: "no", now: bench.now)
        try bench.machine.edit(task, definition)
        bench.store()
        try bench.machine.redrive(task, now: bench.now)
        bench.store()
        let again = bench.lease()[0]
        #expect(
            try TaskDefinition(try #require(bench.log[Int(again.definitionOffset)].value)[...]).payload == [7]
        )
        #expect(bench.reopened().accounts == bench.machine.accounts)
        definition.payload = ArraySlice(repeating: 0, count: TaskLimits.payloadBytes + 1)
        try bench.machine.reject(again.lease, cause: "no", now: bench.now)
        #expect(throws: TaskRefusal.tooLarge(bytes: 524_289, limit: 524_288)) {
            try bench.machine.edit(task, definition)
        }
    }
}
