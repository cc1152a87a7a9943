// One seed is one life of a store with a group: the real `Volume`, `GroupCoordinator` and `GroupMember`s
// on a simulated machine. What may happen, in any order:
//
//   batches are appended to the partitions of `in`; jobs of both lanes are taken, run and finished; members
//   join, take batches, finish them, commit by themselves or as one with what they append to `out`, leave,
//   and exceed their time; consumed floors are told, retention and compaction run; time passes; the store
//   is closed; the process dies or the power goes, also within a job and within a recovery; calls fail by a
//   drawn `FaultPolicy`. After each opening the coordinator is loaded from what `__consumer_offsets` holds.
//   A run ends on a machine that is whole, with members that read on until nothing is left.
//
// The shell between them is the library's in small: a `store` effect is one batch of the offsets topic, told
// with `stored` when it is answered; the records of a commit that is one with data are the last part of the
// atomic write; a partition is begun where it is committed, once no commit of it is on its way.
//
// Not modelled: seeks; members on the wire and static ones (GroupSimulation has them); two calls at one time;
// an atomic write of unknown outcome, after which a program goes on without opening the store again.
//
// What must hold: (1) A record that was acknowledged is processed at least once. (2) A member is given a
//  partition's records in the order of their offsets, without a hole. (3) A partition has one owner. (4)
//  What is committed never goes back, and was processed before; also across crashes. (5) With commits that
//  are one with the data, `out` has each record once and in order, and is committed exactly that far after
//  an opening. (6) What is kept until it is consumed is there until then. (7) An offset never changes its
//  record. (8) On a whole machine everything is answered, and the group reads to the end.

internal import SluiceCore
internal import SluiceLog

/// What a run with consumers did, for a test of the tests.
public struct ConsumerSimulationOutcome: Sendable, Hashable {
    /// The same for the same seed.
    public var traceHash: UInt64
    /// Steps that were taken.
    public var steps: Int
    /// Openings of the store that came to their end.
    public var openings: Int
    /// Records that were acknowledged.
    public var acknowledged: Int
    /// Commits that were acknowledged.
    public var commits: Int
    /// Passes of compaction that came to their end.
    public var compactions: Int
    /// Segments that went.
    public var removals: Int
}

/// A run of the volume and a group on a simulated machine.
public final class ConsumerSimulation {
    /// A batch that a member has in hand, or whose output is on its way.
    struct Batch {
        var partition: Int
        var range: Range<Int64>
        var values: [UInt64]
    }
    struct Consumer {
        var member: GroupMember
        /// The request whose answer counts.
        var ticket: UInt64 = 0
        var answers: [GroupEffect] = []
        var isRevoking = false
        var mustRetry = false
        /// It was removed, and its loop has not come back since.
        var isLost = false
        /// Where it reads on.
        var positions: [Int: Int64] = [:]
        /// What it has processed and not committed.
        var processed: [Int: Int64] = [:]
        var inHand: Batch?
        /// Commits and atomic writes that are not answered.
        var inFlight = 0
    }
    /// One partition of `in`, and of `out`.
    struct Partition {
        var records: [Int64: UInt64] = [:]
        var acknowledged: Set<UInt64> = []
        /// Everything below was processed.
        var processed: Int64 = 0
        /// The greatest offset that could be seen to be committed.
        var committed: Int64 = 0
        /// The end that was seen.
        var end: Int64 = 0
        var outEnd: Int64 = 0
    }
    struct AtomicWrite {
        var consumer: Int
        var batch: Batch
        var store: GroupStore
    }

    static let root = "/store"
    static let groupID = "g"
    static let input = "in"
    static let output = "out"
    static let offsets = "__consumer_offsets"

    let seed: UInt64
    var random: SeededRandom
    var clock = SimulatedClock()
    let files: SimulatedFileSystem
    var configuration = VolumeConfiguration()
    var policy = FaultPolicy.none
    var store: OpenedStore?
    var runner: JobRunner?
    var jobs: [VolumeSimulation.JobOut] = []
    var mostOut = (append: 1, background: 1)
    /// Whether results and commits are one.
    let isAtomic: Bool
    let isKept: Bool
    let assignors: [Assignor]

