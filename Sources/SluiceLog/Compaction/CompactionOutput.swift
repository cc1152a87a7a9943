// The segment that a compaction writes: its files have the generation behind their names until they are in
// force.
//
// (1) Open from the first byte to the end of the check: an error of a sync is not to be missed. (2) Nothing
// refers to it before the manifest does; until then it may be removed at any time.

struct CompactionOutput {
    /// What was read back.
    struct Checked {
        var position: Int64 = 0
        var offset: Int64
        var crc: UInt32 = 0
        var batches: Int64 = 0
        var records: Int64 = 0
    }

    let paths: SegmentPaths
    let file: FileID?
    private let interval: Int64
    /// Bytes that the log may have.
    private let limit: Int64
    var segment: ActiveSegment
    /// Records that were kept.
    var records: Int64 = 0
    var checked: Checked
    private let buffer = ByteBuffer(capacity: 256 << 10)
    private var flushed: Int64 = 0

    /// Begins the files. What an earlier attempt left under these names goes.
    init(
        _ directory: String, base: Int64, generation: Int32, interval: Int64, limit: Int64,
        _ files: any FileSystem
    ) throws(IOError) {
        paths = SegmentPaths(directory: directory, baseOffset: base, generation: generation)
        self.interval = interval
        self.limit = min(limit, Limits.segmentBytes)
        segment = ActiveSegment(baseOffset: base)
        checked = Checked(offset: base)
        try files.remove(paths.index)
        try files.remove(paths.timeIndex)
        file = try files.open(paths.log, .replace)
    }

    /// Adds one whole batch.
    mutating func append(
        _ bytes: ByteSlice, records count: Int, nextOffset: Int64, _ files: any FileSystem
    ) throws(IOError) {
        guard segment.size + Int64(bytes.count) <= limit else {
            throw IOError(operation: "compact", path: paths.log, errno: 27)
        }
        if buffer.count + bytes.count > buffer.capacity { try flush(files) }
        if bytes.count > buffer.capacity {
            try write([bytes], files)
        } else {
            buffer.append(bytes.bytes)
        }
        segment.crc = CRC32C.extend(segment.crc, bytes.bytes)
        segment.add(
            bytes: bytes.count, nextOffset: nextOffset,
            maxTimestamp: bytes.bytes.bigEndian(Int64.self, at: BatchLayout.maxTimestamp), interval: interval)
        records += Int64(count)
        if segment.tail.index.count >= ActiveSegment.unflushedEntries {
            segment.takeTail().flush(to: paths, files)
        }
    }

    private mutating func flush(_ files: any FileSystem) throws(IOError) {
        guard buffer.count > 0 else { return }
        try write([ByteSlice(buffer)], files)
        buffer.count = 0
    }

    private mutating func write(_ slices: [ByteSlice], _ files: any FileSystem) throws(IOError) {
        guard let file else { return }
        let outcome = files.writeFully(file, at: flushed, slices)
        flushed += Int64(outcome.written)
        if let error = outcome.error { throw error }
    }

    /// Everything is on the medium on return, but the name.
    mutating func finish(_ files: any FileSystem) throws(IOError) {
        try flush(files)
        segment.takeTail().flush(to: paths, files)
        if let file, !PlantedBug.swapWithoutSync.isPlanted { try files.sync(file) }
    }

    /// Gives it up. Returns what could not be removed, in bytes of blocks.
    func discard(_ files: any FileSystem) -> Int64 {
        if let file { files.close(file) }
        for path in paths.all { try? files.remove(path) }
        return paths.all.reduce(0) { $0 + (files.remaining($1) ?? diskBytes) }
    }

    /// What it takes of the disk.
    var diskBytes: Int64 {
        DiskLedger.blocks(segment.size) + DiskLedger.blocks(segment.tail.indexPosition)
            + DiskLedger.blocks(segment.tail.timePosition)
    }

    /// What the manifest will say of it.
    func sealed(generation: Int32, writtenAt: Int64, _ files: any FileSystem) -> SealedSegment {
        // Missing when no batch has an entry.
        let times: [UInt8] = (try? files.readAll(paths.timeIndex)) ?? []
        return SealedSegment(
            baseOffset: segment.baseOffset, endOffset: segment.endOffset, size: segment.size,
            batches: segment.batches, maxTimestamp: segment.maxTimestamp, writtenAt: writtenAt,
            crc: segment.crc, timeIndexSize: Int64(times.count),
            timeIndexCRC: CRC32C.checksum(times.span.bytes), generation: generation)
    }
}
