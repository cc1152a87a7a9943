// A store as one sees it who has no lock on it: beside a live writer, after a crash, or on read-only media.
//
//   stage     when                                   what is visible
//   closed    the manifest's last word is a close    all of it
//   crashed   it is not, and nobody holds the lock   what a recovery would show: planned, not carried out
//   live      it is not, and someone holds the lock  of a durable topic up to the last whole journal frame
//                                                    or the recovery point; of a `written` one all whole
//                                                    batches
//
// (1) Nothing is written, made, or kept locked; no look of the writer's is disturbed. (2) Synchronous, and
// owned by one thread at a time: `look` reads, everything else answers from what the last look found. (3) A
// copy is a snapshot: a consistent cut through all partitions, in which an atomic write is whole or missing.
// (4) What was visible stays so, unless the writer deletes it.
//
// Races with the writer: a manifest that is replaced (ManifestFollower), frames and batches that are half
// written (the next look finds them whole), a segment that was rolled or removed between two looks (a reader
// does not find the file, looks, and knows).

/// One partition, and what of it is in the journal alone.
struct ReadOnlyPartition: Sendable {
    var log: PartitionLog
    var pieces: [JournalPiece] = []
}

package struct ReadOnlyVolume: Sendable {
    /// What is known of whoever writes.
    package enum Stage: Sendable { case closed, crashed, live }

    let paths: StorePaths
    let files: any FileSystem
    let interpret: @Sendable ([TopicRecord.Setting]) -> LogSettings
    /// Whether batches beyond the durable end are shown too.
    let includesUnsynced: Bool
    package let storeID: UniqueID
    var manifest: ManifestFollower
    var journal: JournalFollower
    package internal(set) var stage = Stage.closed
    /// By number; nil when the topic is gone. A number is not used again.
    var partitions: [ReadOnlyPartition?] = []
    var numbers: [PartitionKey: Int] = [:]
    var topicIDs: [String: UniqueID] = [:]
    var hasLooked = false
    /// Ends that the writer itself has told.
    package var told: [PartitionKey: JournalEnd] = [:]

    /// Reads the store at `root`. Throws `notAStore`, `notADirectory`, `newerFormat`, `corrupt`, `io`.
    ///
    /// - Parameter interpret: what a topic's settings, as text, mean.
    package init(
        _ root: String, _ files: any FileSystem, includesUnsynced: Bool = false,
        interpret: @escaping @Sendable ([TopicRecord.Setting]) -> LogSettings
    ) throws(LogError) {
        paths = StorePaths(root)
        self.files = files
        self.interpret = interpret
        self.includesUnsynced = includesUnsynced
        guard try StoreDirectory.examine(paths, files, mayMake: false) else {
            throw .notAStore(path: root, reason: "it has no meta.properties")
        }
        storeID = try StoreDirectory.readMeta(paths, files, mayWrite: false)
        manifest = try ManifestFollower(paths, storeID: storeID, files)
        journal = JournalFollower(paths, storeID: storeID, files)
        _ = try look()
    }

    // MARK: Topics

    /// Every topic, by name.
    package var topics: [TopicRecord] { manifest.state.topics.values.sorted { $0.name < $1.name } }

    package func topic(_ name: String) -> TopicRecord? {
        topicIDs[name].flatMap { manifest.state.topics[$0] }
    }

    /// Throws `unknownTopic`, `unknownPartition`.
    package func number(topic: String, partition: Int) throws(LogError) -> Int {
        guard let id = topicIDs[topic] else { throw .unknownTopic(topic) }
        guard let small = Int32(exactly: partition),
            let number = numbers[PartitionKey(topic: id, partition: small)]
        else { throw .unknownPartition(topic: topic, partition: partition) }
        return number
    }

    // MARK: Reading, as in Volume+Read.swift

    /// Log start offset ..< visible end. Throws `unknownPartition`.
    package func offsets(_ number: Int) throws(LogError) -> Range<Int64> { try readable(number).log.offsets }

    /// The segment that holds `offset`; nil at the visible end.
    ///
    /// Throws `offsetOutOfRange`, `offline`, `unknownPartition`.
    package func segment(_ number: Int, at offset: Int64) throws(LogError) -> SegmentView? {
        let partition = try readable(number)
        return view(try partition.log.segment(at: offset), of: partition)
    }

    /// The first segment that may hold a record with a timestamp at or after `timestamp`.
    package func segment(_ number: Int, atTime timestamp: Int64) throws(LogError) -> SegmentView? {
        let partition = try readable(number)
        return view(try partition.log.segment(atTime: timestamp), of: partition)
    }

    /// The segment behind one that has been read to its end; nil when it was the last.
    package func segment(_ number: Int, after view: SegmentView) throws(LogError) -> SegmentView? {
        view.isActive ? nil : try segment(number, at: view.endOffset)
    }

    /// Whether compaction may replace segments of the partition: whoever has read through a view looks again,
    /// then asks `isReplaced`.
    package func mayBeCompacted(_ number: Int) -> Bool {
        guard let partition = try? readable(number) else { return false }
        return partition.log.settings.isCompacted || partition.log.sealed.contains { $0.generation > 0 }
    }

    /// As `Volume.isReplaced(_:of:afterFailure:)`, as the last look found it.
    package func isReplaced(_ view: SegmentView, of number: Int, afterFailure: Bool) -> Bool {
        guard let partition = try? readable(number) else { return false }
        return partition.log.isReplaced(view, afterFailure: afterFailure)
    }

    /// The directory of a partition, to be watched. nil when it is gone.
    package func directory(_ number: Int) -> String? {
        partitions.indices.contains(number) ? partitions[number]?.log.directory : nil
    }

    /// The directories in which every change of the store shows, but for those of the segments.
    package var directories: [String] { [paths.root, paths.manifest, paths.journal, paths.topics] }

    private func readable(_ number: Int) throws(LogError) -> ReadOnlyPartition {
        guard partitions.indices.contains(number), let partition = partitions[number] else {
            throw .unknownPartition(topic: "", partition: number)
        }
        return partition
    }

    private func view(_ view: SegmentView?, of partition: ReadOnlyPartition) -> SegmentView? {
        guard var view, view.isActive else { return view }
        view.pieces = partition.pieces
        // The files may say more than is visible, and what they say is held against the log.
        view.indexBytes = .max
        view.timeBytes = .max
        return view
    }
}
