// Carries out a recovery plan, and begins the volume.
//
//   1. On an unclean start the journal's frames are written again and synced: one that is in memory alone
//      must not be in some of its segments when power goes in the middle of this. A sync that failed in this
//      boot has left pages that look clean and are on no medium; so below.
//   2. What is cut goes to the quarantine first, as far as the disk's budget has room; a cut that cannot be
//      saved for another reason is not made.
//   3. Cuts, the journal's bytes, and on an unclean start every byte behind the recovery points: written and
//      synced.
//   4. Compacted segments that are in force take their places.
//   5. A new manifest file with the new state. From here on the store is open; before it, all is as it was or
//      better.
//   6. Removals that were under way.
//
// A crash at any point: the next opening makes the same plan again, or finds less to do.

/// A volume that has been recovered, and what was found on the way.
package struct RecoveredVolume: ~Copyable {
    package var volume: Volume
    package var report: RecoveryReport
}

struct RecoveryExecutor {
    let paths: StorePaths
    let files: any FileSystem
    let configuration: VolumeConfiguration

    func apply(_ original: RecoveryPlan, now: Instant) throws(LogError) -> RecoveredVolume {
        var plan = original
        var open: [FileID] = []
        do throws(IOError) {
            let isUnclean = plan.isUnclean
            if isUnclean, !PlantedBug.journalNotSecured.isPlanted { try secureJournal(plan) }
            // What can be left out is, rather than that the files grow beyond the budget.
            var room = configuration.diskBytes
            if isUnclean { room -= try StoreMeasure.run(paths, files) + spared(plan) }
            for index in plan.partitions.indices {
                try mend(&plan.partitions[index], &room, isUnclean: isUnclean, now: now)
            }
            if plan.isUnclean, try files.status(paths.topics) != nil { try files.syncDirectory(paths.topics) }
            if PlantedBug.renameBeforeRecord.isPlanted {
                for index in plan.partitions.indices { takePlaces(&plan.partitions[index]) }
            }
            for index in plan.partitions.indices {
                plan.partitions[index].producers.expire(
                    wall: now.wallMilliseconds, expiration: configuration.producerExpirationMilliseconds)
            }
            let manifest = try beginManifest(plan, now: now)
            open.append(manifest.file)
            // Not before: what the old manifest says of a swap may be on no medium yet, and lost with the
            // power, while a renaming stays.
            for index in plan.partitions.indices { takePlaces(&plan.partitions[index]) }
            let journal = try openJournal(plan, &open)
            removeLeftovers(&plan)
            let logs = plan.partitions.map { Self.log(of: $0) }
            let used = try measure(plan.leaving)
            let reserve = try checkReserve(used)
            var volume = Volume(
                paths: paths, storeID: plan.loaded.storeID, configuration: configuration, manifest: manifest,
                journal: journal, partitions: logs,
                usedBytes: used - reserve.gone, reserveBytes: reserve.bytes)
            volume.finishDeletions(plan.leaving)
            return RecoveredVolume(volume: volume, report: plan.report)
        } catch {
            for file in open { files.close(file) }
            throw .io(error)
        }
    }

    /// A segment that cannot be renamed now keeps its name: readers use that.
    private func takePlaces(_ partition: inout PartitionPlan) {
        for sealed in partition.manifest.sealed where partition.unrenamed.contains(sealed.baseOffset) {
            let place = SegmentPaths(directory: partition.directory, baseOffset: sealed.baseOffset)
            do throws(IOError) {
                try JobRunner.rename(partition.paths(of: sealed), to: place, files)
                partition.unrenamed.remove(sealed.baseOffset)
            } catch {
                continue
            }
        }
    }

    /// Puts the frames that count, and the names of their files, on the medium.
    private func secureJournal(_ plan: RecoveryPlan) throws(IOError) {
        guard try files.status(paths.journal) != nil else { return }
        for entry in try files.list(paths.journal) where entry.kind == .file {
            let path = "\(paths.journal)/\(entry.name)"
            let bytes = try files.readAll(path)
            let file = try files.open(path, .write)
            defer { files.close(file) }
            let scan = Frame.scan(.journal, storeID: plan.loaded.storeID, in: bytes)
            for frame in scan.frames where frame.sequence > plan.loaded.state.journalFloor {
                let frameBytes = bytes[frame.position..<min(frame.end, bytes.count)]
                try files.writeAll(file, at: Int64(frame.position), Array(frameBytes), path: path)
            }
            try files.sync(file)
        }
        try files.syncDirectory(paths.journal)
        try files.syncDirectory(paths.root)
    }

