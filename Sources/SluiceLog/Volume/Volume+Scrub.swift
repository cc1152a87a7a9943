// The scrub: sealed segments are read again while nobody needs them, so that damage is known before it is
// met. Scrub/SegmentCheck.swift reads.
//
//   pass       all sealed segments, in the order of topic ids, partitions and offsets: one pass each week
//   asked for  a segment that somebody reads for the first time since the opening goes before the pass
//
// (1) One slice is out at a time, behind all other work of the background; deadlines keep the rate. (2) How
// far a pass has come is recorded once a minute: an opening goes on from there. (3) What is found is
// recorded, told, and refuses nothing: whoever reads the place gets `corrupt`, all others read and append.
// (4) A segment that was removed or replaced while it was read is not damaged.

/// What one slice reads.
public struct ScrubJob: Sendable {
    var partition: Int
    var check: SegmentCheck
    var path: String
    var bytes: Int64
}

/// What came of it.
public struct ScrubResult: Sendable {
    var check: SegmentCheck
    var step: SegmentCheck.Step
    var bytesRead: Int64
}

extension ScrubJob {
    func run(_ files: any FileSystem) -> ScrubResult {
        var check = check
        let (step, bytesRead) = check.run(path, files, bytes: bytes)
        return ScrubResult(check: check, step: step, bytesRead: bytesRead)
    }
}

extension IOJob {
    /// Whether an idle store has such work again and again, as time passes.
    package var isByClock: Bool {
        switch self {
        case .measure, .scrub: true
        // What has grown by nothing else is begun anew now and then.
        case .manifest(let job):
            job.replacement != nil
                || job.records.allSatisfy { if case .scrubbed = $0 { true } else { false } }
        default: false
        }
    }
}

/// What the scrub is doing.
struct Scrub {
    struct Pass {
        /// By the wall clock, ms.
        var startedAt: Int64
        /// Partitions that are left, the next one last.
        var left: [Int]
        /// Segments of the next one before this offset have been read.
        var offset: Int64
        var segments = 0
        var bytes: Int64 = 0
        var damaged = 0
    }

    struct Check {
        var number: Int
        var check: SegmentCheck
        /// Somebody has read the segment; else the pass has come to it.
        var isAsked: Bool
    }

    var asked = RingQueue<(number: Int, baseOffset: Int64)>()
    var pass: Pass?
    var check: Check?
    var isOut = false
    /// Not before, monotonic ns: the rate.
    var at: Int64 = 0
    /// When the next pass begins, monotonic ns; nil: the manifest has not been asked yet.
    var passAt: Int64?
    /// When the pass was last recorded, monotonic ns.
    var recordedAt: Int64 = 0
}

extension Volume {
    /// Has a sealed segment read in full: somebody reads from it for the first time since the opening.
    public mutating func check(_ number: Int, _ view: SegmentView) {
        let isNew = with(number) { $0.checked.insert(view.baseOffset).inserted }
        guard isNew == true, configuration.scrubMilliseconds > 0 else { return }
        scrub.asked.append((number, view.baseOffset))
    }

    mutating func takeScrub(now: Instant) -> ScrubJob? {
        guard !scrub.isOut, failure == nil, closing == .open, configuration.scrubMilliseconds > 0,
            now.monotonicNanoseconds >= scrub.at
        else { return nil }
        if scrub.passAt == nil { resumeScrub(now: now) }
        while true {
            if scrub.check == nil { scrub.check = nextCheck(now: now) }
            guard let under = scrub.check else { return nil }
            guard let partition = partitions[under.number],
                partition.sealed.contains(under.check.sealed)
            else {
                scrub.check = nil
                continue
            }
            // Its files are about to have other names.
            guard !partition.isRenaming else {
                putOffScrub(now: now)
                return nil
            }
            scrub.isOut = true
            return ScrubJob(
                partition: under.number, check: under.check,
                path: partition.paths(of: under.check.sealed).log, bytes: configuration.scrubSliceBytes)
        }
    }

    mutating func finishedScrub(_ job: ScrubJob, _ result: ScrubResult, now: Instant) {
        scrub.isOut = false
        let rate = max(configuration.scrubBytesPerSecond, 1)
        scrub.at = now.monotonicNanoseconds + result.bytesRead * 1_000_000_000 / rate
        guard let under = scrub.check else { return }
        guard let partition = partitions[job.partition], partition.sealed.contains(job.check.sealed) else {
            scrub.check = nil
            return
        }
        let damage: SegmentDamage?
        switch result.step {
        case .more:
            scrub.check?.check = result.check
            return
        case .failed: return putOffScrub(now: now)
        case .sound: damage = nil
        case .missing: damage = SegmentDamage(position: 0, reason: "the file is missing")
        case .damaged(let found), .unreadable(let found): damage = found
        }
        // Perhaps it was read by a name that another file has now.
        if damage != nil, partition.isRenaming || partition.paths(of: job.check.sealed).log != job.path {
            return putOffScrub(now: now)
        }
        let isLasting = if case .unreadable = result.step { false } else { true }
        scrub.check = nil
        let base = job.check.sealed.baseOffset
        partitions[job.partition]?.checked.insert(base)
        noteDamage(damage, isLasting: isLasting, in: partition, of: base, file: job.path)
        guard !under.isAsked else { return }
        scrub.pass?.segments += 1
        scrub.pass?.bytes += job.check.sealed.size
        if damage != nil { scrub.pass?.damaged += 1 }
        scrub.pass?.offset = job.check.sealed.endOffset
        if now.monotonicNanoseconds >= scrub.recordedAt + Self.recordScrubNanoseconds {
            recordScrub(now: now)
        }
    }

