// The working memory of the codecs: made at first use, kept from batch to batch.
//
// (1) One owner at a time; nothing in it refers to the owner's thread. (2) Compressing fills a scratch area
// which the next call overwrites. (3) Decompressing writes to a `ByteBuffer` whose size is bounded twice
// before it is allocated: by the caller's limit, and by what input of that length can expand to where the
// format tells.

/// Working memory for compressing and decompressing, used by one batch after another.
///
/// `@unchecked Sendable`: not copyable, and the memory is reachable only through its one owner.
public struct CodecContext: ~Copyable, @unchecked Sendable {
    /// A scratch area up to this size is kept whatever the next batch needs.
    static let keptScratchBytes = 1 << 20

    var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    var lz4State: UnsafeMutableRawPointer?
    var gzip = GzipState()
    var zstd = ZstdState()

    /// A context without any memory yet.
    public init() {}

    deinit {
        scratch.deallocate()
        lz4State?.deallocate()
        gzip.free()
        zstd.free()
    }

    /// Compresses `source` by `codec` to the scratch area; nil when the result would not be smaller.
    ///
    /// The result is valid until the next call. A compressor that fails counts as one that does not shrink:
    /// the bytes can always be stored plain.
    mutating func compress(_ source: UnsafeRawBufferPointer, _ codec: Codec) -> UnsafeRawBufferPointer? {
        let size: Int?
        switch codec {
        case .none: size = nil
        case .gzip: size = compressGzip(source)
        case .snappy: size = compressSnappy(source)
        case .lz4: size = compressLZ4(source)
        case .zstd: size = compressZstd(source)
        }
        guard let size, size < source.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: scratch[..<size])
    }

    /// Decompresses `source`, at most to `maxBytes`.
    ///
    /// - Parameters:
    ///   - source: the compressed bytes, and nothing else.
    ///   - maxBytes: the most bytes that the result may have, up to 1 TiB.
    ///   - spare: memory to use when it is large enough; the caller has no more use for what it holds, and
    ///     nobody else refers to it. Else a new buffer is made.
    /// - Returns: a buffer whose bytes in use are the result.
    ///
    /// Throws `decompression` for input that breaks its format and `tooLarge` beyond `maxBytes`.
    public mutating func decompress(
        _ source: ByteSlice, _ codec: Codec, maxBytes: Int, reusing spare: ByteBuffer? = nil
    ) throws(BatchError) -> ByteBuffer {
        precondition(maxBytes >= 0 && maxBytes <= 1 << 40)
        let input = source.pointer
        switch codec {
        case .none:
            guard input.count <= maxBytes else { throw .tooLarge(bytes: input.count, limit: maxBytes) }
            let output = buffer(of: input.count, reusing: spare)
            output.append(source.bytes)
            return output
        case .gzip: return try decompressGzip(input, maxBytes: maxBytes, reusing: spare)
        case .snappy: return try decompressSnappy(input, maxBytes: maxBytes, reusing: spare)
        case .lz4: return try decompressLZ4(input, maxBytes: maxBytes, reusing: spare)
        case .zstd: return try decompressZstd(input, maxBytes: maxBytes, reusing: spare)
        }
    }

    /// An empty buffer of at least `bytes`: `spare` when it is large enough.
    func buffer(of bytes: Int, reusing spare: ByteBuffer?) -> ByteBuffer {
        guard let spare, spare.capacity >= bytes else { return ByteBuffer(capacity: bytes) }
        spare.count = 0
        return spare
    }

    /// Makes the scratch area hold `bytes` at least; gives back what one large batch made it grow to.
    mutating func reserveScratch(_ bytes: Int) -> UnsafeMutableRawPointer {
        if scratch.count < bytes || scratch.count > max(bytes * 4, Self.keptScratchBytes) {
            scratch.deallocate()
            scratch = .allocate(byteCount: bytes, alignment: 16)
        }
        return scratch.baseAddress!
    }
}
