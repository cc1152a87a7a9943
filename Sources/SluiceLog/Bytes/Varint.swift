// Zigzag varints, as in Kafka's records: 7 bits a byte, least first, the top bit says that more follow.
//
//   value    0   -1    1   -2   63  -64   64 …  Int32: at most 5 bytes; Int64 ("varlong"): at most 10
//   bytes   00   01   02   03   7E   7F  80 01
//
// (1) Reading never passes `limit`: a value that does not end before it, or does not fit its type, is nil
// and the position stays. (2) Longer forms of small values (80 00) are legal, as in Kafka. (3) Writing may
// touch 10 bytes from the position, whatever the length of the value: the caller keeps that much room.

/// Zigzag variable-length integers.
package enum Varint {
    /// The most bytes that a 32-bit value takes.
    package static let maxBytes32 = 5
    /// The most bytes that a 64-bit value takes.
    package static let maxBytes64 = 10

    /// The number of bytes that `value` takes.
    @inline(__always)
    package static func size(_ value: Int) -> Int {
        let zigzag = UInt64(bitPattern: Int64((value << 1) ^ (value >> 63)))
        // ceil(bits / 7) for 1...64 bits, without a division.
        return ((64 &- (zigzag | 1).leadingZeroBitCount) &* 9 &+ 64) >> 6
    }

    /// Stores `value` at `position` and returns the place behind it.
    @inline(__always)
    package static func store(_ value: Int, at position: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let zigzag = UInt64(bitPattern: Int64((value << 1) ^ (value >> 63)))
        if zigzag < 0x80 {
            position.storeBytes(of: UInt8(truncatingIfNeeded: zigzag), as: UInt8.self)
            return position + 1
        }
        if zigzag < 0x4000 {
            let pair = UInt16(truncatingIfNeeded: (zigzag & 0x7F) | 0x80 | ((zigzag >> 7) << 8))
            position.storeBytes(of: pair.littleEndian, as: UInt16.self)
            return position + 2
        }
        return storeLong(zigzag, at: position)
    }

    @inline(never)
    private static func storeLong(_ zigzag: UInt64, at position: UnsafeMutableRawPointer)
        -> UnsafeMutableRawPointer
    {
        var rest = zigzag
        var position = position
        while rest >= 0x80 {
            position.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            position += 1
            rest >>= 7
        }
        position.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        return position + 1
    }

    /// Reads a 32-bit value, moving `position` behind it; nil when it does not end before `limit` or does not
    /// fit.
    @inline(__always)
    package static func read32(_ position: inout UnsafeRawPointer, limit: UnsafeRawPointer) -> Int? {
        guard let value = read64(&position, limit: limit, maxBytes: maxBytes32) else { return nil }
        return Int(truncatingIfNeeded: value)
    }

    /// Reads a 64-bit value, moving `position` behind it; nil when it does not end before `limit` or does not
    /// fit.
    @inline(__always)
    package static func read64(
        _ position: inout UnsafeRawPointer, limit: UnsafeRawPointer, maxBytes: Int = maxBytes64
    ) -> Int64? {
        let left = limit - position
        if left >= 2 {
            let first = UInt64(position.load(as: UInt8.self))
            if first < 0x80 {
                position += 1
                return unzigzag(first)
            }
            let second = UInt64(position.load(fromByteOffset: 1, as: UInt8.self))
            if second < 0x80 {
                position += 2
                return unzigzag(first & 0x7F | second << 7)
            }
        }
        return readLong(&position, left: left, maxBytes: maxBytes)
    }

    @inline(never)
    private static func readLong(_ position: inout UnsafeRawPointer, left: Int, maxBytes: Int) -> Int64? {
        var value: UInt64 = 0
        for index in 0..<min(left, maxBytes) {
            let byte = UInt64(position.load(fromByteOffset: index, as: UInt8.self))
            // The last byte that a type allows holds what is left of its bits: 4 of 32, 1 of 64.
            if index == maxBytes - 1, byte > (maxBytes == maxBytes32 ? 0x0F : 0x01) { return nil }
            value |= (byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 {
                position += index + 1
                return unzigzag(value)
            }
        }
        return nil
    }

    @inline(__always)
    package static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
    }
}
