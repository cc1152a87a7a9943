// snappy: raw blocks, and xerial's framing of them, by libsnappy.
//
//   xerial:  82 53 4E 41 50 50 59 00 · version i32 (1) · compatible i32 (1) · { length i32 · raw block } ...
//
// (1) Java, aiokafka and kafka-python write the framing with 32 KiB of plain bytes a block; librdkafka
// writes one raw block. Both are read; the framing is written. (2) A raw block begins with its plain
// length, which is believed only up to what snappy can expand to: 64 bytes from 3. (3) Framed streams may
// follow one another.

import CSnappy

/// What is fixed in xerial's framing.
private enum Xerial {
    static let magic: [UInt8] = [0x82, 0x53, 0x4E, 0x41, 0x50, 0x50, 0x59, 0x00]
    static let headerBytes = 16
    static let version: Int32 = 1
    static let blockBytes = 32 << 10

    static func starts(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= headerBytes && bytes.starts(with: magic)
    }
}

extension CodecContext {
    mutating func compressSnappy(_ source: UnsafeRawBufferPointer) -> Int? {
        guard let start = source.baseAddress else { return nil }
        let blocks = (source.count + Xerial.blockBytes - 1) / Xerial.blockBytes
        let capacity = Xerial.headerBytes + blocks * (4 + snappy_max_compressed_length(Xerial.blockBytes))
        let output = reserveScratch(capacity)
        UnsafeMutableRawBufferPointer(start: output, count: 8).copyBytes(from: Xerial.magic)
        output.store(bigEndian: Xerial.version, at: 8)
        output.store(bigEndian: Xerial.version, at: 12)
        var size = Xerial.headerBytes
        var done = 0
        while done < source.count {
            let plain = min(Xerial.blockBytes, source.count - done)
            var length = capacity - size - 4
            let code = snappy_compress(
                (start + done).assumingMemoryBound(to: CChar.self), plain,
                (output + size + 4).assumingMemoryBound(to: CChar.self), &length)
            guard code == SNAPPY_OK else { return nil }
            output.store(bigEndian: Int32(length), at: size)
            size += 4 + length
            done += plain
        }
        return size
    }

    func decompressSnappy(
        _ source: UnsafeRawBufferPointer, maxBytes: Int, reusing spare: ByteBuffer?
    ) throws(BatchError) -> ByteBuffer {
        let framed = Xerial.starts(source)
        var total = 0
        try forEachSnappyBlock(source, framed: framed) { block throws(BatchError) in
            total += try plainLength(of: block)
            guard total <= maxBytes else { throw .tooLarge(bytes: total, limit: maxBytes) }
        }
        let output = buffer(of: total, reusing: spare)
        try forEachSnappyBlock(source, framed: framed) { block throws(BatchError) in
            var length = total - output.count
            let code = snappy_uncompress(
                block.baseAddress!.assumingMemoryBound(to: CChar.self), block.count,
                (output.base + output.count).assumingMemoryBound(to: CChar.self), &length)
            guard code == SNAPPY_OK else { throw .decompression(.snappy, reason: "a block is damaged") }
            output.count += length
        }
        return output
    }

    /// The length that a block's first bytes tell.
    private func plainLength(of block: UnsafeRawBufferPointer) throws(BatchError) -> Int {
        var length = 0
        let code = snappy_uncompressed_length(
            block.baseAddress!.assumingMemoryBound(to: CChar.self), block.count, &length)
        guard code == SNAPPY_OK, length <= block.count * 22 else {
            throw .decompression(.snappy, reason: "a block's length is not possible")
        }
        return length
    }

    /// Calls `body` with each raw block, none of them empty.
    private func forEachSnappyBlock(
        _ source: UnsafeRawBufferPointer, framed: Bool,
        _ body: (UnsafeRawBufferPointer) throws(BatchError) -> Void
    ) throws(BatchError) {
        guard let start = source.baseAddress, !source.isEmpty else {
            throw .decompression(.snappy, reason: "there are no bytes")
        }
        guard framed else { return try body(source) }
        var position = 0
        while position < source.count {
            let rest = UnsafeRawBufferPointer(rebasing: source[position...])
            if Xerial.starts(rest) {
                position += Xerial.headerBytes
                continue
            }
            guard rest.count >= 4 else { throw .decompression(.snappy, reason: "the framing is cut short") }
            let length = Int((start + position).bigEndian(Int32.self, at: 0))
            guard length > 0, length <= rest.count - 4 else {
                throw .decompression(
                    .snappy, reason: "a block of \(length) bytes with \(rest.count - 4) left")
            }
            try body(UnsafeRawBufferPointer(rebasing: rest[4..<4 + length]))
            position += 4 + length
        }
    }
}
