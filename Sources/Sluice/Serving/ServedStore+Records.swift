// Records out of the log for layers above: whole batches, decoded once.

import SluiceLog

/// Batches of one partition, one behind the other.
package struct RecordRun: Sendable {
    /// The batches, without those that have no records.
    package var batches: [RecordBatch]
    /// The offset behind them.
    package var nextOffset: Int64
}

extension ServedStore {
    /// Reads batches from an offset on, at least one; nil at the end of what may be seen. Waits for the disk:
    /// for `onReader`.
    ///
    /// - Parameter maxBytes: stored bytes; a batch that is larger is read whole all the same.
    /// - Throws: `offsetOutOfRange` below the log start, `corrupt`, `offline`, `io`, `unknownPartition`.
    package func records(
        of place: TopicPartition, _ number: Int, from offset: Int64, maxBytes: Int
    ) throws(StreamError) -> RecordRun? {
        while true {
            do throws(LogError) {
                guard let view = try engine.segment(number, at: offset) else { return nil }
                do throws(LogError) {
                    let run = try records(of: place, in: view, from: offset, maxBytes: maxBytes)
                    if engine.isReplaced(view, of: number, afterFailure: false) { continue }
                    return run
                } catch {
                    if engine.isReplaced(view, of: number, afterFailure: true) { continue }
                    throw error
                }
            } catch {
                throw StreamError(error, at: place)
            }
        }
    }

    /// The offset that a position means now. Looks into the log for a time: for `onReader`.
    ///
    /// Throws `offsetOutOfRange`, `offline`, `corrupt`, `io`, `unknownPartition`.
    package func offset(
        of position: Position, in place: TopicPartition, _ number: Int
    ) throws(StreamError) -> Int64 {
        try engine.resolve(position, place, number)
    }

    private func records(
        of place: TopicPartition, in view: SegmentView, from offset: Int64, maxBytes: Int
    ) throws(LogError) -> RecordRun? {
        let position = try engine.reader.position(of: offset, in: view)
        guard let fetched = try engine.reader.fetch(view, from: position, maxBytes: maxBytes) else {
            return nil
        }
        var context = CodecContext()
        var run = RecordRun(batches: [], nextOffset: offset)
        var consumed = 0
        while consumed < fetched.bytes.count {
            let rest = ByteSlice(
                fetched.bytes.buffer, start: fetched.bytes.start + consumed,
                count: fetched.bytes.count - consumed)
            let here = fetched.position + Int64(consumed)
            let header: BatchHeader
            do throws(BatchError) {
                header = try BatchHeader(rest.bytes)
            } catch {
                throw .corrupt(file: view.path, position: here, reason: error.description)
            }
            if let fault = view.fault(of: header, at: run.nextOffset) {
                throw .corrupt(file: view.path, position: here, reason: fault)
            }
            if !header.isControl, header.recordCount > 0 {
                let stored = ByteSlice(rest.buffer, start: rest.start, count: header.totalBytes)
                let decoded = try engine.reader.decode(stored, at: here, in: view, &context)
                let storage = BatchStorage(
                    place, decoded, from: run.nextOffset,
                    isDurable: view.isDurable(through: header.nextOffset))
                if storage.start.remaining > 0 { run.batches.append(RecordBatch(storage)) }
            }
            consumed += header.totalBytes
            run.nextOffset = header.nextOffset
        }
        return run
    }
}
