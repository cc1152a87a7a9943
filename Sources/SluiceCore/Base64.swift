// Base64 by RFC 4648, section 4: with padding, and no other character.

import SluiceLog

package enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The bytes as text.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(count(of: bytes.count))
        encode(bytes.span.bytes) { text.append($0) }
        return text
    }

    /// Gives each character of the text to `put`.
    package static func encode(_ bytes: RawSpan, _ put: (UInt8) -> Void) {
        for start in stride(from: 0, to: bytes.byteCount, by: 3) {
            let left = min(3, bytes.byteCount - start)
            var bits: UInt32 = 0
            for index in 0..<3 {
                bits = bits << 8 | (index < left ? UInt32(bytes.bigEndian(UInt8.self, at: start + index)) : 0)
            }
            for digit in 0..<4 {
                put(digit > left ? UInt8(ascii: "=") : digits[Int(bits >> (18 - 6 * UInt32(digit))) & 63])
            }
        }
    }

    /// Characters of the text for so many bytes.
    package static func count(of bytes: Int) -> Int { (bytes + 2) / 3 * 4 }

    /// The bytes that the text stands for; nil when it is no base64. Bits that nothing stands for are zero.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var (bits, count, padding) = (UInt32(0), 0, 0)
        for character in text {
            if character == UInt8(ascii: "=") {
                padding += 1
                bits <<= 6
            } else {
                guard padding == 0, let value = value(of: character) else { return nil }
                bits = bits << 6 | value
            }
            count += 1
            guard count % 4 == 0 else { continue }
            guard padding <= 2, padding == 0 || count == text.count else { return nil }
            let group = [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
            guard group.suffix(padding).allSatisfy({ $0 == 0 }) else { return nil }
            bytes += group.dropLast(padding)
            bits = 0
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
