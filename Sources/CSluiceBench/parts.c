#define _GNU_SOURCE
#include "CSluiceBench.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// Closes the file and keeps errno.
static int ended(int fd, int result) {
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

int64_t bench_write(const char *path, size_t bytes, size_t count) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    uint8_t *chunk = malloc(bytes);
    memset(chunk, 0x5a, bytes);
    uint64_t began = now_ns();
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        if (write(fd, chunk, bytes) != (ssize_t)bytes) result = -1;
    int64_t took = (int64_t)(now_ns() - began);
    free(chunk);
    return ended(fd, result) < 0 ? -1 : took;
}

int bench_sync(const char *path, size_t bytes, size_t count, uint64_t *times) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    uint8_t *chunk = calloc(1, bytes);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        uint64_t began = now_ns();
        if (pwrite(fd, chunk, bytes, (off_t)(i * bytes)) != (ssize_t)bytes || fdatasync(fd) != 0) result = -1;
        times[i] = now_ns() - began;
    }
    free(chunk);
    return ended(fd, result);
}

uint32_t bench_checksum(size_t bytes, size_t count) {
    uint8_t *memory = malloc(bytes);
    memset(memory, 0x5a, bytes);
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < bytes; at += 65536)
            sum ^= crc32_iscsi(memory + at, (int)(bytes - at < 65536 ? bytes - at : 65536), 0xffffffffu);
    free(memory);
    return sum;
}

int bench_drop(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    // What is dirty would stay.
    int result = fdatasync(fd);
    int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (error != 0) {
        errno = error;
        result = -1;
    }
    return ended(fd, result);
}

int bench_read(const char *path, size_t bytes, const uint64_t *positions, size_t count, uint64_t *times) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    uint8_t *memory = malloc(bytes);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        uint64_t began = now_ns();
        if (pread(fd, memory, bytes, (off_t)positions[i]) < 0) result = -1;
        times[i] = now_ns() - began;
    }
    free(memory);
    return ended(fd, result);
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

void bench_processor_time(double *user, double *system) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *user = seconds(usage.ru_utime);
    *system = seconds(usage.ru_stime);
}
