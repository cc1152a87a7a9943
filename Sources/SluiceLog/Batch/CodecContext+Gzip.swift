// gzip (RFC 1952) by ISA-L's igzip.
//
// (1) Input may be several members, one after another. (2) Each member's CRC-32 and length are checked by
// ISA-L. (3) Deflate expands at most 1032-fold: the length that a member claims is believed only up to
// that.

import CISAL

/// igzip's state for each direction: 84 KiB, and 370 KiB with the tables of level 2.
struct GzipState {
    var deflate: UnsafeMutablePointer<isal_zstream>?
    var inflate: UnsafeMutablePointer<inflate_state>?
    var levelBuffer: UnsafeMutablePointer<UInt8>?

    func free() {
        deflate?.deallocate()
        inflate?.deallocate()
        levelBuffer?.deallocate()
    }
}

extension CodecContext {
    /// ISA-L's level 2 of 0…3.
    private static let gzipLevel: UInt32 = 2
    /// ISAL_DEF_LVL2_DEFAULT, a macro that Swift cannot import: hash table, and tokens for 64 KiB.
    private static let gzipLevelBytes = (4 << 10) + 2 * (32 << 10) + 4 * (64 << 10)
    /// More than a gzip header and trailer.
    private static let gzipOverhead = 64
    private static let deflateMaxRatio = 1032

    mutating func compressGzip(_ source: UnsafeRawBufferPointer) -> Int? {
        guard let start = source.baseAddress, source.count < Int(Int32.max) else { return nil }
        let capacity = source.count + Self.gzipOverhead
        let output = reserveScratch(capacity)
        let stream = gzip.deflate ?? .allocate(capacity: 1)
        gzip.deflate = stream
        let levelBuffer = gzip.levelBuffer ?? .allocate(capacity: Self.gzipLevelBytes)
        gzip.levelBuffer = levelBuffer

        isal_deflate_init(stream)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(source.count)
        stream.pointee.next_out = output.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(capacity)
        stream.pointee.end_of_stream = 1
        stream.pointee.gzip_flag = UInt16(IGZIP_GZIP)
        stream.pointee.level = Self.gzipLevel
        stream.pointee.level_buf = levelBuffer
        stream.pointee.level_buf_size = UInt32(Self.gzipLevelBytes)
        // Output that fills the area is output that does not shrink: the stream has not ended.
        guard isal_deflate(stream) == COMP_OK, stream.pointee.internal_state.state == ZSTATE_END else {
            return nil
        }
        return Int(stream.pointee.total_out)
    }

    mutating func decompressGzip(
        _ source: UnsafeRawBufferPointer, maxBytes: Int, reusing spare: ByteBuffer?
    ) throws(BatchError) -> ByteBuffer {
        guard let start = source.baseAddress, source.count >= 18, source.count < Int(Int32.max) else {
            throw .decompression(.gzip, reason: "\(source.count) bytes are no gzip member")
        }
        // The last four bytes are the length of the last member, which mostly is the only one.
        let claim = UInt32(littleEndian: (start + source.count - 4).loadUnaligned(as: UInt32.self))
        guard claim <= source.count * Self.deflateMaxRatio else {
            throw .decompression(.gzip, reason: "a length of \(claim) cannot come from \(source.count) bytes")
        }
        guard claim <= maxBytes else { throw .tooLarge(bytes: Int(claim), limit: maxBytes) }
        // One byte more than can be: output that ends at the end of its room would look unfinished.
        var output = buffer(of: Int(claim) + 1, reusing: spare)

        let state = gzip.inflate ?? .allocate(capacity: 1)
        gzip.inflate = state
        var input = start
        var left = source.count
        while left > 0 {
            isal_inflate_init(state)
            state.pointee.crc_flag = UInt32(ISAL_GZIP)
            state.pointee.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self))
            state.pointee.avail_in = UInt32(left)
            try inflateMember(state, to: &output, maxBytes: maxBytes)
            let consumed = left - Int(state.pointee.avail_in)
            guard consumed > 0 else { throw .decompression(.gzip, reason: "a member is empty") }
            input += consumed
            left -= consumed
        }
        return output
    }

    /// Runs one member to its end, moving `output` to more memory when it is full.
    private func inflateMember(
        _ state: UnsafeMutablePointer<inflate_state>, to output: inout ByteBuffer, maxBytes: Int
    ) throws(BatchError) {
        while true {
            let room = min(min(output.capacity, maxBytes + 1) - output.count, Int(Int32.max))
            state.pointee.next_out = (output.base + output.count).assumingMemoryBound(to: UInt8.self)
            state.pointee.avail_out = UInt32(room)
            let code = isal_inflate(state)
            guard code == ISAL_DECOMP_OK else {
                throw .decompression(.gzip, reason: "igzip reports \(code)")
            }
            output.count += room - Int(state.pointee.avail_out)
            guard output.count <= maxBytes else { throw .tooLarge(bytes: nil, limit: maxBytes) }
            if state.pointee.block_state == ISAL_BLOCK_FINISH { return }
            guard state.pointee.avail_out == 0 else {
                throw .decompression(.gzip, reason: "the stream is cut short")
            }
            guard output.count == output.capacity else { continue }
            let grown = ByteBuffer(capacity: min(max(output.count * 2, 16 << 10), maxBytes + 1))
            grown.append(output.bytes)
            output = grown
        }
    }
}
