// Ctrl-C and SIGTERM as a request to end.
//
// (1) No signal handler: the signals are blocked in every thread, and the main thread, which has nothing else
// to do, waits for them. It must not be an async `main`: the runtime's wait for that lets signals through.
// (2) The first is a request, the second ends the process where it stands: a store is as safe then as after
// kill -9. (3) A pipe that nobody reads is an error of `write`, not a signal.

#if Tool
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

    /// Waits for the first request, calls `handler`, and at the second ends the process.
    static func serve(_ handler: () -> Void) -> Never {
        _ = next()
        handler()
        _exit(128 + next())
    }

    private static func next() -> Int32 {
        var signals = requests
        var signal: Int32 = 0
        while sigwait(&signals, &signal) != 0 {}
        return signal
    }

    private static var requests: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        return signals
    }
}
#endif
