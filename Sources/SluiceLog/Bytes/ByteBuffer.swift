// Owned raw memory of a fixed capacity, and slices of it.
//
// (1) The memory is allocated once and freed with the object. (2) `count <= capacity`; bytes below `count`
// are initialised. (3) Not synchronised: one owner writes; when it has been handed over (to the volume, to a
// reader) nobody writes.

/// A block of bytes on the heap with a fixed capacity: what batches are built in, read into and written from.
///
/// A class, since a batch travels from a producer through the volume's queue to a thread that writes it, and
/// several parties hold it for a while. `@unchecked Sendable`: see (3); hand-over happens under the volume's
/// lock.
public final class ByteBuffer: @unchecked Sendable {
    @usableFromInline package let base: UnsafeMutableRawPointer
    /// The number of bytes that fit.
    public let capacity: Int
    /// The number of bytes in use, from the start.
    public package(set) final var count: Int

    /// An empty buffer that holds up to `capacity` bytes, 16-byte aligned.
    public init(capacity: Int) {
        self.capacity = max(capacity, 1)
        base = .allocate(byteCount: self.capacity, alignment: 16)
        count = 0
    }

    /// A buffer that holds a copy of `bytes`.
    public convenience init(_ bytes: some Collection<UInt8>) {
        self.init(capacity: bytes.count)
        UnsafeMutableRawBufferPointer(start: base, count: capacity).copyBytes(from: bytes)
        count = bytes.count
    }

    deinit { base.deallocate() }

    /// A larger buffer with the same bytes in use. `capacity` is not below their count.
    package func grown(to capacity: Int) -> ByteBuffer {
        precondition(capacity >= count)
        let larger = ByteBuffer(capacity: capacity)
        larger.base.copyMemory(from: base, byteCount: count)
        larger.count = count
        return larger
    }

    /// The bytes in use.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: UnsafeRawPointer(base), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The bytes in use as an array: a copy, for tests and small records.
    public var array: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: count)) }
}

/// Some bytes of a buffer that is kept alive by it: what is written to a file.
public struct ByteSlice: Sendable {
    public let buffer: ByteBuffer
    public var start: Int
    public var count: Int

    /// All bytes in use of `buffer`.
    public init(_ buffer: ByteBuffer) {
        self.buffer = buffer
        start = 0
        count = buffer.count
    }

    /// `count` bytes of `buffer` from `start`; both within its bytes in use.
    public init(_ buffer: ByteBuffer, start: Int, count: Int) {
        precondition(start >= 0 && count >= 0 && start + count <= buffer.count)
        self.buffer = buffer
        self.start = start
        self.count = count
    }

    package var pointer: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(buffer.base) + start, count: count)
    }

    /// A copy of the bytes, for tests and small records.
    public var array: [UInt8] { [UInt8](pointer) }
}
