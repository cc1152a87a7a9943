// What a consumer's loop is handed: a run of records of one partition, checked once, and two ways through it.
//
// (1) A batch is a reference to immutable memory: copying it copies the reference. (2) The bytes were checked
// when it was made; going through them checks nothing. (3) A Record keeps its batch alive; a RecordView is
// borrowed from it and counts nothing.

public import SluiceLog

/// A run of records of one partition.
///
/// ```swift
/// for record in batch { try await handle(record) }    // Values: store them, send them.
///
/// var records = batch.records                         // Borrowed: the fastest.
/// while let record = records.next() { sum += record.value?.byteCount ?? 0 }
/// ```
@frozen
public struct RecordBatch: Sequence, Sendable {
    @usableFromInline let storage: BatchStorage

    init(_ storage: BatchStorage) { self.storage = storage }

    /// The partition that the records are in.
    public var topicPartition: TopicPartition { storage.topicPartition }
    /// The offset of the first record.
    public var baseOffset: Offset { Offset(storage.firstOffset) }
    /// One past the last record: where a reader goes on, also where records have been removed.
    public var nextOffset: Offset { Offset(storage.decoded.header.nextOffset) }
    /// Bytes of the records, decompressed.
    public var byteCount: Int { storage.decoded.records.count }
    /// Bytes that the whole batch takes in its segment.
    public var storedByteCount: Int { storage.decoded.header.totalBytes }
    /// Whether it was known to survive a loss of power when it was read.
    ///
    /// False on a topic with `sluice.durability=written` until the log is synced, and for what a
    /// `ReadOnlyStore` shows beyond the durable end because it was asked to.
    public var isDurable: Bool { storage.isDurable }
    /// Whether it has no records; a consumer yields no such batch.
    public var isEmpty: Bool { storage.start.remaining == 0 }
    /// How many records it has.
    public var count: Int { storage.start.remaining }

    /// Goes through the records as values.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(storage) }

    /// The records, borrowed: see `RecordView`.
    @inlinable
    public var records: Records {
        @_lifetime(borrow self)
        get {
            let records = Records(Unmanaged.passUnretained(storage), storage.start)
            return unsafe _overrideLifetime(records, borrowing: self)
        }
    }

    /// Goes through the records as values.
    @frozen
    public struct Iterator: IteratorProtocol {
        @usableFromInline let storage: BatchStorage
        @usableFromInline var cursor: RecordCursor

        @inlinable
        init(_ storage: BatchStorage) {
            self.storage = storage
            cursor = storage.start
        }

        /// The next record, or nil behind the last.
        @inlinable @inline(__always)
        public mutating func next() -> Record? {
            guard cursor.next() else { return nil }
            return Record(storage, cursor)
        }
    }
}

/// The memory of a batch. A class, so that records can keep it. `@unchecked Sendable`: nothing in it changes,
/// and the cursor's pointers are into memory that it holds.
@usableFromInline
final class BatchStorage: @unchecked Sendable {
    @usableFromInline let topicPartition: TopicPartition
    let decoded: DecodedBatch
    /// Before the first record that the reader asked for.
    @usableFromInline let start: RecordCursor
    let firstOffset: Int64
    let isDurable: Bool

    init(
        _ topicPartition: TopicPartition, _ decoded: DecodedBatch, from offset: Int64, isDurable: Bool = true
    ) {
        self.isDurable = isDurable
        self.topicPartition = topicPartition
        self.decoded = decoded
        start = decoded.cursor(from: offset)
        firstOffset = Swift.max(offset, decoded.header.baseOffset)
    }
}

/// One record, as an ordinary value: store it, send it, await with it. It keeps its batch in memory.
@frozen
public struct Record: Sendable {
    @usableFromInline let storage: BatchStorage
    @usableFromInline let fields: RecordFields

    @inlinable @inline(__always)
    init(_ storage: BatchStorage, _ cursor: RecordCursor) {
        self.storage = storage
        fields = RecordFields(cursor)
    }

    @usableFromInline
    init(_ storage: BatchStorage, _ fields: RecordFields) {
        self.storage = storage
        self.fields = fields
    }

