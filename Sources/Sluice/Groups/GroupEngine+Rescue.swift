// A damaged offsets topic: what is good of it is kept, what is not goes to the quarantine, and the topic is
// written anew.
//
//   1. Every whole batch is read, also behind the damage; the damaged files are copied to quarantine/.
//   2. All that is live is saved beside the topic, in `rescued-offsets`.
//   3. The topic's records are deleted, which makes it take records again where its end was damaged. When a
//      segment is missing or short, the topic itself is deleted and made anew.
//   4. All that is live is appended.
//   5. `rescued-offsets` is removed. Before that nobody is let in.
//
// A crash at any point: the next loading reads `rescued-offsets`, if it is there, then the topic over it, and
// goes on. What is good is always in one of them.

import Logging
import SluiceCore
import SluiceLog

extension GroupEngine {
    /// How far a rescue goes: a test stops it.
    enum RescueStep: CaseIterable { case saved, deleted, appended, finished }

    /// Loads what can be loaded. Throws `io`, `noSpace`, `closed`.
    ///
    /// - Parameter damage: nil when the topic has been read, and an earlier rescue is to be ended.
    nonisolated(nonsending) func rescue(
        _ damage: StreamError?, until last: RescueStep
    ) async throws(StreamError) {
        if let damage {
            engine.logger.error(
                "what groups have committed is damaged; it is written anew",
                metadata: ["reason": "\(damage)"])
            restart()
            if case .offline(_, let reason) = damage {
                let directory = StorePaths(engine.path).partition(OffsetsTopic.name, 0)
                engine.events.add(.committedOffsetsLost(file: directory, position: 0, reason: reason))
            }
            try await engine.onReader { [self] () throws(StreamError) in
                _ = try readRescued()
                try readAround()
            }
        }
        change { coordinator, now in coordinator.finishLoading(now: now) }
        let records = read { $0.liveRecords() }
        try await engine.onReader { [self] () throws(StreamError) in try save(records) }
        if last == .saved { throw .closed }
        if case .offline? = damage {
            try await delete { volume, id throws(LogError) in
                try volume.deleteTopic(OffsetsTopic.name, request: id)
            }
        } else if OffsetsTopic.exists(in: engine) {
            let number = try engine.number(of: OffsetsTopic.place)
            let end = try engine.resolve(.latest, OffsetsTopic.place, number)
            try await delete { volume, id throws(LogError) in
                try volume.deleteRecords(number, before: end, request: id)
            }
        }
        if last == .deleted { throw .closed }
        if !OffsetsTopic.exists(in: engine) { try await OffsetsTopic.make(in: engine) }
        try await append(records, try engine.number(of: OffsetsTopic.place))
        if last == .appended { throw .closed }
        try await engine.onReader { [self] () throws(StreamError) in try removeRescued() }
    }

    // MARK: rescued-offsets

    /// Loads what a rescue that was cut short had saved. False when there is nothing.
    func readRescued() throws(StreamError) -> Bool {
        let path = StorePaths(engine.path).rescuedOffsets
        do throws(IOError) {
            guard try engine.files.status(path) != nil else { return false }
            // Older than anything that the topic may hold.
            try read(path) { key, value, _ in take(key, value, -1) }
            return true
        } catch {
            throw StreamError(LogError.io(error), at: OffsetsTopic.place)
        }
    }

    private func save(_ records: [GroupRecord]) throws(StreamError) {
        var bytes: [UInt8] = []
        for chunk in Self.chunks(of: records) {
            guard let batch = OffsetsTopic.batch(chunk, origin: BatchOrigin(producer: 0, number: 0), time: 0)
            else { throw .recordTooLarge(bytes: Limits.batchBytes + 1, limit: Limits.batchBytes) }
            bytes += batch.bytes.array
        }
        // Its removal is seen by the next measurement.
        engine.withVolume { $0.added(bytes: Int64(bytes.count)) }
        do throws(IOError) {
            try engine.files.replaceFile(
                StorePaths(engine.path).rescuedOffsets, in: engine.path, with: bytes)
        } catch {
            throw StreamError(LogError.io(error), at: OffsetsTopic.place)
        }
    }

