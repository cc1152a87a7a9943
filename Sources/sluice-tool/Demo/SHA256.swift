// SHA-256, FIPS 180-4, for the demo's comparison of what went in with what came out.
//
// Here, since the demo is its only user and swift-crypto would be a dependency of the whole tool. About 200
// MB/s.

#if Tool
/// A running SHA-256.
struct SHA256: Equatable {
    private var state = SIMD8<UInt32>(
        0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19
    )
    /// Bytes that do not fill a block yet.
    private var rest: [UInt8] = []
    private var length: UInt64 = 0

    private static let blockBytes = 64

    /// Adds bytes.
    mutating func update(_ bytes: RawSpan) {
        length &+= UInt64(bytes.byteCount)
        var position = 0
        if !rest.isEmpty {
            position = min(Self.blockBytes - rest.count, bytes.byteCount)
            for index in 0..<position { rest.append(bytes.byte(at: index)) }
            guard rest.count == Self.blockBytes else { return }
            rest.withUnsafeBufferPointer { compress($0.span.bytes, at: 0) }
            rest.removeAll(keepingCapacity: true)
        }
        while bytes.byteCount - position >= Self.blockBytes {
            compress(bytes, at: position)
            position += Self.blockBytes
        }
        for index in position..<bytes.byteCount { rest.append(bytes.byte(at: index)) }
    }

    /// The hash of everything so far, in hexadecimal. More may follow.
    var hexadecimal: String {
        var copy = self
        let bits = (length &* 8).bigEndian
        let zeros = (Self.blockBytes * 2 - 9 - rest.count) % Self.blockBytes
        var end: [UInt8] = [0x80] + Array(repeating: 0, count: zeros)
        withUnsafeBytes(of: bits) { end.append(contentsOf: $0) }
        end.withUnsafeBufferPointer { copy.update($0.span.bytes) }
        return (0..<8).map { word in
            let digits = String(copy.state[word], radix: 16)
            return String(repeating: "0", count: 8 - digits.utf8.count) + digits
        }.joined()
    }

    /// FIPS 180-4, 6.2.2, with a schedule of 16 words that goes round.
    private mutating func compress(_ bytes: RawSpan, at position: Int) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { schedule in
            for index in 0..<16 {
                let word = bytes.unsafeLoadUnaligned(fromByteOffset: position + 4 * index, as: UInt32.self)
                schedule.initializeElement(at: index, to: UInt32(bigEndian: word))
            }
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            var (e, f, g, h) = (state[4], state[5], state[6], state[7])
            Self.constants.withUnsafeBufferPointer { constants in
                for round in 0..<64 {
                    let place = round & 15
                    if round >= 16 {
                        let old = schedule[(place + 1) & 15]
                        let recent = schedule[(place + 14) & 15]
                        let first = Self.rotated(old, 7) ^ Self.rotated(old, 18) ^ (old &>> 3)
                        let second = Self.rotated(recent, 17) ^ Self.rotated(recent, 19) ^ (recent &>> 10)
                        schedule[place] = schedule[place] &+ first &+ schedule[(place + 9) & 15] &+ second
                    }
                    let sumE = Self.rotated(e, 6) ^ Self.rotated(e, 11) ^ Self.rotated(e, 25)
                    let choice = (e & f) ^ (~e & g)
                    let one = h &+ sumE &+ choice &+ constants[round] &+ schedule[place]
                    let sumA = Self.rotated(a, 2) ^ Self.rotated(a, 13) ^ Self.rotated(a, 22)
                    let majority = (a & b) ^ (a & c) ^ (b & c)
                    (h, g, f, e) = (g, f, e, d &+ one)
                    (d, c, b, a) = (c, b, a, one &+ sumA &+ majority)
                }
            }
            state = state &+ SIMD8(a, b, c, d, e, f, g, h)
        }
    }

    @inline(__always)
    private static func rotated(_ word: UInt32, _ places: UInt32) -> UInt32 {
        word &>> places | word &<< (32 - places)
    }

    private static let constants: [UInt32] = [
        0x428A_2F98, 0x7137_4491, 0xB5C0_FBCF, 0xE9B5_DBA5, 0x3956_C25B, 0x59F1_11F1, 0x923F_82A4,
        0xAB1C_5ED5,
        0xD807_AA98, 0x1283_5B01, 0x2431_85BE, 0x550C_7DC3, 0x72BE_5D74, 0x80DE_B1FE, 0x9BDC_06A7,
        0xC19B_F174,
        0xE49B_69C1, 0xEFBE_4786, 0x0FC1_9DC6, 0x240C_A1CC, 0x2DE9_2C6F, 0x4A74_84AA, 0x5CB0_A9DC,
        0x76F9_88DA,
        0x983E_5152, 0xA831_C66D, 0xB003_27C8, 0xBF59_7FC7, 0xC6E0_0BF3, 0xD5A7_9147, 0x06CA_6351,
        0x1429_2967,
        0x27B7_0A85, 0x2E1B_2138, 0x4D2C_6DFC, 0x5338_0D13, 0x650A_7354, 0x766A_0ABB, 0x81C2_C92E,
        0x9272_2C85,
        0xA2BF_E8A1, 0xA81A_664B, 0xC24B_8B70, 0xC76C_51A3, 0xD192_E819, 0xD699_0624, 0xF40E_3585,
        0x106A_A070,
        0x19A4_C116, 0x1E37_6C08, 0x2748_774C, 0x34B0_BCB5, 0x391C_0CB3, 0x4ED8_AA4A, 0x5B9C_CA4F,
        0x682E_6FF3,
        0x748F_82EE, 0x78A5_636F, 0x84C8_7814, 0x8CC7_0208, 0x90BE_FFFA, 0xA450_6CEB, 0xBEF9_A3F7,
        0xC671_78F2,
    ]
}
#endif
