#define _GNU_SOURCE
#include "CSluiceSystem.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <pthread.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#include <sys/inotify.h>
#endif

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

int sluice_lock_exclusive(int fd) {
    // A look lasts microseconds; one that loses the processor in between, a little longer.
    for (int attempt = 0; attempt < 10; attempt++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
        if (errno != EWOULDBLOCK) return -1;
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
        errno = EWOULDBLOCK;
    }
    return -1;
}

int sluice_lock_probe(int fd) {
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) return -1;
    return flock(fd, LOCK_UN);
}

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

#if defined(__linux__)

int sluice_watch_open(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int sluice_watch_add(int watch, const char *directory) {
    uint32_t events = IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    return inotify_add_watch(watch, directory, events);
}

int sluice_wake_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

#else

int sluice_watch_open(void) {
    errno = ENOSYS;
    return -1;
}

int sluice_watch_add(int watch, const char *directory) {
    (void)watch;
    (void)directory;
    errno = ENOSYS;
    return -1;
}

int sluice_wake_open(void) {
    errno = ENOSYS;
    return -1;
}

#endif

void sluice_wake_ring(int wake) {
    uint64_t one = 1;
    // It can only fail when it is readable already.
    ssize_t written = write(wake, &one, sizeof one);
    (void)written;
}

void sluice_wake_clear(int wake) {
    uint64_t count;
    ssize_t got = read(wake, &count, sizeof count);
    (void)got;
}

int sluice_watch_wait(int watch, int wake, int milliseconds) {
    // A negative descriptor is passed over by poll(2).
    struct pollfd files[2] = {{.fd = watch, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
    if (poll(files, 2, milliseconds) <= 0) return 0;
    int happened = files[1].revents != 0 ? SLUICE_WATCH_WOKEN : 0;
#if defined(__linux__)
    if (files[0].revents != 0) {
        _Alignas(struct inotify_event) char events[4096];
        ssize_t count;
        while ((count = read(watch, events, sizeof events)) > 0) {
            happened |= SLUICE_WATCH_CHANGED;
            for (ssize_t at = 0; at < count;) {
                const struct inotify_event *event = (const struct inotify_event *)(events + at);
                if (event->mask & (IN_IGNORED | IN_Q_OVERFLOW | IN_MOVE_SELF)) happened |= SLUICE_WATCH_LOST;
                at += sizeof *event + event->len;
            }
        }
    }
#endif
    return happened;
}
