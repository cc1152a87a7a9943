// Writes segments and whole files of a store that nobody has open yet: for copies.

/// A segment that is written from its beginning, with its indexes.
struct SegmentWriter {
    let paths: SegmentPaths
    let files: any FileSystem
    private let interval: Int64
    private let file: FileID
    private(set) var segment: ActiveSegment
    /// Bytes that wait to be written in one call.
    private var buffer = ByteBuffer(capacity: bufferBytes)
    private var written: Int64 = 0
    var producers: CopiedProducers

    private static let bufferBytes = 1 << 20

    /// Makes the file anew.
    init(
        _ directory: String, baseOffset: Int64, interval: Int64, _ producers: CopiedProducers,
        _ files: any FileSystem
    ) throws(IOError) {
        self.producers = producers
        paths = SegmentPaths(directory: directory, baseOffset: baseOffset)
        self.files = files
        self.interval = interval
        segment = ActiveSegment(baseOffset: baseOffset)
        file = try files.open(paths.log, .replace)
    }

    func close() { files.close(file) }

    /// Appends one whole batch, whose offsets are as they shall be.
    mutating func append(_ header: BatchHeader, _ bytes: ByteSlice) throws(IOError) {
        segment.crc = CRC32C.extend(segment.crc, bytes.bytes)
        segment.add(
            bytes: header.totalBytes, nextOffset: header.nextOffset, maxTimestamp: header.maxTimestamp,
            interval: interval)
        producers.add(header)
        if segment.tail.index.count >= ActiveSegment.unflushedEntries {
            segment.takeTail().flush(to: paths, files)
        }
        if buffer.count + bytes.count > buffer.capacity { try flush() }
        guard bytes.count <= buffer.capacity else {
            try files.writeAll(file, at: written, [bytes])
            written += Int64(bytes.count)
            return
        }
        buffer.append(bytes.bytes)
    }

    /// Appends batches that lie one after another. What is no batch ends them.
    mutating func append(batchesOf bytes: ByteSlice) throws(IOError) {
        var position = 0
        while position < bytes.count {
            let rest = ByteSlice(bytes.buffer, start: bytes.start + position, count: bytes.count - position)
            guard let header = try? BatchHeader(rest.bytes), header.totalBytes <= rest.count else {
                throw IOError(operation: "batch", path: "the journal's bytes are no batch", errno: 0)
            }
            try append(header, ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes))
            position += header.totalBytes
        }
    }

    private mutating func flush() throws(IOError) {
        guard buffer.count > 0 else { return }
        try files.writeAll(file, at: written, [ByteSlice(buffer)])
        written += Int64(buffer.count)
        buffer.count = 0
    }

    /// Writes what is left, and syncs; the indexes can be rebuilt, and are not synced.
    mutating func finish() throws(IOError) {
        try flush()
        segment.takeTail().flush(to: paths, files)
        try files.sync(file)
    }

    /// What the manifest says of the finished segment when another follows it.
    func sealed(writtenAt: Int64) -> SealedSegment {
        let times = (try? files.readAll(paths.timeIndex)) ?? []
        return SealedSegment(
            baseOffset: segment.baseOffset, endOffset: segment.endOffset, size: segment.size,
            batches: segment.batches, maxTimestamp: segment.maxTimestamp, writtenAt: writtenAt,
            crc: segment.crc, timeIndexSize: Int64(times.count),
            timeIndexCRC: CRC32C.checksum(times.span.bytes))
    }
}

/// The idempotent producers of a log that is being copied.
struct CopiedProducers {
    var states: ProducerStates
    /// What lies below that is in it already.
    var start: Int64
    /// When they count as having appended, by the wall clock, ms.
    var wall: Int64

    mutating func add(_ header: BatchHeader) {
        guard header.baseOffset >= start, let batch = ProducerBatch(header) else { return }
        states.add(batch, at: header.baseOffset, timestamp: header.maxTimestamp, wall: wall)
    }
}

/// Copies files whole.
package struct FileCopy {
    let files: any FileSystem

    package init(files: any FileSystem) { self.files = files }

    /// Copies a file's bytes to a new file, and syncs it.
    package func copy(_ path: String, to newPath: String) throws(IOError) {
        let source = try files.open(path, .read)
        defer { files.close(source) }
        let target = try files.open(newPath, .replace)
        defer { files.close(target) }
        let buffer = ByteBuffer(capacity: 1 << 20)
        var position: Int64 = 0
        while true {
            buffer.count = 0
            let count = try files.read(source, at: position, into: buffer, offset: 0, count: buffer.capacity)
            guard count > 0 else { break }
            try files.writeAll(target, at: position, [ByteSlice(buffer, start: 0, count: count)])
            position += Int64(count)
        }
        try files.sync(target)
    }
}

extension FileSystem {
    /// Writes all slices or throws.
    func writeAll(_ file: FileID, at position: Int64, _ slices: [ByteSlice]) throws(IOError) {
        if let error = writeFully(file, at: position, slices).error { throw error }
    }
}
