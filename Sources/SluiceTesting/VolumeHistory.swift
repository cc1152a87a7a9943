// Short histories of a store, each wholly determined: named operations one after another, and one thing that
// goes wrong. A test of all of them takes every sequence of operations, every call that changes the disk, and
// of what was not synced then every part; or lets the first, the second, the third call fail.
//
// What must hold is what holds of `VolumeSimulation`, which runs them: its head lists it. A crash falls into
// the last operation only, since a shorter history has those before. After it the store is opened; that
// opening may be cut off too, at any of its calls, and then is made once more. On a whole machine everything
// is answered then, every partition takes a record, and the store is closed, verified and opened again.

internal import SluiceLog

/// An operation of a short history.
///
/// The store has three topics to begin with: `durable` with two partitions, whose segments hold 1,500 bytes;
/// `written` with one; and `compacted` with one. An operation on a topic that is gone does nothing.
public enum HistoryStep: String, Sendable, CaseIterable {
    /// Two records, durable.
    case append
    /// One record in each of two partitions, which share a commit.
    case appendTwice
    /// Two records whose topic promises that they survive the process.
    case appendWritten
    /// A batch that is synced in its segment, not in the journal.
    case appendDirect
    /// A batch that does not fit in the segment.
    case appendRolling
    /// A batch in each of three partitions, all or none.
    case appendAtomic
    /// Three batches of the same keys.
    case appendKeys
    case createTopic
    case deleteTopic
    case addPartitions
    /// The durable topic promises less, or the written one more.
    case configure
    /// Half of the records of a partition.
    case deleteRecords
    case compact
    /// What is older than the retention time.
    case retain
    /// A second and a half without appends: what was put off is done.
    case wait
    case close
    /// The process ends, or the power goes, and the store is opened again.
    case end
}

/// A short history. Its text is, for example, `append,close crash=3 power=0x5 again=7:0x0`, and can be read
/// again.
public struct VolumeHistory: Sendable, Hashable, LosslessStringConvertible {
    /// How a history that is cut off ends.
    public enum End: Sendable, Hashable {
        case processDeath
        /// What was not synced survives as the bits say: see `SimulatedFileSystem.powerLoss(keeping:)`.
        case powerLoss(keeping: UInt64)

        var isPowerLoss: Bool { self != .processDeath }
    }

    /// What is done, in this order.
    public var steps: [HistoryStep]
    /// After how many calls of the last step that change the disk it ends; nil is not at all.
    public var crashAfterCalls: Int?
    /// How it ends, in that call and in the step of that name.
    public var end: End
    /// The power goes once more, in the opening after the end.
    public var again: SecondEnd?
    /// A call that fails.
    public var fault: Fault?

    /// An end within an opening.
    public struct SecondEnd: Sendable, Hashable {
        /// After how many calls of the opening that change the disk.
        public var calls: Int
        /// What of what was not synced survives.
        public var keeping: UInt64

        /// The power goes after so many calls.
        public init(afterCalls calls: Int, keeping: UInt64) {
            self.calls = calls
            self.keeping = keeping
        }
    }

    /// A history in which nothing goes wrong unless it is said.
    public init(
        _ steps: [HistoryStep], crashAfterCalls: Int? = nil, end: End = .processDeath,
        again: SecondEnd? = nil, fault: Fault? = nil
    ) {
        self.steps = steps
        self.crashAfterCalls = crashAfterCalls
        self.end = end
        self.again = again
        self.fault = fault
    }

    /// All of it.
    public var description: String {
        var words = [steps.map(\.rawValue).joined(separator: ",")]
        if let crashAfterCalls { words.append("crash=\(crashAfterCalls)") }
        if case .powerLoss(let bits) = end { words.append("power=0x\(String(bits, radix: 16))") }
        if let again { words.append("again=\(again.calls):0x\(String(again.keeping, radix: 16))") }
        if let fault, case .call(let number) = fault.trigger {
            let times = fault.isPermanent ? "ever" : "once"
            words.append("fault=\(fault.operation.rawValue):\(fault.errno):\(number):\(times)")
        }
        return words.joined(separator: " ")
    }

