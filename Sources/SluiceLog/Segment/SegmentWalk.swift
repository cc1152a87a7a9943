// From batch to batch of a segment by their headers, with one file and one window of its bytes.
//
// (1) The file is opened when something of it is needed. (2) What the journal alone has of the segment is
// taken from there. (3) The window holds a batch as producers make them: finding one and reading it is one
// read.

/// Looks for a batch of one view.
struct SegmentWalk {
    let view: SegmentView
    private let files: any FileSystem
    private var scanner: TailScanner?

    /// A batch that was found.
    struct Place {
        var position: Int64
        var header: BatchHeader
    }

    init(_ view: SegmentView, _ files: any FileSystem) {
        self.view = view
        self.files = files
    }

    func close() { scanner?.close() }

    private static let windowBytes = 128 << 10

    private mutating func bytes(at position: Int64, count: Int) throws(IOError) -> ByteSlice? {
        if let piece = view.piece(at: position) {
            return piece.count < count ? nil : ByteSlice(piece.buffer, start: piece.start, count: count)
        }
        if scanner == nil {
            scanner = try TailScanner(path: view.paths.log, files: files, windowBytes: Self.windowBytes)
        }
        // Removed since the view was made: that is no damage.
        if scanner?.file == nil {
            throw IOError(operation: "open", path: view.paths.log, errno: IOError.notFound)
        }
        return try scanner?.bytes(at: position, count: count)
    }

    /// The header at a position that an index gave; nil when there is none.
    mutating func header(at position: Int64) -> BatchHeader? {
        guard position >= 0, position < view.limit,
            let head = try? bytes(at: position, count: BatchLayout.headerBytes)
        else { return nil }
        return try? BatchHeader(head.bytes)
    }

    /// The first batch from `start` on whose header the condition accepts. Throws `corrupt`, `io`.
    mutating func first(
        from start: Int64, _ accepts: (BatchHeader) -> Bool
    ) throws(LogError) -> Place? {
        var position = start
        while position < view.limit {
            let head = try read(position, BatchLayout.headerBytes)
            guard let head else { throw corrupt(position, "the file ends within a batch header") }
            do throws(BatchError) {
                let header = try BatchHeader(head.bytes)
                if accepts(header) { return Place(position: position, header: header) }
                position += Int64(header.totalBytes)
            } catch {
                throw corrupt(position, error.description)
            }
        }
        return nil
    }

    /// All bytes of a batch, until the next call. Throws `corrupt`, `io`.
    mutating func batch(_ place: Place) throws(LogError) -> ByteSlice? {
        guard let bytes = try read(place.position, place.header.totalBytes) else {
            throw corrupt(place.position, "the file ends within a batch")
        }
        return bytes
    }

    private mutating func read(_ position: Int64, _ count: Int) throws(LogError) -> ByteSlice? {
        do throws(IOError) {
            return try bytes(at: position, count: count)
        } catch {
            throw .io(error)
        }
    }

    private func corrupt(_ position: Int64, _ reason: String) -> LogError {
        .corrupt(file: view.paths.log, position: position, reason: reason)
    }
}
