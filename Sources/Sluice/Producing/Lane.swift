// Records on their way into batches: one open batch per partition, sealed when it is full or asked for.
//
// (1) One owner at a time: an Appender, or a Producer under its lock. (2) Per record: one encoding into
// memory that is there, no lock, allocation or count. Per batch: a number, room, compression, a checksum, a
// hand-over. (3) Order per partition is the order of the calls.

import SluiceCore
import SluiceLog

struct Lane: ~Copyable {
    enum Outcome {
        case appended(PendingRecord)
        /// Another batch, of so many bytes, cannot begin now.
        case full(bytes: Int, Obstacle)
    }

    let core: ProducerCore
    private var builders: RecordBatchBuilders
    private var context = CodecContext()
    /// The number of each partition's open batch.
    private var open: [UInt64?]
    /// Where records without a key go until the batch there is full.
    private var sticky: Int
    private var now: Int64 = 0
    private let batchBytes: Int
    private let needsKeys: Bool

    init(_ core: ProducerCore) {
        self.core = core
        let partitions = core.partitionCount
        needsKeys = core.needsKeys
        batchBytes = max(512, min(core.configuration.batchBytes, core.maxRecordBytes - Lane.batchOverhead))
        builders = RecordBatchBuilders(count: partitions, rawCapacity: batchBytes)
        open = Array(repeating: nil, count: partitions)
        sticky = Int.random(in: 0..<partitions)
    }

    /// Encodes one record. Throws `recordTooLarge`, `missingKey`, `unknownPartition`, `closed`.
    @inline(__always)
    mutating func append(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: borrowing [RecordHeader], _ timestamp: Int64?,
        _ partition: Int?
    ) throws(StreamError) -> Outcome {
        let target = try self.target(key, partition)
        if let number = open[target] {
            let index = builders.recordCount(target)
            if builders.append(
                to: target, timestamp: timestamp ?? now, key: key, value: value, headers: headers)
            {
                return .appended(
                    PendingRecord(
                        batchNumber: number, partition: Int32(truncatingIfNeeded: target),
                        index: Int32(truncatingIfNeeded: index)))
            }
        }
        return try begin(target, isSticky: key == nil && partition == nil, key, value, headers, timestamp)
    }

    @inline(__always)
    private mutating func target(_ key: RawSpan?, _ partition: Int?) throws(StreamError) -> Int {
        if let partition {
            guard partition >= 0, partition < open.count else {
                throw .unknownPartition(TopicPartition(topic: core.topic, partition: partition))
            }
            if needsKeys, key == nil { throw .missingKey(topic: core.topic) }
            return partition
        }
        guard let key else {
            if needsKeys { throw .missingKey(topic: core.topic) }
            return sticky
        }
        return open.count == 1 ? 0 : Partitioner.partition(of: key, partitions: open.count)
    }

    /// The first record of a batch; submits the batch that was full.
    @inline(never)
    private mutating func begin(
        _ target: Int, isSticky: Bool, _ key: RawSpan?, _ value: RawSpan?,
        _ headers: borrowing [RecordHeader],
        _ timestamp: Int64?
    ) throws(StreamError) -> Outcome {
        let bytes = Self.encodedBytes(key, value, headers)
        guard bytes + Self.batchOverhead <= core.maxRecordBytes else {
            throw .recordTooLarge(bytes: bytes, limit: core.maxRecordBytes)
        }
        var target = target
        let isFull = open[target] != nil
        if isFull { submit(target, isUrgent: false) }
        // While a batch is under way to a partition the next one collects there: else a busy producer would
        // send many small ones to as many partitions.
        if isSticky, open.count > 1, isFull || !core.isInFlight(target) {
            target = (sticky + Int.random(in: 1..<open.count)) % open.count
            sticky = target
            if open[target] != nil { return try append(key, value, headers, timestamp, target) }
        }
        let room = max(batchBytes, bytes)
        let number: UInt64
        switch try core.begin(bytes: room, partition: target) {
        case .begun(let begun): number = begun
        case .blocked(let obstacle): return .full(bytes: room, obstacle)
        }
        now = coarseWallMilliseconds()
        open[target] = number
        let fits = builders.append(
            to: target, timestamp: timestamp ?? now, key: key, value: value, headers: headers)
        assert(fits, "the first record of a batch always fits")
        return .appended(PendingRecord(batchNumber: number, partition: Int32(target), index: 0))
    }

    /// Hands over the partition's open batch, if there is one.
    ///
    /// - Parameter isUrgent: false when it is full and nobody waits for it.
    mutating func submit(_ partition: Int, isUrgent: Bool = true) {
        guard let number = open[partition] else { return }
        open[partition] = nil
        guard let sealed = builders.seal(partition, core.codec, with: &context) else { return }
        core.submit(sealed, number: number, partition: partition, isUrgent: isUrgent)
    }

    mutating func submitAll() {
        for partition in open.indices where open[partition] != nil { submit(partition) }
    }

    /// The number of the partition's open batch.
    func openBatch(_ partition: Int) -> UInt64? { open[partition] }

    /// The clock is read again: at least once per batch, and after every suspension.
    mutating func refreshClock() { now = coarseWallMilliseconds() }

    /// What a record takes in a batch, to within a few bytes, never less.
    private static func encodedBytes(
        _ key: RawSpan?, _ value: RawSpan?, _ headers: borrowing [RecordHeader]
    ) -> Int {
        var bytes = 40
        if let key { bytes += key.byteCount }
        if let value { bytes += value.byteCount }
        for index in headers.indices {
            bytes += headers[index].key.utf8.count + (headers[index].value?.count ?? 0) + 10
        }
        return bytes
    }

    /// The header of a batch.
    static let batchOverhead = 61
}
