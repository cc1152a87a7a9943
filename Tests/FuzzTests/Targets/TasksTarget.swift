// A queue of tasks out of records that are anything: it comes up, says which it cannot read, and works.
//
// An input is keys and values in turns, each behind its length; an empty value is a tombstone.

@testable import SluiceCore
@testable import SluiceLog

enum TasksTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        let runs = input.runs()
        var log: [(key: [UInt8], value: [UInt8]?)] = []
        for index in stride(from: 0, to: runs.count - 1, by: 2) {
            log.append((runs[index], runs[index + 1].isEmpty ? nil : runs[index + 1]))
        }
        var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1)
        var machine = load(log, now)
        try check(machine)
        for day in [0, 1, 40, 4_000] as [Int64] {
            now.wallMilliseconds += day * 86_400_000
            now.monotonicNanoseconds += day * 86_400_000_000_000 + 1
            try work(&machine, now)
            try check(machine)
        }
        // What it has written of them can be read, by whatever is there beside.
        log += machine.takeRecords().map { ($0.key.bytes, $0.value) }
        let unreadable = machine.unreadable.count
        let again = load(log, now)
        try check(again)
        try require(again.unreadable.count <= unreadable, "a queue writes what cannot be read")
        for account in machine.accounts where account.state.isFinal {
            let other = try? again.status(of: account.task)
            try require(
                other == nil || other?.state == account.state,
                "\(account) is \(other.map { "\($0.state)" } ?? "gone") when it is read again")
        }
    }

    private static func load(_ log: [(key: [UInt8], value: [UInt8]?)], _ now: Instant) -> TaskMachine {
        var machine = TaskMachine(seed: 1, localHost: 1 << 63 | 5)
        for (offset, record) in log.enumerated() {
            machine.load(key: record.key[...], value: record.value.map { $0[...] }, offset: Int64(offset))
        }
        machine.finishLoading(now: now)
        return machine
    }

    /// A worker takes all there is, and ends it in each way.
    private static func work(_ machine: inout TaskMachine, _ now: Instant) throws(FuzzFailure) {
        machine.advance(to: now)
        machine.pause(false)
        var request = LeaseRequest(
            holder: TaskHolder(host: 1 << 63 | 5, worker: 1), handlers: [], count: 100, visibility: 1_000)
        request.others = TaskRetryPolicy()
        for (number, task) in machine.lease(request, now: now).enumerated() {
            do throws(TaskRefusal) {
                switch number % 5 {
                case 0: try machine.complete(task.lease, result: [1], now: now)
                case 1: try machine.fail(task.lease, cause: "no", now: now)
                case 2: try machine.reject(task.lease, cause: "never", now: now)
                case 3: try machine.release(task.lease, delay: 1_000, now: now)
                default:
                    try machine.report(TaskProgress(fraction: 0.5, note: "half"), of: task.lease, now: now)
                }
            } catch {
                throw FuzzFailure(description: "\(task) was given out and is refused: \(error)")
            }
        }
    }

    private static func check(_ machine: TaskMachine) throws(FuzzFailure) {
        let accounts = machine.accounts
        let counts = machine.stateCounts
        for state in TaskState.allCases {
            let count = accounts.count { $0.state == state }
            try require(
                counts[state] == count, "\(count) tasks are \(state), counted are \(counts[state] ?? 0)")
        }
    }
}
