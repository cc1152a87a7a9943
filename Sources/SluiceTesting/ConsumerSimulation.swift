// One seed is one life of a store with a group: the real `Volume`, `GroupCoordinator` and `GroupMember`s
// on a simulated machine. What may happen, in any order:
//
//   batches are appended to the partitions of `in`; jobs of both lanes are taken, run and finished; members
//   join, take batches, finish them, commit by themselves or as one with what they append to `out`, leave,
//   and exceed their time; static ones come back, before their time is over or after it, and take the place
//   of another of their name; members offer different assignors; the group is sought, empty or not; the dead
//   go on to commit; consumed floors are told, retention and compaction run; `in` is deleted, and made
//   anew; time passes; on a small disk producers have gates, and looks of the controller make room; the store
//   is closed; the process dies or the power goes, also within a job and within a recovery; calls fail by a
//   drawn `FaultPolicy`. After each opening the coordinator is loaded from what `__consumer_offsets` holds. A
//   run ends on a machine that is whole, with members that read on until
//   nothing is left.
//
// The shell between them is the library's in small: a `store` effect is one batch of the offsets topic, told
// with `stored` when it is answered; the records of a commit that is one with data are the last part of the
// atomic write, which may be a while after they were prepared; of an unknown outcome the group is told, and
// its program leaves, goes on, or goes back; a partition is begun where it is committed, once no commit
// of it is on its way.
//
// Not modelled: members on the wire (GroupSimulation has them); two calls at one time.
//
// What must hold: (1) A record that was acknowledged is processed at least once, unless a seek went past it.
//  (2) A member is given a partition's records in the order of their offsets, without a hole. (3) A partition
//  has one owner. (4) What is committed never goes back but by a seek, and was processed before; what a seek
//  has set stays until somebody commits after it; nobody seeks a group that has members; also across crashes.
//  (5) With commits that are one with the data, `out` has each record once and in order from one seek to the
//  next, and is committed exactly that far after an opening. (6) What is kept until it is consumed is there
//  until then. (7) An offset never changes its record. (8) On a whole machine everything is answered, and the
//  group reads to the end. (9) Of two of one instance id the one that began last stays; to come
//  back after a removal is no beginning. Who was fenced or removed, or has left, commits nothing more. (10)
//  A topic that is made anew is begun at its beginning: of the one before nothing stays committed. (11) The
//  files take no more than the budget, nor than is counted. (12) A producer is held up only while something
//  is above its soft mark, and in the end each is let in.

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
    /// How often what does not happen in every run has happened.
    public var events: [ConsumerEvent: Int] = [:]
}

/// What does not happen in every run with consumers.
public enum ConsumerEvent: String, CaseIterable, Sendable, Hashable {
    /// A commit was answered before the run's end; was one with its results.
    case commit, atomicCommit
    /// A seek was answered; was refused, for the group had members; set a position back; was never answered.
    case seek, refusedSeek, seekBack, openSeek
    /// A static member left and came back before its time was over; after it.
    case comeback, lateComeback
    /// A static member took the place of one that was running.
    case replacement
    /// One that was gone tried to commit.
    case ghost
    /// An atomic write got no outcome; its program left, went on, or went back to what was committed.
    case indeterminate, leftInDoubt, wentOnInDoubt, wentBackInDoubt
    /// A commit was prepared and its atomic write submitted some steps later; then its member was gone.
    case heldWrite, orphanedWrite
    /// A member waited for a position, for a commit was on its way.
    case unstable
    /// A topic was deleted and what was committed of it is gone; was made anew; the process ended in between.
    case topicDeleted, topicMadeAnew, topicHalfDeleted
    /// A commit, or an atomic write with one, was refused for its topic had been deleted.
    case lateCommit, lateWrite
    /// An assignment was made under an eager protocol; under a cooperative one.
    case eager, cooperative
    /// A member found nothing that all others offer as well.
    case inconsistent
    /// A producer's gate held it up; the volume had no room for a batch; retention was asked for room;
    /// members were asked to commit early; an opening found what the controller had learnt.
    case heldUp, noRoom, relief, earlyCommit, pressureRestored
}

/// A run of the volume and a group on a simulated machine.
public final class ConsumerSimulation {
    /// A batch that a member has in hand, or whose output is on its way.
    struct Batch: Equatable {
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

