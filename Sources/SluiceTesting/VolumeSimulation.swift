// One seed is one run of the real `Volume` on a simulated machine. What may happen, in any order:
//
//   batches and atomic writes are submitted; jobs of both lanes are taken, run, and finished, several at
//   once, in any order, with other steps in between; topics come, change and go; records are deleted; time
//   passes; the store is closed and opened again; the process dies, or the power goes: between any two steps,
//   between the run of a job and the news of it, between any two calls within a job, and within the recovery
//   itself. Calls fail by a drawn `FaultPolicy`: full disks, short writes, failed syncs, no descriptors. A
//   faulty run ends on a machine that is whole.
//
// Not modelled: bits that rot (RecoveryTests do), two calls at the same time, a reader beside the writer.
//
// What must hold: (1) A record that was acknowledged as durable is there, at its offset, unless it was
//  deleted. (2) One that was acknowledged as written is there after the death of the process. (3) A log has
//  no hole, and nothing in it that was refused for certain. (4) An offset never changes its record, once it
//  was read or acknowledged. (5) An atomic write is there as a whole or not at all. (6) What could be read on
//  a durable topic is never taken back. (7) Batches of a producer in a partition are in the order of
//  submission; when one is refused, so is what it had behind it. (8) Every batch and every request is
//  answered once, unless the process died. (9) On a whole machine, everything is answered, appends succeed,
//  and a close comes to its end. (10) The catalogue is as it was acknowledged. (11) A store that was closed
//  has nothing to be mended, and a deep verification finds nothing. (12) A segment's file holds whole batches
//  and nothing else. (13) Compaction takes from (1) and (2) only a record that has no key, or of whose key
//  there is a later one, or was a tombstone. (14) The files, those that are open without a name included,
//  take no more of the disk than the budget, nor than the volume has counted; what nobody waits for is not
//  held. A store that is full can be drained, and takes appends then. (15) The scrub finds no damage where
//  there is none. (16) What an opening would read again of a partition is no more than the window, or one
//  batch.
//
// (20) is about idempotent producers: `VolumeSimulation+Producers.swift`.
//
// Where a failed sync has dropped pages, what was acknowledged as written may be lost, as in a power cut, and
// an opening may report damage; the run ends there when all that was acknowledged as durable can be read.

internal import SluiceLog

/// What a run found to be wrong; its text says how to see it again.
public struct SimulationViolation: Error, CustomStringConvertible {
    /// The run that found it; another with this seed finds it again.
    public let seed: UInt64
    /// How far it had come.
    public let step: Int
    /// The number in the list at the head of the simulation.
    public let invariant: Int
    /// What was found.
    public let message: String
    /// The last operations before it.
    public let operations: [String]
    /// What the volume was waiting for.
    public let state: String
    /// The tests that see it again.
    var suite: String
    /// What was done, where no seed says it.
    var history: VolumeHistory? = nil

    /// All of it, and how to see it again.
    public var description: String {
        """
        invariant (\(invariant)) broken at step \(step) of seed \(seed): \(message)
        \(operations.joined(separator: "\n"))
        \(state)
        again: \(history.map { "SLUICE_HISTORY='\($0)'" } ?? "SLUICE_SEED=\(seed)") \
        swift test --traits Tool --filter \(suite)
        """
    }
}

/// What a run did, for a test of the tests.
public struct SimulationOutcome: Sendable, Hashable {
    /// The same for the same seed.
    public var traceHash: UInt64
    /// Steps that were taken.
    public var steps: Int
    /// Batches that were submitted.
    public var batches: Int
    /// Openings of the store that came to their end.
    public var openings: Int
    /// Passes of compaction that came to their end.
    public var compactions: Int
    /// Times that a sync had no room, and was to be tried again.
    public var delayedSyncs: Int
    /// Segments that the scrub has read.
    public var scrubbedSegments: Int
    /// How often what went wrong: power losses, process deaths, faults by call, findings of recovery.
    public var mishaps: [String: Int]
}

/// A run of the volume on a simulated machine.
public final class VolumeSimulation {

    /// A job that was taken, and what came of it when it has been run.
    struct JobOut {
        var job: IOJob
        var lane: JobLane
        var result: IOResult?
    }

    static let root = "/store"
    let seed: UInt64
    var random: SeededRandom
    var clock = SimulatedClock()
    let files: SimulatedFileSystem
    var configuration = VolumeConfiguration()
    var policy = FaultPolicy.none
    /// nil while the process is dead.
    var store: OpenedStore?
    var runner: JobRunner?

    var submissions: [SimulatedSubmission] = []
    var groups: [[Int]] = []
    var producers: [SimulatedProducer] = []
    /// By submission.
    var batches: [Int: SimulatedBatch] = [:]
    var attempts: [UInt64: SimulatedAttempt] = [:]
    var nextAttempt: UInt64 = 0
    var givenIDs: Set<Int64> = []
    var partitions: [SimulatedPartition] = []
    var topics: [SimulatedTopic] = []
    var requests: [UInt64: SimulatedRequest] = [:]
    var nextRequest: UInt64 = 1
    var jobs: [JobOut] = []
    var isFailed = false
    /// Something was left to the next opening to decide.
    var isUnclean = false
    /// Whether a fault may have struck since the opening.
    var isFaulty = false
    var isClosedTold = false
    /// How many jobs of each lane may be out.
    var mostOut = (append: 1, background: 1)
    var weights: [Int] = []
    /// Whether most is appended to one partition, for a while, and which that is.
    var isSkewed = false
    var favourite = 0
    /// What is to be done, where that is not drawn.
    var history: VolumeHistory?
    /// Whether an opening found what a failed sync has dropped, and reported it: the run is over.
    var isLostToReads = false
    /// Bytes of the largest batch.
    var largestBatch: Int64 = 0
    /// How the next opening of a history ends, and how the last one did.
    var endToCome: VolumeHistory.SecondEnd?
    var lastEnd: VolumeHistory.SecondEnd?
    /// Whether somebody has made indexes anew behind the volume's back.
    var hasRebuiltIndexes = false
    /// The tests that run it.
    var suite = "VolumeSimulationTests"
    /// How much was not synced when the power went as the history says.
    var unsyncedCount = 0

