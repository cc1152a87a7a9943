// What is looked at before a batch from the wire goes to the log: Kafka's own checks.
//
// In order: one whole batch of format 2 · its size · what a client may not set · the count · the checksum ·
// every record, decompressed once, unless the topic has sluice.validate=crc · keys, where the topic is
// compacted. The batch itself is never changed.

import KafkaWire
import SluiceCore
import SluiceLog

/// Checks batches, one after another, with the same working memory.
struct BatchCheck: ~Copyable {
    private var context = CodecContext()
    /// What the last batch was decompressed into.
    private var spare: ByteBuffer?

    /// A spare buffer up to this size is kept for the next batch.
    private static let keptBytes = 4 << 20

    init() {}

    /// Throws what is wrong with the records of a Produce request for one partition.
    ///
    /// - Parameter version: of the request: zstd is for 7 and later.
    mutating func check(
        _ records: ByteSlice, _ settings: TopicSettings, version: Int16
    ) throws(ProduceRefusal) -> BatchHeader {
        guard records.count > 0 else { throw ProduceRefusal(.invalidRecord, "There is no batch in it.") }
        let header = try header(records)
        try check(header, records.count, settings, version)
        if settings.validation == .crc {
            guard BatchHeader.crcMatches(records.bytes) else {
                throw refusal(.crc(stored: header.crc, computed: BatchHeader.checksum(of: records.bytes)))
            }
            return header
        }
        let decoded: DecodedBatch
        do throws(BatchError) {
            decoded = try DecodedBatch(
                records, with: &context, maxBytes: Limits.decompressedBatchBytes, reusing: spare)
        } catch {
            throw refusal(error)
        }
        keep(decoded, records)
        if settings.cleanupPolicy.contains(.compact) { try checkKeys(decoded) }
        return header
    }

    private func header(_ records: ByteSlice) throws(ProduceRefusal) -> BatchHeader {
        // Older formats have the number of theirs in the same place.
        if records.count > BatchLayout.magic {
            let magic: Int8 = records.bytes.bigEndian(at: BatchLayout.magic)
            guard magic == BatchLayout.currentMagic else {
                throw ProduceRefusal(
                    .invalidRecord,
                    "The batch has format \(magic); only 2 is taken, which clients write since Kafka 0.11.")
            }
        }
        do throws(BatchError) {
            return try BatchHeader(records.bytes)
        } catch {
            throw refusal(error)
        }
    }

    private func check(
        _ header: BatchHeader, _ count: Int, _ settings: TopicSettings, _ version: Int16
    ) throws(ProduceRefusal) {
        guard header.totalBytes >= count else {
            throw ProduceRefusal(
                .invalidRecord, "There is more than one batch for the partition, or bytes behind the batch.")
        }
        guard header.totalBytes == count else {
            throw refusal(.truncated(needed: header.totalBytes, available: count))
        }
        guard count <= settings.maxMessageBytes else {
            throw ProduceRefusal(
                .messageTooLarge,
                "The batch has \(count) bytes; max.message.bytes of the topic is \(settings.maxMessageBytes)."
            )
        }
        if header.codec == .zstd, version < 7 {
            throw ProduceRefusal(.unsupportedCompressionType, "zstd needs Produce 7 or later.")
        }
        guard !header.isControl, !header.hasDeleteHorizon else {
            throw ProduceRefusal(.invalidRecord, "Clients may not write control batches.")
        }
        guard !header.isTransactional else {
            throw ProduceRefusal(.invalidTxnState, "There are no transactions here.")
        }
        guard header.timestampType == .createTime else {
            throw ProduceRefusal(.invalidTimestamp, "Clients may not say that a time is that of the append.")
        }
        guard header.producerID < 0 || header.baseSequence >= 0 && header.producerEpoch >= 0 else {
            throw ProduceRefusal(
                .invalidRecord, "The sequence number or the epoch of an idempotent producer is negative.")
        }
        guard header.recordCount >= 1, header.lastOffsetDelta == header.recordCount - 1 else {
            throw ProduceRefusal(
                .invalidRecord,
                "The batch has \(header.recordCount) records and a last offset delta of "
                    + "\(header.lastOffsetDelta).")
        }
    }

    private func checkKeys(_ decoded: DecodedBatch) throws(ProduceRefusal) {
        var cursor = decoded.cursor
        var bad: [Int] = []
        var index = 0
        while cursor.next() {
            if cursor.key == nil, bad.count < Self.reportedRecords { bad.append(index) }
            index += 1
        }
        withExtendedLifetime(decoded) {}
        guard bad.isEmpty else {
            throw ProduceRefusal(
                .invalidRecord, "The topic keeps the last record of each key, so a record needs one.",
                records: bad)
        }
    }

    /// Records at fault that are named.
    private static let reportedRecords = 64

    private mutating func keep(_ decoded: DecodedBatch, _ records: ByteSlice) {
        let buffer = decoded.records.buffer
        if buffer !== records.buffer, buffer.capacity <= Self.keptBytes { spare = buffer }
    }

    private func refusal(_ error: BatchError) -> ProduceRefusal {
        switch error {
        case .malformedRecord(let index, _):
            ProduceRefusal(.invalidRecord, error.description, records: [index])
        case .magic, .count, .trailingBytes: ProduceRefusal(.invalidRecord, error.description)
        case .tooLarge: ProduceRefusal(.messageTooLarge, error.description)
        case .truncated, .length, .offsets, .crc, .codec, .decompression:
            ProduceRefusal(.corruptMessage, error.description)
        }
    }
}