    var coordinator: GroupCoordinator
    /// What the coordinator wants done, in order.
    var effects: [GroupEffect] = []
    var consumers: [Int: Consumer] = [:]
    var lastConsumer = 0
    var lastTicket: UInt64 = 0
    /// Whose commit a ticket is, and what it says.
    var commits: [UInt64: (consumer: Int, offsets: [Int: Int64])] = [:]
    var writes: [UInt64: AtomicWrite] = [:]
    var lastNumber: UInt64 = 0
    var produced: [UInt64: (partition: Int, values: [UInt64])] = [:]
    var partitions: [Partition]
    var created: Set<UInt64> = []
    /// Something cannot be written, or nobody knows what was, before the store is opened again.
    var mustReopen = false
    /// An atomic write may still be appended, or may not: nobody begins anew before that is known.
    var isInDoubt = false
    var isClosedTold = false
    var weights: [Int] = []

    var builder = RecordBatchBuilder(rawCapacity: 1 << 16)
    var codecs = CodecContext()
    var step = 0
    var outcome = ConsumerSimulationOutcome(
        traceHash: 0xCBF2_9CE4_8422_2325, steps: 0, openings: 0, acknowledged: 0, commits: 0, compactions: 0,
        removals: 0)
    var operations: [String] = []
    /// Told each operation as it is noted.
    public var log: ((String) -> Void)?

    /// A run that has not begun; the seed draws the machine too.
    public init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        files = SimulatedFileSystem(seed: seed &* 3 &+ 1)
        coordinator = GroupCoordinator(seed: seed)
        isAtomic = random.chance(0.5)
        isKept = random.chance(0.5)
        let lists: [[Assignor]] = [Assignor.allCases, [.cooperativeSticky], [.range], [.roundRobin, .range]]
        assignors = random.pick(lists)
        partitions = Array(repeating: Partition(), count: random.within(2...4))
        drawMachine()
    }

    /// Runs the whole seed.
    public static func run(seed: UInt64) throws(SimulationViolation) -> ConsumerSimulationOutcome {
        try ConsumerSimulation(seed: seed).run()
    }

    /// Runs it.
    public func run() throws(SimulationViolation) -> ConsumerSimulationOutcome {
        try makeTopics()
        files.policy = policy
        let steps = random.pick([150, 300, 600])
        while step < steps {
            step += 1
            try act()
            try carry()
            if files.hasCrashed { try crash() }
            try check()
        }
        try finish()
        outcome.steps = step
        outcome.acknowledged = partitions.reduce(0) { $0 + $1.acknowledged.count }
        return outcome
    }

    private func drawMachine() {
        configuration.journalBytes = random.pick([16, 32, 64]) << 10
        configuration.directBytes = random.pick([512, 2048, 1 << 20])
        configuration.windowBytes = Int64(random.pick([4096, 16384, 1 << 20]))
        configuration.openFiles = random.pick([3, 8, 64])
        configuration.manifestBytes = Int64(random.pick([1024, 4096, 1 << 20]))
        configuration.writeBytes = random.pick([512, 4096, 1 << 20])
        configuration.compactionMemoryBytes = random.pick([200, 4096, 1 << 20])
        configuration.compactionBytesPerSecond = 0
        configuration.compactionSliceBytes = random.pick([500, 4096, 1 << 20])
        if random.chance(0.5) { policy = .drawn(from: &random) }
        mostOut = (random.within(1...4), random.within(1...3))
        weights = ConsumerStep.allCases.map { $0.weight * random.pick([1, 1, 2, 4]) }
        for rare in [ConsumerStep.die, .armCrash, .reopen] where random.chance(0.3) {
            weights[rare.rawValue] = 0
        }
    }

    /// Writes down what is done, for the report and for the hash.
    func note(_ text: @autoclosure () -> String) {
        let text = "\(step). \(text())"
        for byte in text.utf8 {
            outcome.traceHash = (outcome.traceHash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        operations.append(text)
        if operations.count > 60 { operations.removeFirst(operations.count - 60) }
        log?(text)
    }

    func violation(_ invariant: Int, _ message: String) -> SimulationViolation {
        SimulationViolation(
            seed: seed, step: step, invariant: invariant, message: message, operations: operations,
            state: store?.volume.words ?? "dead", suite: "ConsumerSimulationTests")
    }

    func check(
        _ holds: Bool, _ invariant: Int, _ message: @autoclosure () -> String
    ) throws(SimulationViolation) {
        if !holds { throw violation(invariant, message()) }
    }

    func place(_ partition: Int) -> GroupPartition {
        GroupPartition(topic: Self.input, partition: Int32(partition))
    }

    /// The volume's number of a partition. Every topic is made before anything goes wrong.
    func number(_ topic: String, _ partition: Int) -> Int {
        do throws(LogError) {
            return try store?.volume.number(topic: topic, partition: partition) ?? -1
        } catch {
            return -1
        }
    }
}
