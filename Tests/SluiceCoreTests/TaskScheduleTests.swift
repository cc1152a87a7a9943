// Schedules of a queue: fired once, whatever was missed, and again after a reopening.

@testable import SluiceCore
import SluiceLog
import Testing

@Suite struct TaskScheduleTests {
    private func schedule(
        _ line: String = "* * * * *", _ missed: MissedMoments = .once,
        _ change: (inout TaskSchedule) -> Void = { _ in }
    ) throws -> TaskSchedule {
        var schedule = TaskSchedule(
            name: "s", line: try CronLine(line), missed: missed, task: "a", payload: [7])
        change(&schedule)
        return schedule
    }

    /// Moments that were fired, by the log.
    private func fired(_ bench: TaskBench) throws -> [Int64] {
        try bench.log.filter { $0.key.kind == .definition }.compactMap { record in
            try record.value.map { try TaskDefinition($0[...]) }?.origin?.moment
        }
    }

    private func until(_ bench: TaskBench, _ minutes: Int64) -> Int64 {
        (bench.wall / 60_000 + minutes) * 60_000
    }

    @Test func `the bytes of a schedule are these`() throws {
        var one = try schedule("0 5 * * *", .all) {
            ($0.group, $0.expires, $0.uniqueKey) = ("g", 9, "u")
        }
        one.last = 3
        let bytes: [UInt8] = [
            1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4,  // version, last, missed, offset, priority
            0, 0, 0, 1, 0x73,  // name
            0, 0, 0, 9, 0x30, 0x20, 0x35, 0x20, 0x2A, 0x20, 0x2A, 0x20, 0x2A,  // line
            0, 0, 0, 1, 0x61, 0, 0, 0, 1, 7,  // task, payload
            1, 0, 0, 0, 5, 0, 0, 0, 1, 0x67,  // group
            2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9,  // expires
            3, 0, 0, 0, 5, 0, 0, 0, 1, 0x75,  // unique
        ]
        #expect(one.bytes == bytes)
        #expect(try TaskSchedule(bytes[...]) == one)
        #expect(throws: MalformedRecord.self) { try TaskSchedule(bytes.dropLast()) }
        #expect(throws: MalformedRecord.self) { try TaskSchedule((bytes + [9, 0, 0, 0, 0])[...]) }
        var definition = TaskDefinition(
            nonce: 1, published: 2, due: 3, priority: 4, name: "a", payload: [], expires: nil, group: nil,
            unique: nil)
        definition.origin = TaskOrigin(schedule: 5, moment: 6)
        let tail: [UInt8] = [6, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6]
        #expect(definition.bytes.suffix(21) == tail[...])
        #expect(try TaskDefinition(definition.bytes[...]) == definition)
    }

