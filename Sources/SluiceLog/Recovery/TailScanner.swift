// Walks a segment from a position on, batch by batch, as if the journal's bytes were already in it.
//
// (1) Changes nothing. (2) A batch counts when its header is sane, its base offset continues the log and its
// CRC is right. (3) Memory: one window of a megabyte, or one batch if that is larger.

/// The bytes of a segment with those of the journal laid over them.
struct TailScanner {
    let path: String
    let files: any FileSystem
    let file: FileID?
    let size: Int64
    /// By position.
    var entries: [(entry: JournalEntry, bytes: ByteSlice)]
    private var window: ByteBuffer
    private var windowStart: Int64 = 0
    var bytesRead: Int64 = 0

    init(
        path: String, files: any FileSystem, entries: [(entry: JournalEntry, bytes: ByteSlice)] = [],
        windowBytes: Int = 1 << 20
    ) throws(IOError) {
        window = ByteBuffer(capacity: windowBytes)
        self.path = path
        self.files = files
        self.entries = entries
        if try files.status(path) != nil {
            let file = try files.open(path, .read)
            do throws(IOError) {
                size = try files.size(file)
            } catch {
                files.close(file)
                throw error
            }
            self.file = file
        } else {
            file = nil
            size = 0
        }
    }

    func close() { if let file { files.close(file) } }

    /// The whole, valid batch at `position` of the file; nil with the reason when there is none.
    mutating func batch(at position: Int64, expecting offset: Int64?) throws(IOError) -> BatchFinding {
        guard let head = try bytes(at: position, count: BatchLayout.headerBytes) else {
            return .invalid("the file ends within a batch header")
        }
        let header: BatchHeader
        do throws(BatchError) {
            header = try BatchHeader(head.bytes)
        } catch {
            return .invalid(error.description)
        }
        if let offset, header.baseOffset != offset {
            return .invalid("a batch has base offset \(header.baseOffset) where \(offset) is due")
        }
        guard Int64(header.totalBytes) <= size - position,
            let whole = try bytes(at: position, count: header.totalBytes)
        else { return .invalid("the file ends within a batch of \(header.totalBytes) bytes") }
        guard BatchHeader.crcMatches(whole.bytes) || PlantedBug.tornBatchTaken.isPlanted else {
            return .invalid("the checksum of a batch is wrong")
        }
        return .valid(header, whole)
    }

    /// Bytes of the file, borrowed until the next call; nil when it is shorter.
    mutating func bytes(at position: Int64, count: Int) throws(IOError) -> ByteSlice? {
        guard let file, position + Int64(count) <= size else { return nil }
        let inside = position - windowStart
        if inside < 0 || inside + Int64(count) > Int64(window.count) {
            if window.capacity < count { window = ByteBuffer(capacity: count) }
            window.count = 0
            let wanted = Int(min(Int64(window.capacity), size - position))
            let got = try files.read(file, at: position, into: window, offset: 0, count: wanted)
            window.count = got
            windowStart = position
            bytesRead += Int64(got)
            guard got >= count else { return nil }
        }
        return ByteSlice(window, start: Int(position - windowStart), count: count)
    }

    /// The first valid batch behind `position` whose base offset is at least `offset`.
    ///
    /// - Complexity: O(bytes) and a CRC for each place that looks like a header.
    mutating func nextBatch(after position: Int64, from offset: Int64) throws(IOError) -> (
        Int64, BatchHeader
    )? {
        var place = position + 1
        while place + Int64(BatchLayout.headerBytes) <= size {
            guard let head = try bytes(at: place, count: BatchLayout.headerBytes) else { return nil }
            if head.bytes.bigEndian(Int8.self, at: BatchLayout.magic) == BatchLayout.currentMagic,
                case .valid(let header, _) = try batch(at: place, expecting: nil), header.baseOffset >= offset
            {
                return (place, header)
            }
            place += 1
        }
        return nil
    }
}

enum BatchFinding {
    case valid(BatchHeader, ByteSlice)
    case invalid(String)
}