    var builder = RecordBatchBuilder(rawCapacity: 1 << 16)
    var codecs = CodecContext()

    var step = 0
    var openings = 0
    var compactions = 0
    var delayedSyncs = 0
    var scrubbedSegments = 0
    var mishaps: [String: Int] = [:]
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var operations: [String] = []
    /// Told each operation as it is noted.
    public var log: ((String) -> Void)?

    /// A run that has not begun; the seed draws the machine too.
    public init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        files = SimulatedFileSystem(seed: seed &* 3 &+ 1)
        drawMachine()
    }

    /// Runs the whole seed.
    public static func run(seed: UInt64) throws(SimulationViolation) -> SimulationOutcome {
        try VolumeSimulation(seed: seed).run()
    }

    /// Runs it.
    public func run() throws(SimulationViolation) -> SimulationOutcome {
        try open()
        for _ in 0..<random.within(1...3) { try createTopic() }
        let steps = random.chance(0.1) ? 600 : random.pick([60, 120, 200])
        while step < steps, !isLostToReads {
            step += 1
            try act()
            if files.hasCrashed { try crash() }
            try checkDisk()
            try checkWindow()
        }
        if !isLostToReads { try finish() }
        mishaps.merge(files.faultCounts.map { ("fault \($0)", $1) }) { $0 + $1 }
        return SimulationOutcome(
            traceHash: hash, steps: step, batches: submissions.count, openings: openings,
            compactions: compactions, delayedSyncs: delayedSyncs, scrubbedSegments: scrubbedSegments,
            mishaps: mishaps)
    }

    private func drawMachine() {
        configuration.journalBytes = random.pick([8, 16, 32, 64]) << 10
        configuration.directBytes = random.pick([512, 2048, 1 << 20])
        configuration.windowBytes = Int64(random.pick([1024, 4096, 16384, 1 << 20]))
        configuration.openFiles = random.pick([2, 3, 8, 64])
        configuration.manifestBytes = Int64(random.pick([1024, 4096, 1 << 20]))
        configuration.writeBytes = random.pick([512, 4096, 1 << 20])
        configuration.compactionMemoryBytes = random.pick([60, 200, 4096, 1 << 20])
        configuration.compactionBytesPerSecond = random.pick([0, 0, 20_000])
        configuration.compactionSliceBytes = random.pick([1, 500, 4096, 1 << 20])
        configuration.scrubMilliseconds = random.pick([0, 500, 5_000, 7 * 86_400_000])
        configuration.scrubBytesPerSecond = random.pick([20_000, 5_000_000])
        configuration.scrubSliceBytes = random.pick([1, 500, 1 << 20])
        configuration.ceilingStep = Int64(random.pick([2, 16, 1000]))
        if random.chance(0.5) {
            policy = .drawn(from: &random)
            policy.failedSyncForgets = random.chance(0.3)
            if random.chance(0.3) { policy.capacityBytes = Int64(random.within(64...256)) << 10 }
        } else {
            policy.fileSyncKeepsName = random.chance(0.25)
        }
        files.policy = policy
        mostOut = (random.within(1...4), random.within(1...3))
        weights = Step.allCases.map { $0.weight * random.pick([0, 1, 1, 2, 4]) }
        drawBudget()
        // The wall clock jumps by years here.
        configuration.producerExpirationMilliseconds = .max
        if random.chance(0.4) {
            weights[Step.send.rawValue] = random.pick([5, 15, 30])
            weights[Step.resend.rawValue] = random.pick([3, 10, 20])
        }
        isSkewed = random.chance(0.3)
        if random.chance(0.1) { drawLaps() }
        weights[Step.submit.rawValue] += 10
        weights[Step.run.rawValue] += 10
    }

    /// A machine on which the journal goes round and round while partitions wait for their syncs.
    private func drawLaps() {
        isSkewed = true
        configuration.journalBytes = 8 << 10
        configuration.directBytes = 1 << 20
        configuration.windowBytes = Int64(random.pick([4096, 8192, 16384]))
        mostOut = (random.within(2...4), random.within(2...3))
        weights = Step.allCases.map { [.submit, .take, .run, .finish].contains($0) ? $0.weight : 0 }
        weights[Step.armCrash.rawValue] = 1
    }

    /// Writes down what is done, for the report and for the hash.
    func note(_ text: @autoclosure () -> String) {
        let text = "\(step). \(text())"
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        operations.append(text)
        if operations.count > 30 { operations.removeFirst(operations.count - 30) }
        log?(text)
    }

    func violation(_ invariant: Int, _ message: String) -> SimulationViolation {
        SimulationViolation(
            seed: seed, step: step, invariant: invariant, message: message, operations: operations,
            state: store?.volume.words ?? "dead",
            suite: suite, history: history)
    }

    func check(
        _ holds: Bool, _ invariant: Int, _ message: @autoclosure () -> String
    ) throws(SimulationViolation) {
        if !holds { throw violation(invariant, message()) }
    }
}
