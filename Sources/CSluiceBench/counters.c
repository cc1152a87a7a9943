// Counts what a program does that costs and is not work: allocations, locks, clock readings.
//
// It stands in for the entry points of the C library: the program's own definitions come before those, for
// all that is linked to it. While it is off, each costs one more load. Not reference counts: the hooks that
// Swift's runtime has for them crash programs (Swift 6.3.1).
#define _GNU_SOURCE
#include "CSluiceBench.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_OTHER_ENTRY_POINTS 1
#endif
#endif

#if defined(__linux__)
#include <features.h>
#endif
#if defined(__GLIBC__) && !defined(HAS_OTHER_ENTRY_POINTS)
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { ALLOCATIONS, LOCKS, CLOCKS, KINDS };
static atomic_int is_on;
static atomic_ulong counts[KINDS];

static inline void count(int kind) {
    if (atomic_load_explicit(&is_on, memory_order_relaxed))
        atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

void *malloc(size_t bytes) {
    count(ALLOCATIONS);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    count(ALLOCATIONS);
    return __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
    count(ALLOCATIONS);
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count(ALLOCATIONS);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count(ALLOCATIONS);
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : 12;
}

typedef int lock_function(pthread_mutex_t *);
typedef int clock_function(clockid_t, struct timespec *);

/// The next definition of a function, looked up once; several threads may do so at once.
static void *next(_Atomic(void *) *place, const char *name) {
    void *function = atomic_load_explicit(place, memory_order_relaxed);
    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(place, function, memory_order_relaxed);
    }
    return function;
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static _Atomic(void *) real;
    count(LOCKS);
    return ((lock_function *)next(&real, "pthread_mutex_lock"))(mutex);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static _Atomic(void *) real;
    count(CLOCKS);
    return ((clock_function *)next(&real, "clock_gettime"))(clock, time);
}

bench_counts bench_counted(void) {
    return (bench_counts){counts[ALLOCATIONS], counts[LOCKS], counts[CLOCKS]};
}

void bench_count(int on) { atomic_store(&is_on, on); }
#else
bench_counts bench_counted(void) { return (bench_counts){0, 0, 0}; }
void bench_count(int on) { (void)on; }
#endif
