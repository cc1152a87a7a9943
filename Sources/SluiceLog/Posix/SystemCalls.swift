// The C library's calls whose names the methods of `PosixFileSystem` hide, and the one loop around every
// call.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Makes a system call until it is not interrupted, and returns what it returned; -1 becomes an `IOError`.
///
/// `path` is looked up only on failure, after errno has been read.
func systemCall<Result: SignedInteger>(
    _ operation: String, _ path: @autoclosure () -> String, _ call: () -> Result
) throws(IOError) -> Result {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw IOError(operation: operation, path: path(), errno: code) }
    }
}

/// open(2); new files are 0644 under the process's umask, and no child process inherits the descriptor.
func systemOpen(_ path: String, _ flags: Int32) throws(IOError) -> Int32 {
    try systemCall("open", path) { open(path, flags | O_CLOEXEC, 0o644) }
}

/// open(2) of a directory, to sync it.
func systemOpenDirectory(_ path: String) throws(IOError) -> Int32 {
    try systemOpen(path, O_RDONLY | O_DIRECTORY)
}

/// close(2), once: on Linux the descriptor is gone even after EINTR, and may be another thread's by now. What
/// an error here would tell, `sync` has told before.
func systemClose(_ descriptor: Int32) { _ = close(descriptor) }

/// rename(2).
func systemRename(_ path: String, _ newPath: String) throws(IOError) {
    _ = try systemCall("rename", path) { rename(path, newPath) }
}

/// link(2).
func systemLink(_ path: String, _ newPath: String) throws(IOError) {
    _ = try systemCall("link", path) { link(path, newPath) }
}
