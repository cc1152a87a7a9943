/* Decompressors of other authors, and other entries of the same libraries, than the engine uses: zlib for ISA-L,
   LZ4F for liblz4's block functions, libzstd's streaming for its one-shot calls. */
#include "CFuzz.h"

#include <lz4frame.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

long fuzz_gzip(const uint8_t *source, size_t count, uint8_t *target, size_t capacity) {
    size_t done = 0;
    size_t used = 0;
    if (count == 0) return -1;
    while (used < count) {
        z_stream stream;
        memset(&stream, 0, sizeof stream);
        if (inflateInit2(&stream, 15 + 16) != Z_OK) return -3;
        stream.next_in = (Bytef *)(source + used);
        stream.avail_in = (uInt)(count - used);
        stream.next_out = target + done;
        stream.avail_out = (uInt)(capacity - done);
        int code = inflate(&stream, Z_FINISH);
        size_t left = stream.avail_out;
        used = count - stream.avail_in;
        done = capacity - left;
        inflateEnd(&stream);
        if (code == Z_STREAM_END) continue;
        return code == Z_BUF_ERROR && left == 0 ? -2 : -1;
    }
    return (long)done;
}

long fuzz_lz4(const uint8_t *source, size_t count, uint8_t *target, size_t capacity) {
    LZ4F_dctx *context = NULL;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return -3;
    size_t done = 0;
    size_t used = 0;
    size_t hint = 0;
    long result = 0;
    LZ4F_decompressOptions_t options;
    memset(&options, 0, sizeof options);
    while (used < count) {
        size_t in = count - used;
        size_t out = capacity - done;
        hint = LZ4F_decompress(context, target + done, &out, source + used, &in, &options);
        if (LZ4F_isError(hint)) {
            result = -1;
            break;
        }
        used += in;
        done += out;
        if (in == 0 && out == 0) {
            result = done == capacity ? -2 : -1;
            break;
        }
    }
    /* The rest of a block may be waiting for room. */
    while (result == 0 && hint != 0) {
        size_t in = 0;
        size_t out = capacity - done;
        hint = LZ4F_decompress(context, target + done, &out, source + used, &in, &options);
        done += LZ4F_isError(hint) ? 0 : out;
        if (hint != 0 && (LZ4F_isError(hint) || out == 0)) result = done == capacity ? -2 : -1;
    }
    LZ4F_freeDecompressionContext(context);
    return result < 0 ? result : (long)done;
}

long fuzz_zstd(const uint8_t *source, size_t count, uint8_t *target, size_t capacity) {
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL) return -3;
    ZSTD_inBuffer in = {source, count, 0};
    ZSTD_outBuffer out = {target, capacity, 0};
    long result = 0;
    size_t hint = 0;
    while (in.pos < in.size || hint != 0) {
        size_t before = in.pos + out.pos;
        hint = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(hint)) {
            ZSTD_ErrorCode code = ZSTD_getErrorCode(hint);
            result = code == ZSTD_error_frameParameter_windowTooLarge ? -3
                : code == ZSTD_error_noForwardProgress_destFull ? -2 : -1;
            break;
        }
        if (in.pos + out.pos == before) {
            result = out.pos == capacity ? -2 : -1;
            break;
        }
    }
    ZSTD_freeDCtx(context);
    return result < 0 ? result : (long)out.pos;
}
