// A whole store, damaged in up to four places: planned, verified, read beside, opened, read, written, closed,
// opened again; and salvaged.
//
//   input   u8: which store · changes: kind u8 · file u8 · place u16 · argument u8 · for kind 0 as many bytes
//
// What must hold:
// (1) Nothing traps, nothing goes on without end. (2) What is served was appended, to that partition and at
// that offset. (3) What is missing is told: by the check of every byte, by the opening, or by whoever reads.
// (4) What was served and acknowledged is served after the next opening. (5) A salvage serves only what was
// appended, and tells that something is lost.
//
// Exceptions, where the format leaves nothing to be found:
// (a) A batch that was copied whole, with a base offset that fits, is a batch.
// (b) What is damaged in the journal, or lost from the manifest's end, is told only where something is
//     missing of what it stands for; both with the log at once may be silent.
// (c) Of a `written` topic, what is behind the recovery point is in the log alone: its end may have been
// another.

@testable import SluiceLog
@testable import SluiceTesting

enum StoreTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        let samples = StoreSample.all
        let sample = samples[Int(input.byte()) % samples.count]
        let files = sample.files.copy()
        let damage = Damage(&input, files)
        var told = [String]()
        do throws(LogError) {
            told += try FuzzStore.verify(FuzzStore.root, files).findings.map(\.description)
        } catch {
            told.append(error.description)
        }
        try readBeside(sample, files.copy(), damage, told)
        try salvage(sample, files.copy(), damage)
        try live(sample, files, damage, told)
    }

    /// Opens, reads, writes, closes, opens and reads.
    private static func live(
        _ sample: StoreSample, _ files: SimulatedFileSystem, _ damage: Damage, _ before: [String]
    ) throws(FuzzFailure) {
        let store = FuzzStore(files)
        var told = before
        do throws(LogError) {
            try store.open()
            told += store.findings.map(\.description)
        } catch {
            return try require(damage.isAny, "a store that is whole does not open: \(error)")
        }
        var readings: [PartitionName: FuzzedReading] = [:]
        var added: [PartitionName: Int64] = [:]
        for name in sample.names {
            let reading = store.read(name.topic, name.partition)
            try check(reading, sample, name, damage, told)
            readings[name] = reading
            added[name] = try store.append(["new"], name.topic, name.partition)
        }
        try store.drive()
        try store.close()
        do throws(LogError) {
            try store.open()
        } catch {
            throw FuzzFailure(description: "a store that was open does not open again: \(error)")
        }
        for (name, reading) in readings {
            let again = store.read(name.topic, name.partition)
            let gone = Set(reading.records).subtracting(again.records)
            try require(
                gone.isEmpty, "\(name): served before and not after an opening: \(gone), \(again.errors)")
            guard let offset = added[name] else { continue }
            // Headers before it may be damaged, which whoever reads is told.
            let new = store.read(name.topic, name.partition, from: offset)
            let isMoved = !Set(reading.records + new.records)
                .subtracting(sample.appended[name] ?? []).subtracting([.init(offset: offset, value: "new")])
                .isEmpty
            try require(
                new.records.first == .init(offset: offset, value: "new") || !new.errors.isEmpty || isMoved,
                "\(name): acknowledged at \(offset) and not served: \(new)")
        }
        try store.close()
    }

    /// (2) and (3).
    private static func check(
        _ reading: FuzzedReading, _ sample: StoreSample, _ name: PartitionName, _ damage: Damage,
        _ told: [String]
    ) throws(FuzzFailure) {
        let appended = sample.appended[name] ?? []
        try require(!reading.isEndless, "reading \(name) does not end")
        let values = Set(appended.map(\.value))
        let served = Set(reading.records)
        for record in reading.records {
            try require(values.contains(record.value), "\(name) serves \(record), which nobody appended")
        }
        let missing = Set(sample.kept(name)).subtracting(served)
        let moved = served.subtracting(appended)
        if missing.isEmpty, moved.isEmpty || damage.copies { return }
        try require(
            moved.isEmpty || damage.copies || !reading.errors.isEmpty || damage.isBeyondNotice,
            "\(name) serves \(moved) at other offsets: \(damage)")
        let isTold = !reading.errors.isEmpty || !told.isEmpty
        try require(
            isTold || damage.isBeyondNotice,
            "\(name): \(missing.count) records are missing and \(moved.count) moved, and nobody says so: \(damage)"
        )
    }

    /// Whoever reads without a lock, as after a crash.
    private static func readBeside(
        _ sample: StoreSample, _ files: SimulatedFileSystem, _ damage: Damage, _ before: [String]
    ) throws(FuzzFailure) {
        let volume: ReadOnlyVolume
        do throws(LogError) {
            volume = try ReadOnlyVolume(
                FuzzStore.root, files, interpret: { LogSettings(simulated: $0) })
        } catch {
            return try require(damage.isAny, "a store that is whole cannot be read: \(error)")
        }
        let reader = SegmentReader(files, mayRepair: false)
        for name in sample.names {
            let reading: FuzzedReading
            do throws(LogError) {
                let number = try volume.number(topic: name.topic, partition: name.partition)
                let offsets = try volume.offsets(number)
                reading = FuzzStore.read(offsets, reader) { offset throws(LogError) in
                    try volume.segment(number, at: offset)
                }
            } catch {
                reading = FuzzedReading(errors: [error.description])
            }
            try check(reading, sample, name, damage, before)
        }
    }

    /// (5).
    private static func salvage(
        _ sample: StoreSample, _ files: SimulatedFileSystem, _ damage: Damage
    ) throws(FuzzFailure) {
        var random = SeededRandom(seed: 3)
        var notes: [SalvageNote] = []
        let now = Instant(wallMilliseconds: 1_800_000_000_000, monotonicNanoseconds: 0)
        do throws(LogError) {
            _ = try Salvage.run(
                FuzzStore.root, to: "/saved", files, now: now, random: &random,
                interpret: { LogSettings(simulated: $0) }, report: { notes.append($0) })
        } catch {
            return try require(damage.isAny, "a store that is whole cannot be salvaged: \(error)")
        }
        let volume: ReadOnlyVolume
        let report: RecoveryReport
        do throws(LogError) {
            report = try FuzzStore.verify("/saved", files)
            volume = try ReadOnlyVolume("/saved", files, interpret: { LogSettings(simulated: $0) })
        } catch {
            throw FuzzFailure(description: "a salvaged store cannot be read: \(error)")
        }
        try require(!report.isDamaged, "a salvaged store is damaged: \(report.findings)")
        let reader = SegmentReader(files, mayRepair: false)
        for name in sample.names {
            var served: [FuzzedReading.Record] = []
            if let number = try? volume.number(topic: name.topic, partition: name.partition),
                let offsets = try? volume.offsets(number)
            {
                served =
                    FuzzStore.read(offsets, reader) { offset throws(LogError) in
                        try volume.segment(number, at: offset)
                    }.records
            }
            let appended = Set((sample.appended[name] ?? []).map(\.value))
            for record in served {
                try require(appended.contains(record.value), "salvage makes up \(record) of \(name)")
            }
            // At another offset, where base offsets were damaged, is not lost.
            let missing = Set(sample.kept(name).map(\.value)).subtracting(served.map(\.value))
            let isTold = notes.contains { $0.isLoss || $0.isReplacement }
            try require(
                missing.isEmpty || isTold || damage.isBeyondNotice,
                "salvage leaves \(missing.count) records of \(name) out and does not say so: \(damage)")
        }
    }
}

