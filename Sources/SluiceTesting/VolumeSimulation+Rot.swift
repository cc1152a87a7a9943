// Bytes that change at rest: the medium gives back something else than was written and synced.
//
// A run goes on for a while, then the store is closed, or loses its power; then a file is damaged, and the
// store is opened again. Kinds: a flipped bit, a sector of zeros, a sector of another file (misdirected), a
// sector as it was before (stale), a cut, bytes at the end, a file that is gone. What must hold:
//
// (1) Nothing traps, and opening ends. (2) Nothing wrong is read: what is at an offset is what was
// acknowledged there, and of its partition. (3) What was acknowledged as durable and cannot be read has been
// reported: the opening, the deep verification or the reading says so. (4) Damage of one partition's files
// touches no other partition. (5) After a close, damage of anything but hints is found by the deep
// verification; in a sealed segment by the scrub as well, and the next plain verification tells of it.
// (6) Damage of an index changes nothing.
//
// Two limits. A store that was not closed and whose journal's last frame is damaged in its header: that looks
// like a write that never began, and is answered so. And a whole batch of another partition that lies where
// one of the same offsets was: its own checksum is right, so readers get it; the deep verification and the
// scrub hold the file's checksum against it.

internal import SluiceLog

/// A way in which bytes rot.
enum Rot: String, CaseIterable, Sendable {
    case flippedBit, zeroedSector, misdirectedSector, staleSector, cut, extended, removed
}

/// What came of a run.
public struct RotOutcome: Sendable, Hashable {
    /// The kind of damage.
    public var kind: String
    /// The file, by the end of its name.
    public var file: String
    /// Whether the store refused to open, or the opening reported damage or a torn end.
    public var isReported: Bool
    /// Acknowledged records that could not be read.
    public var unreadable: Int
    /// Whether the scrub was asked to find it, and did.
    public var isFoundByScrub: Bool
}

extension VolumeSimulation {
    /// Runs the seed for a while, damages a file, and looks what becomes of it.
    public static func runRot(seed: UInt64) throws(SimulationViolation) -> RotOutcome? {
        try VolumeSimulation(seed: seed).runRot()
    }

    /// Runs it.
    public func runRot() throws(SimulationViolation) -> RotOutcome? {
        suite = "RotSimulationTests"
        // Rot is the only fault, so that the reason for what is missed is known.
        policy = .none
        files.policy = .none
        if configuration.scrubMilliseconds == 0 { configuration.scrubMilliseconds = 5_000 }
        try open()
        for _ in 0..<random.within(1...3) { try createTopic() }
        let before = earlierContents()
        for _ in 0..<random.pick([30, 60, 120]) {
            step += 1
            try act()
            if files.hasCrashed { try crash() }
        }
        files.crashAfterCalls = nil
        if isFailed { return nil }
        try quiesce()
        let isClosed = random.chance(0.6)
        if isClosed { try closeForRot() } else { cutPowerForRot() }
        let referenced = referenced(isClosed: isClosed)
        guard let damage = damageAFile(before) else { return nil }
        note("DAMAGE \(damage.kind) of \(damage.path) at \(damage.position)")
        return try look(at: damage, referenced)
    }

    // MARK: Damage

    struct Damage {
        var kind: Rot
        var path: String
        var position: Int
    }

