// Batches that were read, record by record.

import Sluice

/// What was read of a partition and is not taken yet.
struct RunReader {
    private var batches: ArraySlice<RecordBatch>
    private var iterator: RecordBatch.Iterator?
    /// The offset behind all of it.
    let nextOffset: Int64

    init(_ run: RecordRun) {
        batches = run.batches[...]
        nextOffset = run.nextOffset
    }

    /// The next record; nil behind the last.
    mutating func next() -> Record? {
        while true {
            if let record = iterator?.next() { return record }
            guard let batch = batches.popFirst() else { return nil }
            iterator = batch.makeIterator()
        }
    }
}
