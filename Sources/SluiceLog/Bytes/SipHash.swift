// SipHash-2-4 with a result of 128 bits: what a key is known by while a log is compacted.
//
// (1) Keyed: who does not know the store's id cannot make two keys collide, which would lose one of them. (2)
// Of 20 million keys two collide with a probability of 10^-24. (3) Source: Aumasson and Bernstein, and their
// reference implementation.

/// 128 bits that stand for a key.
package struct KeyHash: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64
}

/// A keyed hash.
package struct SipHash: Sendable {
    private let key0: UInt64
    private let key1: UInt64

    package init(_ key0: UInt64, _ key1: UInt64) {
        self.key0 = key0
        self.key1 = key1
    }

    /// The hash of `count` bytes from `start`.
    package func hash(_ start: UnsafeRawPointer, count: Int) -> KeyHash {
        var state = State(
            v0: key0 ^ 0x736f_6d65_7073_6575, v1: key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            v2: key0 ^ 0x6c79_6765_6e65_7261, v3: key1 ^ 0x7465_6462_7974_6573)
        var position = 0
        while position + 8 <= count {
            state.take(UInt64(littleEndian: start.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            position += 8
        }
        var last = UInt64(truncatingIfNeeded: count) << 56
        var shift: UInt64 = 0
        while position < count {
            last |= UInt64(start.load(fromByteOffset: position, as: UInt8.self)) << shift
            shift += 8
            position += 1
        }
        state.take(last)
        state.v2 ^= 0xee
        for _ in 0..<4 { state.round() }
        let first = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
        state.v1 ^= 0xdd
        for _ in 0..<4 { state.round() }
        return KeyHash(high: first, low: state.v0 ^ state.v1 ^ state.v2 ^ state.v3)
    }

    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        @inline(__always)
        mutating func take(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        @inline(__always)
        mutating func round() {
            v0 &+= v1
            v2 &+= v3
            v1 = Self.rotate(v1, 13) ^ v0
            v3 = Self.rotate(v3, 16) ^ v2
            v0 = Self.rotate(v0, 32)
            v2 &+= v1
            v0 &+= v3
            v1 = Self.rotate(v1, 17) ^ v2
            v3 = Self.rotate(v3, 21) ^ v0
            v2 = Self.rotate(v2, 32)
        }

        @inline(__always)
        private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
            value &<< bits | value &>> (64 &- bits)
        }
    }
}
