// JSON strings, by RFC 8259, and base64, by RFC 4648.

#if Tool
import SluiceCore
import SluiceLog

extension TextBuffer {
    /// Adds `"name":` and the bytes as a string, `null`, or `"name_base64":` when they are not UTF-8.
    mutating func append(member name: String, _ bytes: RawSpan?) {
        append(UInt8(ascii: "\""))
        append(name)
        guard let bytes else { return append("\":null") }
        switch TextCheck.kind(of: bytes) {
        case .plain:
            append("\":\"")
            append(bytes)
        case .text:
            append("\":\"")
            append(escaped: bytes)
        case .binary:
            append("_base64\":\"")
            append(base64: bytes)
        }
        append(UInt8(ascii: "\""))
    }

    /// Adds the bytes as the inside of a JSON string. They are UTF-8.
    ///
    /// A value that is JSON itself has a quote every few bytes: the place is a local variable, and a word
    /// that ends in a byte to be escaped is stored whole all the same, to be overwritten from there. Twice as
    /// fast as byte by byte.
    mutating func append(escaped bytes: RawSpan) {
        reserve(6 * bytes.byteCount + 8)
        let base = memory.base
        var place = count
        var index = 0
        while index + 8 <= bytes.byteCount {
            let word = bytes.word(at: index)
            base.storeBytes(of: word.littleEndian, toByteOffset: place, as: UInt64.self)
            let mask = TextCheck.escaped(word)
            let plain = mask == 0 ? 8 : mask.trailingZeroBitCount / 8
            place += plain
            index += plain
            if mask != 0 {
                place += Self.store(escape: bytes.byte(at: index), at: place, in: memory)
                index += 1
            }
        }
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if TextCheck.isEscaped(byte) {
                place += Self.store(escape: byte, at: place, in: memory)
            } else {
                base.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
                place += 1
            }
            index += 1
        }
        count = place
    }

    /// Stores what stands for a byte that must be escaped, and returns how many bytes that is. There is room
    /// for eight.
    @inline(__always)
    private static func store(escape byte: UInt8, at place: Int, in memory: ByteBuffer) -> Int {
        let letter: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): letter = byte
        case UInt8(ascii: "\n"): letter = UInt8(ascii: "n")
        case UInt8(ascii: "\t"): letter = UInt8(ascii: "t")
        case UInt8(ascii: "\r"): letter = UInt8(ascii: "r")
        default:
            // \u00 and two digits, as a little-endian word.
            let digits = UInt64(hexadecimal(byte >> 4)) << 32 | UInt64(hexadecimal(byte & 0xF)) << 40
            memory.base.storeBytes(
                of: (0x3030_755C | digits).littleEndian, toByteOffset: place, as: UInt64.self)
            return 6
        }
        let pair = UInt16(UInt8(ascii: "\\")) | UInt16(letter) << 8
        memory.base.storeBytes(of: pair.littleEndian, toByteOffset: place, as: UInt16.self)
        return 2
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + (digit - 10)
    }

    /// Adds the bytes in base64, with padding.
    mutating func append(base64 bytes: RawSpan) {
        reserve(Base64.count(of: bytes.byteCount))
        Base64.encode(bytes) { put($0) }
    }
}
#endif
