// From standard input to a topic: split, append, wait for acknowledgements, print receipts. One task, no
// hand-over.
//
// (1) While input is there, up to `Receipts.maxRuns` batches are under way. (2) Before the input is waited
// for, all that was read is acknowledged: a slow input has its receipts at once, and its records share the
// syncs. (3) A record that cannot be read or appended ends the work: those before it are appended,
// acknowledged and have their receipts. (4) After an interruption the beginning of a record that had not
// ended is dropped: half a record would be a wrong one.

#if Tool
import Sluice
import SluiceLog

struct ProduceSession: Sendable {
    let producer: Producer
    let partitions: Int
    let layout: InputLayout
    let receiptFormat: RecordFormat?
    let files: TopicFiles

    /// Appends all of the input and returns when it is acknowledged.
    func run(_ input: consuming ByteInput) async throws {
        var receipts = Receipts(topic: producer.topic, partitions: partitions, format: receiptFormat)
        var lane = producer.appender()
        var output = StandardOutput()
        var splitter = layout.splitter
        var progress = Progress()
        let before = files.logBytes() ?? 0
        var failure: (any Error)?
        do {
            var position = 0
            while true {
                if !input.isReady() { try await receipts.settle(all: true, &lane, producer, to: &output) }
                let hasMore = try input.fill(dropping: position)
                position = try await append(input.buffer, input.isAtEnd, &splitter, &lane, &receipts, &output)
                if !hasMore { break }
                progress.update(
                    records: Int64(splitter.records), bytes: input.bytesRead, storedBytes: stored(before))
            }
        } catch {
            failure = error
        }
        // Also after a failure, so that what was appended before it has its receipts.
        do {
            try await receipts.settle(all: true, &lane, producer, to: &output)
            try await lane.close()
        } catch {
            failure = failure ?? error
        }
        progress.finish(records: Int64(splitter.records), bytes: input.bytesRead, storedBytes: stored(before))
        if let failure { throw failure }
    }

    private func stored(_ before: Int64) -> Int64? { files.logBytes().map { $0 - before } }

    /// Appends the whole records of the buffer, and returns where the rest begins.
    private func append(
        _ buffer: ByteBuffer, _ isLast: Bool, _ splitter: inout RecordSplitter, _ lane: inout Appender,
        _ receipts: inout Receipts, _ output: inout StandardOutput
    ) async throws -> Int {
        let bytes = buffer.bytes
        let now: Timestamp? = receipts.needsTimestamps ? .now : nil
        var position = 0
        while let next = try splitter.next(in: bytes, from: position, isLast: isLast) {
            let extras = splitter.hasExtras ? try splitter.extras(in: bytes) : RecordExtras()
            let timestamp = extras.timestamp ?? now
            let record: PendingRecord
            do throws(StreamError) {
                record = try await lane.append(
                    key: layout.key(bytes, splitter.key), value: bytes.part(splitter.value),
                    headers: extras.headers,
                    timestamp: timestamp, partition: extras.partition ?? layout.partition)
            } catch {
                throw described(error, splitter)
            }
            receipts.add(record, timestamp: timestamp?.millisecondsSince1970 ?? -1)
            position = next
            if receipts.isFull { try await receipts.settle(all: false, &lane, producer, to: &output) }
        }
        return position
    }

    /// The error, with the line where it is the line's.
    private func described(_ error: StreamError, _ splitter: RecordSplitter) -> any Error {
        switch error {
        case .recordTooLarge, .missingKey, .unknownPartition:
            ToolError.failed(
                """
                \(splitter.place(splitter.records)): \(Exit.advised(error)) What came before it has been \
                appended.
                """
            )
        default: error
        }
    }
}
#endif
