// Errors by what they mean: numbers differ between systems.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension IOError {
    /// The disk, or this user's share of it, is full: it may pass, and what was there is unharmed.
    package var isNoSpace: Bool { errno == ENOSPC || errno == EDQUOT }

    /// The process, or the machine, has as many files open as it may: nothing was tried.
    var isTooManyFiles: Bool { errno == EMFILE || errno == ENFILE }

    /// There were no descriptors or no memory: nothing was tried, and it may pass.
    var isShortage: Bool { isTooManyFiles || errno == ENOMEM }

    /// What is read is not what was written.
    static func isDamaged(_ path: String) -> IOError { IOError(operation: "read", path: path, errno: EIO) }

    /// The file system has no such call.
    var isUnsupported: Bool { errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOTSUP }
}
