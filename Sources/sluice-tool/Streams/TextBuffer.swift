// Bytes on their way out: what records are printed into before they are written.
//
// (1) It grows to what the largest record needs, and keeps that. (2) Whoever prints asks for room once per
// record part (`reserve`) and then puts bytes without a check each.

#if Tool
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import SluiceLog

/// A run of bytes that grows at its end.
struct TextBuffer: ~Copyable {
    /// The memory; `count` of it is in use. For the extensions of this type.
    private(set) var buffer: ByteBuffer

    init(capacity: Int = 128 << 10) { buffer = ByteBuffer(capacity: capacity) }

    var count: Int { buffer.count }

    /// What has been put in since the last `removeAll`.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = buffer.bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// A copy, for tests and short texts.
    var string: String { String(decoding: buffer.array, as: UTF8.self) }

    mutating func removeAll() { buffer.count = 0 }

    /// Makes room for `count` more bytes.
    @inline(__always)
    mutating func reserve(_ count: Int) {
        if buffer.capacity - buffer.count < count { grow(count) }
    }

    @inline(never)
    private mutating func grow(_ count: Int) {
        let larger = ByteBuffer(capacity: max(buffer.capacity * 2, buffer.count + count))
        larger.append(buffer.bytes)
        buffer = larger
    }

    /// Adds one byte. There is room.
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        assert(buffer.count < buffer.capacity)
        buffer.base.storeBytes(of: byte, toByteOffset: buffer.count, as: UInt8.self)
        buffer.count += 1
    }

    /// Adds a copy of `bytes`.
    @inline(__always)
    mutating func append(_ bytes: RawSpan) {
        reserve(bytes.byteCount)
        put(bytes, 0..<bytes.byteCount)
    }

    /// Adds a copy of a part of `bytes`. There is room.
    @inline(__always)
    mutating func put(_ bytes: RawSpan, _ range: Range<Int>) {
        assert(range.upperBound <= bytes.byteCount && range.count <= buffer.capacity - buffer.count)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress, !range.isEmpty else { return }
            memcpy(buffer.base + buffer.count, start + range.lowerBound, range.count)
        }
        buffer.count += range.count
    }

    /// Adds one byte.
    mutating func append(_ byte: UInt8) {
        reserve(1)
        put(byte)
    }

    /// Adds the UTF-8 of `text`.
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append($0.span.bytes) }
    }

    /// Adds `number` in decimal.
    mutating func append(decimal number: Int64) {
        reserve(20)
        if number < 0 { put(UInt8(ascii: "-")) }
        var rest = number.magnitude
        var digits = 1
        var limit: UInt64 = 10
        while digits < 20, rest >= limit {
            digits += 1
            limit = digits < 20 ? limit &* 10 : .max
        }
        buffer.count += digits
        var place = buffer.count
        repeat {
            place -= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            buffer.base.storeBytes(of: UInt8(ascii: "0") + UInt8(digit), toByteOffset: place, as: UInt8.self)
            rest = quotient
        } while rest > 0
    }
}
#endif
