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

/// syncfs(2) of the file system that holds `fd`: writes many dirty files in one go. -1 with ENOSYS where
/// there is none.
int sluice_syncfs(int fd);

/// flock(2), exclusive, without waiting. 0, or -1 with EWOULDBLOCK when another process holds it.
int sluice_lock_exclusive(int fd);

/// The name in a directory entry: Swift sees `d_name` as a tuple of 256 bytes, and would copy past the end of
/// the entry.
const char *sluice_entry_name(const struct dirent *entry);

/// What a directory entry says it is; SLUICE_ENTRY_UNKNOWN for a symbolic link, and where the file system
/// does not say.
enum { SLUICE_ENTRY_UNKNOWN, SLUICE_ENTRY_FILE, SLUICE_ENTRY_DIRECTORY, SLUICE_ENTRY_OTHER };
int sluice_entry_kind(const struct dirent *entry);

/// Names the calling thread, for debuggers and `top -H`; at most 15 characters on Linux.
void sluice_name_thread(const char *name);

#endif
