// The lines of a file, which the programs here append one after another, and from the first again.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    char *bytes;
    char **starts;
    size_t *lengths;
    size_t count;
} lines_t;

static lines_t read_lines(const char *path) {
    lines_t lines = {0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    lines.bytes = malloc(size + 1);
    if (fread(lines.bytes, 1, size, file) != size) exit(2);
    fclose(file);
    lines.bytes[size] = '\n';
    size_t most = 1;
    for (size_t i = 0; i < size; i++) most += lines.bytes[i] == '\n';
    lines.starts = malloc(most * sizeof *lines.starts);
    lines.lengths = malloc(most * sizeof *lines.lengths);
    for (char *at = lines.bytes, *end = at + size; at < end;) {
        char *stop = memchr(at, '\n', (size_t)(end - at) + 1);
        lines.starts[lines.count] = at;
        lines.lengths[lines.count++] = (size_t)(stop - at);
        at = stop + 1;
    }
    return lines;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec +
           (double)usage.ru_stime.tv_usec / 1e6;
}

/// The line that Scripts/bench-peers reads.
static void report(const char *version, size_t records, double wall, double cpu) {
    printf("{\"version\":\"%s\",\"records\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", version, records, wall, cpu);
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why ? why : "no reason given");
    exit(1);
}