    /// Reads what `description` gives; nil when it is something else.
    public init?(_ text: String) {
        var words = text.split(separator: " ")
        guard !words.isEmpty else { return nil }
        let names = words.removeFirst().split(separator: ",")
        self.init(names.compactMap { HistoryStep(rawValue: String($0)) })
        guard steps.count == names.count else { return nil }
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            switch parts[0] {
            case "crash":
                guard let calls = Int(parts[1]) else { return nil }
                crashAfterCalls = calls
            case "power":
                guard let bits = UInt64(parts[1].dropFirst(2), radix: 16) else { return nil }
                end = .powerLoss(keeping: bits)
            case "again":
                let values = parts[1].split(separator: ":")
                guard values.count == 2, let calls = Int(values[0]),
                    let bits = UInt64(values[1].dropFirst(2), radix: 16)
                else { return nil }
                again = SecondEnd(afterCalls: calls, keeping: bits)
            case "fault":
                let values = parts[1].split(separator: ":")
                guard values.count == 4, let operation = FileOperation(rawValue: String(values[0])),
                    let errno = Int32(values[1]), let number = Int(values[2])
                else { return nil }
                fault = Fault(operation, errno: errno, .call(number), isPermanent: values[3] == "ever")
            default: return nil
            }
        }
    }

    /// What a history has come to.
    public struct Outcome: Sendable, Hashable {
        /// Whether the call at which it was to end was made.
        public var hasCrashed: Bool
        /// Whether the call of an opening was made at which the power was to go again.
        public var hasCrashedAgain: Bool
        /// How many things were not synced when the power went, the last time.
        public var unsyncedCount: Int
        /// The calls of each kind in the steps.
        public var calls: [FileOperation: Int]
    }

    /// Runs it.
    /// - Parameter log: told each operation as it is noted.
    public func run(log: ((String) -> Void)? = nil) throws(SimulationViolation) -> Outcome {
        let simulation = VolumeSimulation(self)
        simulation.log = log
        return try simulation.runHistory()
    }

    /// Bits for power losses with so many things that were not synced: every subset of up to four; of more
    /// none, all, each alone, all but each, and the first so many.
    public static func subsets(of count: Int) -> [UInt64] {
        if count <= 4 { return Array(0..<1 << UInt64(count)) }
        let most = min(count, 12)
        var all: Set<UInt64> = [0, .max]
        for index in 0..<UInt64(most) {
            all.insert(1 << index)
            all.insert(~(1 << index))
            all.insert(1 << index - 1)
        }
        return all.sorted()
    }
}

extension VolumeSimulation {
    /// A machine for histories: small files, no faults but the one of the history.
    convenience init(_ history: VolumeHistory) {
        self.init(seed: 1)
        self.history = history
        suite = "VolumeHistoryTests"
        configuration = VolumeConfiguration()
        configuration.journalBytes = 16 << 10
        configuration.directBytes = 1024
        configuration.openFiles = 3
        // Weeks pass when all is done; what it would find, the deep verification finds.
        configuration.scrubMilliseconds = 0
        policy = .none
        mostOut = (1, 1)
    }

    func runHistory() throws(SimulationViolation) -> VolumeHistory.Outcome {
        guard let history else { throw violation(8, "there is no history to run") }
        try open()
        try createTopic("durable", partitions: 2, settings { $0.segmentBytes = 1500 })
        try createTopic(
            "written", partitions: 1,
            settings {
                $0.isDurable = false
                $0.retentionMilliseconds = 1000
            })
        try createTopic(
            "compacted", partitions: 1,
            settings {
                $0.isCompacted = true
                $0.isDeleted = false
                $0.minDirtyRatio = 0
            })
        try settle()
        if let fault = history.fault {
            policy.faults = [fault]
            files.policy = policy
            isFaulty = true
        }
        let before = FileOperation.allCases.map(files.callCount)
        var hasCrashed = false
        for (index, next) in history.steps.enumerated() {
            step += 1
            if index == history.steps.count - 1 {
                files.crashAfterCalls = history.crashAfterCalls
                endToCome = history.again
            }
            let openingsBefore = openings
            try act(next)
            if files.hasCrashed { try crash() }
            // A crash resets it; so does a close that has come to its end.
            hasCrashed = openings > openingsBefore + (next == .close || next == .end ? 1 : 0)
        }
        let calls = zip(FileOperation.allCases, before).map { ($0, files.callCount($0) - $1) }
        try finish()
        return VolumeHistory.Outcome(
            hasCrashed: hasCrashed, hasCrashedAgain: lastEnd != nil, unsyncedCount: unsyncedCount,
            calls: Dictionary(uniqueKeysWithValues: calls))
    }

