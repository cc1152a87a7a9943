// The journal of a store that another process is writing: what each partition's last whole frame covers.
//
// (1) Frames have consecutive sequences over all files, and one is synced before the next is written. So
// frames are applied in their order, and at a gap the files are read once more: what is still missing then
// was overwritten, and is covered by recovery points on record.
// (2) A file is written from its start, in laps: behind the last frame that was seen comes the next one, or
// the next lap has begun at position 0. (3) What is not a whole frame is being written, or is an earlier
// lap's. (4) An atomic write is in one frame: the ends always show all of it or nothing.
//
// A whole frame may be seen a moment before its sync has ended: one commit, at most, that nobody has been
// told of yet.

/// Up to where a partition is durable: by the journal, or by the word of who writes.
package struct JournalEnd: Sendable {
    var segmentBase: Int64
    var place: LogPlace
    /// Where the batches before it are; nil when that is not the journal.
    var source: JournalSource?
}

/// A frame's place, and what of it is meant.
struct JournalSource: Sendable {
    var file: String
    var position: Int64
    var sequence: UInt64
    var entry: JournalEntry
}

struct JournalFollower {
    private struct File {
        var position: Int64 = 0
        var lastSequence: UInt64 = 0
    }

    private struct Found {
        var file: String
        var position: Int64
        var sequence: UInt64
        var entries: [JournalEntry]
    }

    let paths: StorePaths
    let files: any FileSystem
    let storeID: UniqueID
    private var known: [String: File] = [:]
    private(set) var ends: [PartitionKey: JournalEnd] = [:]
    /// Of the last frame that was applied; 0 before the first.
    private(set) var lastSequence: UInt64 = 0

    init(_ paths: StorePaths, storeID: UniqueID, _ files: any FileSystem) {
        self.paths = paths
        self.storeID = storeID
        self.files = files
    }

    /// Takes in what has been written since the last look; returns the partitions with a new end.
    ///
    /// - Parameter floor: frames up to this sequence are in the segments and count no more.
    mutating func look(floor: UInt64) throws(IOError) -> Set<PartitionKey> {
        var waiting: [Found] = []
        var changed: Set<PartitionKey> = []
        let isFirst = lastSequence == 0
        for pass in 1...2 {
            waiting += try read()
            waiting.sort { $0.sequence < $1.sequence }
            // What the first look finds begins anywhere.
            if isFirst, pass == 1 { continue }
            while let next = waiting.first,
                lastSequence == 0 || next.sequence <= lastSequence + 1 || pass == 2
            {
                waiting.removeFirst()
                guard next.sequence > lastSequence else { continue }
                lastSequence = next.sequence
                guard next.sequence > floor else { continue }
                for entry in next.entries {
                    ends[entry.key] = JournalEnd(
                        segmentBase: entry.segmentBase,
                        place: LogPlace(
                            offset: entry.nextOffset, position: entry.position + Int64(entry.length)),
                        source: JournalSource(
                            file: next.file, position: next.position, sequence: next.sequence, entry: entry))
                    changed.insert(entry.key)
                }
            }
            if waiting.isEmpty, !isFirst { break }
        }
        return changed
    }

    /// The batches of an end, which are not in their segment yet; nil when the frame has been overwritten.
    func piece(_ source: JournalSource) throws(IOError) -> JournalPiece? {
        let bytes: [UInt8]
        do throws(IOError) {
            let path = "\(paths.journal)/\(source.file)"
            let head = try files.readAll(
                path, from: source.position, limit: Int64(FrameLayout.headerBytes))
            guard let size = Frame.size(.journal, in: head, at: 0) else { return nil }
            bytes = try files.readAll(path, from: source.position, limit: Int64(size))
        } catch  where error.errno == IOError.notFound {
            return nil
        }
        guard let frame = Frame.decode(.journal, storeID: storeID, in: bytes, at: 0),
            frame.sequence == source.sequence,
            let (entry, data) = RecoveryPlanner.entries(of: frame).first(where: { $0.0 == source.entry })
        else { return nil }
        return JournalPiece(position: entry.position, bytes: ByteSlice(ByteBuffer(data)))
    }

    /// Forgets a partition that is gone.
    mutating func forget(_ key: PartitionKey) { ends[key] = nil }

    // MARK: Files

    private mutating func read() throws(IOError) -> [Found] {
        guard try files.status(paths.journal) != nil else { return [] }
        var found: [Found] = []
        var names: Set<String> = []
        for entry in try files.list(paths.journal) where entry.kind == .file && Int(entry.name) != nil {
            names.insert(entry.name)
            do throws(IOError) {
                try read(entry.name, into: &found)
            } catch  where error.errno == IOError.notFound {
                known[entry.name] = nil
            }
        }
        known = known.filter { names.contains($0.key) }
        return found
    }

    private mutating func read(_ name: String, into found: inout [Found]) throws(IOError) {
        let path = "\(paths.journal)/\(name)"
        let file = try files.open(path, .read)
        defer { files.close(file) }
        let size = try files.size(file)
        var at = known[name] ?? File()
        if try read(name, file, size, &at, into: &found) == 0, at.position > 0 {
            var lap = at
            lap.position = 0
            if try read(name, file, size, &lap, into: &found) > 0 { at = lap }
        }
        known[name] = at
    }

    /// Reads frames that follow one another from `at.position` on; returns how many.
    private func read(
        _ name: String, _ file: FileID, _ size: Int64, _ at: inout File, into found: inout [Found]
    ) throws(IOError) -> Int {
        var count = 0
        var chunk = 4 << 10
        var bytes: [UInt8] = []
        var start = at.position
        while true {
            let inside = Int(at.position - start)
            if let frame = Frame.decode(.journal, storeID: storeID, in: bytes, at: inside) {
                guard frame.sequence > at.lastSequence else { return count }
                found.append(
                    Found(
                        file: name, position: at.position, sequence: frame.sequence,
                        entries: RecoveryPlanner.entries(of: frame).map(\.0)))
                at.lastSequence = frame.sequence
                at.position = start + Int64(frame.end)
                count += 1
                chunk = 256 << 10
                continue
            }
            // What there is of the frame may not be all of it yet.
            let needed = Frame.size(.journal, in: bytes, at: inside)
            let isRead = bytes.count - inside >= min(needed ?? 0, Int(size - at.position))
            if !bytes.isEmpty, bytes.count - inside >= FrameLayout.headerBytes, needed == nil || isRead {
                return count
            }
            chunk = max(chunk, needed ?? 0)
            let wanted = Int(min(Int64(chunk), size - at.position))
            guard wanted >= FrameLayout.headerBytes else { return count }
            let buffer = ByteBuffer(capacity: wanted)
            let got = try files.read(file, at: at.position, into: buffer, offset: 0, count: wanted)
            guard got == wanted else { return count }
            start = at.position
            bytes = buffer.array
        }
    }
}

extension Frame {
    /// How many bytes the frame that may begin at `position` has, by its length alone; nil when none does.
    static func size(_ kind: FrameKind, in bytes: [UInt8], at position: Int) -> Int? {
        guard position >= 0, position + FrameLayout.headerBytes <= bytes.count else { return nil }
        var reader = BinaryReader(bytes[position..<(position + FrameLayout.sequence)])
        guard (try? reader.integer(UInt32.self)) == kind.rawValue,
            let length = try? reader.integer(UInt32.self), length <= maxBytes
        else { return nil }
        return FrameLayout.headerBytes + Int(length)
    }

    /// No frame of a journal is longer: `Limits.atomicBytes` of batches, and the table.
    private static let maxBytes: UInt32 = 64 << 20
}
