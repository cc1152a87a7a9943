// Batches that the log writes for itself; applications never see them.
//
//   record key    version i16 (0) · type i16: 0 ABORT        record value   version i16 (0) ·
//   coordinator_epoch i32 (0)

/// Control batches.
public enum ControlBatch {
    /// Bytes that one takes at most: a header, and a record whose offset has five bytes.
    package static let mostBytes = BatchLayout.headerBytes + 21

    /// A batch that takes `count` offsets and holds nothing for applications: it fills a gap that recovery
    /// must leave.
    ///
    /// One ABORT marker of no producer, which every Kafka client steps over. The marker takes the gap's last
    /// offset, so a client that counts from the last record it saw goes on behind the gap too.
    /// - Parameters:
    ///   - count: the length of the gap, 1 to Int32.max.
    ///   - timestamp: ms since 1970.
    public static func spanning(_ count: Int, timestamp: Int64) -> SealedBatch {
        precondition(count >= 1 && count <= Int(Int32.max))
        var builder = RecordBatchBuilder(rawCapacity: 64)
        let (key, value): ([UInt8], [UInt8]) = ([0, 0, 0, 0], [0, 0, 0, 0, 0, 0])
        let fits = builder.append(
            offsetDelta: count - 1, timestamp: timestamp, key: key.span.bytes, value: value.span.bytes,
            headers: [])
        assert(fits)
        var context = CodecContext()
        let sealed = builder.seal(.none, with: &context)
        assert(sealed.bytes.count <= mostBytes)
        let base = sealed.bytes.base
        base.store(
            bigEndian: BatchAttributes.transactional | BatchAttributes.control, at: BatchLayout.attributes)
        base.store(bigEndian: Int32(count - 1), at: BatchLayout.lastOffsetDelta)
        base.store(bigEndian: BatchHeader.checksum(of: sealed.bytes.bytes), at: BatchLayout.crc)
        return sealed
    }
}
