// Schedules over a real store.

import Foundation
@testable import Sluice
@testable import SluiceCore
@testable import SluiceTasks
import Testing

@Suite struct ScheduleTests {
    @Test func `a schedule is kept, listed, and its missed moment is made good at the next opening`()
        async throws
    {
        let directory = try TemporaryDirectory()
        var store = try await directory.open()
        var queue = try await TaskQueue("q", in: store)
        try await queue.schedule("s", try Cron("@hourly"), Add(a: 1, b: 2))
        let made = try #require(try await queue.schedules().first)
        #expect(made.name == "s" && made.cron.description == "@hourly" && made.taskName == "add")
        let next = try #require(made.next)
        #expect(next > .now && next - .now <= .seconds(3600))
        // As if it had been made two hours ago.
        try await queue.engine.change { state, now throws(TaskRefusal) in
            try state.machine.removeSchedule("s")
            var past = now
            past.wallMilliseconds -= 7_200_000
            let schedule = TaskSchedule(
                name: "s", line: try! CronLine("@hourly"), task: "add",
                payload: Array("{\"a\":1,\"b\":2}".utf8))
            try state.machine.add(schedule, now: past)
        }
        try await store.close()
        store = try await directory.open()
        queue = try await TaskQueue("q", in: store)
        try await withWorker(queue, [adding]) {
            // The first of it is there at once.
            var tasks = try await queue.tasks()
            while tasks.isEmpty { tasks = try await queue.tasks() }
            let sum = try await queue.handle(Add.self, id: tasks[0].id).result(within: .seconds(60))
            #expect(sum == 3)
        }
        let count = try await queue.tasks().count
        #expect((1...2).contains(count))
        try await store.close()
    }

    @Test func `what makes no sense is refused by name`() async throws {
        try await withQueue { queue, _ in
            let error = #expect(throws: TaskError.self) { try Cron("61 * * * *") }
            #expect(
                error?.description
                    == "\"61 * * * *\" is no cron line: \"61\" as minute: it is 0 to 59, at character 1.")
            #expect(throws: TaskError.self) { try Cron("* * * * *", utcOffset: .seconds(1 << 40)) }
            try await queue.schedule("s", try Cron("* * * * *"), Nothing())
            await #expect(throws: TaskError.illegal(reason: "there is a schedule \"s\" already")) {
                try await queue.schedule("s", try Cron("* * * * *"), Nothing())
            }
            try await queue.schedule(
                "s", try Cron("0 9 * * *", utcOffset: .seconds(3600)), Nothing(),
                options: .init { $0.mayReplace = true })
            let moment = Timestamp(millisecondsSince1970: 1_700_000_000_000)
            let next = try await queue.schedules()[0].cron.next(after: moment)
            #expect(next?.description == "2023-11-15T08:00:00.000Z")
            try await queue.removeSchedule("s")
            await #expect(throws: TaskError.illegal(reason: "there is no schedule \"s\"")) {
                try await queue.removeSchedule("s")
            }
        }
    }
}
