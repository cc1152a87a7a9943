// What can be a key or a value of a record, and how a producer gets at its bytes.
//
// (1) The bytes are lent for one call and copied into the batch before it returns: nothing is retained,
// allocated or owned. (2) Everything here is inlinable, since it runs per record in the client's module,
// where the type is known: what is left of `withRecordBytes` is an address and a count, without a retain or a
// call. (3) No raw pointer is kept or named.

/// What can be the key or the value of a record: some bytes, or Kafka's null.
///
/// One line conforms a type of your own:
/// ```swift
/// struct OrderID: RecordBytes {
///     var text: String
///     func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
///         try text.withRecordBytes(body)
///     }
/// }
/// ```
public protocol RecordBytes: ~Copyable, ~Escapable {
    /// Calls `body` once with the bytes, or with nil for null, and returns what it returns.
    ///
    /// The span is valid until `body` returns. No bytes are not null: an empty string is a span of length 0.
    borrowing func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R
}

/// No bytes at all: Kafka's null. A record without key has it as key; as value it is a tombstone.
@frozen
public struct NullBytes: RecordBytes, Hashable, Sendable, BitwiseCopyable {
    /// Null.
    @inlinable public init() {}

    /// Lends nothing.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try body(nil)
    }
}

extension RecordBytes where Self == NullBytes {
    /// Kafka's null. `nil` cannot be inferred here, since it could be null of any type.
    @inlinable public static var null: NullBytes { NullBytes() }
}

extension String: RecordBytes {
    /// Lends the string's UTF-8.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try utf8.withContiguousBytes(body)
    }
}

extension Substring: RecordBytes {
    /// Lends the substring's UTF-8.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try utf8.withContiguousBytes(body)
    }
}

extension [UInt8]: RecordBytes {
    /// Lends the array's elements.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try withUnsafeBufferPointer { bytes throws(E) in try body(bytes.span.bytes) }
    }
}

extension ArraySlice<UInt8>: RecordBytes {
    /// Lends the slice's elements.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try body(span.bytes)
    }
}

extension RawSpan: RecordBytes {
    /// Lends itself.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try body(self)
    }
}

extension Span<UInt8>: RecordBytes {
    /// Lends the elements.
    @inlinable public func withRecordBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        try body(bytes)
    }
}

extension Optional: RecordBytes where Wrapped: RecordBytes & ~Copyable & ~Escapable {
    /// Lends what is inside; nil is null.
    @inlinable public borrowing func withRecordBytes<R, E: Error>(
        _ body: (RawSpan?) throws(E) -> R
    ) throws(E) -> R {
        switch self {
        case .some(let wrapped): try wrapped.withRecordBytes(body)
        case nil: try body(nil)
        }
    }
}

extension Collection<UInt8> {
    /// Lends the elements where they are, or a copy where they are not contiguous (a string of Cocoa's).
    ///
    /// Not `utf8.span`: its getter is a call into the standard library, 4 ns a string (2026-11-24), and needs
    /// macOS 26.
    @inlinable @inline(__always)
    func withContiguousBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws(E) -> R {
        let lent = withContiguousStorageIfAvailable { bytes -> Result<R, E> in
            do throws(E) {
                return .success(try body(bytes.span.bytes))
            } catch {
                return .failure(error)
            }
        }
        if let lent { return try lent.get() }
        return try Array(self).withRecordBytes(body)
    }
}
