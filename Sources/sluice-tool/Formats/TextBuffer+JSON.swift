// JSON strings, by RFC 8259, and base64, by RFC 4648.

#if Tool
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
    mutating func append(escaped bytes: RawSpan) {
        // A byte becomes six at most; a word is stored whole even when only its beginning counts.
        reserve(6 * bytes.byteCount + 8)
        var index = 0
        while index + 8 <= bytes.byteCount {
            let word = bytes.word(at: index)
            let mask = TextCheck.escaped(word)
            let plain = mask == 0 ? 8 : mask.trailingZeroBitCount / 8
            put(word, count: plain)
            index += plain
            if mask != 0 {
                put(escape: bytes.byte(at: index))
                index += 1
            }
        }
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if TextCheck.isEscaped(byte) { put(escape: byte) } else { put(byte) }
            index += 1
        }
    }

    /// Adds a byte that must be escaped. There is room for six.
    private mutating func put(escape byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
        case UInt8(ascii: "\n"): put(UInt8(ascii: "n"))
        case UInt8(ascii: "\t"): put(UInt8(ascii: "t"))
        case UInt8(ascii: "\r"): put(UInt8(ascii: "r"))
        default:
            put(UInt8(ascii: "u"))
            put(UInt8(ascii: "0"))
            put(UInt8(ascii: "0"))
            put(hexadecimal: byte >> 4)
            put(hexadecimal: byte & 0xF)
        }
    }

    private mutating func put(hexadecimal digit: UInt8) {
        put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + (digit - 10))
    }

    /// Adds the bytes in base64, with padding.
    mutating func append(base64 bytes: RawSpan) {
        reserve((bytes.byteCount + 2) / 3 * 4)
        var index = 0
        while index < bytes.byteCount {
            let left = min(3, bytes.byteCount - index)
            var group: UInt32 = 0
            for place in 0..<3 {
                group = group << 8 | (place < left ? UInt32(bytes.byte(at: index + place)) : 0)
            }
            for place in 0..<4 {
                let digit = UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * place)) & 0x3F
                put(place <= left ? Self.base64Digit(digit) : UInt8(ascii: "="))
            }
            index += left
        }
    }

    private static func base64Digit(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: UInt8(ascii: "A") + value
        case 26..<52: UInt8(ascii: "a") + (value - 26)
        case 52..<62: UInt8(ascii: "0") + (value - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
#endif