extension SalvageNote {
    fileprivate var isReplacement: Bool { if case .replaced = self { true } else { false } }
}

/// What was done to a store.
struct Damage: CustomStringConvertible {
    private var done: [String] = []
    private var touched: Set<String> = []
    /// Bytes were copied from one place to another.
    private(set) var copies = false

    var isAny: Bool { !done.isEmpty }
    var description: String { done.joined(separator: "; ") }

    /// Whether a log and what would tell of its end are damaged both, or the log of a store that has no
    /// manifest.
    var isBeyondNotice: Bool {
        let keepers = touched.filter { $0.contains("/journal/") || $0.contains("/manifest/") }
        return !keepers.isEmpty && touched.count > 1
    }

    init(_ input: inout FuzzInput, _ files: SimulatedFileSystem) {
        while !input.isEmpty, done.count < 4 {
            let names = files.files(below: FuzzStore.root).filter { !$0.hasSuffix("LOCK") }
            guard !names.isEmpty else { return }
            let kind = input.byte() % 7
            let path = names[Int(input.byte()) % names.count]
            let size = files.contents(path)?.count ?? 0
            let place = input.number() % (size + 1)
            let argument = Int(input.byte())
            done.append("\(kind) of \(path) at \(place) of \(size), \(argument)")
            touched.insert(path)
            switch kind {
            case 0: files.overwrite(path, at: place, with: input.take(argument % 16 + 1))
            case 1: if place < size { files.flipBit(path, byte: place, bit: argument & 7) }
            case 2: files.truncateDurably(path, to: place)
            case 3:
                files.overwrite(path, at: size, with: [UInt8](repeating: UInt8(argument), count: place % 512))
            case 4: try? files.remove(path)
            case 5:
                guard size > 0 else { continue }
                copies = true
                let source = (files.contents(path) ?? []).dropFirst(argument * 16 % size).prefix(place % 512)
                files.overwrite(path, at: place, with: [UInt8](source))
            default: files.overwrite(path, at: place, with: [UInt8](repeating: 0, count: argument * 4))
            }
        }
    }
}
