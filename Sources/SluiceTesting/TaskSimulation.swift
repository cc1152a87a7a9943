// One seed is one life of a queue of tasks: the machine that ships, a log of which any unsynced end may be
// lost, workers that are slow, silent or dead, and clocks that jump.
//
// What may happen, in any order: tasks are published, at once, for later, with a priority, an expiry, a
// group, a tenant, a unique key, after others, in batches, by schedules, and as part of an atomic write that
// is made or not; workers of this process and of others lease, report, extend, release, reject, complete and
// fail, in time or too late, with the token they have or an old one; processes of workers vanish or say
// goodbye; tasks are cancelled, edited, redriven, hurried and purged; the queue is paused; limits are set;
// records are appended and synced in parts; the wall clock jumps; the log is compacted; the process dies
// between a decision and its durability, and the queue is made again from what the log has.
//
// Not modelled: an append that fails while the process lives. It ends as a death does: the machine is thrown
// away.
//
// What must hold: (1) At most one holder: nobody is given a task while the lease of another, who lives,
// holds by what that one was told. (2) Who is not the holder is refused. (3) A task is not given out before
// the time that its last record in the log says, nor behind its expiry. (4) What was answered is so after
// every death: published is there, done is done, and done once. (5) One task of a group at a time. (6) A
// machine made from the log, compacted or not, agrees with the one that wrote it. (7) Attempts never exceed
// the policy's; near the limit, after a lease was lost, a task is alone on its host. (8) One unfinished task
// of a unique key. (9) In a quiet end with good workers nothing is left unfinished. (10) No moment of a
// schedule is fired twice, and none is lost that its policy says is to be fired. (11) to (13), of limits and
// tenants, are in TaskSimulation+Limits.swift, (14) to (16), of tasks that run after others, in +After.swift.

import SluiceCore
import SluiceLog

/// What a run did, for a test of the tests.
public struct TaskSimulationOutcome: Sendable, Hashable {
    /// Tasks whose publishing was answered.
    public var published = 0
    /// Leases that workers were told of.
    public var leases = 0
    /// Completions that were answered.
    public var completions = 0
    /// Calls that were refused because the lease was another's.
    public var fenced = 0
    /// Deaths of the process.
    public var deaths = 0
    /// Machines that were compared with one made from the log.
    public var replays = 0
    /// Processes of workers that were gone.
    public var vanished = 0
    /// Moments of schedules that were fired.
    public var fired = 0
    /// Definitions that were changed.
    public var edited = 0
    /// Tasks that were given out alone.
    public var alone = 0
    /// Starts at which another tenant might have been chosen.
    public var shared = 0
    /// Leases that gave less than was asked for, while something was ready.
    public var limited = 0
    /// Steps of tasks that waited for others.
    public var waiting = 0
    /// Tasks that were given up because another had failed.
    public var givenUp = 0
    /// How often a task came into each final state, by the state's number.
    public var endings: [UInt8: Int] = [:]

    /// Nothing yet.
    public init() {}
}

/// A run of a queue of tasks.
public final class TaskSimulation {
    /// What a worker was told.
    struct Told {
        var lease: TaskLease
        var holder: TaskHolder
        /// Until when it holds by what the worker knows, in nanoseconds.
        var deadline: Int64
        var visibility: Int64
        var isDone = false
    }
    /// A record of the log.
    struct Stored {
        var key: TaskRecordKey
        var value: [UInt8]?
        /// A task of an atomic write.
        var prepared: TaskIdentity?
        /// Compaction keeps offsets.
        var offset: Int64
    }
    /// What is said when so many records are durable.
    struct Answer {
        var position: UInt64
        var say: () throws -> Void
    }

