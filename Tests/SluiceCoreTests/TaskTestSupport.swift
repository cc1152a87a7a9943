// A queue of tasks with a log beside it, and a clock that is told.

import SluiceCore
import SluiceLog

struct TaskBench {
    var machine: TaskMachine
    var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1_000_000_000)
    var log: [TaskRecord] = []
    static let host: UInt64 = 1 << 63 | 5
    var policy = TaskRetryPolicy(attempts: 3, base: 1_000, cap: 10_000)

    init(_ change: (inout TaskConfiguration) -> Void = { _ in }) {
        machine = TaskMachine(configuration: TaskConfiguration(change), seed: 1, localHost: Self.host)
        machine.finishLoading(now: now)
    }

    var wall: Int64 { now.wallMilliseconds }

    /// Takes what was decided into the log, and tells the machine where.
    mutating func store() {
        let records = machine.takeRecords()
        let offset = Int64(log.count)
        log += records
        machine.placed(records.count, at: offset)
    }

    mutating func pass(_ milliseconds: Int64) {
        now.wallMilliseconds += milliseconds
        now.monotonicNanoseconds += milliseconds * 1_000_000
        machine.advance(to: now)
        store()
    }

    @discardableResult
    mutating func publish(
        _ name: String = "a", _ change: (inout TaskDraft) -> Void = { _ in }
    ) throws -> TaskIdentity {
        var draft = TaskDraft(name: name, payload: [1, 2, 3])
        change(&draft)
        let published = try machine.publish(draft, now: now)
        store()
        return published.task
    }

    mutating func lease(
        _ count: Int = 1, host: UInt64 = host, names: [String] = ["a", "b"], visibility: Int64 = 30_000
    ) -> [LeasedTask] {
        let request = LeaseRequest(
            holder: TaskHolder(host: host, worker: 1), handlers: names.map { ($0, policy) }, count: count,
            visibility: visibility)
        let leased = machine.lease(request, now: now)
        store()
        return leased
    }

    func state(_ task: TaskIdentity) -> TaskState? { try? machine.status(of: task).state }

    /// A machine made from the log, in another life of the host or in the same.
    func reopened(host: UInt64 = host, compacted: Bool = false) -> TaskMachine {
        var machine = TaskMachine(configuration: self.machine.configuration, seed: 2, localHost: host)
        var last: [TaskRecordKey: Int] = [:]
        for (index, record) in log.enumerated() { last[record.key] = index }
        for (index, record) in log.enumerated() where !compacted || last[record.key] == index {
            machine.load(key: record.key.bytes[...], value: record.value?[...], offset: Int64(index))
        }
        machine.finishLoading(now: now)
        return machine
    }
}
