// Tasks that run after others.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct TaskAfterTests {
    private func finish(_ bench: inout TaskBench) throws {
        for task in bench.lease(1_000) { try bench.machine.complete(task.lease, result: [1], now: bench.now) }
        bench.store()
    }

    private func fail(_ bench: inout TaskBench) throws {
        for task in bench.lease(1_000) { try bench.machine.reject(task.lease, cause: "no", now: bench.now) }
        bench.store()
    }

    /// Why a task was cancelled, of its last record.
    private func cause(_ bench: TaskBench, _ task: TaskIdentity) throws -> String? {
        let record = bench.log.last { $0.key == TaskRecordKey(.standing, task.sequence) }
        return try TaskStanding(try #require(record?.value)[...]).cause
    }

    // MARK: Bytes

    @Test func `the bytes of what a task runs after are these`() throws {
        var definition = TaskDefinition(
            nonce: 1, published: 2, due: 3, priority: 4, name: "a", payload: [], expires: nil, group: nil,
            unique: nil)
        let bytes = definition.bytes
        definition.after = .init(tasks: [TaskIdentity(sequence: 5, nonce: 6)], runsAnyway: true)
        #expect(
            definition.bytes == bytes + [
                4, 0, 0, 0, 21, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6,
            ])
        #expect(try TaskDefinition(definition.bytes[...]) == definition)
        #expect(throws: MalformedRecord.self) {
            try TaskDefinition((bytes + [4, 0, 0, 0, 5, 0, 255, 255, 255, 255])[...])
        }
        var standing = TaskStanding(
            state: .cancelled, losses: 0, attempt: 0, deliveries: 0, changed: 0, due: 0)
        let before = standing.bytes
        standing.cause = "c"
        #expect(standing.bytes == before + [128, 0, 0, 0, 5, 0, 0, 0, 1, 0x63])
        #expect(try TaskStanding(standing.bytes[...]) == standing)
    }

    // MARK: Waiting

    @Test func `a task waits for all that it runs after, and is available when the last has ended`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        let second = try bench.publish()
        let third = try bench.publish { $0.after = [second, first, second] }
        #expect(bench.state(third) == .waiting)
        #expect(try bench.machine.status(of: third).awaited == [second, first])
        let leased = bench.lease(10)
        #expect(leased.map(\.lease.task) == [first, second])
        try bench.machine.complete(leased[0].lease, result: [], now: bench.now)
        bench.store()
        #expect(bench.state(third) == .waiting && bench.lease().isEmpty)
        #expect(try bench.machine.status(of: third).awaited == [second])
        try bench.machine.complete(leased[1].lease, result: [], now: bench.now)
        #expect(bench.state(third) == .available)
        #expect(bench.lease()[0].after == [second, first])
    }

    @Test func `what has ended well is not waited for, and a time is kept all the same`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        try finish(&bench)
        let due = bench.wall + 1_000
        let next = try bench.publish { $0.after = [first] }
        #expect(bench.state(next) == .available)
        let waiting = try bench.publish()
        let later = try bench.publish { ($0.after, $0.due) = ([waiting], due) }
        #expect(bench.state(later) == .waiting && bench.machine.nextWall != due)
        try finish(&bench)
        #expect(bench.state(later) == .scheduled)
        bench.pass(1_000)
        #expect(bench.state(later) == .available)
    }

    @Test func `one that is not there, too many, and one of another atomic write are refused`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        let stranger = TaskIdentity(sequence: task.sequence, nonce: task.nonce ^ 1)
        #expect(throws: TaskRefusal.unknownPredecessor(stranger)) {
            try bench.publish { $0.after = [task, stranger] }
        }
        #expect(throws: TaskRefusal.self) {
            try bench.publish { $0.after = Array(repeating: task, count: 10_001) }
        }
        let draft = TaskDraft(name: "a", payload: [])
        let (mine, _) = try bench.machine.prepare(draft, write: 1, now: bench.now)
        var next = draft
        next.after = [mine.task]
        #expect(throws: TaskRefusal.self) { try bench.machine.prepare(next, write: 2, now: bench.now) }
        #expect(throws: TaskRefusal.self) { try bench.machine.publish(next, now: bench.now) }
        let (other, _) = try bench.machine.prepare(next, write: 1, now: bench.now)
        bench.machine.confirm(mine.task, at: 7, now: bench.now)
        bench.machine.confirm(other.task, at: 8, now: bench.now)
        #expect(bench.state(mine.task) == .available && bench.state(other.task) == .waiting)
        // What is not in the log may be lost, and the atomic write be there.
        next.after = [try bench.machine.publish(draft, now: bench.now).task]
        #expect(throws: TaskRefusal.self) { try bench.machine.prepare(next, write: 3, now: bench.now) }
    }

    @Test func `one that waits can be cancelled and expire, and its time is not hurried`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        let expires = bench.wall + 500
        let second = try bench.publish { ($0.after, $0.expires) = ([first], expires) }
        let third = try bench.publish { ($0.after, $0.runsAnyway) = ([second], true) }
        #expect(throws: TaskRefusal.notPossible(.hurry, .waiting)) {
            try bench.machine.hurry(second, now: bench.now)
        }
        bench.pass(500)
        #expect(bench.state(second) == .expired && bench.state(third) == .available)
        let fourth = try bench.publish { $0.after = [first] }
        try bench.machine.cancel(fourth, now: bench.now)
        #expect(bench.state(fourth) == .cancelled)
    }

    @Test func `a group is not kept by one that waits`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        let waiting = try bench.publish { ($0.after, $0.group) = ([first], "g") }
        let other = try bench.publish { $0.group = "g" }
        #expect(bench.lease(10).map(\.lease.task) == [first, other])
        #expect(bench.state(waiting) == .waiting)
    }

    // MARK: Failures

    @Test func `a failure is passed on, with its cause, through a chain that no stack could hold`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        var last = first
        for _ in 0..<100_000 {
            var draft = TaskDraft(name: "a", payload: [])
            draft.after = [last]
            last = try bench.machine.publish(draft, now: bench.now).task
        }
        bench.store()
        try fail(&bench)
        #expect(bench.machine.nextWall == 0)
        let done = bench.machine.stateCounts[.cancelled] ?? 0
        #expect((1_000...TaskLimits.followersAtOnce).contains(done))
        for _ in 0..<200 where bench.machine.nextWall == 0 { bench.pass(0) }
        #expect(bench.machine.stateCounts[.cancelled] == 100_000 && bench.state(first) == .dead)
        let reason = try cause(bench, last)
        #expect(reason?.hasSuffix(", which it runs after, is cancelled") == true, "\(reason ?? "-")")
        let second = try #require(bench.machine.task(first.sequence + 1)?.task)
        #expect(try cause(bench, second) == "\(first.text), which it runs after, is dead")
    }

    @Test func `one that runs anyway runs when all have ended, however they did`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        let second = try bench.publish()
        let anyway = try bench.publish { ($0.after, $0.runsAnyway) = ([first, second], true) }
        let strict = try bench.publish { $0.after = [first, second] }
        try bench.machine.cancel(first, now: bench.now)
        #expect(bench.state(anyway) == .waiting && bench.state(strict) == .cancelled)
        try finish(&bench)
        #expect(bench.state(anyway) == .available)
        // One that comes when all is over is what it would have become.
        let late = try bench.publish { $0.after = [first] }
        let lateAnyway = try bench.publish { ($0.after, $0.runsAnyway) = ([first], true) }
        #expect(bench.state(late) == .cancelled && bench.state(lateAnyway) == .available)
    }

    @Test
    func `when a failed task is redriven, what was given up stays so, and what has not begun waits again`()
        throws
    {
        var bench = TaskBench()
        let first = try bench.publish()
        let strict = try bench.publish { $0.after = [first] }
        let anyway = try bench.publish { ($0.after, $0.runsAnyway, $0.group) = ([first], true, "g") }
        let other = try bench.publish { ($0.after, $0.runsAnyway, $0.group) = ([first], true, "g") }
        try bench.machine.cancel(first, now: bench.now)
        #expect(bench.state(anyway) == .available && bench.state(strict) == .cancelled)
        try bench.machine.redrive(first, now: bench.now)
        bench.store()
        #expect(bench.state(anyway) == .waiting && bench.state(strict) == .cancelled)
        #expect(bench.reopened().accounts == bench.machine.accounts)
        #expect(bench.lease(10).map(\.lease.task) == [first])
        bench.pass(30_000)
        try finish(&bench)
        #expect(bench.lease(10).map(\.lease.task) == [anyway] && bench.state(other) == .available)
        try bench.machine.redrive(strict, now: bench.now)
        #expect(bench.lease().map(\.lease.task) == [strict])
    }

    // MARK: Keeping

    @Test func `what an unfinished task runs after is not removed, and goes when that one has ended`() throws
    {
        var bench = TaskBench { ($0.retention, $0.kept) = (1_000, 1) }
        let first = try bench.publish()
        try finish(&bench)
        let due = bench.wall + 10_000
        let second = try bench.publish { ($0.after, $0.due) = ([first], due) }
        for _ in 0..<3 {
            try bench.publish()
            try finish(&bench)
        }
        bench.pass(5_000)
        #expect(bench.state(first) == .succeeded)
        #expect(throws: TaskRefusal.self) { try bench.machine.purge(first) }
        bench.pass(5_000)
        try finish(&bench)
        #expect(bench.state(second) == .succeeded)
        bench.pass(0)
        #expect(bench.state(first) == nil)
        #expect(bench.machine.followers.isEmpty)
        bench.pass(1_000)
        #expect(bench.machine.taskCount == 0 && bench.machine.afters.isEmpty)
    }

    @Test func `one that many run after, one after another, does not grow`() throws {
        var bench = TaskBench { $0.kept = 10 }
        let due = bench.wall + 1_000_000
        let root = try bench.publish()
        try finish(&bench)
        try bench.publish { ($0.after, $0.due) = ([root], due) }
        for _ in 0..<1_000 {
            try bench.publish { $0.after = [root] }
            try finish(&bench)
        }
        #expect(bench.machine.followers.values.first?.sequences.count ?? 0 <= 70)
        #expect(bench.machine.afters.count <= 12)
    }

    // MARK: Recovery

    @Test func `every prefix of the log is a state that was true, and comes to the same end`() throws {
        var bench = TaskBench()
        let first = try bench.publish()
        let second = try bench.publish { $0.after = [first] }
        let third = try bench.publish { ($0.after, $0.runsAnyway) = ([first, second], true) }
        let fourth = try bench.publish { $0.after = [third] }
        try fail(&bench)
        try finish(&bench)
        try finish(&bench)
        #expect(bench.state(second) == .cancelled && bench.state(fourth) == .succeeded)
        let log = bench.log
        for count in 4...log.count {
            var again = bench
            again.log = Array(log[..<count])
            again.machine = again.reopened(compacted: count % 2 == 0)
            again.store()
            again.pass(0)
            again.pass(30_000)
            let wasDead = again.state(first) == .dead
            for _ in 0..<5 { try finish(&again) }
            #expect(again.state(second) == (wasDead ? .cancelled : .succeeded), "\(count)")
            #expect(again.state(third) == .succeeded && again.state(fourth) == .succeeded, "\(count)")
        }
    }

    @Test func `what a log says of a task that cannot be there ends, and no bytes make a circle`() throws {
        var bench = TaskBench()
        let task = try bench.publish()
        let other = try bench.publish { $0.after = [task] }
        for (index, after) in [(0, other), (1, other), (1, TaskIdentity(sequence: 99, nonce: 1))] {
            for runsAnyway in [false, true] {
                var again = bench
                var definition = try TaskDefinition(try #require(bench.log[index].value)[...])
                definition.after = .init(tasks: [after, after], runsAnyway: runsAnyway)
                again.log[index].value = definition.bytes
                again.machine = again.reopened()
                again.store()
                again.pass(0)
                for _ in 0..<3 { try finish(&again) }
                #expect(again.machine.accounts.allSatisfy { $0.state.isFinal })
            }
        }
        // A standing that says so is of no version.
        _ = bench.lease()
        let index = try #require(bench.log.lastIndex { $0.key.kind == .standing })
        bench.log[index].value?[1] = TaskState.waiting.rawValue
        #expect(try bench.reopened().status(of: task).state == .dead)
    }

    @Test func `a chord of ten thousand ends with its last`() throws {
        var bench = TaskBench { $0.kept = 0 }
        let parts = try (0..<10_000).map { _ in
            try bench.machine.publish(TaskDraft(name: "a", payload: []), now: bench.now).task
        }
        let sum = try bench.publish { $0.after = parts }
        #expect(try bench.machine.status(of: sum).awaited.count == 16)
        for _ in 0..<10 { try finish(&bench) }
        #expect(bench.state(sum) == .available && bench.machine.taskCount == 10_001)
        try finish(&bench)
        bench.pass(0)
        for _ in 0..<20 { bench.pass(0) }
        #expect(bench.machine.taskCount == 0)
    }
}