    // MARK: Segments

    /// What the manifest and the partitions' last batches may take.
    private func spared(_ plan: RecoveryPlan) -> Int64 {
        let manifest = DiskLedger.blocks(ManifestFile.most(plan.loaded.state.snapshot) + 128)
        let grown = plan.partitions.count { $0.changesLog }
        // What is found of producers, and the flag in `meta.properties`.
        let producers = plan.partitions.reduce(0) {
            $0 + ($1.producers.isEmpty ? 0 : $1.producers.mostBytes + Int(DiskLedger.blockBytes))
        }
        return manifest + DiskLedger.blocks(Int64(producers)) + DiskLedger.blockBytes * Int64(1 + 3 * grown)
    }

    private func mend(
        _ partition: inout PartitionPlan, _ room: inout Int64, isUnclean: Bool, now: Instant
    ) throws(IOError) {
        guard !partition.isUnread else { return }
        let start = partition.manifest.recovery.position
        let end = partition.active.size
        let isRewritten = isUnclean && end > start && !partition.isDamaged
        guard isRewritten || partition.changesLog else { return trimIndexes(&partition, &room) }
        if end == 0, partition.rewrites.isEmpty, partition.skipTo == nil, partition.fileSize == 0 { return }
        try JobRunner.makePartition(partition.directory, topic: partition.key.topic, files)
        partition.directoryBytes = 0
        let file = try files.open(partition.paths.log, .create)
        defer { files.close(file) }
        if let cut = partition.cut {
            try quarantine(partition, file, cut, &room)
            try files.truncate(file, to: cut.position)
        }
        for (position, bytes) in partition.rewrites {
            if let error = files.writeFully(file, at: position, [bytes]).error { throw error }
        }
        if isRewritten, !PlantedBug.tailNotRewritten.isPlanted { try rewrite(file, from: start, to: end) }
        if let target = partition.skipTo, !PlantedBug.offsetsUsedTwice.isPlanted {
            try skip(&partition, file, to: target, now: now)
        }
        try files.sync(file)
        try files.syncDirectory(partition.directory)
        if partition.changesLog { partition.manifest.epoch += 1 }
        trimIndexes(&partition, &room)
    }

    /// Reads and writes back the same bytes, so that the next sync has them to write.
    private func rewrite(_ file: FileID, from start: Int64, to end: Int64) throws(IOError) {
        let buffer = ByteBuffer(capacity: Int(min(1 << 20, end - start)))
        var position = start
        while position < end {
            buffer.count = 0
            let wanted = Int(min(Int64(buffer.capacity), end - position))
            let count = try files.read(file, at: position, into: buffer, offset: 0, count: wanted)
            guard count > 0 else { break }
            let slice = ByteSlice(buffer, start: 0, count: count)
            if let error = files.writeFully(file, at: position, [slice]).error { throw error }
            position += Int64(count)
        }
    }

    /// Steps over offsets that may have been seen: the log has no hole, and none of them is used twice.
    private func skip(
        _ partition: inout PartitionPlan, _ file: FileID, to target: Int64, now: Instant
    ) throws(IOError) {
        while partition.active.endOffset < target {
            let count = min(target - partition.active.endOffset, Int64(Int32.max))
            let timestamp = max(partition.active.maxTimestamp, 0)
            let batch = ControlBatch.spanning(Int(count), timestamp: timestamp)
            batch.bytes.assign(
                baseOffset: partition.active.endOffset, leaderEpoch: partition.manifest.epoch + 1, at: 0)
            let slice = ByteSlice(batch.bytes)
            if let error = files.writeFully(file, at: partition.active.size, [slice]).error { throw error }
            partition.active.crc = CRC32C.extend(partition.active.crc, slice.bytes)
            partition.active.add(
                bytes: slice.count, nextOffset: partition.active.endOffset + count, maxTimestamp: timestamp,
                interval: partition.settings.indexIntervalBytes)
        }
    }