    /// Tells and records damage; takes back what was recorded of a segment that is sound after all.
    mutating func noteDamage(
        _ damage: SegmentDamage?, isLasting: Bool, in partition: PartitionLog, of base: Int64, file: String
    ) {
        if let damage {
            completions.events.append(
                .recordsUnreadable(file: file, position: damage.position, reason: damage.reason))
        }
        if isLasting, manifest.state.partitions[partition.key]?.damage[base] != damage {
            manifest.add(.segmentDamaged(partition.key, base: base, damage))
        }
    }

    private mutating func putOffScrub(now: Instant) {
        scrub.at = max(scrub.at, now.monotonicNanoseconds + 1_000_000_000)
        // From the start: what it reads by that name may be another file.
        if let under = scrub.check { scrub.check?.check = SegmentCheck(under.check.sealed) }
    }

    /// Goes on with the pass that the manifest tells of, or waits until the next is due.
    private mutating func resumeScrub(now: Instant) {
        scrub.passAt = now.monotonicNanoseconds
        guard let point = manifest.state.scrub else { return }
        guard point.isOver else { return beginPass(startedAt: point.startedAt, from: point) }
        let interval = configuration.scrubMilliseconds
        let passed = now.wallMilliseconds.subtractingReportingOverflow(point.startedAt)
        // A clock that was set back or far ahead makes it a week at most, and now at least.
        let left = passed.overflow ? 0 : min(max(interval - max(passed.partialValue, 0), 0), interval)
        scrub.passAt = now.monotonicNanoseconds + left * 1_000_000
    }

    private mutating func beginPass(startedAt: Int64, from point: ScrubPoint? = nil) {
        var order: [(key: PartitionKey, number: Int)] = []
        for (number, partition) in partitions.enumerated() {
            guard let key = partition?.key, partition?.sealed.isEmpty == false else { continue }
            if let point, key.order < point.key.order { continue }
            order.append((key, number))
        }
        order.sort { $0.key.order > $1.key.order }
        let isWithin = point != nil && order.last?.key == point?.key
        scrub.pass = Scrub.Pass(
            startedAt: startedAt, left: order.map(\.number), offset: isWithin ? point?.offset ?? 0 : 0)
    }

    /// What is to be read next; nil when nothing is due.
    private mutating func nextCheck(now: Instant) -> Scrub.Check? {
        while let (number, base) = scrub.asked.popFirst() {
            if let sealed = partitions[number]?.sealed.first(where: { $0.baseOffset == base }) {
                return Scrub.Check(number: number, check: SegmentCheck(sealed), isAsked: true)
            }
        }
        if scrub.pass == nil, let time = scrub.passAt, now.monotonicNanoseconds >= time {
            beginPass(startedAt: now.wallMilliseconds)
        }
        while let pass = scrub.pass {
            guard let number = pass.left.last else {
                endPass(pass, now: now)
                return nil
            }
            if let sealed = partitions[number]?.sealed.first(where: { $0.baseOffset >= pass.offset }) {
                return Scrub.Check(number: number, check: SegmentCheck(sealed), isAsked: false)
            }
            scrub.pass?.left.removeLast()
            scrub.pass?.offset = 0
        }
        return nil
    }

    private mutating func endPass(_ pass: Scrub.Pass, now: Instant) {
        scrub.pass = nil
        scrub.passAt = now.monotonicNanoseconds + configuration.scrubMilliseconds * 1_000_000
        // A store without sealed segments has nothing to remember.
        guard pass.segments > 0 || manifest.state.scrub != nil else { return }
        manifest.add(
            .scrubbed(
                ScrubPoint(
                    startedAt: pass.startedAt,
                    key: PartitionKey(topic: UniqueID(high: 0, low: 0), partition: 0), offset: 0,
                    isOver: true)))
        completions.events.append(
            .scrubbed(segments: pass.segments, bytes: pass.bytes, damaged: pass.damaged))
    }

    private mutating func recordScrub(now: Instant) {
        scrub.recordedAt = now.monotonicNanoseconds
        guard let pass = scrub.pass, let number = pass.left.last, let key = partitions[number]?.key else {
            return
        }
        manifest.add(
            .scrubbed(
                ScrubPoint(startedAt: pass.startedAt, key: key, offset: pass.offset, isOver: false)))
    }

    private static var recordScrubNanoseconds: Int64 { 60_000_000_000 }

    /// When a slice can be taken without anything happening; nil: not by itself.
    package var scrubDeadline: Int64? {
        guard closing == .open, !scrub.isOut, configuration.scrubMilliseconds > 0 else { return nil }
        if scrub.check != nil || scrub.pass != nil || !scrub.asked.isEmpty { return scrub.at }
        return max(scrub.passAt ?? 0, scrub.at)
    }
}
