// zstd (RFC 8878) by libzstd.
//
// (1) Input is one or more frames without a dictionary. (2) One-shot calls only: the streaming decoder
// allocates the window that a frame asks for, up to 128 MiB, whatever the frame holds. (3) Where a frame
// does not tell its length (streaming writers), the output grows by attempts, at most to the caller's
// limit.

import CZstd

/// libzstd's context for each direction.
struct ZstdState {
    var compressor: OpaquePointer?
    var decompressor: OpaquePointer?

    func free() {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
    }
}

extension CodecContext {
    /// Kafka: compression.zstd.level, whose default is libzstd's.
    private static let zstdLevel: Int32 = 3
    /// ZSTD_error_dstSize_tooSmall as a result: libzstd pins its error numbers.
    private static let outputTooSmall = 0 &- 70

    mutating func compressZstd(_ source: UnsafeRawBufferPointer) -> Int? {
        if zstd.compressor == nil { zstd.compressor = ZSTD_createCCtx() }
        guard let compressor = zstd.compressor else { return nil }
        let capacity = ZSTD_compressBound(source.count)
        let output = reserveScratch(capacity)
        let size = ZSTD_compressCCtx(
            compressor, output, capacity, source.baseAddress, source.count, Self.zstdLevel)
        return ZSTD_isError(size) == 0 ? size : nil
    }

    mutating func decompressZstd(
        _ source: UnsafeRawBufferPointer, maxBytes: Int, reusing spare: ByteBuffer?
    ) throws(BatchError) -> ByteBuffer {
        if zstd.decompressor == nil { zstd.decompressor = ZSTD_createDCtx() }
        guard let decompressor = zstd.decompressor else {
            throw .decompression(.zstd, reason: "there is no memory for a context")
        }
        let told = try zstdContentSize(source, maxBytes: maxBytes)
        var capacity = told ?? min(max(spare?.capacity ?? 0, source.count * 8, 64 << 10), maxBytes)
        while true {
            let output = buffer(of: capacity, reusing: spare)
            let room = min(output.capacity, maxBytes)
            let size = ZSTD_decompressDCtx(decompressor, output.base, room, source.baseAddress, source.count)
            if ZSTD_isError(size) == 0 {
                output.count = size
                return output
            }
            guard size == Self.outputTooSmall, told == nil else {
                throw .decompression(.zstd, reason: String(cString: ZSTD_getErrorName(size)))
            }
            guard room < maxBytes else { throw .tooLarge(bytes: nil, limit: maxBytes) }
            capacity = min(room * 2, maxBytes)
        }
    }

    /// The length that the frames of `source` tell together; nil when one does not.
    private func zstdContentSize(_ source: UnsafeRawBufferPointer, maxBytes: Int) throws(BatchError) -> Int? {
        var rest = source[...]
        var total = 0
        var isTold = true
        while !rest.isEmpty {
            let frame = UnsafeRawBufferPointer(rebasing: rest)
            guard Self.isFrame(frame) else { throw .decompression(.zstd, reason: "there is no frame") }
            let size = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
            guard ZSTD_isError(size) == 0, size > 0, size <= frame.count else {
                throw .decompression(.zstd, reason: String(cString: ZSTD_getErrorName(size)))
            }
            // The two greatest values stand for "unknown" and "error"; the latter cannot follow a whole
            // frame.
            let content = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
            if content < UInt64.max - 1 {
                guard content <= UInt64(maxBytes - total) else {
                    throw .tooLarge(bytes: nil, limit: maxBytes)
                }
                total += Int(content)
            } else {
                isTold = false
            }
            rest = rest[(rest.startIndex + size)...]
        }
        return isTold ? total : nil
    }

    /// Whether a frame of the standard, or a skippable one, begins here: libzstd reads older formats too.
    private static func isFrame(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 4 else { return false }
        let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        return magic == 0xFD2F_B528 || magic & 0xFFFF_FFF0 == 0x184D_2A50
    }
}
