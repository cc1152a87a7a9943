// The map of a compaction, and the hash that it knows keys by.

import Testing

@testable import SluiceLog

@Suite struct KeyOffsetsTests {
    private func hash(_ bytes: [UInt8], _ hash: SipHash) -> KeyHash {
        let buffer = ByteBuffer(bytes)
        return hash.hash(buffer.base, count: bytes.count)
    }

    @Test func `SipHash is what its authors say`() {
        // Key 00 01 … 0F; of nothing, and of 00 01 … 0E: openssl mac -macopt size:16 SIPHASH.
        let sip = SipHash(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        #expect(hash([], sip) == KeyHash(high: 0xE6A8_25BA_047F_81A3, low: 0x9302_55C7_1472_F66D))
        #expect(
            hash(Array(0..<15), sip) == KeyHash(high: 0x11A8_B033_99E9_9354, low: 0xD9C3_CF97_0FEC_087E))
    }

    @Test(arguments: [1, 24, 48, 100, 1000, 100_000])
    func `it holds what its budget says, and is right about all of it`(budget: Int) {
        var map = KeyOffsets(budget: budget, keys: .max)
        var oracle: [KeyHash: Int64] = [:]
        let sip = SipHash(1, 2)
        #expect(map.limit >= 1 && map.limit <= max(1, budget / KeyOffsets.slotBytes * 9 / 10))
        for offset in 0..<Int64(10_000) {
            let key = hash(
                [UInt8(truncatingIfNeeded: offset / 3), UInt8(truncatingIfNeeded: offset / 700)], sip)
            let isNew = oracle[key] == nil
            let fits = map.set(key, offset)
            #expect(fits == (!isNew || oracle.count < map.limit))
            if fits { oracle[key] = offset }
        }
        #expect(map.count == oracle.count)
        for (key, offset) in oracle { #expect(map.offset(of: key) == offset) }
        #expect(map.offset(of: hash([9, 9, 9], sip)) == nil)
    }

    @Test func `it takes no more than there are offsets`() {
        let map = KeyOffsets(budget: 1 << 30, keys: 9)
        #expect(map.limit >= 9 && map.limit < 12)
    }
}
