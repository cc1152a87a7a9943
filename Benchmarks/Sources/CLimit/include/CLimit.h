// What the machine can do: the same work as an append and a replay, as a plain C loop, in one thread.
#ifndef CLIMIT_H
#define CLIMIT_H

#include <stddef.h>
#include <stdint.h>

/// Encodes `count` records, whose values are lines[i % lines], into Kafka batches of up to `batch_bytes`, compresses
/// each (LZ4 frame, 64 KiB blocks), checksums it and writes it to `path`. Returns the bytes written, or -1.
int64_t climit_append(const char *path, const char *const *lines, const size_t *lengths, size_t line_count,
                      size_t count, size_t batch_bytes);

/// Reads what `climit_append` wrote: checksum, decompression, a walk over every record. Returns the sum of the values'
/// lengths, or -1. `records` is set to how many there were.
int64_t climit_replay(const char *path, size_t *records);

#endif