    /// Every file of the store as it is now, for sectors that are stale later.
    private func earlierContents() -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for path in allFiles() { contents[path] = files.contents(path) }
        return contents
    }

    private func allFiles() -> [String] {
        files.files(below: Self.root).sorted()
            .filter { !$0.hasSuffix("/LOCK") && !$0.contains("/quarantine/") }
    }

    private func closeForRot() throws(SimulationViolation) {
        try closeAndOpen()
        // What an opening writes is synced, and the close leaves nothing to be done.
        store?.volume.close(now: clock.now)
        try drain()
        try drive { self.isClosedTold }
        closeFiles()
    }

    private func cutPowerForRot() {
        forgetProcess()
        files.powerLoss()
        note("POWER LOSS")
    }

    private func damageAFile(_ earlier: [String: [UInt8]]) -> Damage? {
        let all = allFiles().filter { files.contents($0)?.isEmpty == false }
        // Most damage in what is most of the store.
        let segments = all.filter { $0.hasSuffix(".log") && $0.contains("/topics/") }
        let path = segments.isEmpty || random.chance(0.4) ? random.pick(all) : random.pick(segments)
        guard let bytes = files.contents(path) else { return nil }
        let sector = random.below((bytes.count + 511) / 512) * 512
        let place = sector..<min(sector + 512, bytes.count)
        let kind = random.pick(Rot.allCases)
        switch kind {
        case .flippedBit:
            let byte = random.below(bytes.count)
            files.flipBit(path, byte: byte, bit: random.below(8))
            return Damage(kind: kind, path: path, position: byte)
        case .zeroedSector:
            files.overwrite(path, at: sector, with: [UInt8](repeating: 0, count: place.count))
        case .misdirectedSector:
            guard let other = files.contents(random.pick(all)) else { return nil }
            let start = random.below((other.count + 511) / 512) * 512
            let bytes = other[start..<min(start + place.count, other.count)]
            files.overwrite(path, at: sector, with: Array(bytes))
        case .staleSector:
            let old = earlier[path] ?? []
            let stale = place.map { $0 < old.count ? old[$0] : 0 }
            files.overwrite(path, at: sector, with: stale)
        case .cut: files.truncateDurably(path, to: random.below(bytes.count))
        case .extended:
            let count = random.pick([1, 60, 512, 5000])
            // A manifest's file ends with zeros: one more is no damage.
            let more = (0..<count).map { $0 == 0 ? 1 : UInt8(truncatingIfNeeded: random.next()) }
            files.overwrite(path, at: bytes.count, with: more)
            return Damage(kind: kind, path: path, position: bytes.count)
        case .removed: try? files.remove(path)
        }
        // The same bytes again are no damage.
        return files.contents(path) == bytes ? nil : Damage(kind: kind, path: path, position: sector)
    }

    // MARK: What becomes of it

    private func look(at damage: Damage, _ referenced: Referenced) throws(SimulationViolation) -> RotOutcome {
        var outcome = RotOutcome(
            kind: damage.kind.rawValue, file: String(damage.path.split(separator: "/").last ?? ""),
            isReported: false, unreadable: 0, isFoundByScrub: false)
        try verify(damage, referenced, &outcome)
        do throws(LogError) {
            try openOnce()
        } catch {
            note("open: \(error)")
            try check(!damage.isOfHint, 9, "with another \(damage.path) the store does not open: \(error)")
            outcome.isReported = true
            return outcome
        }
        isClosedTold = false
        let findings = store?.report.findings ?? []
        note("opened: \(findings.map(\.description).joined(separator: "; "))")
        outcome.isReported = outcome.isReported || !findings.isEmpty
        try readAround(damage, referenced, &outcome)
        if referenced.isClosed, referenced.sealed.contains(damage.path) {
            try scrub(damage, &outcome)
        }
        return outcome
    }

    private func verify(
        _ damage: Damage, _ referenced: Referenced, _ outcome: inout RotOutcome
    ) throws(SimulationViolation) {
        do throws(LogError) {
            let report = try verifyStore(deep: true)
            outcome.isReported = !report.findings.isEmpty
            var isFound = report.isDamaged
            // Who has lost the end of the manifest was not closed; what follows the end is a torn write.
            if damage.path.contains("/manifest/") || damage.kind == .extended {
                isFound = !report.wasClosed || !report.findings.isEmpty
            }
            guard referenced.isClosed, referenced.all.contains(damage.path), !isFound else { return }
        } catch {
            outcome.isReported = true
            return
        }
        throw violation(11, "the deep verification does not see the damage of \(damage.path)")
    }

    /// Reads everything that can be read.
    private func readAround(
        _ damage: Damage, _ referenced: Referenced, _ outcome: inout RotOutcome
    ) throws(SimulationViolation) {
        for index in partitions.indices where topics[partitions[index].topic].phase == .alive {
            let topic = topics[partitions[index].topic]
            let isStruck =
                !damage.path.contains("/topics/")
                || damage.path.contains("/topics/\(topic.name)-\(partitions[index].number)/")
            guard let number = number(index) else {
                try check(isStruck, 10, "partition \(index) is gone by damage of \(damage.path)")
                continue
            }
            if !isStruck || damage.isOfHint {
                try checkLog(index, needed: .durable)
                try checkLookups(index, number)
                continue
            }
            let log = readLog(number)
            for (offset, record) in log.found {
                let id = Int(record >> 16)
                var isRight = submissions.indices.contains(id) && submissions[id].partition == index
                if let known = partitions[index].entries[offset], known.safety == .durable {
                    isRight = isRight && known.record == record
                }
                let mayBeElsewhere = damage.kind == .misdirectedSector || damage.kind == .staleSector
                try check(
                    isRight || (mayBeElsewhere && outcome.isReported), 4,
                    "record \(record) at offset \(offset) of partition \(index) is not what it was")
            }
            if !log.faults.isEmpty { outcome.isReported = true }
            outcome.unreadable += missing(index, log.found)
        }
        try check(
            outcome.unreadable == 0 || outcome.isReported || referenced.isHeaderOfLastFrame(damage), 1,
            "\(outcome.unreadable) acknowledged records are missing, and nothing says so")
    }

    private func missing(_ index: Int, _ found: [(offset: Int64, record: UInt64)]) -> Int {
        let topic = topics[partitions[index].topic]
        if topic.hadCompaction || topic.hadRetention { return 0 }
        let there = Set(found.map(\.offset))
        let start = partitions[index].startRequested
        return partitions[index].entries.count { offset, entry in
            entry.safety == .durable && offset >= start && !there.contains(offset)
        }
    }

    /// By the indexes every offset is found where it is.
    private func checkLookups(_ index: Int, _ number: Int) throws(SimulationViolation) {
        hasRebuiltIndexes = true
        let reader = SegmentReader(files, mayRepair: true)
        for (offset, _) in readLog(number).found {
            var fault: String?
            do throws(LogError) {
                guard let view = try store?.volume.segment(number, at: offset) else { continue }
                let position = Int(try reader.position(of: offset, in: view))
                let bytes = files.contents(view.paths.log) ?? []
                let head = Array(bytes[min(position, bytes.count)...].prefix(BatchLayout.headerBytes))
                let header = try? BatchHeader(head.span.bytes)
                fault = header.map { view.fault(of: $0, at: offset) } ?? "there is no batch"
            } catch {
                fault = "\(error)"
            }
            if let fault { throw violation(16, "offset \(offset) of partition \(index): \(fault)") }
        }
    }

    /// The scrub, or a compaction before it, finds what is damaged in a sealed segment, and the next plain
    /// verification tells of it.
    private func scrub(_ damage: Damage, _ outcome: inout RotOutcome) throws(SimulationViolation) {
        let struck = files.contents(damage.path)
        // The pass that is under way may have been there already.
        var passes = 0
        for _ in 0..<20_000 where passes < 2 && !outcome.isFoundByScrub {
            let deadline = store?.volume.scrubDeadline ?? 0
            clock.advance(
                by: .nanoseconds(max(deadline - clock.now.monotonicNanoseconds, 1_000_000)))
            while let job = store?.volume.nextJob(.background, now: clock.now), let runner {
                let result = runner.run(job)
                note("\(job): \(result)")
                store?.volume.finished(job, result, now: clock.now)
            }
            for event in store?.volume.takeCompletions().events ?? [] {
                note("event: \(event)")
                switch event {
                case .recordsUnreadable(let file, _, _):
                    if file == damage.path { outcome.isFoundByScrub = true }
                case .scrubbed: passes += 1
                default: break
                }
            }
        }
        // A compaction has read what was sealed, and bytes behind that have gone with the file.
        if damage.kind == .extended, files.contents(damage.path) != struck { return }
        try check(outcome.isFoundByScrub, 15, "the scrub did not find the damage of \(damage.path)")
        isClosedTold = false
        store?.volume.close(now: clock.now)
        try drain()
        try drive { self.isClosedTold }
        store = nil
        files.processDeath()
        var isTold = false
        do throws(LogError) {
            isTold = try verifyStore(deep: false).isDamaged
        } catch {
            note("verify: \(error)")
        }
        try check(isTold, 15, "a plain verification says nothing of what the scrub has found")
    }
}

