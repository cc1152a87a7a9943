// What was accepted and is not yet acknowledged, in the order of the input; and a line for each record that
// is.
//
// (1) A batch of the producer is one run here, however many records it has: 32 bytes, and 8 a record when
// receipts show times. (2) Runs are waited for in the order in which they were begun, so receipts are in
// input order for each partition. (3) At most `maxRuns` are open: beyond that the producer is waited for. A
// failure ends the input there, not at its end.

#if Tool
import Sluice

struct Receipts: ~Copyable {
    private struct Run {
        var first: PendingRecord
        var count: Int
        /// Of each record, when they are shown.
        var timestamps: [Int64]
    }

    private let topic: String
    private let format: RecordFormat?
    private let showsTimestamps: Bool
    private let maxRuns: Int
    private var runs: [Run] = []
    /// Runs of `runs` that are done.
    private var done = 0
    /// Which run, counted from the beginning of time, is the open one of each partition.
    private var open: [Int]
    /// Runs that were dropped from the front of `runs`.
    private var dropped = 0
    /// Records that were acknowledged.
    private(set) var records: Int64 = 0

    /// - Parameter format: nil: nothing is printed.
    init(topic: String, partitions: Int, format: RecordFormat?) {
        self.topic = topic
        self.format = format
        showsTimestamps = format?.contains(.timestamp) ?? false
        // Twice the partitions, so that the oldest batch is full when it is waited for; well below the 4,096
        // outcomes that a producer keeps.
        maxRuns = max(256, min(2 * partitions, 2048))
        open = Array(repeating: -1, count: partitions)
    }

    /// Whether receipts show times, so that records must be given one.
    var needsTimestamps: Bool { showsTimestamps }

    /// Whether so much is under way that `settle` is due.
    var isFull: Bool { runs.count - done > maxRuns }

    /// Takes note of a record that was accepted.
    @inline(__always)
    mutating func add(_ record: PendingRecord, timestamp: Int64) {
        let partition = Int(record.partition)
        let index = open[partition] - dropped
        if index >= done, runs[index].first.batchNumber == record.batchNumber {
            runs[index].count += 1
            if showsTimestamps { runs[index].timestamps.append(timestamp) }
        } else {
            open[partition] = dropped + runs.count
            runs.append(Run(first: record, count: 1, timestamps: showsTimestamps ? [timestamp] : []))
        }
    }

    /// Waits for the older half of what is under way, or for all of it, and prints the receipts.
    ///
    /// Throws what went wrong with the first batch that failed; receipts before it are printed.
    mutating func settle(
        all: Bool, _ lane: inout Appender, _ producer: Producer, to output: inout StandardOutput
    ) async throws {
        let limit = all ? 0 : maxRuns / 2
        if all { lane.submit() }
        while runs.count - done > limit {
            let run = runs[done]
            // Its batch may still be filling: nobody else would send it off.
            if !all, open[Int(run.first.partition)] == dropped + done { lane.submit() }
            let metadata: RecordMetadata
            do {
                metadata = try await producer.acknowledgement(of: run.first)
            } catch {
                try output.flush()
                throw error
            }
            done += 1
            records += Int64(run.count)
            try print(run, metadata, to: &output)
        }
        try output.flush()
        runs.removeFirst(done)
        dropped += done
        done = 0
    }

    private func print(
        _ run: Run, _ metadata: RecordMetadata, to output: inout StandardOutput
    ) throws(ToolError) {
        guard let format else { return }
        let appendTime = metadata.timestamp.millisecondsSince1970
        var place = RecordPlace(
            topic: topic, partition: Int(run.first.partition), offset: metadata.offset.rawValue,
            timestamp: appendTime)
        for index in 0..<run.count {
            if showsTimestamps, appendTime < 0 { place.timestamp = run.timestamps[index] }
            format.print(place, key: nil, value: nil, headers: [], into: &output.text)
            place.offset += 1
            try output.recordEnded()
        }
    }
}
#endif
