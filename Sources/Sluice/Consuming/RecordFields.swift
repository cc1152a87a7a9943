// Where the parts of a record are: what Record and RecordView have in common.
//
// The pointers point into a batch that has been checked, and that whoever holds the fields keeps alive.

public import SluiceLog

/// The parts of one record, as addresses in its batch. `@unchecked Sendable`: the memory is immutable.
@frozen
@usableFromInline
struct RecordFields: @unchecked Sendable {
    @usableFromInline let offset: Int64
    @usableFromInline let timestamp: Int64
    @usableFromInline let key: UnsafeRawPointer?
    @usableFromInline let keyCount: Int
    @usableFromInline let value: UnsafeRawPointer?
    @usableFromInline let valueCount: Int
    @usableFromInline let headers: UnsafeRawPointer

    @inlinable @inline(__always)
    init(_ cursor: RecordCursor) {
        offset = cursor.offset
        timestamp = cursor.timestamp
        key = cursor.key
        keyCount = cursor.keyCount
        value = cursor.value
        valueCount = cursor.valueCount
        headers = cursor.headerStart
    }

    /// The bytes as a span. The caller ties its lifetime to the batch.
    @inlinable @inline(__always)
    @_lifetime(borrow self)
    func span(_ start: UnsafeRawPointer?, _ count: Int) -> RawSpan? {
        guard let start else { return nil }
        let span = RawSpan(_unsafeStart: start, byteCount: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    @inlinable
    func string(_ start: UnsafeRawPointer?, _ count: Int) -> String? {
        guard let start else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}
