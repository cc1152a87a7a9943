// A medium that lies: a sync says that it is done and does nothing. Loaded with LD_PRELOAD;
// Scripts/lanes/lying-sync builds and uses it.
//
//   LYING_SHARE=N    of a hundred syncs so many are lies; 100 unless set. Which ones is chance.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int lies(void) {
    const char *share = getenv("LYING_SHARE");
    if (!share) return 1;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned mixed = (unsigned)now.tv_nsec * 2654435761u;
    return (int)((mixed >> 16) % 100) < atoi(share);
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

int fsync(int file) { return lies() ? 0 : REAL(int (*)(int), "fsync")(file); }
int fdatasync(int file) { return lies() ? 0 : REAL(int (*)(int), "fdatasync")(file); }
int syncfs(int file) { return lies() ? 0 : REAL(int (*)(int), "syncfs")(file); }
void sync(void) {}

int sync_file_range(int file, off64_t position, off64_t size, unsigned flags) {
    (void)file, (void)position, (void)size, (void)flags;
    return 0;
}
