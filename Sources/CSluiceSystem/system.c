#define _GNU_SOURCE
#include "CSluiceSystem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

enum { SYNC_THREADS = 8 };

typedef struct {
    const int *files;
    int *errors;
    int count;
    int is_full;
    atomic_int next;
} sync_work;

static void *sync_some(void *argument) {
    sync_work *work = argument;
    int index;
    while ((index = atomic_fetch_add(&work->next, 1)) < work->count) {
        int result;
        do {
            int file = work->files[index];
            result = work->is_full ? sluice_fullsync(file) : sluice_datasync(file);
        } while (result != 0 && errno == EINTR);
        work->errors[index] = result == 0 ? 0 : errno;
    }
    return NULL;
}

void sluice_sync_all(const int *files, int *errors, int count, int is_full) {
    sync_work work = {.files = files, .errors = errors, .count = count, .is_full = is_full};
    pthread_t threads[SYNC_THREADS - 1];
    int started = 0;
    sigset_t all, before;
    pthread_attr_t attributes;
    if (count > 1 && pthread_attr_init(&attributes) == 0) {
        pthread_attr_setstacksize(&attributes, 128 << 10);
        // A signal of the program's is not theirs.
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (started < SYNC_THREADS - 1 && started < count - 1
               && pthread_create(&threads[started], &attributes, sync_some, &work) == 0) {
            started++;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    // Where there is no thread to be had, this one does it all.
    sync_some(&work);
    for (int index = 0; index < started; index++) pthread_join(threads[index], NULL);
}

int sluice_allocate(int fd, off_t bytes) {
#if defined(__linux__)
    return fallocate(fd, 0, 0, bytes);
#else
    (void)fd;
    (void)bytes;
    errno = EOPNOTSUPP;
    return -1;
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

// The address of `directory`/control.sock. A descriptor that must stay open while it is used is in `holder`.
static int control_address(const char *directory, struct sockaddr_un *address, int *holder) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    *holder = -1;
    size_t room = sizeof address->sun_path;
    if ((size_t)snprintf(address->sun_path, room, "%s/control.sock", directory) < room) return 0;
#if defined(__linux__)
    *holder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*holder < 0) return -1;
    snprintf(address->sun_path, room, "/proc/self/fd/%d/control.sock", *holder);
    return 0;
#else
    errno = ENAMETOOLONG;
    return -1;
#endif
}

// No child has it, also one that is started by another thread at this moment.
static int control_socket(void) {
#if defined(__linux__)
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    if (file >= 0) fcntl(file, F_SETFD, FD_CLOEXEC);
    return file;
#endif
}

static int close_keeping_errno(int file) {
    int error = errno;
    if (file >= 0) close(file);
    errno = error;
    return -1;
}

int sluice_control_listen(const char *directory) {
    struct sockaddr_un address;
    int holder;
    if (control_address(directory, &address, &holder) != 0) return -1;
    int listener = control_socket();
    struct stat status;
    if (listener < 0) return close_keeping_errno(holder);
    if (lstat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode)) unlink(address.sun_path);
    // Nobody can connect before listen(2), and by then only this user may.
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0
        || chmod(address.sun_path, 0600) != 0 || listen(listener, 16) != 0
        || fcntl(listener, F_SETFL, O_NONBLOCK) != 0) {
        close_keeping_errno(holder);
        return close_keeping_errno(listener);
    }
    if (holder >= 0) close(holder);
    return listener;
}

int sluice_control_accept(int listener) {
#if defined(__linux__)
    int file = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    int file = accept(listener, NULL, NULL);
#endif
    if (file < 0) return -1;
#if defined(__linux__)
    struct ucred peer;
    socklen_t size = sizeof peer;
    uid_t user = getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : (uid_t)-1;
#else
    fcntl(file, F_SETFD, FD_CLOEXEC);
    fcntl(file, F_SETFL, O_NONBLOCK);
    uid_t user = (uid_t)-1;
    gid_t group;
    if (getpeereid(file, &user, &group) != 0) user = (uid_t)-1;
    int on = 1;
    setsockopt(file, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    if (user == geteuid() || user == 0) return file;
    errno = EACCES;
    return close_keeping_errno(file);
}

int sluice_control_connect(const char *directory) {
    struct sockaddr_un address;
    int holder;
    if (control_address(directory, &address, &holder) != 0) return -1;
    int file = control_socket();
    if (file < 0) return close_keeping_errno(holder);
    int result = connect(file, (struct sockaddr *)&address, sizeof address);
    if (result != 0) close_keeping_errno(file);
    close_keeping_errno(holder);
    return result == 0 ? file : -1;
}

ssize_t sluice_send(int socket, const void *bytes, size_t count) {
#if defined(__linux__)
    return send(socket, bytes, count, MSG_NOSIGNAL);
#else
    return send(socket, bytes, count, 0);
#endif
}

ssize_t sluice_receive(int socket, void *bytes, size_t count) { return recv(socket, bytes, count, 0); }
