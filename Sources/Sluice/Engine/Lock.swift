// The lock of the append path: a pthread mutex, with conditions that belong to it.
//
// Measured: Synchronization.Mutex is equal with two threads and up to 21 times slower with eight that hold it
// for a microsecond. The thread sanitizer, moreover, does not know it on Linux (Swift 6.3.1) and calls all
// that it guards a race: so it is used nowhere in this module, and a clean run of the sanitizer means
// something.
//
// What such a lock guards in a class is declared `@exclusivity(unchecked)`. The optimiser (Swift 6.3.1) joins
// neighbouring accesses of a property into one that spans a call to C, and the C call may be the one that
// lets another thread in: the run-time check for exclusive access then stops a correct program. The lock is
// what keeps accesses apart.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A mutual exclusion lock. `@unchecked Sendable`: the system's mutex is made for several threads.
final class Lock: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inline(__always) func lock() { pthread_mutex_lock(mutex) }
    func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }
    @inline(__always) func unlock() { pthread_mutex_unlock(mutex) }

    @inline(__always)
    func withLock<R: ~Copyable, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// A value and its lock. `@unchecked Sendable`: the value is reached with the lock held, and not otherwise.
package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    private let lock = Lock()
    @exclusivity(unchecked) private var value: Value

    /// `value`, and a lock of its own.
    package init(_ value: consuming Value) { self.value = value }

    /// Runs `body` with the lock held; it waits for nothing.
    package func withLock<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}

/// Something that threads which hold a lock can wait for. The monotonic clock counts.
final class Condition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        #if canImport(Glibc)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        #else
        pthread_cond_init(condition, nil)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// Waits, without the lock; with it again on return.
    func wait(_ lock: Lock) { pthread_cond_wait(condition, lock.mutex) }

    /// As `wait`, at most until a moment of the monotonic clock, in nanoseconds.
    func wait(_ lock: Lock, until deadline: Int64) {
        #if canImport(Glibc)
        var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        pthread_cond_timedwait(condition, lock.mutex, &time)
        #else
        let left = max(0, deadline - Instant.monotonicNow)
        var time = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        pthread_cond_timedwait_relative_np(condition, lock.mutex, &time)
        #endif
    }

    func signal() { pthread_cond_signal(condition) }
    func broadcast() { pthread_cond_broadcast(condition) }
}
