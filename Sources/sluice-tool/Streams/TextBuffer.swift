// Bytes on their way out: what records are printed into before they are written.
//
// (1) It grows to what the largest record needs, and keeps that. (2) Whoever prints asks for room once per
// record part (`reserve`) and then puts bytes without a check each. (3) How many bytes are in use is counted
// here, not in the buffer: a property of a class is checked for exclusive access each time, which was a third
// of the time that printing took (2026-11-24).

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
    /// The memory. For the extensions of this type.
    private(set) var memory: ByteBuffer
    /// How much of it is in use. The extensions of this type set it, to what they have stored.
    var count = 0

    init(capacity: Int = 128 << 10) { memory = ByteBuffer(capacity: capacity) }

    /// What has been put in since the last `removeAll`.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: .init(memory.base), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// A copy, for tests and short texts.
    var string: String { bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

    mutating func removeAll() { count = 0 }

    /// Makes room for `more` bytes.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if memory.capacity - count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let larger = ByteBuffer(capacity: max(memory.capacity * 2, count + more))
        memcpy(larger.base, memory.base, count)
        memory = larger
    }

    /// Adds one byte. There is room.
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        assert(count < memory.capacity)
        memory.base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Adds one byte.
    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1)
        put(byte)
    }

    /// Adds a copy of `bytes`.
    @inline(__always)
    mutating func append(_ bytes: RawSpan) {
        reserve(bytes.byteCount)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            memcpy(memory.base + count, start, source.count)
        }
        count += bytes.byteCount
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
        count += digits
        var place = count
        repeat {
            place -= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            memory.base.storeBytes(of: UInt8(ascii: "0") + UInt8(digit), toByteOffset: place, as: UInt8.self)
            rest = quotient
        } while rest > 0
    }
}
#endif
