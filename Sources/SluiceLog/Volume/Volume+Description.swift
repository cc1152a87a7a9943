// The volume's state in words, for a report on why something waits.

extension Volume {
    /// What each partition, the journal and the manifest are waiting for; one line each.
    package var words: String {
        var lines: [String] = []
        for (number, partition) in partitions.enumerated() {
            if let partition { lines.append("  \(number): \(partition.words)") }
        }
        lines.append(
            "  ready: writes \(Self.words(writeReady)), commits \(Self.words(commitReady)), groups "
                + "\(Self.words(groupsReady)), syncs \(Self.words(syncReady)), rolls \(Self.words(rollReady)), "
                + "for a file \(waitingForFile), again \(retries)")
        lines.append(
            "  out: \(writesOut) writes, commit \(isCommitOut), sync \(isSyncOut), roll \(isRollOut), "
                + "removal \(isRemoveOut), journal \(isJournalOut), manifest \(manifest.isOut); \(openCount) files"
        )
        for id in groups.keys.sorted() {
            guard let group = groups[id] else { continue }
            lines.append(
                "  group \(id): \(group.phase), arrived at \(group.arrived.sorted()), \(group.left) left")
        }
        for file in journal.files {
            let coverage = file.coverage.sorted { $0.key < $1.key }.map { "\($0.key) to \($0.value)" }
            lines.append("  journal \(file.number): \(file.position) of \(journal.bytes), covers \(coverage)")
        }
        lines.append(
            "  manifest: \(manifest.queue.count) queued, points of \(manifest.pendingPoints.sorted())")
        lines.append(
            "  compaction: of \(compaction.map { "\($0.number)" } ?? "none"), in line "
                + "\(Self.words(compactReady)), out \(isCompactOut), swap \(isSwapOut), at \(compactAt), again "
                + "\(compactRetryAt.map { "\($0)" } ?? "never"); \(removals.count) removals")
        let deadlines: [(String, Int64?)] = [
            ("again", retryAt), ("manifest", manifest.deadline(configuration)),
            ("compaction", compactionDeadline), ("measurement", measureDeadline), ("repair", healDeadline),
            ("scrub", scrubDeadline), ("reserve", wantsReserve ? reserveFile.retryAt : nil),
            ("journal", journal.retryAt),
        ]
        let times = deadlines.compactMap { name, time in time.map { "\(name) at \($0)" } }
        lines.append("  waits for the clock: \(times.joined(separator: ", "))")
        lines.append("  \(closing), \(failure.map { "failed: \($0.operation) of \($0.path)" } ?? "healthy")")
        return lines.joined(separator: "\n")
    }

    /// Bytes of a partition that are written and that neither its recovery point nor the journal vouches for:
    /// what recovery has to judge by their checksums alone. nil where there is no such partition.
    package func uncoveredBytes(_ number: Int) -> Int64? {
        partitions[number].map { max(0, $0.active.size - max($0.recorded.position, $0.proven)) }
    }

    private static func words(_ queue: RingQueue<Int>) -> String {
        "\((0..<queue.count).map { queue[$0] })"
    }
}

extension PartitionLog {
    fileprivate var words: String {
        let flags: [(String, Bool)] = [
            ("ready", isReady), ("writing", isWriting), ("committing", isCommitting), ("syncing", isSyncing),
            ("rolling", isRolling), ("roll queued", isRollQueued), ("held", heldBy != nil),
            ("journalled", journalled != nil), ("commit queued", isCommitQueued),
            ("sync queued", isSyncQueued),
            ("leaving", isLeaving), ("stopped", isStopped), ("new settings", nextSettings != nil),
            ("open", file != nil), ("clean", isClean), ("durable", settings.isDurable),
        ]
        return
            "\(topic)-\(key.partition): \(active.baseOffset) … \(recorded.offset) recorded, \(synced.offset) synced, "
            + "\(durable.offset) durable, \(active.endOffset) end, ceiling \(recorded.ceiling); \(queue.count) queued, "
            + "\(uncommitted.count) uncommitted; \(flags.filter(\.1).map(\.0).joined(separator: ", "))"
    }
}
