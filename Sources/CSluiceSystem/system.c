#define _GNU_SOURCE
#include "CSluiceSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <pthread.h>
#include <unistd.h>

ssize_t sluice_pread_nowait(int fd, void *buffer, size_t count, off_t position) {
#if defined(__linux__)
    struct iovec vector = {.iov_base = buffer, .iov_len = count};
    ssize_t got = preadv2(fd, &vector, 1, position, RWF_NOWAIT);
    // A file system without RWF_NOWAIT says so: there the ordinary call is the only one.
    if (got < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)) {
        return pread(fd, buffer, count, position);
    }
    return got;
#else
    return pread(fd, buffer, count, position);
#endif
}

int sluice_datasync(int fd) {
#if defined(__APPLE__)
    return fcntl(fd, F_FULLFSYNC);
#else
    return fdatasync(fd);
#endif
}

int sluice_fullsync(int fd) {
#if defined(__APPLE__)
    return fcntl(fd, F_FULLFSYNC);
#else
    return fsync(fd);
#endif
}

int sluice_syncfs(int fd) {
#if defined(__linux__)
    return syncfs(fd);
#else
    (void)fd;
    errno = ENOSYS;
    return -1;
#endif
}

int sluice_lock_exclusive(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

const char *sluice_entry_name(const struct dirent *entry) { return entry->d_name; }

int sluice_entry_kind(const struct dirent *entry) {
    switch (entry->d_type) {
    case DT_REG: return SLUICE_ENTRY_FILE;
    case DT_DIR: return SLUICE_ENTRY_DIRECTORY;
    case DT_LNK:
    case DT_UNKNOWN: return SLUICE_ENTRY_UNKNOWN;
    default: return SLUICE_ENTRY_OTHER;
    }
}

void sluice_name_thread(const char *name) {
#if defined(__APPLE__)
    pthread_setname_np(name);
#else
    pthread_setname_np(pthread_self(), name);
#endif
}
