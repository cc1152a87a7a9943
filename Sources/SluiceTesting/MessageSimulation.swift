// One seed is one life of a topic that a group shares out message by message: the machine that ships, a log
// that grows and loses records, a group whose commits may be lost with the process or moved by others,
// workers that are slow, forgetful or wrong, and clocks that jump.
//
// What may happen, in any order: records are appended, with gaps of any width between them; retention and
// compaction take records, also those that are in flight; fresh records and such as came back are read, late
// or not now; messages are given out, and given back since nobody waits any more; workers accept, release for
// now or later, reject and extend, in time or too late, with the token they have or an old one, or forget
// their message; a commit is written, is refused because somebody else has moved the group, or is lost with
// the process, which dies at any time; the group is moved, with metadata of others or none, or its commit is
// taken away; the clock jumps.
//
// What must hold: (1) One holder: nobody is given a message while another, who lives, holds it by what he was
// told; who is not the holder is refused, and who is, is not. (2) What was answered is so after every death:
// an accepted message is never given out again, and none of the dead. (3) None is lost: what a commit does
// not hold any more was accepted, buried with that commit, or is gone from the log. (4) A message is given
// out as often as the limit says at most, and each time a durable commit counts it. (5) What was released
// for later is not given out before. (6) A window fits a commit's metadata, and what it says is read back.
// (7) Fresh messages of a partition come in the order of their offsets. (8) With good workers everything is
// settled in the end.

import SluiceCore
import SluiceLog

/// What a run did, for a test of the tests.
public struct MessageSimulationOutcome: Sendable, Hashable {
    /// Messages that were given out.
    public var handed = 0
    /// Acceptances that were answered.
    public var accepted = 0
    /// Dead letters that were written.
    public var buried = 0
    /// Calls that were refused because the lease was another's, or over.
    public var fenced = 0
    /// Commits that were written.
    public var commits = 0
    /// Commits that were refused, since the group had been moved.
    public var refused = 0
    /// Deaths of the process.
    public var deaths = 0
    /// Messages whose record was gone when they came back.
    public var gone = 0
    /// The most bytes of metadata that a window took.
    public var longestMetadata = 0

    /// Nothing yet.
    public init() {}
}

/// A run of a queue of messages.
public final class MessageSimulation {
    /// A partition of the topic.
    struct Log {
        /// The offsets of its records.
        var records: [Int64] = []
        var start: Int64 = 0
        var end: Int64 = 0
    }
    /// What is known of a partition's messages since the group was last moved there.
    struct Truth {
        /// Below this everything was left out when the partition was begun.
        var skipped: Int64 = 0
        /// Accepted, answered or not.
        var accepted: Set<Int64> = []
        /// Accepted and answered.
        var answered: Set<Int64> = []
        /// In the dead-letter topic, by how often.
        var buried: [Int64: Int] = [:]
        /// How often it was given out.
        var handed: [Int64: Int] = [:]
        /// Not before this moment of the wall clock, or so much of the monotonic one.
        var delayed: [Int64: (wall: Int64, monotonic: Int64, isAnswered: Bool)] = [:]
        /// The lease that was given out last.
        var token: [Int64: UInt64] = [:]
        /// What is not fresh any more.
        var cameBack: Set<Int64> = []
        var lastFresh: Int64 = -1
        /// Somebody has moved the group, which the machine does not know yet.
        var isMoved = false
    }
    /// What a worker was told.
    struct Told {
        var lease: MessageLease
        var deadline: Int64
    }
    struct Answer {
        var partition: Int
        var version: UInt64
        var say: (Bool) -> Void
    }
    /// A message that dies: whether its record has been read, and who waits for its end.
    struct Grave {
        var key: MessageKey
        var isRead = false
        var say: (() -> Void)?
    }