extension VolumeSimulation.Damage {
    /// Whether the file can be made anew from others.
    var isOfHint: Bool {
        path.hasSuffix("index") || path.hasSuffix("partition.metadata") || path.hasSuffix("/reserve")
    }
}

extension VolumeSimulation {
    /// What the store was when its files were damaged.
    struct Referenced {
        var isClosed = false
        /// Segments and manifest.
        var all: Set<String> = []
        var sealed: Set<String> = []
        /// The last frame of the journal.
        var lastFrame: (path: String, position: Int)?

        /// Nothing tells such a frame from one that was never written.
        func isHeaderOfLastFrame(_ damage: Damage) -> Bool {
            guard let lastFrame, lastFrame.path == damage.path else { return damage.kind == .removed }
            switch damage.kind {
            case .flippedBit: return damage.position / 512 * 512 == lastFrame.position
            case .cut: return damage.position <= lastFrame.position + 512
            case .removed: return true
            default: return damage.position == lastFrame.position
            }
        }
    }

    private func referenced(isClosed: Bool) -> Referenced {
        var referenced = Referenced(isClosed: isClosed)
        let paths = StorePaths(Self.root)
        var loaded: LoadedManifest?
        do throws(LogError) {
            loaded = try ManifestFile.load(paths, storeID: try StoreDirectory.readMeta(paths, files), files)
        } catch {
            note("\(error)")
        }
        guard let loaded else { return referenced }
        referenced.all.insert(paths.manifest(loaded.number))
        for (key, partition) in loaded.state.partitions {
            guard let topic = loaded.state.topics[key.topic] else { continue }
            let directory = paths.partition(topic.name, key.partition)
            for sealed in partition.sealed {
                var path = SegmentPaths(
                    directory: directory, baseOffset: sealed.baseOffset, generation: sealed.generation
                ).log
                if files.contents(path) == nil {
                    path = SegmentPaths(directory: directory, baseOffset: sealed.baseOffset).log
                }
                referenced.sealed.insert(path)
            }
            if partition.recovery.position > 0 {
                referenced.all.insert(
                    SegmentPaths(directory: directory, baseOffset: partition.recovery.baseOffset).log)
            }
        }
        referenced.all.formUnion(referenced.sealed)
        var highest: UInt64 = 0
        for path in allFiles() where path.contains("/journal/") {
            let scan = Frame.scan(.journal, storeID: loaded.storeID, in: files.contents(path) ?? [])
            for frame in scan.frames where frame.sequence > highest {
                highest = frame.sequence
                referenced.lastFrame = (path, frame.position)
            }
        }
        return referenced
    }
}
