// Batches to standard output, up to a number of records, with progress.

#if Tool
import Sluice
import SluiceLog

struct RecordOutput: ~Copyable {
    private let printer: RecordPrinter
    private let limit: Int64
    private var output = StandardOutput()
    private var progress = Progress(isShown: !System.isTerminal(1))
    private var (records, bytes, storedBytes): (Int64, Int64, Int64) = (0, 0, 0)

    /// - Parameter limit: the most records to print; nil: all that come.
    init(_ printer: RecordPrinter, limit: Int64?) {
        self.printer = printer
        self.limit = limit ?? .max
    }

    /// Whether as many records have been printed as were asked for.
    var isFull: Bool { records >= limit }

    /// Prints the batch's records, as many as may still be printed. They are written when it returns, and the
    /// offset behind the last of them is what it returns.
    ///
    /// A batch is a large write already, and the loop may have to wait for the next one.
    mutating func print(_ batch: RecordBatch) throws(ToolError) -> Offset {
        let (topic, partition) = (batch.topicPartition.topic, batch.topicPartition.partition)
        var place = RecordPlace(topic: topic, partition: partition, offset: 0, timestamp: 0)
        var rest = batch.records
        var next = batch.baseOffset
        while !isFull, let record = rest.next() {
            place.offset = record.offset.rawValue
            place.timestamp = record.timestamp.millisecondsSince1970
            printer.print(
                place, key: record.key, value: record.value,
                headers: printer.usesHeaders ? record.headers : [], into: &output.text)
            try output.recordEnded()
            records += 1
            next = record.offset + 1
        }
        try output.flush()
        bytes += Int64(batch.byteCount)
        storedBytes += Int64(batch.storedByteCount)
        progress.update(records: records, bytes: bytes, storedBytes: storedBytes)
        return next
    }

    /// Ends the line of the progress.
    mutating func finish() {
        progress.finish(records: records, bytes: bytes, storedBytes: storedBytes)
    }
}
#endif