    /// Its place in the partition.
    @inlinable public var offset: Offset { Offset(fields.offset) }
    /// The producer's time, or the log's with message.timestamp.type=LogAppendTime.
    @inlinable public var timestamp: Timestamp { Timestamp(millisecondsSince1970: fields.timestamp) }
    /// The partition that it is in.
    @inlinable public var topicPartition: TopicPartition { storage.topicPartition }
    /// Whether the value is null, which on a compacted topic deletes the key.
    @inlinable public var isTombstone: Bool { fields.value == nil }

    /// The key's bytes, borrowed from the record; nil is Kafka's null.
    @inlinable
    public var key: RawSpan? {
        @_lifetime(borrow self)
        get { fields.span(fields.key, fields.keyCount) }
    }

    /// The value's bytes, borrowed from the record; nil is Kafka's null.
    @inlinable
    public var value: RawSpan? {
        @_lifetime(borrow self)
        get { fields.span(fields.value, fields.valueCount) }
    }

    /// The key as a string, a copy; bytes that are not UTF-8 become U+FFFD.
    @inlinable public var keyString: String? { fields.string(fields.key, fields.keyCount) }
    /// The value as a string, a copy; bytes that are not UTF-8 become U+FFFD.
    @inlinable public var valueString: String? { fields.string(fields.value, fields.valueCount) }
    /// The headers, copied; empty when there are none.
    public var headers: [RecordHeader] { RecordCursor.headers(at: fields.headers) }
}

/// One record, borrowed from its batch: nothing is counted, and it cannot outlive the batch.
@frozen
public struct RecordView: ~Escapable {
    @usableFromInline let storage: Unmanaged<BatchStorage>
    @usableFromInline let fields: RecordFields

    @inlinable @inline(__always)
    @_lifetime(immortal)
    init(_ storage: Unmanaged<BatchStorage>, _ cursor: RecordCursor) {
        self.storage = storage
        fields = RecordFields(cursor)
    }

    /// Its place in the partition.
    @inlinable public var offset: Offset { Offset(fields.offset) }
    /// The producer's time, or the log's with message.timestamp.type=LogAppendTime.
    @inlinable public var timestamp: Timestamp { Timestamp(millisecondsSince1970: fields.timestamp) }
    /// The partition that it is in.
    public var topicPartition: TopicPartition { storage._withUnsafeGuaranteedRef { $0.topicPartition } }
    /// Whether the value is null.
    @inlinable public var isTombstone: Bool { fields.value == nil }

    /// The key's bytes; nil is Kafka's null.
    @inlinable
    public var key: RawSpan? {
        @_lifetime(copy self)
        get {
            guard let start = fields.key else { return nil }
            let span = RawSpan(_unsafeStart: start, byteCount: fields.keyCount)
            return unsafe _overrideLifetime(span, copying: self)
        }
    }

    /// The value's bytes; nil is Kafka's null.
    @inlinable
    public var value: RawSpan? {
        @_lifetime(copy self)
        get {
            guard let start = fields.value else { return nil }
            let span = RawSpan(_unsafeStart: start, byteCount: fields.valueCount)
            return unsafe _overrideLifetime(span, copying: self)
        }
    }

    /// The key as a string, a copy.
    @inlinable public var keyString: String? { fields.string(fields.key, fields.keyCount) }
    /// The value as a string, a copy.
    @inlinable public var valueString: String? { fields.string(fields.value, fields.valueCount) }
    /// The headers, copied.
    public var headers: [RecordHeader] { RecordCursor.headers(at: fields.headers) }

    /// The record as a value that may outlive the loop.
    public func keep() -> Record { Record(storage.takeUnretainedValue(), fields) }
}

/// The records of a batch, borrowed one after another.
@frozen
public struct Records: ~Escapable {
    @usableFromInline let storage: Unmanaged<BatchStorage>
    @usableFromInline var cursor: RecordCursor

    @inlinable
    @_lifetime(immortal)
    init(_ storage: Unmanaged<BatchStorage>, _ cursor: RecordCursor) {
        self.storage = storage
        self.cursor = cursor
    }

    /// The next record, or nil behind the last.
    @inlinable @inline(__always)
    @_lifetime(copy self)
    public mutating func next() -> RecordView? {
        guard cursor.next() else { return nil }
        let view = RecordView(storage, cursor)
        return unsafe _overrideLifetime(view, copying: self)
    }
}