    private func settings(_ change: (inout LogSettings) -> Void) -> LogSettings {
        var settings = LogSettings()
        settings.retentionMilliseconds = nil
        change(&settings)
        return settings
    }

    /// The first partition of a topic, if it is there.
    private func partition(_ topic: String, _ number: Int = 0) -> Int? {
        partitions.indices.first {
            partitions[$0].number == number && topics[partitions[$0].topic].name == topic
                && topics[partitions[$0].topic].phase == .alive
        }
    }

    private func topic(_ name: String) -> Int? {
        topics.indices.first { topics[$0].name == name && topics[$0].phase == .alive }
    }

    private func append(
        _ partition: Int?, count: Int = 2, padding: Int = 10, _ acks: Acks = .durable
    ) throws(SimulationViolation) {
        guard let partition else { return }
        _ = try submit(to: partition, producer: 0, count: count, padding: padding, acks: acks)
    }

    private func act(_ step: HistoryStep) throws(SimulationViolation) {
        note(step.rawValue)
        switch step {
        case .append: try append(partition("durable"))
        case .appendTwice:
            try append(partition("durable"), count: 1)
            try append(partition("durable", 1), count: 1)
        case .appendWritten: try append(partition("written"), .written)
        case .appendDirect: try append(partition("durable"), count: 1, padding: 1100)
        case .appendRolling:
            try append(partition("durable"), count: 1, padding: 900)
            try append(partition("durable"), count: 1, padding: 900)
        case .appendAtomic:
            let chosen = [partition("durable"), partition("durable", 1), partition("compacted")]
            try submitAtomic(to: chosen.compactMap { $0 }, producer: 0)
        case .appendKeys:
            for _ in 0..<3 { try append(partition("compacted"), count: 4) }
        case .createTopic:
            guard topics.count(where: { $0.phase == .alive }) < 5 else { return }
            try createTopic("t\(topics.count)", partitions: 1, settings { _ in })
        case .deleteTopic:
            guard let last = topics.indices.last(where: { topics[$0].phase == .alive }) else { return }
            try deleteTopic(last)
        case .addPartitions:
            guard let index = topic("durable") else { return }
            try addPartitions(index, total: topics[index].partitions.count + 1)
        case .configure:
            guard let index = topic("durable") ?? topic("written") else { return }
            var next = topics[index].settings
            next.isDurable.toggle()
            try configureTopic(index, next)
        case .deleteRecords:
            guard let index = partition("durable"), partitions[index].knownEnd > 1 else { return }
            try deleteRecords(index, before: partitions[index].knownEnd / 2)
        case .compact:
            guard let index = partition("compacted") else { return }
            try compact(index, rollBytes: 1)
        case .retain:
            clock.advance(by: .milliseconds(1200))
            store?.volume.enforceRetention(wall: clock.now.wallMilliseconds)
            try drain()
        case .wait: clock.advance(by: .milliseconds(1500))
        case .close: return try closeAndOpen()
        case .end: return try crash()
        }
        try settle()
    }

    /// Does what there is to do, one job after another, without letting time pass.
    private func settle() throws(SimulationViolation) {
        for _ in 0..<1_000 {
            try take(.append)
            if jobs.isEmpty { try take(.background) }
            if jobs.isEmpty { try take(.append) }
            guard !jobs.isEmpty else { return }
            runJob(0)
            if files.hasCrashed { return }
            try finishJob(0)
            try checkDisk()
        }
        throw violation(9, "no end is in sight")
    }
}
