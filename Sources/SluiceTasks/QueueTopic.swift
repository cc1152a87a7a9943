// A queue's topic: its name, its settings, batches for it and records out of it.

import Sluice
import SluiceCore
import SluiceLog

enum QueueTopic {
    /// Bytes of records in one batch, before compression.
    static let batchBytes = 1 << 20

    static func name(of queue: String) -> String { InternalTopic.taskPrefix + queue }

    /// The queues of a store, by name.
    static func queues(in store: StreamStore) -> [String] {
        ServedStore(store).topics.map(\.name).filter { $0.hasPrefix(InternalTopic.taskPrefix) }
            .map { String($0.dropFirst(InternalTopic.taskPrefix.count)) }.sorted()
    }

    /// Whether a queue may have that name: what a topic's may be, with room for the prefix.
    static func check(_ queue: String) throws(TaskError) {
        guard !queue.isEmpty, TopicName.check(name(of: queue)) == nil else {
            throw .illegal(
                reason: "a queue's name has 1 to 240 letters, digits, '.', '_' and '-', not \"\(queue)\"")
        }
    }

    static var configuration: TopicConfiguration {
        TopicConfiguration {
            $0.cleanupPolicy = .compact
            $0.segmentBytes = 16 << 20
            $0.maxMessageBytes = 4 << 20
            // Nobody else follows the topic: what was removed may go at the next pass.
            $0.deleteRetentionTime = .seconds(60)
        }
    }

    /// Bytes that a record takes in a batch, at most.
    static func room(_ record: TaskRecord) -> Int { 48 + (record.value?.count ?? 0) }

    /// The records as one batch; nil when one does not fit.
    static func seal(_ records: [TaskRecord]) -> SealedBatch? {
        var builder = RecordBatchBuilder(rawCapacity: records.reduce(1024) { $0 + room($1) })
        let time = Instant.now.wallMilliseconds
        for record in records {
            let key = record.key.bytes
            let isTaken =
                if let value = record.value {
                    builder.append(timestamp: time, key: key.span.bytes, value: value.span.bytes, headers: [])
                } else {
                    builder.append(timestamp: time, key: key.span.bytes, value: nil, headers: [])
                }
            guard isTaken else { return nil }
        }
        var context = CodecContext()
        return builder.seal(.lz4, with: &context)
    }

    /// Gives every record of a run of batches to `body`. Throws `corrupt` by the batch's own error.
    static func forEach(
        in run: FetchedRun, _ body: (_ offset: Int64, _ key: [UInt8], _ value: [UInt8]?) -> Void
    ) throws(BatchError) {
        var start = run.bytes.start
        let end = start + run.bytes.count
        var context = CodecContext()
        while start < end {
            let rest = ByteSlice(run.bytes.buffer, start: start, count: end - start)
            let header = try BatchHeader(rest.bytes)
            guard header.totalBytes <= rest.count else { break }
            let batch = try DecodedBatch(
                ByteSlice(run.bytes.buffer, start: start, count: header.totalBytes), with: &context,
                maxBytes: Limits.decompressedBatchBytes)
            start += header.totalBytes
            if header.isControl { continue }
            var cursor = batch.cursor
            while cursor.next() {
                guard let key = cursor.keySpan else { continue }
                let value = if let value = cursor.valueSpan { [UInt8](copying: value) } else { [UInt8]?.none }
                body(cursor.offset, [UInt8](copying: key), value)
            }
            withExtendedLifetime(batch) {}
        }
    }
}
