// The calls of the operating system that the tool makes, each in the form that the rest of it wants.
//
// (1) Descriptors 0, 1 and 2, and those of who asks. (2) A call that a signal interrupts is made again.

#if Tool
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import SluiceLog

/// The calls of the operating system that the tool makes.
enum System {
    /// Whether a person sees what is written to the descriptor.
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Opens what is closed of the descriptors 0, 1 and 2, so that no file of the store can get such a number
    /// and be written to as if it were the terminal. Reading gives the end, writing an error.
    static func reserveStandardDescriptors() {
        while true {
            let descriptor = open("/dev/null", O_RDONLY)
            if descriptor > 2 { close(descriptor) }
            if descriptor < 0 || descriptor > 2 { return }
        }
    }

    /// No child gets what this process has open beside 0, 1 and 2: what it was started with included.
    static func keepDescriptorsFromChildren() {
        for descriptor in 3..<Int32(1024) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }

    /// Opens a file; the system's error number negated when that cannot be.
    static func openToRead(_ path: String) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        return descriptor < 0 ? -errno : descriptor
    }

    /// Closes what was opened.
    static func closeFile(_ descriptor: Int32) { close(descriptor) }

    /// read(2) as it is, without waiting where the descriptor says so; −1 with errno.
    static func readOnce(_ descriptor: Int32, into buffer: inout [UInt8]) -> Int {
        buffer.withUnsafeMutableBytes { buffer in
            read(descriptor, buffer.baseAddress, buffer.count)
        }
    }

    /// The same for writing; the count, or −1 with errno.
    static func writeOnce(_ bytes: RawSpan, to descriptor: Int32) -> Int {
        bytes.withUnsafeBytes { bytes in
            write(descriptor, bytes.baseAddress, bytes.count)
        }
    }

    /// Whether there is a program of that name, in $PATH when it has no '/'.
    static func isProgram(_ name: String) -> Bool {
        guard !name.isEmpty else { return false }
        if name.contains("/") { return access(name, X_OK) == 0 }
        let folders = (environment("PATH") ?? "/usr/bin:/bin").split(separator: ":")
        return folders.contains { access("\($0)/\(name)", X_OK) == 0 }
    }

    /// Lets nobody see what is typed at a terminal. Returns how it was.
    static func hideTyping(_ descriptor: Int32) -> termios? {
        var before = termios()
        guard tcgetattr(descriptor, &before) == 0 else { return nil }
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO)
        return tcsetattr(descriptor, TCSAFLUSH, &hidden) == 0 ? before : nil
    }

    /// Makes a terminal as it was.
    static func showTyping(_ descriptor: Int32, _ before: termios?) {
        guard var before else { return }
        tcsetattr(descriptor, TCSAFLUSH, &before)
    }

    /// Nanoseconds of a clock that never goes back; its zero means nothing.
    static var monotonicNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// The value of an environment variable; nil when it is not set, or empty.
    static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// The error number of a write that nobody reads.
    static let brokenPipe = EPIPE
    /// The error number of a path that goes through a file.
    static let notADirectory = ENOTDIR

    /// The system's words for an error number.
    static func text(ofErrno number: Int32) -> String { String(cString: strerror(number)) }

    /// Writes all of `bytes`. Returns the system's error number, or 0.
    static func writeAll(_ bytes: RawSpan, to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
                if count > 0 {
                    written += count
                } else if count < 0, errno == EAGAIN {
                    // Someone has set the other end of a terminal or pipe to not wait: wait here.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, -1)
                } else if count == 0 || errno != EINTR {
                    return count == 0 ? EIO : errno
                }
            }
            return 0
        }
    }

    /// Adds what is there to `buffer`, up to its capacity, and waits until there is something.
    ///
    /// Returns the bytes read, 0 at the end, or the system's error number negated.
    static func readSome(_ descriptor: Int32, into buffer: ByteBuffer) -> Int {
        while true {
            let room = buffer.capacity - buffer.count
            let count = read(descriptor, buffer.base + buffer.count, room)
            if count >= 0 {
                buffer.count += count
                return count
            }
            if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, -1)
            } else if errno != EINTR {
                return -Int(errno)
            }
        }
    }

    /// Waits until `descriptor` can be read, or has ended, or `other` can be read.
    ///
    /// - Parameter wait: false: only look.
    /// - Returns: which of the two can be read without waiting.
    static func readable(_ descriptor: Int32, or other: Int32, wait: Bool) -> (first: Bool, other: Bool) {
        var both = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&both, 2, wait ? -1 : 0) < 0, errno == EINTR {}
        return (both[0].revents != 0, both[1].revents != 0)
    }

    /// Where `byte` is in `bytes`, from `start` on and before `end`.
    @inline(__always)
    static func index(of byte: UInt8, in bytes: RawSpan, from start: Int, to end: Int) -> Int? {
        guard start < end else { return nil }
        return bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = memchr(base + start, Int32(byte), end - start)
            else {
                return nil
            }
            return Int(bitPattern: found) - Int(bitPattern: base)
        }
    }
}
#endif