    let seed: UInt64
    var random: SeededRandom
    let configuration: MessageConfiguration
    /// Gaps and delays of any width, and hundreds of messages in flight.
    let isWide: Bool
    let latestStart: Bool
    var machine: MessageMachine
    var now = Instant(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 1_000_000_000)
    var logs: [Log] = []
    var truths: [Truth] = []
    /// What is durable.
    var committed: [StoredPosition?] = []
    var flight: MessageCommit?
    /// What was read last of what is durable.
    var countedBefore: [Int: (stored: StoredPosition, deliveries: [Int64: Int])] = [:]
    var told: [Told] = []
    var answers: [Answer] = []
    var graves: [Grave] = []
    /// Messages that came back and are being read.
    var reading: [MessageKey] = []
    var outcome = MessageSimulationOutcome()
    var history = StepHistory()
    var failure: String?
    var step = 0

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededRandom(seed: seed)
        let isWide = random.chance(0.15)
        self.isWide = isWide
        latestStart = random.chance(0.2)
        let (limit, prefetch) = (random.within(1...4), random.within(1...12))
        let (visibility, dropsDead) = (Int64(random.pick([1_000, 10_000, 30_000])), random.chance(0.2))
        configuration = MessageConfiguration {
            $0.deliveryLimit = isWide ? 100 : limit
            $0.prefetch = isWide ? 200 : prefetch
            $0.visibilityMilliseconds = visibility
            $0.dropsDead = dropsDead
        }
        machine = MessageMachine(configuration: configuration)
        self.random = random
    }

    /// Runs a seed. Throws `BrokenQueue`.
    @discardableResult
    public static func run(seed: UInt64) throws -> MessageSimulationOutcome {
        try MessageSimulation(seed: seed).run()
    }

    func run() throws -> MessageSimulationOutcome {
        for _ in 0..<random.within(1...3) { addPartition() }
        for _ in 0..<random.within(50...500) {
            step += 1
            try act()
            if let failure { throw broken(failure) }
        }
        try settle()
        return outcome
    }

    func note(_ text: @autoclosure () -> String) { history.note(step, text()) }

    func broken(_ reason: String) -> BrokenQueue {
        BrokenQueue(seed: seed, step: step, reason: reason, history: history)
    }

    func pass(_ milliseconds: Int64, wall: Int64? = nil) {
        now.monotonicNanoseconds += milliseconds * 1_000_000
        now.wallMilliseconds += wall ?? milliseconds
        // A moment that the clock has shown has come, also when the clock is set back behind it; and nothing
        // is further ahead than 12 hours: a clock that was set back shortens the wait.
        let latest = now.wallMilliseconds + MessageLimits.visibilityMilliseconds
        for partition in truths.indices {
            truths[partition].delayed = truths[partition].delayed.filter {
                $0.value.wall > now.wallMilliseconds
            }
            .mapValues { (min($0.wall, latest), $0.monotonic, $0.isAnswered) }
        }
    }

    // MARK: Partitions

    func addPartition() {
        logs.append(Log())
        committed.append(nil)
        if random.chance(0.5) { append(to: logs.count - 1) }
        let start = start(logs.count - 1)
        truths.append(Truth(skipped: start))
        machine.open(nil, start: start, now: now)
        note("partition \(logs.count - 1) begins at \(start)")
    }

    func start(_ partition: Int) -> Int64 { latestStart ? logs[partition].end : logs[partition].start }

    func append(to partition: Int) {
        for _ in 0..<random.within(1...(isWide ? 300 : 8)) {
            if random.chance(0.2) {
                let width = isWide ? random.below(36) : random.below(4)
                logs[partition].end += Int64(1) << Int64(width)
            }
            logs[partition].records.append(logs[partition].end)
            logs[partition].end += 1
        }
    }

    // MARK: Commits

    /// Sends a commit, with some of the dead whose records have been read.
    func send() {
        guard flight == nil else { return }
        var dead = graves.filter(\.isRead).map(\.key)
        if random.chance(0.3) { dead = Array(dead.prefix(1)) }
        guard let commit = machine.commit(burying: dead, now: now) else { return }
        check(commit)
        let moved = commit.parts.filter { committed[$0.partition] != $0.expected }.map(\.partition)
        guard moved.isEmpty else {
            note("a commit is refused: \(moved) was moved")
            outcome.refused += 1
            machine.refused(commit)
            for partition in moved { restart(partition) }
            return
        }
        note(
            "sends \(commit.parts.map { "\($0.partition): \($0.position.offset)" }), buries \(commit.buried)")
        flight = commit
    }

    /// The commit that is under way becomes durable, and is told.
    func land() {
        guard let commit = flight else { return }
        flight = nil
        apply(commit)
        machine.committed(commit)
        for key in commit.buried {
            if let index = graves.firstIndex(where: { $0.key == key }) { graves.remove(at: index).say?() }
        }
        // In order, as they were decided.
        let ready = answers.filter { $0.version <= machine.durableVersion($0.partition) }
        answers.removeAll { $0.version <= machine.durableVersion($0.partition) }
        for answer in ready { answer.say(true) }
        note("the commit is durable")
    }

    private func apply(_ commit: MessageCommit) {
        outcome.commits += 1
        for part in commit.parts {
            committed[part.partition] = part.position
            outcome.longestMetadata = max(outcome.longestMetadata, part.position.metadata.utf8.count)
        }
        for key in commit.buried {
            truths[key.partition].buried[key.offset, default: 0] += 1
            outcome.buried += 1
            if truths[key.partition].buried[key.offset] != 1 { failure = "\(key) is buried twice" }
            if truths[key.partition].answered.contains(key.offset) {
                failure = "\(key) is accepted, and buried"
            }
        }
    }

    /// Somebody else has moved the group: the machine begins the partition anew.
    func restart(_ partition: Int) {
        let start = committed[partition]?.offset ?? start(partition)
        machine.restart(partition, at: committed[partition], start: start, now: now)
        forget(partition, from: start)
        told.removeAll { $0.lease.key.partition == partition }
        graves.removeAll { $0.key.partition == partition }
        reading.removeAll { $0.partition == partition }
        let lost = answers.filter { $0.partition == partition }
        answers.removeAll { $0.partition == partition }
        for answer in lost { answer.say(false) }
        note("partition \(partition) begins anew at \(start)")
    }

    func forget(_ partition: Int, from start: Int64) { truths[partition] = Truth(skipped: start) }

    /// The process dies. A commit that is under way is in the log, or is not.
    func die() {
        if let commit = flight, random.chance(0.5) { apply(commit) }
        flight = nil
        outcome.deaths += 1
        pass(Int64(random.pick([0, 1, 1_000, 100_000])))
        (told, answers, graves, reading) = ([], [], [], [])
        let last = machine.lastToken
        machine = MessageMachine(configuration: configuration, lastToken: last)
        note("dies")
        for partition in logs.indices {
            let start = committed[partition]?.offset ?? start(partition)
            if truths[partition].isMoved || committed[partition] == nil { forget(partition, from: start) }
            keepDurable(partition)
            machine.open(committed[partition], start: start, now: now)
        }
    }

    /// What was not answered may not be so.
    private func keepDurable(_ partition: Int) {
        guard let stored = committed[partition] else { return }
        let window = StoredWindow(base: stored.offset, metadata: stored.metadata)
        let open = Set(window.entries.map(\.offset))
        let fresh = truths[partition].accepted.filter { $0 >= window.end || open.contains($0) }
        if let lost = fresh.first(where: { truths[partition].answered.contains($0) }) {
            failure = "\(partition)-\(lost) was accepted, and is not settled"
        }
        truths[partition].accepted.subtract(fresh)
        truths[partition].delayed = truths[partition].delayed.filter(\.value.isAnswered)
    }
}
