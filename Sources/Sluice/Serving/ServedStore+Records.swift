// Records out of the log for layers above: whole batches, read as a consumer reads them, and decoded once.

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
        let reader = PartitionReader(topicPartition: place, number: number, next: offset)
        var state = ConsumerState([reader])
        while true {
            guard let plan = try reader.plan(engine) else { return nil }
            do throws(StreamError) {
                let fetched = try plan.fetch(engine.reader, maxBytes: maxBytes)
                if engine.isReplaced(plan) { continue }
                guard let fetched else { return nil }
                state.took(fetched, 0, plan, generation: state.generation)
            } catch {
                guard engine.isReplaced(plan, afterFailure: true) else { throw error }
                continue
            }
            var batches: [RecordBatch] = []
            while let batch = try state.nextInHand(engine) { batches.append(batch) }
            return RecordRun(batches: batches, nextOffset: state.partitions[0].next)
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
}
