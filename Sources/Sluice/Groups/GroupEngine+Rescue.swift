// A damaged offsets topic: what is good of it is kept, what is not goes to the quarantine, and the topic is
// written anew.
//
//   1. Every whole batch is read, also behind the damage; the damaged files are copied to quarantine/.
//   2. All that is live is appended, where the topic still takes records, and the records before are deleted.
//      a crash in between: the next opening comes here again
//   3. Where it does not, since its end is damaged: the records are deleted first, which makes it take
//   records
//      again. A crash before the next step loses what was good; the quarantine has it.

import Logging
import SluiceCore
import SluiceLog

extension GroupEngine {
    /// Loads what can be loaded. Throws `io`, `noSpace`, `closed`.
    nonisolated(nonsending) func rescue(_ damage: StreamError) async throws(StreamError) {
        engine.logger.error(
            "what groups have committed is damaged; it is written anew", metadata: ["reason": "\(damage)"])
        restart()
        let damaged = try await engine.onReader { [self] () throws(StreamError) in try readAround() }
        change { coordinator, now in coordinator.finishLoading(now: now) }
        let records = read { $0.liveRecords() }
        let number = try engine.number(of: OffsetsTopic.place)
        var first = try? await append(records, number)
        if first == nil {
            try await deleteRecords(number, before: try engine.resolve(.latest, OffsetsTopic.place, number))
            first = try await append(records, number)
        }
        if let first, !damaged.isEmpty { try await deleteRecords(number, before: first) }
    }

    /// Reads every segment file of the topic, and saves those that are damaged. Returns their paths.
    private func readAround() throws(StreamError) -> [String] {
        let paths = StorePaths(engine.path)
        let directory = paths.partition(OffsetsTopic.name, 0)
        var damaged: [String] = []
        do throws(IOError) {
            let logs = try engine.files.list(directory).map(\.name).filter { $0.hasSuffix(".log") }.sorted()
            for name in logs {
                let file = "\(directory)/\(name)"
                var isDamaged = false
                try RecordRescue.read(file, engine.files) { offset, key, value in
                    guard let key else { return }
                    let value = if let value { [UInt8](copying: value) } else { [UInt8]?.none }
                    take([UInt8](copying: key), value, offset)
                } lost: { position, reason in
                    isDamaged = true
                    engine.events.add(.committedOffsetsLost(file: file, position: position, reason: reason))
                }
                guard isDamaged else { continue }
                damaged.append(file)
                try engine.files.makeDirectory(paths.quarantine)
                let saved =
                    "\(paths.quarantine)/\(OffsetsTopic.name)-0-\(Instant.now.wallMilliseconds)-\(name)"
                try FileCopy(files: engine.files).copy(file, to: saved)
                try engine.files.syncDirectory(paths.quarantine)
            }
        } catch {
            throw StreamError(LogError.io(error), at: OffsetsTopic.place)
        }
        return damaged
    }

    /// Appends records, in batches of a megabyte. Returns the offset of the first; nil when there are none.
    private nonisolated(nonsending) func append(
        _ records: [GroupRecord], _ number: Int
    ) async throws(StreamError) -> Int64? {
        let sink = RewriteSink()
        let origin = engine.register(sink)
        defer { engine.unregister(origin) }
        var first: Int64?
        var rest = records[...]
        while !rest.isEmpty {
            var bytes = 0
            let chunk = rest.prefix { record in
                bytes += record.byteCount + 64
                return bytes <= 1 << 20
            }
            let taken = chunk.isEmpty ? rest.prefix(1) : chunk
            rest = rest.dropFirst(taken.count)
            let batchOrigin = BatchOrigin(producer: origin, number: 0)
            let waiter = sink.expect()
            do throws(LogError) {
                try engine.withVolume { volume throws(LogError) in
                    guard
                        let batch = OffsetsTopic.batch(
                            Array(taken), origin: batchOrigin, time: coarseWallMilliseconds())
                    else { throw .tooLarge(bytes: Limits.batchBytes + 1, limit: Limits.batchBytes) }
                    try volume.submit(batch, to: number, .durable)
                }
            } catch {
                throw StreamError(error, at: OffsetsTopic.place)
            }
            let base = try await waiter.value().get()
            first = first ?? base
        }
        return first
    }

    private nonisolated(nonsending) func deleteRecords(
        _ number: Int, before offset: Int64
    ) async throws(StreamError) {
        let waiter: Waiter<Int64>
        do throws(LogError) {
            waiter = try engine.request { volume, id throws(LogError) in
                try volume.deleteRecords(number, before: offset, request: id)
            }
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
