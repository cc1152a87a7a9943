// A batch again, with some of its records: what compaction leaves of it.
//
// (1) Base offset, last offset delta, epoch and the producer's fields stay: offsets do not change, and an
// idempotent producer's sequence numbers can still be told. (2) A record that stays keeps its bytes. Only
// where the batch is given a delete horizon, which takes the place of the base timestamp, the timestamp
// deltas are written anew, so that base + delta is what it was. (3) A batch of which nothing is left is one
// without records, uncompressed.
//
// Source: Apache Kafka, MemoryRecords.filterTo and DefaultRecordBatch.writeEmptyHeader.

/// Makes batches of parts of batches. Its memory is used by one after another.
struct BatchFilter: ~Copyable, @unchecked Sendable {
    private var context = CodecContext()
    private var records = ByteBuffer(capacity: 1 << 16)
    /// The bytes of the last result, valid until the next call.
    private(set) var output = ByteBuffer(capacity: 1 << 16)
    private var spare: ByteBuffer?

    init() {}

    /// Decompresses and checks a stored batch, whose memory is of use until the next call.
    mutating func decode(_ stored: ByteSlice) throws(BatchError) -> DecodedBatch {
        let decoded = try DecodedBatch(
            stored, with: &context, maxBytes: Limits.decompressedBatchBytes, reusing: spare)
        if decoded.header.codec != .none, decoded.records.buffer.capacity <= CodecContext.keptScratchBytes {
            spare = decoded.records.buffer
        }
        return decoded
    }

    /// Puts into `output` the batch with the records that `keeps` accepts; there must be one.
    ///
    /// - Parameter horizon: from when on its tombstones may go, ms; nil leaves the timestamps as they are.
    mutating func filter(
        _ batch: borrowing DecodedBatch, horizon: Int64?, keeps: (RecordCursor) -> Bool
    ) -> Int {
        let header = batch.header
        // A delta may grow by ten bytes, and the length in front of it by four.
        let most = batch.records.count + (horizon == nil ? 0 : Int(header.recordCount) * 14) + 16
        if records.capacity < most { records = ByteBuffer(capacity: most) }
        var place = records.base
        var kept = 0
        var maxTimestamp: Int64 = -1
        var cursor = batch.cursor
        var start = cursor.place
        while cursor.next() {
            defer { start = cursor.place }
            guard keeps(cursor) else { continue }
            kept += 1
            maxTimestamp = max(maxTimestamp, cursor.timestamp)
            if let horizon {
                let stamp = header.baseTimestamp &+ cursor.timestampDelta
                place = Self.store(cursor, from: start, delta: Int(stamp &- horizon), at: place)
            } else {
                place.copyMemory(from: start, byteCount: cursor.place - start)
                place += cursor.place - start
            }
        }
        precondition(kept > 0, "a batch without records is another kind")
        let bytes = UnsafeRawBufferPointer(start: records.base, count: place - records.base)
        let codec = header.codec
        let isSmall = bytes.count < RecordBatchBuilder.minBytesToCompress
        let compressed = isSmall ? nil : context.compress(bytes, codec)
        let payload = compressed ?? bytes
        var attributes = header.attributes & ~BatchAttributes.codecMask
        if compressed != nil { attributes |= Int16(codec.rawValue) }
        if horizon != nil { attributes |= BatchAttributes.deleteHorizon }
        write(
            header, attributes, count: kept, baseTimestamp: horizon ?? header.baseTimestamp,
            maxTimestamp: header.timestampType == .logAppendTime ? header.maxTimestamp : maxTimestamp,
            payload)
        return kept
    }

    /// Puts into `output` the batch without records.
    mutating func empty(_ header: BatchHeader) {
        let attributes = header.attributes & ~(BatchAttributes.codecMask | BatchAttributes.deleteHorizon)
        write(
            header, attributes, count: 0, baseTimestamp: -1, maxTimestamp: header.maxTimestamp,
            UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The record that begins at `start` with another timestamp delta; returns the place behind it.
    private static func store(
        _ cursor: RecordCursor, from start: UnsafeRawPointer, delta: Int, at place: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var key = start
        _ = RecordCursor.varint(&key)
        key += 1
        _ = RecordCursor.varint(&key)
        _ = RecordCursor.varint(&key)
        let rest = UnsafeRawBufferPointer(start: key, count: cursor.place - key)
        let length = 1 + Varint.size(delta) + Varint.size(Int(cursor.offsetDelta)) + rest.count
        var place = Varint.store(length, at: place)
        place.storeBytes(of: 0, as: UInt8.self)
        place = Varint.store(delta, at: place + 1)
        place = Varint.store(Int(cursor.offsetDelta), at: place)
        if let start = rest.baseAddress { place.copyMemory(from: start, byteCount: rest.count) }
        return place + rest.count
    }

    private mutating func write(
        _ header: BatchHeader, _ attributes: Int16, count: Int, baseTimestamp: Int64, maxTimestamp: Int64,
        _ payload: UnsafeRawBufferPointer
    ) {
        let total = BatchLayout.headerBytes + payload.count
        if output.capacity < total || output.capacity > max(4 * total, CodecContext.keptScratchBytes) {
            output = ByteBuffer(capacity: max(total, 1 << 16))
        }
        output.count = total
        let base = output.base
        base.store(bigEndian: header.baseOffset, at: BatchLayout.baseOffset)
        base.store(bigEndian: Int32(total - BatchLayout.lengthPrefix), at: BatchLayout.batchLength)
        base.store(bigEndian: header.partitionLeaderEpoch, at: BatchLayout.partitionLeaderEpoch)
        base.store(bigEndian: BatchLayout.currentMagic, at: BatchLayout.magic)
        base.store(bigEndian: attributes, at: BatchLayout.attributes)
        base.store(bigEndian: header.lastOffsetDelta, at: BatchLayout.lastOffsetDelta)
        base.store(bigEndian: baseTimestamp, at: BatchLayout.baseTimestamp)
        base.store(bigEndian: maxTimestamp, at: BatchLayout.maxTimestamp)
        base.store(bigEndian: header.producerID, at: BatchLayout.producerID)
        base.store(bigEndian: header.producerEpoch, at: BatchLayout.producerEpoch)
        base.store(bigEndian: header.baseSequence, at: BatchLayout.baseSequence)
        base.store(bigEndian: Int32(count), at: BatchLayout.recordCount)
        if let start = payload.baseAddress {
            (base + BatchLayout.headerBytes).copyMemory(from: start, byteCount: payload.count)
        }
        base.store(bigEndian: BatchHeader.checksum(of: output.bytes), at: BatchLayout.crc)
    }
}

extension RecordCursor {
    /// The first byte behind the record: the next one's, or the end.
    fileprivate var place: UnsafeRawPointer { position }

    /// The hash of the record's key; nil when it has none.
    func keyHash(_ hash: SipHash) -> KeyHash? {
        guard let key else { return nil }
        return hash.hash(key, count: keyCount)
    }
}
