// Threads of our own, for work that waits for the disk: it must not sit in Swift's cooperative pool.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import CSluiceSystem
package import SluiceLog

/// A running thread. Whoever started it joins it, or lets it go.
struct Thread: @unchecked Sendable {
    // A plain identifier, which may be used from any thread.
    private let id: pthread_t

    /// Starts a thread. nil when the system has none to give.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Thread? {
        let box = Unmanaged.passRetained(Body(name: name, run: body))
        #if canImport(Glibc)
        var id = pthread_t()
        let failed = pthread_create(&id, nil, { Body.enter($0) }, box.toOpaque())
        #else
        var started: pthread_t?
        let failed = pthread_create(&started, nil, { Body.enter($0) }, box.toOpaque())
        guard let id = started else { return nil }
        #endif
        guard failed == 0 else {
            box.release()
            return nil
        }
        return Thread(id: id)
    }

    /// Waits for its end.
    func join() { pthread_join(id, nil) }

    /// Nobody will wait for its end.
    func detach() { pthread_detach(id) }

    private final class Body {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }

        static func enter(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            guard let pointer else { return nil }
            let body = Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue()
            sluice_name_thread(String(body.name.prefix(15)))
            body.run()
            return nil
        }
    }
}

extension Instant {
    /// The two clocks as they stand.
    package static var now: Instant {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Instant(
            wallMilliseconds: Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000,
            monotonicNanoseconds: monotonicNow)
    }

    package static var monotonicNow: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The wall clock to a few milliseconds, at a quarter of the price: for timestamps of records.
@inline(__always)
func coarseWallMilliseconds() -> Int64 {
    var time = timespec()
    #if canImport(Glibc)
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    #else
    clock_gettime(CLOCK_REALTIME, &time)
    #endif
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