    @Test func `a moment is fired when it comes, once, and its task is like any other`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule(), now: bench.now)
        bench.store()
        let first = until(bench, 1)
        #expect(bench.machine.nextWall == first)
        bench.pass(first - bench.wall - 1)
        #expect(bench.lease().isEmpty)
        bench.pass(1)
        bench.pass(1)
        #expect(try fired(bench) == [first])
        let leased = bench.lease(5)
        #expect(leased.map(\.name) == ["a"])
        try bench.machine.complete(leased[0].lease, result: [], now: bench.now)
        bench.pass(60_000)
        #expect(try fired(bench) == [first, first + 60_000])
        #expect(bench.reopened().scheduleList == bench.machine.scheduleList)
        #expect(bench.reopened(compacted: true).scheduleList == bench.machine.scheduleList)
    }

    @Test func `a moment is not fired again when all that said so was its task, and that is gone`() throws {
        var bench = TaskBench { $0.retention = 1_000 }
        try bench.machine.add(try schedule(), now: bench.now)
        bench.store()
        let first = until(bench, 1)
        bench.pass(first - bench.wall)
        // The process dies before the schedule's record is durable.
        #expect(bench.log.last?.key.kind == .schedule)
        bench.log.removeLast()
        bench.machine = bench.reopened()
        bench.store()
        try bench.machine.complete(bench.lease()[0].lease, result: [], now: bench.now)
        bench.pass(2_000)
        bench.machine = bench.reopened(compacted: true)
        bench.pass(1)
        #expect(try fired(bench) == [first])
    }

    @Test(arguments: [(MissedMoments.skip, 1...2), (.once, 1...1), (.all, 10...10)])
    func `what was missed is fired as the policy says, and never again`(
        _ missed: MissedMoments, _ count: ClosedRange<Int>
    ) throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule("* * * * *", missed), now: bench.now)
        bench.store()
        bench.pass(until(bench, 10) - bench.wall)
        let moments = try fired(bench)
        #expect(count.contains(moments.count), "\(moments)")
        #expect(moments.last == bench.wall && moments == Array(Set(moments)).sorted())
        // The clock goes back, and on; the queue is opened again.
        bench.now.wallMilliseconds -= 300_000
        bench.machine = bench.reopened()
        bench.pass(300_000)
        #expect(try fired(bench) == moments)
    }

    @Test func `of a thousand that were missed the last hundred are made good`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule("* * * * *", .all), now: bench.now)
        bench.pass(until(bench, 1_000) - bench.wall)
        let moments = try fired(bench)
        #expect(moments.count == 100 && moments.last == bench.wall)
    }

    @Test func `of a log that ends between the tasks and their schedule nothing is fired twice`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule("* * * * *", .all), now: bench.now)
        bench.pass(until(bench, 5) - bench.wall)
        let all = try fired(bench)
        let log = bench.log
        for length in 1...log.count {
            bench.log = Array(log.prefix(length))
            bench.machine = bench.reopened()
            bench.machine.advance(to: bench.now)
            bench.store()
            #expect(try fired(bench) == all, "\(length) records")
        }
    }

    @Test func `a full queue is asked again, and nothing is lost`() throws {
        var bench = TaskBench { $0.tasks = 2 }
        try bench.machine.add(try schedule("* * * * *", .all), now: bench.now)
        let first = until(bench, 1)
        bench.pass(until(bench, 4) - bench.wall)
        #expect(try fired(bench) == [first, first + 60_000])
        #expect(bench.machine.nextWall == bench.wall + 1_000)
        for _ in 0..<4 {
            for leased in bench.lease(2) {
                try bench.machine.complete(leased.lease, result: [], now: bench.now)
                try bench.machine.purge(leased.lease.task)
            }
            bench.pass(1_000)
        }
        #expect(try fired(bench) == (0..<4).map { first + $0 * 60_000 })
    }

    @Test func `with a unique key none is fired while the one before is unfinished`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule { $0.uniqueKey = "k" }, now: bench.now)
        for _ in 0..<3 { bench.pass(60_000) }
        #expect(try fired(bench).count == 1)
        try bench.machine.complete(bench.lease()[0].lease, result: [], now: bench.now)
        bench.pass(60_000)
        #expect(try fired(bench).count == 2)
    }

    @Test func `a schedule is replaced and ended, and what makes no sense is refused`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule("@hourly"), now: bench.now)
        bench.store()
        #expect(throws: TaskRefusal.illegal("there is a schedule \"s\" already")) {
            try bench.machine.add(try schedule(), now: bench.now)
        }
        try bench.machine.add(try schedule("* * * * *"), mayReplace: true, now: bench.now)
        bench.store()
        #expect(bench.machine.scheduleList.map(\.schedule.line.text) == ["* * * * *"])
        #expect(bench.log.map(\.key) == [TaskRecordKey(.schedule, 1), TaskRecordKey(.schedule, 1)])
        for change: (inout TaskSchedule) -> Void in [
            { $0.name = "" }, { $0.task = "" }, { $0.priority = 10 }, { $0.expires = -1 }, { $0.group = "" },
        ] {
            #expect(throws: TaskRefusal.self) {
                try bench.machine.add(
                    try schedule("* * * * *", .once, change), mayReplace: true, now: bench.now)
            }
        }
        let large = [UInt8](repeating: 0, count: 65_537)
        #expect(throws: TaskRefusal.tooLarge(bytes: 65_537, limit: 65_536)) {
            try bench.machine.add(try schedule { ($0.name, $0.payload) = ("l", large) }, now: bench.now)
        }
        try bench.machine.removeSchedule("s")
        bench.store()
        #expect(throws: TaskRefusal.illegal("there is no schedule \"s\"")) {
            try bench.machine.removeSchedule("s")
        }
        bench.pass(3_600_000)
        #expect(try fired(bench).isEmpty && bench.reopened().scheduleList.isEmpty)
    }

    @Test func `no bytes of a schedule trap, and one that cannot be read is left alone`() throws {
        var bench = TaskBench()
        try bench.machine.add(try schedule("*/5 1-3 * * mon") { $0.group = "g" }, now: bench.now)
        bench.store()
        let value = try #require(bench.log[0].value)
        var random = SplitMix64(state: 9)
        for _ in 0..<2_000 {
            var bytes = value
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
                if Bool.random(using: &random) { bytes.removeLast() }
            }
            bench.log[0].value = bytes
            var machine = bench.reopened()
            machine.advance(to: bench.now)
            #expect(machine.unreadable.count + machine.scheduleList.count == 1)
        }
    }
}
