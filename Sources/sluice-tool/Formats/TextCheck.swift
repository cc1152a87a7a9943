// Which bytes are text, and which of them a JSON string cannot have as they are.
//
// (1) Eight bytes at a time while there is nothing special in them. (2) Valid is what RFC 3629 says: no
// overlong forms, no surrogates, nothing above U+10FFFF. (3) Bytes are loaded as little-endian words: the
// lowest set bit of a mask belongs to the first special byte. Masks may have false bits above that one, never
// below.

#if Tool
/// What some bytes are to a JSON string.
enum TextKind {
    /// ASCII without anything that must be escaped.
    case plain
    /// UTF-8; some of it may have to be escaped.
    case text
    /// Not UTF-8.
    case binary
}

enum TextCheck {
    /// What the bytes are.
    ///
    /// - Complexity: O(n), about an eighth of a nanosecond a byte for plain ones.
    static func kind(of bytes: RawSpan) -> TextKind {
        var index = 0
        while index + 8 <= bytes.byteCount {
            let word = bytes.word(at: index)
            if escaped(word) | (word & highBits) != 0 { return kind(of: bytes, from: index) }
            index += 8
        }
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte >= 0x80 || isEscaped(byte) { return kind(of: bytes, from: index) }
            index += 1
        }
        return .plain
    }

    /// Text or binary; what is before `start` is ASCII.
    private static func kind(of bytes: RawSpan, from start: Int) -> TextKind {
        var index = start
        while index < bytes.byteCount {
            if index + 8 <= bytes.byteCount, bytes.word(at: index) & highBits == 0 {
                index += 8
            } else if bytes.byte(at: index) < 0x80 {
                index += 1
            } else {
                guard let length = sequenceLength(bytes, at: index) else { return .binary }
                index += length
            }
        }
        return .text
    }

    /// The length of the sequence of two to four bytes that begins at `index`; nil when it is none.
    private static func sequenceLength(_ bytes: RawSpan, at index: Int) -> Int? {
        let length: Int
        // What the second byte may be depends on the first; the others are always 80 to BF.
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes.byte(at: index) {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        guard index + length <= bytes.byteCount, second.contains(bytes.byte(at: index + 1)) else {
            return nil
        }
        for other in (index + 2)..<max(index + 2, index + length)
        where !(0x80...0xBF).contains(bytes.byte(at: other)) {
            return nil
        }
        return length
    }

    static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// Bit 7 of every byte that a JSON string cannot have as it is: '"', '\' and what is below a space.
    @inline(__always)
    static func escaped(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let control = (word &- (ones &* 0x20)) & ~word
        return (control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & highBits
    }

    /// The same of one byte.
    @inline(__always)
    static func isEscaped(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }
}

extension RawSpan {
    /// The eight bytes at `index`, which are there.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        assert(index >= 0 && index + 8 <= byteCount)
        return UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
    }

    /// The byte at `index`, which is there.
    @inline(__always)
    func byte(at index: Int) -> UInt8 {
        assert(index >= 0 && index < byteCount)
        return unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
    }
}
#endif
