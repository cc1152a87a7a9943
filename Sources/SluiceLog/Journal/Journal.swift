// The volume's commit journal: prewritten files that are overwritten in place, one frame and one sync per
// commit, however many partitions it covers.
//
//   journal/0, 1, …    frames (Frames/Frame.swift), each at a multiple of 512 bytes
//   a frame's payload  count u32 · entries · the bytes of the batches, in the order of the entries
//   an entry           topic id 16 · partition i32 · segment base i64 · base offset i64 · next offset i64
//                      · position i64 · length u32
//
// (1) A file is written full of zeros before its first use: later writes allocate nothing and change no size,
// so that a sync writes the data alone. (2) A file is used from its start; what it held is overwritten only
// when every partition with an entry in it has a recovery point, on record in the manifest, at or behind that
// entry. (3) Sequences rise over all files; the recovery's floor and (2) make whatever an earlier lap left
// harmless. (4) Files are added when none is free, to a limit: a store that is written a little keeps two, a
// partition that can no longer be synced keeps the files that hold its only copy. (5) While no file is free
// and none can be made, single batches become durable by a sync of their segment, which frees the files; an
// atomic write waits for that.

/// What a frame says about one partition.
package struct JournalEntry: Hashable, Sendable {
    package var key: PartitionKey
    package var segmentBase: Int64
    package var baseOffset: Int64
    package var nextOffset: Int64
    package var position: Int64
    package var length: Int

    package static let bytes = 56

    package func encode(into writer: inout BinaryWriter) {
        ManifestRecord.put(key, &writer)
        writer.put(segmentBase)
        writer.put(baseOffset)
        writer.put(nextOffset)
        writer.put(position)
        writer.put(UInt32(length))
    }

    package init(
        key: PartitionKey, segmentBase: Int64, baseOffset: Int64, nextOffset: Int64, position: Int64,
        length: Int
    ) {
        self.key = key
        self.segmentBase = segmentBase
        self.baseOffset = baseOffset
        self.nextOffset = nextOffset
        self.position = position
        self.length = length
    }

    package init(from reader: inout BinaryReader) throws(MalformedRecord) {
        key = try ManifestRecord.key(&reader)
        segmentBase = try reader.integer()
        baseOffset = try reader.integer()
        nextOffset = try reader.integer()
        position = try reader.integer()
        length = Int(try reader.integer(UInt32.self))
        guard segmentBase >= 0, baseOffset >= segmentBase, nextOffset >= baseOffset,
            0...(Int64.max - Int64(length)) ~= position
        else {
            throw MalformedRecord(
                reason: "an entry at \(position) with offsets \(baseOffset) to \(nextOffset)")
        }
    }
}

/// One file of the journal.
struct JournalFile: Sendable {
    var number: Int
    var file: FileID
    /// Where the next frame goes.
    var position: Int64 = 0
    /// For each partition with an entry: the greatest next offset. Empty: the file can be used again.
    var coverage: [Int: Int64] = [:]
}

struct Journal: Sendable {
    /// Files that may be added while syncs are behind.
    static let maxFiles = 16

    var files: [JournalFile] = []
    /// The one that is being written.
    var current: Int?
    var nextSequence: UInt64
    let bytes: Int
    /// Set when a commit found no room.
    var isFileWanted = false
    /// After a failure to make a file: not before, monotonic ns.
    var retryAt: Int64?
    /// A file was wanted and there is no room for one, until one of those there is free again.
    var isBlocked = false
    /// What a file that could not be made has left on the disk.
    var spare: Int64 = 0
    /// The directory counts as taken of the disk.
    var hasDirectory = false

    init(nextSequence: UInt64, bytes: Int) {
        self.nextSequence = nextSequence
        self.bytes = bytes
    }

    /// Whether there is no file and none could be made.
    var isMissing: Bool { files.isEmpty && retryAt != nil }
    /// Whether single batches are made durable without it.
    var isBypassed: Bool { isMissing || isBlocked }

    /// Bytes of the batches in one frame.
    var frameBytes: Int { min(Limits.atomicBytes, bytes / 2) }
    /// Partitions in one frame.
    var frameEntries: Int { max(1, bytes / 8 / JournalEntry.bytes) }

    /// Bytes that a frame of so many entries and bytes takes in the file.
    static func frameSize(entries: Int, bytes: Int) -> Int {
        let size = FrameLayout.headerBytes + 4 + entries * JournalEntry.bytes + bytes
        let alignment = FrameKind.journal.alignment
        return (size + alignment - 1) / alignment * alignment
    }

    /// Whether a frame of that size can go somewhere now; switches to a free file when the current one is
    /// full.
    ///
    /// - Returns: nil when there is no room; otherwise whether the file was switched.
    mutating func makeRoom(_ size: Int) -> Bool? {
        if let current, files[current].position + Int64(size) <= Int64(bytes) { return false }
        // Another one if there is one: its recovery points are older.
        let free = files.indices.filter { files[$0].coverage.isEmpty }
        guard let next = free.first(where: { $0 != current }) ?? free.first else {
            isFileWanted = true
            return nil
        }
        files[next].position = 0
        current = next
        isBlocked = false
        return true
    }

    /// Frames are tried again when a file is free; a file, when its time has come.
    mutating func retry(now: Int64) {
        if isBlocked, files.contains(where: \.coverage.isEmpty) { isBlocked = false }
        if isBypassed, now >= retryAt ?? .min { isFileWanted = true }
    }

    /// Whether the next file should be made ready before it is needed.
    var wantsNext: Bool {
        guard let current, files.count < 2, retryAt == nil else { return false }
        return files[current].position > Int64(bytes) / 2
    }

    /// The partition's recovery point is on record: files that only covered less are free.
    mutating func release(_ number: Int, through offset: Int64) {
        for index in files.indices {
            if let end = files[index].coverage[number], end <= offset { files[index].coverage[number] = nil }
        }
    }

    /// The partition does not exist any more.
    mutating func forget(_ number: Int) {
        for index in files.indices { files[index].coverage[number] = nil }
    }

    /// Partitions that keep files other than the current one from being used again; with no other to come,
    /// that one too.
    var holders: Set<Int> {
        var holders: Set<Int> = []
        for (index, file) in files.enumerated() where index != current || isBlocked {
            holders.formUnion(file.coverage.keys)
        }
        return holders
    }
}
