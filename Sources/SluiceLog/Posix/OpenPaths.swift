// The paths of open files by descriptor, behind a lock.
//
// A pthread mutex, as in the library: the thread sanitizer does not know Synchronization.Mutex on Linux
// (Swift 6.3.1), and would call what it guards a race.

#if canImport(Darwin)
internal import Darwin
#elseif canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// `@unchecked Sendable`: the table is reached with the mutex held, and not otherwise.
final class OpenPaths: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @exclusivity(unchecked) private var paths: [Int32: String] = [:]

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    subscript(descriptor: Int32) -> String? {
        get {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return paths[descriptor]
        }
        set {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            paths[descriptor] = newValue
        }
    }

    /// Calls the body with an open file below the directory, which is not forgotten, and so not closed, until
    /// it returns; false when there is none.
    func withFile(in directory: String, _ body: (Int32) throws(IOError) -> Void) throws(IOError) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard let file = paths.first(where: { $0.value.hasPrefix(directory + "/") }) else { return false }
        try body(file.key)
        return true
    }
}
