#define _GNU_SOURCE
#include "CSluiceBench.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
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
        const char *from = (const char *)raw + at;
        int size = LZ4_compress_fast_extState(state, from, (char *)p + 4, piece, piece - 1, 1);
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

/// Encodes records from number `*next` on into `raw`, as many as fit; returns the end. The number of the
/// last one that is to be encoded is `count` - 1.
static uint8_t *encode(uint8_t *raw, size_t batch_bytes, bench_records records, size_t count, size_t *next,
                       int32_t *encoded) {
    uint8_t *p = raw;
    int32_t n = 0;
    size_t i = *next, at = i % records.count;
    while (i < count) {
        const uint8_t *value = records.values[at];
        size_t length = records.lengths[at];
        int64_t body = 1 + 1 + varint_size(n) + 1 + varint_size((int64_t)length) + (int64_t)length + 1;
        // A record that is larger than a batch has one of its own.
        if (n > 0 && (size_t)(p - raw) + (size_t)body + 5 > batch_bytes) break;
        p = put_varint(p, body);
        *p++ = 0;
        *p++ = 0;
        p = put_varint(p, n);
        *p++ = 1;
        p = put_varint(p, (int64_t)length);
        memcpy(p, value, length);
        p += length;
        *p++ = 0;
        n++;
        i++;
        if (++at == records.count) at = 0;
    }
    *next = i;
    *encoded = n;
    return p;
}

static size_t longest(bench_records records) {
    size_t longest = 0;
    for (size_t i = 0; i < records.count; i++)
        if (records.lengths[i] > longest) longest = records.lengths[i];
    return longest;
}

static int write_all(int fd, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t n = write(fd, bytes, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

int64_t bench_append(const char *path, bench_records records, size_t count, size_t batch_bytes, int codec) {
    char index_path[4096];
    if (strlen(path) + 7 > sizeof index_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(index_path, path);
    strcat(index_path, ".index");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int index = open(index_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t room = batch_bytes + longest(records) + 64;
    void *state = malloc((size_t)LZ4_sizeofState());
    uint8_t *raw = malloc(room);
    uint8_t *out = malloc(HEADER + 2 * room + 65536);
    uint8_t entries[4000];
    size_t entry_bytes = 0;
    int64_t written = fd < 0 || index < 0 ? -1 : 0, offset = 0, indexed = -4096;
    size_t i = 0;
    while (i < count && written >= 0) {
        int64_t time = now_ms();
        int32_t n;
        uint8_t *end = encode(raw, batch_bytes, records, count, &i, &n);
        size_t raw_bytes = (size_t)(end - raw), packed = 0;
        int used = 0;
        if (codec != 0) {
            packed = compress_frame(state, raw, raw_bytes, out + HEADER);
            used = packed < raw_bytes ? 3 : 0;
        }
        if (used == 0) {
            memcpy(out + HEADER, raw, raw_bytes);
            packed = raw_bytes;
        }
        size_t total = HEADER + packed;
        put64(out, (uint64_t)offset);
        put32(out + 8, (uint32_t)(total - 12));
        put32(out + 12, 0);
        out[16] = 2;
        out[21] = 0;
        out[22] = (uint8_t)used;
        put32(out + 23, (uint32_t)(n - 1));
        put64(out + 27, (uint64_t)time);
        put64(out + 35, (uint64_t)time);
        memset(out + 43, 0xff, 14);
        put32(out + 57, (uint32_t)n);
        put32(out + 17, ~crc32_iscsi(out + 21, (int)(total - 21), 0xffffffffu));
        if (written - indexed >= 4096) {
            put64(entries + entry_bytes, (uint64_t)offset);
            put32(entries + entry_bytes + 8, (uint32_t)written);
            put64(entries + entry_bytes + 12, (uint64_t)time);
            entry_bytes += 20;
            indexed = written;
            if (entry_bytes == sizeof entries) {
                if (write_all(index, entries, entry_bytes) < 0) written = -1;
                entry_bytes = 0;
            }
        }
        if (written < 0 || write_all(fd, out, total) < 0) {
            written = -1;
            break;
        }
        written += (int64_t)total;
        offset += n;
    }
    if (written >= 0 && write_all(index, entries, entry_bytes) < 0) written = -1;
    int error = errno;
    if (fd >= 0) close(fd);
    if (index >= 0) close(index);
    free(state);
    free(raw);
    free(out);
    errno = error;
    return written;
}

int64_t bench_compress(bench_records records, size_t count, size_t batch_bytes) {
    size_t room = batch_bytes + longest(records) + 64;
    void *state = malloc((size_t)LZ4_sizeofState());
    uint8_t *raw = malloc(room);
    uint8_t *out = malloc(2 * room + 65536);
    int64_t packed = 0;
    size_t i = 0;
    while (i < count) {
        int32_t n;
        uint8_t *end = encode(raw, batch_bytes, records, count, &i, &n);
        packed += (int64_t)compress_frame(state, raw, (size_t)(end - raw), out);
    }
    free(state);
    free(raw);
    free(out);
    return packed;
}

int64_t bench_replay(const char *path, size_t *records) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    // Room for a batch with one record of 16 MiB.
    const size_t chunk = 1 << 20, most = 17 << 20;
    uint8_t *in = malloc(most);
    uint8_t *raw = malloc(most);
    size_t want = chunk;
    int64_t sum = 0, at = 0;
    *records = 0;
    for (;;) {
        ssize_t got = pread(fd, in, want, at);
        want = chunk;
        if (got < HEADER) break;
        size_t used = 0;
        while ((size_t)got - used >= HEADER) {
            const uint8_t *b = in + used;
            size_t total = get32(b + 8) + 12;
            if (total > (size_t)got - used) {
                if (used == 0 && total <= most) want = total;
                break;
            }
            if (get32(b + 17) != (uint32_t)~crc32_iscsi((uint8_t *)b + 21, (int)(total - 21), 0xffffffffu)) {
                sum = -1;
                goto done;
            }
            const uint8_t *p = b + HEADER + 7, *r = raw;
            size_t raw_bytes = 0;
            if ((b[22] & 7) == 0) {
                r = b + HEADER;
                raw_bytes = total - HEADER;
            }
            while (r == raw) {
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
                                                (int)(most - raw_bytes));
                    if (n < 0) {
                        sum = -1;
                        goto done;
                    }
                    raw_bytes += (size_t)n;
                }
                p += size;
            }
            const uint8_t *end = r + raw_bytes;
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
        if (used == 0 && want == chunk) break;
        at += (int64_t)used;
    }
done:
    close(fd);
    free(in);
    free(raw);
    return sum;
}
