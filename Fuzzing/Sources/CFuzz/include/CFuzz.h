/* What the fuzzer and the naive decoder need of C: libFuzzer's driver, and decompressors of others. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* libFuzzer's, of the compiler's runtime. */
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*body)(const uint8_t *data, size_t count));

/* Each decompresses a whole input to at most `capacity` bytes. The number of bytes; or -1 for input that is none,
   -2 for more output than fits, -3 for what only this decompressor refuses. */
long fuzz_gzip(const uint8_t *source, size_t count, uint8_t *target, size_t capacity);
long fuzz_lz4(const uint8_t *source, size_t count, uint8_t *target, size_t capacity);
long fuzz_zstd(const uint8_t *source, size_t count, uint8_t *target, size_t capacity);