    private func quarantine(
        _ partition: PartitionPlan, _ file: FileID, _ cut: (position: Int64, bytes: Int64),
        _ room: inout Int64
    ) throws(IOError) {
        // Bytes that nobody was promised: there is no harm when a full disk keeps but their beginning.
        let bytes = min(cut.bytes, max(0, room - 2 * DiskLedger.blockBytes))
        guard bytes > 0 else { return }
        room -= DiskLedger.blocks(bytes) + DiskLedger.blockBytes
        try files.makeDirectory(paths.quarantine)
        let name =
            "\(partition.topic)-\(partition.key.partition)-\(partition.active.baseOffset)-\(cut.position)"
        let target = try files.open("\(paths.quarantine)/\(name)", .replace)
        defer { files.close(target) }
        let buffer = ByteBuffer(capacity: Int(min(1 << 20, bytes)))
        var done: Int64 = 0
        while done < bytes {
            buffer.count = 0
            let wanted = Int(min(Int64(buffer.capacity), bytes - done))
            let count = try files.read(file, at: cut.position + done, into: buffer, offset: 0, count: wanted)
            guard count > 0 else { break }
            let slice = ByteSlice(buffer, start: 0, count: count)
            if let error = files.writeFully(target, at: done, [slice]).error { throw error }
            done += Int64(count)
        }
        try files.sync(target)
        try files.syncDirectory(paths.quarantine)
    }

    /// Index entries at or behind the recovery point were not synced with the log they describe: they are
    /// made again.
    private func trimIndexes(_ partition: inout PartitionPlan, _ room: inout Int64) {
        let recovery = partition.manifest.recovery
        let paths = partition.paths
        if recovery.position > 0 {
            let kept = IndexFiles.usable(paths, below: recovery, files)
            // As much again while both are there.
            let interval = max(partition.settings.indexIntervalBytes, Int64(BatchLayout.headerBytes))
            let entry = Int64(IndexEntry.bytes + TimeIndexEntry.bytes)
            let indexBytes =
                DiskLedger.blocks(recovery.position / interval * entry) + 2 * DiskLedger.blockBytes
            if kept.isShort, room >= indexBytes,
                IndexFiles.rebuild(
                    paths, baseOffset: recovery.baseOffset, size: recovery.position,
                    interval: partition.settings.indexIntervalBytes, files) != nil
            {
                room -= indexBytes
                partition.findings.append(.indexRebuilt(file: paths.index))
                let again = IndexFiles.usable(paths, below: recovery, files)
                partition.active.tail.indexPosition = again.indexBytes
                partition.active.tail.timePosition = again.timeBytes
            } else {
                partition.active.tail.indexPosition = kept.indexBytes
                partition.active.tail.timePosition = kept.timeBytes
            }
        }
        // At most a window's worth of entries; they need not stay in memory.
        let tail = partition.active.tail
        guard tail.growth <= room else { return partition.active.dropTail() }
        room -= tail.growth
        _ = partition.active.takeTail()
        guard !tail.isEmpty, !tail.flush(to: paths, files) else { return }
        // What counts as written has its blocks counted: that must be what is there.
        let kept = IndexFiles.usable(paths, below: partition.active.point(ceiling: 0), files)
        partition.active.tail.indexPosition = kept.indexBytes
        partition.active.tail.timePosition = kept.timeBytes
    }

    // MARK: Manifest, journal, leftovers

