// Ctrl-C and SIGTERM as a request to end.
//
// (1) No signal handler: the signals are blocked in every thread, and one thread waits for them. (2) The first is a
// request, the second ends the process where it stands: a store is as safe then as after kill -9. (3) A pipe that nobody
// reads is an error of `write`, not a signal.

#if Tool
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

enum Interruption {
    /// Blocks the signals. To be called before there is a second thread: threads inherit it.
    static func prepare() {
        var signals = requests
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Calls `handler`, on a thread of its own, at the first request.
    static func onRequest(_ handler: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            wait()
            handler()
            let signal = wait()
            _exit(128 + signal)
        }
    }

    @discardableResult
    private static func wait() -> Int32 {
        var signals = requests
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        return signal
    }

    private static var requests: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGHUP)
        return signals
    }
}
#endif
