// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, init and xorout 0xFFFFFFFF), by ISA-L.
//
// (1) crc("123456789") = 0xE3069283. (2) extend(extend(0, a), b) = crc(a + b), so a running value needs no
// end step. (3) ISA-L's crc32_iscsi leaves both inversions to its caller: they are made here.

import CISAL

/// The checksum of record batches, the journal, the manifest and seals.
public enum CRC32C {
    /// The checksum of `bytes`.
    ///
    /// - Complexity: O(n), about 20 GB/s on current x86.
    public static func checksum(_ bytes: RawSpan) -> UInt32 { extend(0, bytes) }

    /// The checksum of what `crc` covers followed by `bytes`. Start with 0.
    public static func extend(_ crc: UInt32, _ bytes: RawSpan) -> UInt32 {
        bytes.withUnsafeBytes { extend(crc, $0) }
    }

    /// The checksum of what `crc` covers followed by `bytes`. Start with 0.
    package static func extend(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard var start = bytes.baseAddress else { return crc }
        var state = ~crc
        var left = bytes.count
        while left > 0 {
            let piece = min(left, maxPiece)
            // The parameter lacks `const` in ISA-L's header; the bytes are only read.
            let address = UnsafeMutableRawPointer(mutating: start).assumingMemoryBound(to: UInt8.self)
            state = crc32_iscsi(address, Int32(piece), state)
            start += piece
            left -= piece
        }
        return ~state
    }

    /// ISA-L takes the length as a C int.
    private static let maxPiece = 1 << 30
}
