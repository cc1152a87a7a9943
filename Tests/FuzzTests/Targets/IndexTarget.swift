// The index files of a segment that is whole: whatever they hold, a reader finds what is there.
//
//   input   u8: bit 0 sealed, 1 a reader may repair, 2 both files count beyond their ends · length of the
//           index u16 · the index · the time index
//
// (1) An offset is found in the batch that holds it. (2) A time is found as a walk through the records finds
// it. What the exception is: in an active segment no checksum covers the time index, so here timestamps rise.

@testable import SluiceLog
@testable import SluiceTesting

enum IndexTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let index = input.take(input.number())
        let times = input.remainder()
        let sample = IndexSample.shared
        let files = sample.files.copy()
        files.put(sample.paths.index, index)
        files.put(sample.paths.timeIndex, times)
        let beyond = flags & 4 == 0 ? 0 : 1 << 40
        var view = sample.view
        view.isActive = flags & 1 == 0
        view.indexBytes = Int64(index.count + beyond)
        view.timeBytes = Int64(times.count + beyond)
        view.timeIndexCRC = view.isActive ? nil : sample.timeIndexCRC
        if !view.isActive { view.timeBytes = Int64(sample.timeIndex.count) }
        try usable(files.copy(), sample)
        let reader = SegmentReader(files, mayRepair: flags & 2 != 0)
        try lookUp(view, reader, sample)
    }

    private static func lookUp(
        _ view: SegmentView, _ reader: SegmentReader, _ sample: IndexSample
    ) throws(FuzzFailure) {
        var context = CodecContext()
        do throws(LogError) {
            for batch in sample.batches {
                let found = try reader.position(of: batch.header.lastOffset, in: view)
                guard found == batch.position else {
                    throw .corrupt(
                        file: "", position: found,
                        reason: "\(batch.header.lastOffset) is at \(batch.position), not there")
                }
            }
            for batch in sample.batches.enumerated() where batch.offset % 5 == 0 {
                let time = batch.element.header.maxTimestamp
                let found = try reader.record(atTime: time, in: view, &context)
                guard found?.timestamp == time, found?.offset == batch.element.header.lastOffset else {
                    throw .corrupt(
                        file: "", position: 0, reason: "\(time) is found at \(found?.offset ?? -1)")
                }
            }
        } catch {
            throw FuzzFailure(description: "with an index that is only a hint: \(error)")
        }
    }

    /// What an opening keeps of the files are whole entries that rise; a rebuilding makes them as they were.
    private static func usable(
        _ files: SimulatedFileSystem, _ sample: IndexSample
    ) throws(FuzzFailure) {
        let kept = IndexFiles.usable(sample.paths, below: sample.point, files)
        let entries = IndexFiles.read(sample.paths.index, files)
        try require(kept.indexBytes == Int64(entries.count * IndexEntry.bytes), "more is kept than there is")
        try require(
            zip(entries, entries.dropFirst()).allSatisfy {
                $0.position < $1.position && $0.relativeOffset < $1.relativeOffset
            }, "an index that does not rise is kept")
        IndexFiles.rebuild(
            sample.paths, baseOffset: sample.point.baseOffset, size: sample.point.position,
            interval: IndexSample.interval, files)
        try require(
            files.contents(sample.paths.index) == sample.index
                && files.contents(sample.paths.timeIndex) == sample.timeIndex, "another index is rebuilt")
    }
}

/// A segment with its indexes.
struct IndexSample: Sendable {
    static let interval: Int64 = 300
    static let shared = IndexSample()

    let files: SimulatedFileSystem
    let paths: SegmentPaths
    let batches: [(position: Int64, header: BatchHeader)]
    let point: RecoveryPoint
    let index: [UInt8]
    let timeIndex: [UInt8]

    var timeIndexCRC: UInt32 { CRC32C.checksum(timeIndex.span.bytes) }

    var view: SegmentView {
        SegmentView(
            paths: paths, baseOffset: point.baseOffset, limit: point.position, endOffset: point.offset,
            logStart: point.baseOffset, indexBytes: Int64(index.count), timeBytes: Int64(timeIndex.count),
            timeIndexCRC: nil, isActive: true, hint: nil, indexInterval: Self.interval,
            maxTimestamp: point.maxTimestamp, durableEnd: point.offset)
    }

    private init() {
        let base: Int64 = 4_000
        let files = SimulatedFileSystem(seed: 1)
        try? files.makeDirectory("/i")
        let paths = SegmentPaths(directory: "/i", baseOffset: base)
        var segment = ActiveSegment(baseOffset: base)
        var random = SeededRandom(seed: 5)
        var context = CodecContext()
        var log: [UInt8] = []
        var batches: [(position: Int64, header: BatchHeader)] = []
        var builder = RecordBatchBuilder(rawCapacity: 1 << 12)
        for number in 0..<40 {
            let count = 1 + number % 3
            for record in 0..<count {
                let value = [UInt8](repeating: UInt8(number), count: random.below(120))
                let time = 1_700_000_000_000 + Int64(number * 10 + record)
                _ = builder.append(timestamp: time, key: nil, value: value.span.bytes)
            }
            let sealed = builder.seal(.none, with: &context)
            builder = RecordBatchBuilder(rawCapacity: 1 << 12)
            sealed.bytes.assign(baseOffset: segment.endOffset, leaderEpoch: 0, at: 0)
            guard let header = try? BatchHeader(sealed.bytes.bytes) else { continue }
            batches.append((segment.size, header))
            log += sealed.bytes.array
            segment.add(
                bytes: header.totalBytes, nextOffset: header.nextOffset, maxTimestamp: header.maxTimestamp,
                interval: Self.interval)
        }
        files.put(paths.log, log)
        let tail = segment.takeTail()
        self.files = files
        self.paths = paths
        self.batches = batches
        point = segment.point(ceiling: 0)
        index = tail.index.flatMap(\.encoded)
        timeIndex = tail.time.flatMap(\.encoded)
    }
}
