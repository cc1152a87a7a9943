// Counts allocations by standing in for the allocator's entry points: the program's own definitions come
// before those of the C library, for all that is linked to it. While it is off, an allocation costs one more
// load.
#include "CSluiceBench.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_OWN_ALLOCATOR 1
#endif
#endif

#include <features.h>
#if defined(__GLIBC__) && !defined(HAS_OWN_ALLOCATOR)
#include <stdatomic.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_int is_on;
static atomic_ulong allocations;

static inline void count(void) {
    if (atomic_load_explicit(&is_on, memory_order_relaxed))
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t bytes) {
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    count();
    return __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
    count();
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count();
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : 12;
}

uint64_t bench_allocations(void) { return atomic_load(&allocations); }
void bench_count_allocations(int on) { atomic_store(&is_on, on); }
#else
uint64_t bench_allocations(void) { return 0; }
void bench_count_allocations(int on) { (void)on; }
#endif
