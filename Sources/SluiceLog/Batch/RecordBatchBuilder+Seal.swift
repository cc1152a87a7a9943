// From encoded records to the bytes of a batch.

/// A whole batch, ready to be given its place in a log.
public struct SealedBatch: Sendable {
    /// The batch, header and records, and nothing else. Base offset and leader epoch are 0 until `assign`.
    public var bytes: ByteBuffer
    /// The number of records.
    public var recordCount: Int
    /// The greatest timestamp, in ms.
    public var maxTimestamp: Int64
    /// Bytes of the records before compression.
    public var rawBytes: Int
}

/// The fields by which an idempotent producer's batches are told apart.
public struct ProducerSequence: Sendable, Hashable {
    /// The producer's id, or -1.
    public var producerID: Int64
    /// Its epoch, or -1.
    public var epoch: Int16
    /// The sequence number of the batch's first record, or -1.
    public var baseSequence: Int32

    /// The sequence of a producer with an id.
    public init(producerID: Int64, epoch: Int16, baseSequence: Int32) {
        self.producerID = producerID
        self.epoch = epoch
        self.baseSequence = baseSequence
    }

    /// No idempotence: -1 in each field.
    public static let none = ProducerSequence(producerID: -1, epoch: -1, baseSequence: -1)
}

extension RecordBatchBuilder {
    /// Below this many bytes compression gains less than its time costs.
    static let minBytesToCompress = 512

    /// Makes the records a batch and leaves the builder empty; there must be at least one.
    ///
    /// Compresses by `codec`, unless the records take less than 512 bytes or do not shrink: then they are
    /// stored plain, and the batch says so. The one allocation is the result.
    public mutating func seal(
        _ codec: Codec, with context: inout CodecContext, producer: ProducerSequence = .none
    ) -> SealedBatch {
        precondition(!isEmpty, "an empty batch cannot be sealed")
        let records = UnsafeRawBufferPointer(start: memory + BatchLayout.headerBytes, count: used)
        let compressed = used < Self.minBytesToCompress ? nil : context.compress(records, codec)
        let payload = compressed ?? records
        writeHeader(
            recordsBytes: payload.count, attributes: compressed == nil ? 0 : Int16(codec.rawValue), producer)

        let bytes = ByteBuffer(capacity: BatchLayout.headerBytes + payload.count)
        bytes.base.copyMemory(from: memory, byteCount: BatchLayout.headerBytes)
        (bytes.base + BatchLayout.headerBytes).copyMemory(
            from: payload.baseAddress!, byteCount: payload.count)
        bytes.count = bytes.capacity
        bytes.base.store(bigEndian: BatchHeader.checksum(of: bytes.bytes), at: BatchLayout.crc)
        let sealed = SealedBatch(
            bytes: bytes, recordCount: recordCount, maxTimestamp: maxTimestamp, rawBytes: used)
        removeAll()
        return sealed
    }

    /// Writes all fields but the CRC in front of the records.
    private func writeHeader(recordsBytes: Int, attributes: Int16, _ producer: ProducerSequence) {
        let length = Int32(BatchLayout.minBatchLength + recordsBytes)
        memory.store(bigEndian: Int64(0), at: BatchLayout.baseOffset)
        memory.store(bigEndian: length, at: BatchLayout.batchLength)
        memory.store(bigEndian: Int32(0), at: BatchLayout.partitionLeaderEpoch)
        memory.store(bigEndian: BatchLayout.currentMagic, at: BatchLayout.magic)
        memory.store(bigEndian: UInt32(0), at: BatchLayout.crc)
        memory.store(bigEndian: attributes, at: BatchLayout.attributes)
        memory.store(bigEndian: Int32(recordCount - 1), at: BatchLayout.lastOffsetDelta)
        memory.store(bigEndian: baseTimestamp, at: BatchLayout.baseTimestamp)
        memory.store(bigEndian: maxTimestamp, at: BatchLayout.maxTimestamp)
        memory.store(bigEndian: producer.producerID, at: BatchLayout.producerID)
        memory.store(bigEndian: producer.epoch, at: BatchLayout.producerEpoch)
        memory.store(bigEndian: producer.baseSequence, at: BatchLayout.baseSequence)
        memory.store(bigEndian: Int32(recordCount), at: BatchLayout.recordCount)
    }
}
