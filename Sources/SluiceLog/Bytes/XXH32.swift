// xxHash, 32 bits: the checksum of the LZ4 frame format.
//
// (1) One shot over memory. (2) xxh32("") = 0x02CC5D05. Source: the xxHash specification, XXH32.

/// The checksum inside LZ4 frames.
package enum XXH32 {
    private static let prime1: UInt32 = 0x9E37_79B1
    private static let prime2: UInt32 = 0x85EB_CA77
    private static let prime3: UInt32 = 0xC2B2_AE3D
    private static let prime4: UInt32 = 0x27D4_EB2F
    private static let prime5: UInt32 = 0x1656_67B1

    /// The hash of `bytes` with seed 0.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var position = 0
        var hash = prime5
        if bytes.count >= 16 {
            var lanes = SIMD4<UInt32>(prime1 &+ prime2, prime2, 0, 0 &- prime1)
            while bytes.count - position >= 16 {
                let input = SIMD4<UInt32>(
                    word(bytes, position), word(bytes, position + 4),
                    word(bytes, position + 8), word(bytes, position + 12))
                lanes = lanes &+ input &* prime2
                lanes = ((lanes &<< 13) | (lanes &>> 19)) &* prime1
                position += 16
            }
            hash = rotate(lanes[0], 1) &+ rotate(lanes[1], 7) &+ rotate(lanes[2], 12) &+ rotate(lanes[3], 18)
        }
        hash &+= UInt32(truncatingIfNeeded: bytes.count)
        while bytes.count - position >= 4 {
            hash = rotate(hash &+ word(bytes, position) &* prime3, 17) &* prime4
            position += 4
        }
        while position < bytes.count {
            hash = rotate(hash &+ UInt32(bytes[position]) &* prime5, 11) &* prime1
            position += 1
        }
        hash = (hash ^ hash >> 15) &* prime2
        hash = (hash ^ hash >> 13) &* prime3
        return hash ^ hash >> 16
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    private static func rotate(_ value: UInt32, _ bits: UInt32) -> UInt32 {
        value &<< bits | value &>> (32 &- bits)
    }
}