    private func removeRescued() throws(StreamError) {
        do throws(IOError) {
            try engine.files.remove(StorePaths(engine.path).rescuedOffsets)
            try engine.files.syncDirectory(engine.path)
        } catch {
            throw StreamError(LogError.io(error), at: OffsetsTopic.place)
        }
    }

    // MARK: The topic

    /// Reads every segment file of the topic, and saves those that are damaged.
    private func readAround() throws(StreamError) {
        let paths = StorePaths(engine.path)
        let directory = paths.partition(OffsetsTopic.name, 0)
        do throws(IOError) {
            let logs = try engine.files.list(directory).map(\.name).filter { $0.hasSuffix(".log") }.sorted()
            for name in logs {
                let file = "\(directory)/\(name)"
                guard try read(file, take) else { continue }
                try engine.files.makeDirectory(paths.quarantine)
                let saved =
                    "\(paths.quarantine)/\(OffsetsTopic.name)-0-\(Instant.now.wallMilliseconds)-\(name)"
                let bytes = try engine.files.status(file)?.size ?? 0
                engine.withVolume { $0.added(bytes: bytes) }
                try FileCopy(files: engine.files).copy(file, to: saved)
                try engine.files.syncDirectory(paths.quarantine)
            }
        } catch {
            throw StreamError(LogError.io(error), at: OffsetsTopic.place)
        }
    }

    /// Reads the whole batches of a file; returns whether there is damage between them, which is told.
    @discardableResult private func read(
        _ file: String, _ record: ([UInt8], [UInt8]?, Int64) -> Void
    ) throws(IOError) -> Bool {
        var isDamaged = false
        try RecordRescue.read(file, engine.files) { offset, key, value in
            guard let key else { return }
            let value = if let value { [UInt8](copying: value) } else { [UInt8]?.none }
            record([UInt8](copying: key), value, offset)
        } lost: { position, reason in
            isDamaged = true
            engine.events.add(.committedOffsetsLost(file: file, position: position, reason: reason))
        }
        return isDamaged
    }

    /// Records by the megabyte: a batch each.
    private static func chunks(of records: [GroupRecord]) -> [[GroupRecord]] {
        var chunks: [[GroupRecord]] = []
        var bytes = Int.max
        for record in records {
            let size = record.byteCount + 64
            if bytes.addingReportingOverflow(size).overflow || bytes + size > 1 << 20 {
                chunks.append([])
                bytes = 0
            }
            chunks[chunks.count - 1].append(record)
            bytes += size
        }
        return chunks
    }

    private nonisolated(nonsending) func append(
        _ records: [GroupRecord], _ number: Int
    ) async throws(StreamError) {
        let sink = RewriteSink()
        let origin = engine.register(sink)
        defer { engine.unregister(origin) }
        for chunk in Self.chunks(of: records) {
            let waiter = sink.expect()
            do throws(LogError) {
                try engine.withVolume { volume throws(LogError) in
                    guard
                        let batch = OffsetsTopic.batch(
                            chunk, origin: BatchOrigin(producer: origin, number: 0),
                            time: coarseWallMilliseconds())
                    else { throw .tooLarge(bytes: Limits.batchBytes + 1, limit: Limits.batchBytes) }
                    try volume.submit(batch, to: number, .durable)
                }
            } catch {
                throw StreamError(error, at: OffsetsTopic.place)
            }
            _ = try await waiter.value().get()
        }
    }

    /// What is to go has gone when this returns.
    private nonisolated(nonsending) func delete(
        _ request: (inout Volume, UInt64) throws(LogError) -> Void
    ) async throws(StreamError) {
        let waiter: Waiter<Int64>
        do throws(LogError) {
            waiter = try engine.request(request)
        } catch {
            throw StreamError(error, at: OffsetsTopic.place)
        }
        _ = try await waiter.value().get()
    }
}

/// Waits for one batch after another.
private final class RewriteSink: BatchSink, Sendable {
    private let waiter = Locked<Waiter<Int64>?>(nil)

    func expect() -> Waiter<Int64> {
        let next = Waiter<Int64>()
        waiter.withLock { $0 = next }
        return next
    }

    func completed(_ completions: [AppendCompletion]) {
        for completion in completions {
            waiter.withLock { $0 }?.resume(
                completion.result.map(\.baseOffset).mapError { StreamError($0, at: OffsetsTopic.place) })
        }
    }
}
