// Calls that Swift's Glibc module lacks or cannot import. Each returns what the system call returns; errors
// are in errno.
#ifndef CSLUICE_SYSTEM_H
#define CSLUICE_SYSTEM_H

#include <dirent.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/// preadv2(2) with RWF_NOWAIT: -1 with EAGAIN when the bytes are not in the page cache. Elsewhere pread(2).
ssize_t sluice_pread_nowait(int fd, void *buffer, size_t count, off_t position);

/// fdatasync(2); on Darwin fcntl(F_FULLFSYNC), since fsync there does not reach the medium.
int sluice_datasync(int fd);

/// fsync(2); on Darwin fcntl(F_FULLFSYNC). For directories.
int sluice_fullsync(int fd);

/// `sluice_fullsync` of each descriptor, or `sluice_datasync`, from several threads: a flush of the device is
/// shared by those who wait for one. `errors` gets 0 or the error of each.
void sluice_sync_all(const int *files, int *errors, int count, int is_full);

/// fallocate(2): the file has `bytes` bytes, with the blocks for them. -1 with EOPNOTSUPP where there is no
/// such call.
int sluice_allocate(int fd, off_t bytes);

/// syncfs(2) of the file system that holds `fd`: writes many dirty files in one go. -1 with ENOSYS where
/// there is none.
int sluice_syncfs(int fd);

/// flock(2), exclusive. Waits some milliseconds at most, for those who only look (sluice_lock_probe). 0, or
/// -1 with EWOULDBLOCK when another process holds it.
int sluice_lock_exclusive(int fd);

/// flock(2), shared, without waiting, and let go of at once: 0 when nobody holds it exclusively, else -1 with
/// EWOULDBLOCK.
int sluice_lock_probe(int fd);

/// The name in a directory entry: Swift sees `d_name` as a tuple of 256 bytes, and would copy past the end of
/// the entry.
const char *sluice_entry_name(const struct dirent *entry);

/// What a directory entry says it is; SLUICE_ENTRY_UNKNOWN for a symbolic link, and where the file system
/// does not say.
enum { SLUICE_ENTRY_UNKNOWN, SLUICE_ENTRY_FILE, SLUICE_ENTRY_DIRECTORY, SLUICE_ENTRY_OTHER };
int sluice_entry_kind(const struct dirent *entry);

/// Something to watch directories with: inotify(7) on Linux. -1 with ENOSYS where there is none.
int sluice_watch_open(void);

/// Watches a directory for files that are written, made, renamed and removed in it, and for files that were
/// open for writing and are closed.
int sluice_watch_add(int watch, const char *directory);

/// Something to wake `sluice_watch_wait` and `poll(2)` with: eventfd(2). -1 with ENOSYS where there is none.
int sluice_wake_open(void);

/// Makes the descriptor readable, or not any more.
void sluice_wake_ring(int wake);
void sluice_wake_clear(int wake);

/// Waits for a change, for `wake`, or for `milliseconds`; -1 is for ever. What has happened, as bits; all of
/// it has been taken note of.
enum { SLUICE_WATCH_CHANGED = 1, SLUICE_WATCH_WOKEN = 2, SLUICE_WATCH_LOST = 4 };
int sluice_watch_wait(int watch, int wake, int milliseconds);

/// A socket that listens at `directory`/control.sock, which only this user can open. What has the name must
/// be nobody's: a socket there is replaced, anything else is EEXIST. A path longer than a socket's address
/// takes goes through /proc/self/fd. -1 with errno; ENAMETOOLONG where there is no such way.
int sluice_control_listen(const char *directory);

/// The next one who connects, without waiting; -1 with EAGAIN when there is none, and with EACCES when it was
/// another user than this process's or root, who has been sent away.
int sluice_control_accept(int listener);

/// Connects to the socket that `sluice_control_listen` has made. -1 with errno.
int sluice_control_connect(const char *directory);

/// send(2), without a signal when nobody reads, and recv(2).
ssize_t sluice_send(int socket, const void *bytes, size_t count);
ssize_t sluice_receive(int socket, void *bytes, size_t count);

/// Names the calling thread, for debuggers and `top -H`; at most 15 characters on Linux.
void sluice_name_thread(const char *name);

#endif
