// A stored batch, checked once as a whole, so that everything after may trust its bytes.
//
// (1) One that exists is valid by the rule in BatchLayout.swift. (2) `records` is a slice of the stored
// bytes when the batch is plain: nothing is copied. (3) Immutable; its memory lives as long as a copy of it
// does.

/// The records of one batch, decompressed and validated.
public struct DecodedBatch: Sendable {
    /// The batch's header.
    public let header: BatchHeader
    /// The records area, uncompressed. Keeps its buffer alive.
    public let records: ByteSlice

    /// Checks and decompresses one whole stored batch.
    ///
    /// - Parameters:
    ///   - stored: exactly one batch; nobody writes to its buffer while this value or a copy lives.
    ///   - context: working memory for the codec.
    ///   - maxBytes: what the records may take uncompressed.
    ///   - spare: a buffer to decompress into, if it is large enough; nobody else refers to it.
    ///
    /// Throws `truncated` or `trailingBytes` when `stored` is not as long as its header says; `crc`; the
    /// errors of `BatchHeader`; `decompression` and `tooLarge`; `count`, `malformedRecord` or `trailingBytes`
    /// for the records.
    public init(
        _ stored: ByteSlice, with context: inout CodecContext, maxBytes: Int, reusing spare: ByteBuffer? = nil
    ) throws(BatchError) {
        let bytes = stored.pointer
        header = try BatchHeader(stored.bytes)
        guard bytes.count >= header.totalBytes else {
            throw .truncated(needed: header.totalBytes, available: bytes.count)
        }
        guard bytes.count == header.totalBytes else { throw .trailingBytes(bytes.count - header.totalBytes) }
        let computed = BatchHeader.checksum(of: stored.bytes)
        guard header.crc == computed else { throw .crc(stored: header.crc, computed: computed) }

        let area = ByteSlice(
            stored.buffer, start: stored.start + BatchLayout.headerBytes,
            count: stored.count - BatchLayout.headerBytes)
        if header.codec == .none || (header.recordCount == 0 && area.count == 0) {
            guard area.count <= maxBytes else { throw .tooLarge(bytes: area.count, limit: maxBytes) }
            records = area
        } else {
            records = ByteSlice(
                try context.decompress(area, header.codec, maxBytes: maxBytes, reusing: spare))
        }
        try RecordValidator.validate(
            records.pointer, count: Int(header.recordCount), lastOffsetDelta: Int(header.lastOffsetDelta))
    }

    /// A cursor before the first record. Valid as long as this value, or a copy of it, is alive.
    public var cursor: RecordCursor {
        RecordCursor(UnsafeRawPointer(records.buffer.base) + records.start, of: header)
    }

    /// A cursor whose first `next()` gives the first record with an offset of at least `offset`.
    ///
    /// - Complexity: O(n) in the records before it; O(1) at or below the base offset.
    public func cursor(from offset: Int64) -> RecordCursor {
        var next = cursor
        guard offset > header.baseOffset else { return next }
        while true {
            let before = next
            guard next.next(), next.offset < offset else { return before }
        }
    }

    /// Offset and timestamp of the first record with a timestamp of at least `timestamp`; nil when there is
    /// none.
    ///
    /// - Complexity: O(n), since timestamps need not rise.
    public func firstRecord(atOrAfter timestamp: Int64) -> (offset: Int64, timestamp: Int64)? {
        var cursor = cursor
        while cursor.next() {
            if cursor.timestamp >= timestamp { return (cursor.offset, cursor.timestamp) }
        }
        return nil
    }
}
