// What the machine can do: the work of an append and of a replay as plain C loops in one thread, and their
// parts alone. Calls that the Swift side of a benchmark lacks, too.
#ifndef CSLUICE_BENCH_H
#define CSLUICE_BENCH_H

#include <stddef.h>
#include <stdint.h>

/// Records, in the order in which they are appended; again from the first when they are used up.
typedef struct {
    const uint8_t *const *values;
    const uint32_t *lengths;
    size_t count;
} bench_records;

/// Encodes `count` records into Kafka batches of up to `batch_bytes`, compresses each (LZ4 frame, 64 KiB
/// blocks) unless `codec` is 0, checksums it, and writes it to `path`, with an index entry of 20 bytes for
/// each 4 KiB in `path`.index. Nothing is synced. Returns the bytes written to `path`, or -1 with errno.
int64_t bench_append(const char *path, bench_records records, size_t count, size_t batch_bytes, int codec);

/// Reads what `bench_append` wrote: checksum, decompression, a walk over every record. Returns the sum of the
/// values' lengths, or -1. `records` is set to how many there were.
int64_t bench_replay(const char *path, size_t *records);

/// Appends `count` chunks of `bytes` to a new file. Returns how long it took, nanoseconds, or -1 with errno.
int64_t bench_write(const char *path, size_t bytes, size_t count);

/// Appends `bytes` to a growing file and syncs its data, `count` times. `times` gets how long each took,
/// nanoseconds. Returns 0, or -1 with errno.
int bench_sync(const char *path, size_t bytes, size_t count, uint64_t *times);

/// Encodes as `bench_append` does, and compresses. Returns the compressed bytes.
int64_t bench_compress(bench_records records, size_t count, size_t batch_bytes);

/// Checksums `bytes` of memory `count` times in chunks of 64 KiB; CRC-32C. Returns the last checksum.
uint32_t bench_checksum(size_t bytes, size_t count);

/// Reads `bytes` at each of the positions with one call, whose pages the cache was asked to drop first.
/// `times` gets how long each took, nanoseconds. Returns 0, or -1 with errno.
int bench_read(const char *path, size_t bytes, const uint64_t *positions, size_t count, uint64_t *times);

/// Asks the system to drop the pages of a file from its cache. 0, or -1 with errno.
int bench_drop(const char *path);

/// Seconds of processor time of the whole process so far.
void bench_processor_time(double *user, double *system);

/// What the process did while it was counted; all 0 where it cannot be.
typedef struct {
    uint64_t allocations, locks, clocks;
} bench_counts;
bench_counts bench_counted(void);

/// Counts from now on, or no more.
void bench_count(int on);

#endif