        var instanceID: String? { member.configuration.instanceID }
    }
    /// One partition of `in`; of a topic that was deleted too.
    struct Partition {
        var records: [Int64: UInt64] = [:]
        var acknowledged: Set<UInt64> = []
        /// Everything below was processed.
        var processed: Int64 = 0
        /// The greatest offset that could be seen to be committed.
        var committed: Int64 = 0
        /// The end that was seen.
        var end: Int64 = 0
        /// Where seeks wanted to go, also those that have no answer; and where a log's start was met behind a
        /// position that had been sought.
        var seeks: [Int64] = []
        /// Where a seek was answered to have gone, until somebody commits after it.
        var sought: Int64?
        /// The greatest floor that was told.
        var floor: Int64 = 0
    }
    /// One partition of `out`.
    struct Output {
        /// How much of it was read, and where in the input the last write in it has come to.
        var end: Int64 = 0
        var reached: (write: UInt64, offset: Int64) = (0, 0)
    }
    struct AtomicWrite {
        var consumer: Int
        var batch: Batch
        var store: GroupStore
    }
    /// What is remembered of an atomic write for good.
    struct Written {
        var partition: Int
        var range: Range<Int64>
        /// How many seeks of the partition came before it.
        var seeks: Int
    }
    /// A member by what it commits with.
    struct Identity {
        var memberID: String
        var instanceID: String?
        var generation: Int32
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
    /// Each member offers one of these.
    let assignors: [[Assignor]]
    let hasStaticMembers: Bool
    let isSought: Bool
    let isDeleted: Bool
    /// The disk is small, and producers have gates.
    let isPressured: Bool
    var watched = TopicSettings()
    var controller = PressureController()
    var gates = ProducerGates()
    var producers: [UInt32] = []
    /// What the last look said, when the next is due, and when the last snapshot was kept.
    var ruling: PressureOutput?
    var looksAt: Int64?
    var savedAt: Int64 = 0

    var coordinator: GroupCoordinator
    /// What the coordinator wants done, in order.
    var effects: [GroupEffect] = []
    var consumers: [Int: Consumer] = [:]
    var lastConsumer = 0
    var lastTicket: UInt64 = 0
    /// Whose commit a ticket is, and what it says.
    var commits: [UInt64: (consumer: Int, offsets: [Int: Int64])] = [:]
    var writes: [UInt64: AtomicWrite] = [:]
    /// Writes whose commit is prepared, by their consumer; they are submitted later.
    var held: [Int: AtomicWrite] = [:]
    var written: [UInt64: Written] = [:]
    /// Seeks without an answer, and those whose answer left it open.
    var openSeeks: [UInt64: [Int: Int64]] = [:]
    /// By member id, who has ever been told of a generation.
    var identities: [String: Identity] = [:]
    /// Those of them that are gone.
    var ghosts: [Identity] = []
    var ghostTickets: Set<UInt64> = []
    /// The consumer of an instance id that was started last, and when its time is over once it has left.
    var latest: [String: (id: Int, leftUntil: Int64?)] = [:]
    var lastNumber: UInt64 = 0
    var produced: [UInt64: (partition: Int, values: [UInt64])] = [:]
    /// Partitions of `in` have other numbers here each time that it is made: `live` are those of the last.
    var partitions: [Partition] = []
    let partitionCount: Int
    var outputs: [Output]
    var inputSettings = LogSettings()
    /// The topic that `live` is of, and the volume's numbers of its partitions.
    var inputID: UniqueID?
    var inputNumbers: [Int] = []
    var catalogue = Catalogue.there
    var created: Set<UInt64> = []
    /// Something cannot be written, or nobody knows what was, before the store is opened again.
    var mustReopen = false
    /// An atomic write has no outcome: some partitions cannot be begun before the store is opened again.
    var isInDoubt = false
    var isClosedTold = false
    var weights: [Int] = []
    var isEnding = false

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
        isPressured = random.chance(0.25)
        // Results stay on the disk, and would fill it.
        isAtomic = random.chance(0.5) && !isPressured
        isKept = random.chance(0.5) || isPressured
        let mixed: [[Assignor]] = [
            Assignor.allCases, Assignor.allCases, [.range], [.cooperativeSticky, .range],
            [.roundRobin, .range],
        ]
        assignors = random.pick([
            [Assignor.allCases], [[.cooperativeSticky]], [[.range]], [[.roundRobin, .range]], mixed, mixed,
            [Assignor.allCases, [.cooperativeSticky], [.roundRobin]],
        ])
        hasStaticMembers = random.chance(0.5)
        isSought = random.chance(0.5)
        isDeleted = random.chance(0.4)
        partitionCount = random.within(2...4)
        outputs = Array(repeating: Output(), count: partitionCount)
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
            try checkDisk()
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
        configuration.scrubMilliseconds = 0
        configuration.compactionSliceBytes = random.pick([500, 4096, 1 << 20])
        if random.chance(0.5) { policy = .drawn(from: &random) }
        if isAtomic, random.chance(0.3) {
            // Of some writes nobody learns the outcome: they are in the journal, and not in their segments.
            let path = "/\(random.chance(0.8) ? Self.output : Self.offsets)-"
            policy.faults.append(.full(at: path, .chance(random.pick([0.05, 0.2]))))
        }
        mostOut = (random.within(1...4), random.within(1...3))
        weights = ConsumerStep.allCases.map { $0.weight * random.pick([1, 1, 2, 4]) }
        for rare in [ConsumerStep.die, .armCrash, .reopen] where random.chance(0.3) {
            weights[rare.rawValue] = 0
        }
        drawPressure()
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

    func count(_ event: ConsumerEvent) { outcome.events[event, default: 0] += 1 }

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

    /// The volume's number of a partition of the topics that are made before anything goes wrong.
    func number(_ topic: String, _ partition: Int) -> Int {
        do throws(LogError) {
            return try store?.volume.number(topic: topic, partition: partition) ?? -1
        } catch {
            return -1
        }
    }
}
