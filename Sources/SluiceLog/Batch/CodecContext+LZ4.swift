// LZ4 frames to and from record batches. LZ4Frame.swift has the format.
//
// (1) The size of the output is bounded by a first pass over the block headers: a block gives at most its
// frame's block size, and at most 255 times its own. (2) Output is contiguous, so linked blocks find their
// dictionary before them.

import CLZ4

extension CodecContext {
    /// LZ4 cannot expand a byte to more.
    private static let lz4MaxRatio = 255

    mutating func compressLZ4(_ source: UnsafeRawBufferPointer) -> Int? {
        guard let start = source.baseAddress else { return nil }
        let header = LZ4FrameHeader.written
        let blockBytes = LZ4FrameHeader.writtenBlockBytes
        let blocks = (source.count + blockBytes - 1) / blockBytes
        let bound = Int(LZ4_compressBound(Int32(blockBytes)))
        let output = reserveScratch(header.count + blocks * (4 + bound) + 4)
        let state = lz4State ?? .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 16)
        lz4State = state

        UnsafeMutableRawBufferPointer(start: output, count: header.count).copyBytes(from: header)
        var size = header.count
        var done = 0
        while done < source.count {
            let plain = min(blockBytes, source.count - done)
            let block = output + size + 4
            // With room for the worst case liblz4 takes its faster path.
            var length = Int(
                LZ4_compress_fast_extState(
                    state, (start + done).assumingMemoryBound(to: CChar.self),
                    block.assumingMemoryBound(to: CChar.self), Int32(plain), Int32(bound), 1))
            var word = UInt32(length)
            if length <= 0 || length >= plain {
                block.copyMemory(from: start + done, byteCount: plain)
                length = plain
                word = UInt32(plain) | LZ4FrameHeader.plainBit
            }
            (output + size).storeBytes(of: word.littleEndian, as: UInt32.self)
            size += 4 + length
            done += plain
        }
        (output + size).storeBytes(of: 0, as: UInt32.self)
        return size + 4
    }

    func decompressLZ4(
        _ source: UnsafeRawBufferPointer, maxBytes: Int, reusing spare: ByteBuffer?
    ) throws(BatchError) -> ByteBuffer {
        let bound = try lz4Bound(source, maxBytes: maxBytes)
        let output = buffer(of: min(bound, maxBytes), reusing: spare)
        var reader = LZ4BlockReader(source)
        var frame: LZ4FrameHeader?
        var frameStart = 0
        while let item = try reader.next() {
            switch item {
            case .frame(let header):
                frame = header
                frameStart = output.count
            case .block(let block, let isPlain, let checksum):
                guard let frame else { break }
                if let checksum, checksum != XXH32.hash(block) {
                    throw .decompression(.lz4, reason: "a block has a wrong checksum")
                }
                let room = min(frame.maxBlockBytes, maxBytes - output.count, output.capacity - output.count)
                let dictionary = frame.independent ? 0 : min(output.count - frameStart, 64 << 10)
                let size = Self.expand(block, isPlain, to: output.base + output.count, room, dictionary)
                guard let size else {
                    // Damaged, unless the caller's limit left it less room than its due.
                    let due = isPlain ? block.count : min(frame.maxBlockBytes, block.count * Self.lz4MaxRatio)
                    guard maxBytes - output.count < due else {
                        throw .decompression(.lz4, reason: "a block is damaged")
                    }
                    throw .tooLarge(bytes: nil, limit: maxBytes)
                }
                output.count += size
            case .endOfFrame(let checksum):
                try check(
                    frame, checksum,
                    UnsafeRawBufferPointer(
                        start: output.base + frameStart, count: output.count - frameStart))
            }
        }
        return output
    }

    /// What the blocks of `source` can expand to at most.
    private func lz4Bound(_ source: UnsafeRawBufferPointer, maxBytes: Int) throws(BatchError) -> Int {
        var reader = LZ4BlockReader(source)
        var maxBlockBytes = 0
        var bound = 0
        while let item = try reader.next() {
            switch item {
            case .frame(let header):
                maxBlockBytes = header.maxBlockBytes
                if let size = header.contentSize, size > UInt64(maxBytes) {
                    throw .tooLarge(bytes: Int(exactly: size), limit: maxBytes)
                }
            case .block(let block, let isPlain, _):
                bound += isPlain ? block.count : min(maxBlockBytes, block.count * Self.lz4MaxRatio)
            case .endOfFrame: break
            }
        }
        return bound
    }

    /// Expands a block behind `dictionary` bytes of earlier output; nil when it is damaged or takes more than
    /// `room`.
    private static func expand(
        _ block: UnsafeRawBufferPointer, _ isPlain: Bool, to output: UnsafeMutableRawPointer, _ room: Int,
        _ dictionary: Int
    ) -> Int? {
        if isPlain {
            guard block.count <= room else { return nil }
            if let start = block.baseAddress { output.copyMemory(from: start, byteCount: block.count) }
            return block.count
        }
        let source = block.baseAddress!.assumingMemoryBound(to: CChar.self)
        let target = output.assumingMemoryBound(to: CChar.self)
        let size: Int32
        if dictionary == 0 {
            size = LZ4_decompress_safe(source, target, Int32(block.count), Int32(room))
        } else {
            size = LZ4_decompress_safe_usingDict(
                source, target, Int32(block.count), Int32(room), target - dictionary, Int32(dictionary))
        }
        return size < 0 ? nil : Int(size)
    }

    private func check(
        _ frame: LZ4FrameHeader?, _ checksum: UInt32?, _ content: UnsafeRawBufferPointer
    ) throws(BatchError) {
        if let size = frame?.contentSize, size != UInt64(content.count) {
            throw .decompression(.lz4, reason: "the frame tells \(size) bytes and holds \(content.count)")
        }
        if let checksum, checksum != XXH32.hash(content) {
            throw .decompression(.lz4, reason: "the frame's content has a wrong checksum")
        }
    }
}
