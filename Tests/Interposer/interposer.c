// Stands between a program and the C library: ends the program, or makes a call fail, at a chosen call that
// changes files. Loaded with LD_PRELOAD; Scripts/crash-test builds and uses it.
//
//   SLUICE_CALLS=FILE        what was called, a line each, appended as it happens
//   SLUICE_KILL_AT=N         SIGKILL before call N; N counts from 1, over all threads
//   SLUICE_KILL_HALF=1       a write that is call N is done by half first
//   SLUICE_FAIL=NAME:N:ERRNO the Nth call of that name fails, once
//   SLUICE_FAIL_PATH=TEXT    …counting only calls on files whose path contains this
//
// Only calls that change what a file system holds are counted: between two of them a kill finds the same
// files.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls, matching;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static void path_of(int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void record(const char *name, const char *path) {
    const char *file = getenv("SLUICE_CALLS");
    if (!file) return;
    FILE *out = fopen(file, "a");
    if (!out) return;
    fprintf(out, "%ld %s %s\n", calls, name, path);
    fclose(out);
}

static void end(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// Whether this call is the last one: then the caller may do a part of it before end(). Sets *error if it is
// to fail.
static int count(const char *name, const char *path, int *error) {
    pthread_mutex_lock(&lock);
    calls++;
    record(name, path);
    int last = calls == number("SLUICE_KILL_AT");
    *error = 0;
    const char *plan = getenv("SLUICE_FAIL"), *part = getenv("SLUICE_FAIL_PATH");
    char planned[32];
    long nth;
    int code;
    if (plan && sscanf(plan, "%31[^:]:%ld:%d", planned, &nth, &code) == 3 && !strcmp(planned, name)
        && (!part || strstr(path, part)) && ++matching == nth)
        *error = code;
    // The lock stays taken before the end: no other thread gets a call in.
    if (!last) pthread_mutex_unlock(&lock);
    return last;
}

// Counts a call that is done whole or not at all.
#define WHOLE(name, path) do { \
    int code; \
    if (count(name, path, &code)) end(); \
    if (code) { errno = code; return -1; } \
} while (0)

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    if (flags & (O_CREAT | O_TRUNC)) WHOLE("open", path);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return opened(path, flags, mode, REAL(open));
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return opened(path, flags, mode, REAL(open64));
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    char path[4096];
    path_of(descriptor, path, sizeof path);
    if (descriptor <= 2 || path[0] != '/') return REAL(write)(descriptor, bytes, size);
    int code;
    if (count("write", path, &code)) {
        if (number("SLUICE_KILL_HALF")) REAL(write)(descriptor, bytes, size / 2);
        end();
    }
    if (code) { errno = code; return -1; }
    return REAL(write)(descriptor, bytes, size);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int n, off_t offset) {
    char path[4096];
    path_of(descriptor, path, sizeof path);
    int code;
    if (count("pwritev", path, &code)) {
        if (number("SLUICE_KILL_HALF")) {
            size_t half = 0;
            for (int i = 0; i < n; i++) half += parts[i].iov_len;
            half /= 2;
            for (int i = 0; i < n && half; i++) {
                size_t size = parts[i].iov_len < half ? parts[i].iov_len : half;
                pwrite(descriptor, parts[i].iov_base, size, offset);
                offset += size;
                half -= size;
            }
        }
        end();
    }
    if (code) { errno = code; return -1; }
    return REAL(pwritev)(descriptor, parts, n, offset);
}

#define ON_DESCRIPTOR(name, parameters, ...) \
    int name parameters { \
        char path[4096]; \
        path_of(descriptor, path, sizeof path); \
        WHOLE(#name, path); \
        return REAL(name)(__VA_ARGS__); \
    }

ON_DESCRIPTOR(fdatasync, (int descriptor), descriptor)
ON_DESCRIPTOR(fsync, (int descriptor), descriptor)
ON_DESCRIPTOR(syncfs, (int descriptor), descriptor)
ON_DESCRIPTOR(ftruncate, (int descriptor, off_t size), descriptor, size)

#define ON_PATH(name, parameters, ...) \
    int name parameters { \
        WHOLE(#name, path); \
        return REAL(name)(__VA_ARGS__); \
    }

ON_PATH(unlink, (const char *path), path)
ON_PATH(rmdir, (const char *path), path)
ON_PATH(mkdir, (const char *path, mode_t mode), path, mode)
ON_PATH(rename, (const char *path, const char *to), path, to)
ON_PATH(link, (const char *path, const char *to), path, to)
