// A segment's `.log`, batch by batch, as it is on disk.
//
// (1) Changes nothing, trusts nothing: a length counts only within the file. (2) Memory: one window of a
// megabyte, or one batch when that is larger.

#if Tool
import SluiceLog

/// What is at a place of the file.
enum LogPlace {
    /// A header that makes sense, with all of its batch; `crcMatches` says whether the batch is as it was
    /// written.
    case batch(BatchHeader, ByteSlice, crcMatches: Bool)
    /// Not a batch, or not all of one. `reason` is the rest of a sentence.
    case nothing(reason: String)
}

struct LogFile: ~Copyable {
    let size: Int64
    private let files: PosixFileSystem
    private let file: FileID
    private var window = ByteBuffer(capacity: 1 << 20)
    private var windowStart: Int64 = 0

    init(_ path: String, _ files: PosixFileSystem) throws(IOError) {
        let file = try files.open(path, .read)
        do throws(IOError) {
            size = try files.size(file)
        } catch {
            files.close(file)
            throw error
        }
        self.file = file
        self.files = files
    }

    deinit { files.close(file) }

    /// What is at `position`. The bytes are valid until the next call.
    mutating func place(at position: Int64) throws(IOError) -> LogPlace {
        guard let head = try bytes(at: position, count: BatchLayout.headerBytes) else {
            return .nothing(reason: "the file ends within the header of a batch")
        }
        let header: BatchHeader
        do throws(BatchError) {
            header = try BatchHeader(head.bytes)
        } catch {
            return .nothing(reason: "\(error)")
        }
        guard let whole = try bytes(at: position, count: header.totalBytes) else {
            return .nothing(reason: "the file ends within a batch of \(header.totalBytes) bytes")
        }
        return .batch(header, whole, crcMatches: BatchHeader.crcMatches(whole.bytes))
    }

    /// The first place after `position` where a whole batch with the right checksum begins; nil when there is
    /// none.
    ///
    /// - Complexity: O(n) in what is left, and a checksum for each place that looks like a header.
    mutating func nextBatch(after position: Int64) throws(IOError) -> Int64? {
        var candidate = position + 1
        while candidate + Int64(BatchLayout.headerBytes) <= size {
            guard let head = try bytes(at: candidate, count: BatchLayout.headerBytes) else { return nil }
            if head.bytes.byte(at: BatchLayout.magic) == UInt8(BatchLayout.currentMagic),
                case .batch(_, _, crcMatches: true) = try place(at: candidate)
            {
                return candidate
            }
            candidate += 1
        }
        return nil
    }

    /// Bytes of the file, until the next call; nil when it is shorter.
    private mutating func bytes(at position: Int64, count: Int) throws(IOError) -> ByteSlice? {
        guard position >= 0, Int64(count) <= size - position else { return nil }
        let inside = position - windowStart
        if inside < 0 || inside + Int64(count) > Int64(window.count) {
            if window.capacity < count { window = ByteBuffer(capacity: count) }
            window.count = 0
            windowStart = position
            let wanted = Int(min(Int64(window.capacity), size - position))
            guard try files.read(file, at: position, into: window, offset: 0, count: wanted) >= count else {
                return nil
            }
        }
        return ByteSlice(window, start: Int(position - windowStart), count: count)
    }
}
#endif