    let seed: UInt64
    var random: SeededRandom
    var machine: TaskMachine
    var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1_000_000_000)
    var greatestWall: Int64 = 1_700_000_000_000
    var log: [Stored] = []
    var nextOffset: Int64 = 0
    /// Offsets below this are durable.
    var durable: Int64 = 0
    /// Batches that are appended and not synced: the first offset, and how many of the machine's records.
    var appended: [(offset: Int64, count: Int)] = []
    var outbox: [TaskRecord] = []
    var answers: [Answer] = []
    var answered: UInt64 = 0
    var watched = KnownStarts()
    var known: [KnownSchedule] = []
    /// The task of each moment that was fired; and those of which that is durable.
    var fired: [TaskOrigin: UInt64] = [:]
    var firedDurably: [TaskOrigin: UInt64] = [:]
    /// Tasks of atomic writes that are under way, each with its write's number.
    var prepared: [(task: TaskIdentity, record: TaskRecord, write: UInt64)] = []
    var writes: UInt64 = 0
    /// What workers have, by their own account.
    var told: [Told] = []
    var drafts: [TaskIdentity: TaskDraft] = [:]
    /// Publishing was answered.
    var published: Set<TaskIdentity> = []
    /// The end of a task was answered.
    var ended: [TaskIdentity: TaskState] = [:]
    /// What those that succeeded have returned.
    var results: [TaskIdentity: [UInt8]] = [:]
    /// Somebody gave it another life, or removed it: what was answered before may not be so.
    var touched: Set<TaskIdentity> = []
    /// Somebody has cancelled it, and it was not answered; it was given up for another.
    var cancelling: Set<TaskIdentity> = []
    var givenUp: Set<TaskIdentity> = []
    /// How often a host was gone.
    var endings: [UInt64: Int] = [:]
    /// What was given out in this step, and what went wrong in it.
    var grants: [Grant] = []
    var failures: [String] = []
    /// Sequences of which a tombstone was ever appended.
    var removedOnce: Set<UInt64> = []
    var outcome = TaskSimulationOutcome()
    var history = StepHistory()
    var step = 0
    var lifeNumber: UInt64 = 0
    let configuration: TaskConfiguration
    let policies: [(name: String, policy: TaskRetryPolicy)]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        let isShort = random.chance(0.3)
        let kept = random.pick([3, 20, 1_000])
        configuration = TaskConfiguration {
            if isShort { ($0.retention, $0.deadRetention) = (20_000, 60_000) }
            $0.kept = kept
        }
        policies = ["a", "b", "c"].map { [random] name in
            var random = random
            let attempts = name == "a" ? 1 : random.within(2...5)
            return (name, TaskRetryPolicy(attempts: attempts, base: 1_000, cap: 30_000))
        }
        machine = TaskMachine(configuration: configuration, seed: seed, localHost: 1 << 63 | 1)
        machine.finishLoading(now: now)
    }

    /// Runs a seed. Throws `BrokenQueue`.
    @discardableResult
    public static func run(seed: UInt64) throws -> TaskSimulationOutcome {
        try TaskSimulation(seed: seed).run()
    }

    func run() throws -> TaskSimulationOutcome {
        for _ in 0..<random.within(50...600) {
            step += 1
            try act()
            try checkState()
        }
        try settle()
        return outcome
    }

    func note(_ text: @autoclosure () -> String) { history.note(step, text()) }

    func broken(_ reason: String) -> BrokenQueue {
        BrokenQueue(seed: seed, step: step, reason: reason, history: history)
    }

    var localHost: UInt64 { machine.localHost }

    // MARK: The log

    /// Takes what the machine wants stored, and remembers what is to be said once it is.
    func decided(_ say: (() throws -> Void)? = nil) {
        let records = machine.takeRecords()
        noteFired(records)
        outbox += records
        _ = machine.takeChanged()
        if let say { answers.append(Answer(position: machine.emitted, say: say)) }
    }

    /// Appends some of the outbox as one batch.
    func append() {
        guard !outbox.isEmpty else { return }
        let count = random.chance(0.5) ? outbox.count : random.within(1...outbox.count)
        appended.append((nextOffset, count))
        for record in outbox.prefix(count) { store(record, nil) }
        outbox.removeFirst(count)
        note("appends \(count)")
    }

    private func store(_ record: TaskRecord, _ prepared: TaskIdentity?) {
        log.append(Stored(key: record.key, value: record.value, prepared: prepared, offset: nextOffset))
        nextOffset += 1
        if record.value == nil { removedOnce.insert(record.key.sequence) }
    }

    /// An atomic write with a task comes into the log, durably, or is not made.
    func endAtomicWrite() throws {
        guard !prepared.isEmpty else { return }
        let write = prepared[0].write
        let parts = prepared.filter { $0.write == write }
        prepared.removeAll { $0.write == write }
        let names = parts.map(\.task.sequence)
        guard random.chance(0.8) else {
            note("abandons \(names)")
            for part in parts { machine.abandon(part.task) }
            return
        }
        for part in parts { store(part.record, part.task) }
        note("writes \(names) atomically")
        try sync()
    }

    /// All that is appended becomes durable, and what waits for that is said.
    func sync() throws {
        guard durable < nextOffset else { return }
        let from = durable
        durable = nextOffset
        noteDurable(from)
        for batch in appended {
            machine.placed(batch.count, at: batch.offset)
            answered += UInt64(batch.count)
        }
        appended = []
        for stored in log where stored.offset >= from {
            guard let task = stored.prepared else { continue }
            machine.confirm(task, at: stored.offset, now: now)
            published.insert(task)
            outcome.published += 1
            decided()
        }
        while let first = answers.first, first.position <= answered {
            answers.removeFirst()
            try first.say()
        }
    }

    /// Drops what a later record of its key has overtaken, in the durable part.
    func compact() {
        var last: [TaskRecordKey: Int] = [:]
        for (index, stored) in log.enumerated() where stored.offset < durable { last[stored.key] = index }
        let dropsTombstones = random.chance(0.5)
        log = log.enumerated().filter { index, stored in
            guard stored.offset < durable else { return true }
            return last[stored.key] == index && !(dropsTombstones && stored.value == nil)
        }.map(\.element)
        note("compacts to \(log.count)")
    }

    /// The process dies: of what is not durable some prefix is there. Its workers are gone, others go on.
    func die() throws {
        let first = log.firstIndex { $0.offset >= durable } ?? log.count
        let cuts = appended.map(\.offset) + [nextOffset]
        let cut = random.pick(cuts.filter { $0 >= durable } + [nextOffset])
        log.removeSubrange((log[first...].firstIndex { $0.offset >= cut } ?? log.count)...)
        note("dies; the log ends at \(cut), durable were \(durable)")
        nextOffset = max(durable, cut)
        durable = nextOffset
        (appended, outbox, answers, prepared, answered) = ([], [], [], [], 0)
        outcome.deaths += 1
        told.removeAll { $0.holder.isLocal }
        lifeNumber += 1
        machine = TaskMachine(
            configuration: configuration, seed: random.next(), localHost: 1 << 63 | (lifeNumber + 1))
        pass(random.pick([0, 1, 1_000, 100_000]))
        load(&machine)
        forgetFired()
        try checkSchedules()
        try reopenLimits()
        decided()
        try checkAnswered()
        for task in told.map(\.lease.task) where (try? machine.status(of: task)) == nil {
            told.removeAll { $0.lease.task == task }
        }
    }

    func load(_ machine: inout TaskMachine, with more: [TaskRecord] = []) {
        for stored in log {
            machine.load(key: stored.key.bytes[...], value: stored.value?[...], offset: stored.offset)
        }
        for record in more { machine.load(key: record.key.bytes[...], value: record.value?[...], offset: 0) }
        machine.finishLoading(now: now)
    }

    func pass(_ milliseconds: Int64, wall: Int64? = nil) {
        now.monotonicNanoseconds += milliseconds * 1_000_000
        now.wallMilliseconds += wall ?? milliseconds
        greatestWall = max(greatestWall, now.wallMilliseconds)
    }
}