    private func beginManifest(_ plan: RecoveryPlan, now: Instant) throws(IOError) -> ManifestLog {
        var state = plan.loaded.state
        for partition in plan.partitions where !partition.isUnread {
            if partition.manifest.epoch > 0 {
                state.apply(.leaderEpoch(partition.key, partition.manifest.epoch))
            }
            guard !partition.isDamaged else {
                state.apply(.damaged(partition.key, below: partition.active.size))
                continue
            }
            let ceiling = partition.settings.isDurable ? 0 : partition.manifest.recovery.ceiling
            let point = partition.active.point(ceiling: ceiling)
            if point != partition.manifest.recovery { state.apply(.recoveryPoint(partition.key, point)) }
            if partition.producers != partition.manifest.producers {
                state.apply(.producers(partition.key, partition.producers))
            }
        }
        state.expireProducers(
            wall: now.wallMilliseconds, expiration: configuration.producerExpirationMilliseconds)
        if state.hasProducers, !plan.loaded.state.hasProducers {
            let meta = StoreDirectory.meta(plan.loaded.storeID, hasProducers: true)
            try files.replaceFile(paths.meta, in: paths.root, with: meta)
        }
        let wall = max(now.wallMilliseconds, state.lastWallMilliseconds)
        let isSound = !plan.partitions.contains(where: \.isUnsound)
        let floor = isSound ? plan.lastJournalSequence : state.journalFloor
        // A partition that could not be read has not stepped over what power may have taken: the next opening
        // is not to take this boot for the one in which its records were promised.
        let isRead = !plan.partitions.contains(where: \.isUnread)
        let bootID = isRead || plan.isSameBoot ? files.bootID : state.bootID
        state.apply(.opened(bootID: bootID, wallMilliseconds: wall, journalFloor: floor))
        let number = plan.loaded.number + 1
        let sequence = plan.loaded.lastSequence + 1
        let records = state.snapshot
        let runner = JobRunner(files, storeID: plan.loaded.storeID)
        let (result, _) = runner.withReserve(paths.reserve) { () throws(IOError) in
            try ManifestFile.begin(
                paths, number: number, sequence: sequence, storeID: plan.loaded.storeID, records: records,
                files)
        }
        let made = try result.get()
        for old in (try? ManifestFile.numbers(paths, files)) ?? [] where old < number {
            try? files.remove(paths.manifest(old))
        }
        return ManifestLog(
            state: state, number: number, file: made.file, position: made.size, nextSequence: sequence + 1,
            replaceAbove: configuration.manifestLimit)
    }

    /// Takes over files of the right size: all they hold is in the segments. The others are removed, but
    /// those that hold something of a partition that is not sound are kept as they are.
    private func openJournal(_ plan: RecoveryPlan, _ open: inout [FileID]) throws(IOError) -> Journal {
        var journal = Journal(
            nextSequence: PlantedBug.journalSequenceUsedTwice.isPlanted ? 1 : plan.lastJournalSequence + 1,
            bytes: configuration.journalFileBytes)
        guard try files.status(paths.journal) != nil else { return journal }
        journal.hasDirectory = true
        // A file whose making failed at the last step has a name on no medium, also after a clean end;
        // what is committed to it would be lost with the name.
        try files.syncDirectory(paths.journal)
        for entry in try files.list(paths.journal) {
            let path = "\(paths.journal)/\(entry.name)"
            guard let number = Int(entry.name), entry.kind == .file else { continue }
            let holders = plan.partitions.indices.filter {
                plan.partitions[$0].isUnsound
                    && plan.journalled[entry.name]?.contains(plan.partitions[$0].key) == true
            }
            if !holders.isEmpty {
                var kept = JournalFile(number: number, file: try files.open(path, .write))
                open.append(kept.file)
                kept.position = Int64(configuration.journalFileBytes)
                for holder in holders { kept.coverage[holder] = .max }
                journal.files.append(kept)
                continue
            }
            guard journal.files.count < 2,
                try files.status(path)?.size == Int64(configuration.journalFileBytes)
            else {
                try files.remove(path)
                continue
            }
            journal.files.append(JournalFile(number: number, file: try files.open(path, .write)))
            open.append(journal.files[journal.files.count - 1].file)
        }
        return journal
    }

    /// What the files take. Where that is too much, as when a loss of power has brought back what was
    /// removed, deleted topics go before anything is written.
    private func measure(_ leaving: [TopicRecord]) throws(IOError) -> Int64 {
        let used = try StoreMeasure.run(paths, files)
        guard used > configuration.diskBytes, !leaving.isEmpty else { return used }
        for topic in leaving {
            var freed: Int64 = 0
            // What fails now is tried again when the store is open.
            try? JobRunner.removeDirectories(of: topic, paths, files, &freed)
        }
        return try StoreMeasure.run(paths, files)
    }

    /// What the reserve file takes. One of another size than it should have goes: a crash was in its making,
    /// or the budget is another; and one that is back, since its removal was lost with the power, and is too
    /// much.
    private func checkReserve(_ used: Int64) throws(IOError) -> (bytes: Int64, gone: Int64) {
        guard let status = try files.status(paths.reserve) else { return (0, 0) }
        if status.size == configuration.reserveFileBytes, used <= configuration.diskBytes {
            return (status.size, 0)
        }
        let bytes = files.removable(paths.reserve)
        try files.remove(paths.reserve)
        return (0, bytes)
    }

    private func removeLeftovers(_ plan: inout RecoveryPlan) {
        for path in plan.partitions.flatMap(\.leftovers) { try? files.remove(path) }
    }
}
