// How many files the process may have open.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum FileLimit {
    /// The soft limit, `ulimit -n`.
    static var current: Int {
        var limit = rlimit()
        #if canImport(Glibc)
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
        #else
        guard getrlimit(RLIMIT_NOFILE, &limit) == 0 else { return 256 }
        #endif
        return Int(clamping: limit.rlim_cur)
    }

    /// What of it stores may take: half stays with the program, or 1,024.
    static var forStores: Int { max(current / 2, current - 1024) }
}
