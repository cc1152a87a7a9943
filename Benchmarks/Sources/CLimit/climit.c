#define _GNU_SOURCE
#include "CLimit.h"

#include <fcntl.h>
#include <isa-l.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 61, BLOCK = 65536 };

static uint8_t *put_varint(uint8_t *p, int64_t value) {
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static int varint_size(int64_t value) {
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    int size = 1;
    while (v >= 0x80) {
        v >>= 7;
        size++;
    }
    return size;
}

static const uint8_t *get_varint(const uint8_t *p, int64_t *value) {
    uint64_t v = 0;
    int shift = 0;
    while (*p & 0x80) {
        v |= (uint64_t)(*p++ & 0x7f) << shift;
        shift += 7;
    }
    v |= (uint64_t)*p++ << shift;
    *value = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return p;
}

static void put32(uint8_t *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static void put64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
static uint32_t get32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/// Compresses `raw` into `out` as one LZ4 frame; returns its length.
static size_t compress_frame(void *state, const uint8_t *raw, size_t raw_bytes, uint8_t *out) {
    static const uint8_t head[7] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};
    uint8_t *p = out;
    memcpy(p, head, 7);
    p += 7;
    for (size_t at = 0; at < raw_bytes; at += BLOCK) {
        int piece = (int)(raw_bytes - at < BLOCK ? raw_bytes - at : BLOCK);
        int size = LZ4_compress_fast_extState(state, (const char *)raw + at, (char *)p + 4, piece, piece - 1, 1);
        uint32_t word = (uint32_t)size;
        if (size <= 0) {
            memcpy(p + 4, raw + at, (size_t)piece);
            size = piece;
            word = (uint32_t)piece | 0x80000000u;
        }
        memcpy(p, &word, 4);
        p += 4 + size;
    }
    memset(p, 0, 4);
    return (size_t)(p + 4 - out);
}

int64_t climit_append(const char *path, const char *const *lines, const size_t *lengths, size_t line_count,
                      size_t count, size_t batch_bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    void *state = malloc((size_t)LZ4_sizeofState());
    uint8_t *raw = malloc(batch_bytes + 65536);
    uint8_t *out = malloc(HEADER + 2 * batch_bytes + 65536);
    int64_t written = 0, offset = 0;
    size_t i = 0;
    while (i < count) {
        uint8_t *p = raw;
        int64_t time = now_ms();
        int32_t n = 0;
        while (i < count) {
            const char *line = lines[i % line_count];
            size_t length = lengths[i % line_count];
            int64_t body = 1 + 1 + varint_size(n) + 1 + varint_size((int64_t)length) + (int64_t)length + 1;
            if ((size_t)(p - raw) + (size_t)body + 5 > batch_bytes) break;
            p = put_varint(p, body);
            *p++ = 0;
            *p++ = 0;
            p = put_varint(p, n);
            *p++ = 1;
            p = put_varint(p, (int64_t)length);
            memcpy(p, line, length);
            p += length;
            *p++ = 0;
            n++;
            i++;
        }
        size_t packed = compress_frame(state, raw, (size_t)(p - raw), out + HEADER);
        size_t total = HEADER + packed;
        put64(out, (uint64_t)offset);
        put32(out + 8, (uint32_t)(total - 12));
        put32(out + 12, 0);
        out[16] = 2;
        out[21] = 0;
        out[22] = 3;
        put32(out + 23, (uint32_t)(n - 1));
        put64(out + 27, (uint64_t)time);
        put64(out + 35, (uint64_t)time);
        memset(out + 43, 0xff, 14);
        put32(out + 57, (uint32_t)n);
        put32(out + 17, ~crc32_iscsi(out + 21, (int)(total - 21), 0xffffffffu));
        if (write(fd, out, total) != (ssize_t)total) {
            written = -1;
            break;
        }
        written += (int64_t)total;
        offset += n;
    }
    close(fd);
    free(state);
    free(raw);
    free(out);
    return written;
}

int64_t climit_replay(const char *path, size_t *records) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const size_t chunk = 1 << 20;
    uint8_t *in = malloc(chunk);
    uint8_t *raw = malloc(1 << 20);
    int64_t sum = 0, at = 0;
    *records = 0;
    for (;;) {
        ssize_t got = pread(fd, in, chunk, at);
        if (got < HEADER) break;
        size_t used = 0;
        while ((size_t)got - used >= HEADER) {
            const uint8_t *b = in + used;
            size_t total = get32(b + 8) + 12;
            if (total > (size_t)got - used) break;
            if (get32(b + 17) != (uint32_t)~crc32_iscsi((uint8_t *)b + 21, (int)(total - 21), 0xffffffffu)) {
                sum = -1;
                goto done;
            }
            const uint8_t *p = b + HEADER + 7;
            size_t raw_bytes = 0;
            for (;;) {
                uint32_t word;
                memcpy(&word, p, 4);
                p += 4;
                if (word == 0) break;
                uint32_t size = word & 0x7fffffffu;
                if (word & 0x80000000u) {
                    memcpy(raw + raw_bytes, p, size);
                    raw_bytes += size;
                } else {
                    int n = LZ4_decompress_safe((const char *)p, (char *)raw + raw_bytes, (int)size,
                                                (int)((1 << 20) - raw_bytes));
                    if (n < 0) {
                        sum = -1;
                        goto done;
                    }
                    raw_bytes += (size_t)n;
                }
                p += size;
            }
            const uint8_t *r = raw, *end = raw + raw_bytes;
            while (r < end) {
                int64_t length, delta, key, value;
                r = get_varint(r, &length);
                const uint8_t *next = r + length;
                r = get_varint(r + 1, &delta);
                r = get_varint(r, &delta);
                r = get_varint(r, &key);
                if (key > 0) r += key;
                r = get_varint(r, &value);
                sum += value;
                r = next;
                (*records)++;
            }
            used += total;
        }
        if (used == 0) break;
        at += (int64_t)used;
    }
done:
    close(fd);
    free(in);
    free(raw);
    return sum;
}
