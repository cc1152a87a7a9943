// Integers in network byte order, over raw memory, spans and buffers.
//
// (1) Unaligned: a field may start at any byte. (2) The pointer forms do not check; the span and buffer
// forms trap when a field would leave the bytes in use, so a decoder compares lengths first and throws.

extension UnsafeRawPointer {
    /// The integer whose big-endian bytes start `offset` bytes from here. Not checked.
    @inlinable @inline(__always)
    package func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: Int)
        -> T
    {
        T(bigEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension UnsafeMutableRawPointer {
    /// Stores the big-endian bytes of `value`, `offset` bytes from here. Not checked.
    @inlinable @inline(__always)
    package func store<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self)
    }
}

extension RawSpan {
    /// The integer whose big-endian bytes start at `offset`; traps when they are not all in the span.
    @inlinable @inline(__always)
    package func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self, at offset: Int)
        -> T
    {
        T(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension ByteBuffer {
    /// The integer whose big-endian bytes start at `offset`, all within the bytes in use.
    @inlinable @inline(__always)
    package final func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type = T.self, at offset: Int
    ) -> T {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count)
        return UnsafeRawPointer(base).bigEndian(T.self, at: offset)
    }

    /// Replaces bytes in use, from `offset`, by the big-endian bytes of `value`.
    @inlinable @inline(__always)
    package final func store<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count)
        base.store(bigEndian: value, at: offset)
    }

    /// Adds the big-endian bytes of `value`; there must be room.
    package final func append<T: FixedWidthInteger & BitwiseCopyable>(bigEndian value: T) {
        precondition(count + MemoryLayout<T>.size <= capacity)
        base.store(bigEndian: value, at: count)
        count += MemoryLayout<T>.size
    }

    /// Adds a copy of `bytes`; there must be room.
    package final func append(_ bytes: RawSpan) {
        precondition(bytes.byteCount <= capacity - count)
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: base + count, count: source.count).copyMemory(from: source)
        }
        count += bytes.byteCount
    }
}

extension ByteSlice {
    /// The bytes, borrowed from the slice, which keeps their buffer alive.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: UnsafeRawPointer(buffer.base) + start, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

extension RawSpan {
    /// Whether both hold the same bytes.
    package func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var index = 0
        while index + 8 <= byteCount {
            guard bigEndian(UInt64.self, at: index) == other.bigEndian(UInt64.self, at: index) else {
                return false
            }
            index += 8
        }
        while index < byteCount {
            guard bigEndian(UInt8.self, at: index) == other.bigEndian(UInt8.self, at: index) else {
                return false
            }
            index += 1
        }
        return true
    }
}
