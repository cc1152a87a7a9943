// A program that does one task: bytes in, bytes out, how it ended. On a thread of its own, which waits.
//
// (1) Every child has a process group of its own: what the terminal sends to the worker does not reach it,
// and what ends it ends what it has started. (2) Its descriptors are 0, 1 and 2: pipes are made, and
// children started, one at a time, so that no other child gets one. (3) It is over when it has exited and
// what it had written until then is read; nobody waits for what it left behind. (4) Asked to end, it gets
// SIGTERM, and SIGKILL after `grace`; at its deadline SIGKILL at once.

#if Tool
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import Sluice

/// How a child ended.
enum ChildEnd: Hashable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
    /// Beyond its deadline.
    case overdue
    /// It could not be started: the system's error number.
    case notStarted(Int32)
}

/// What came of a child.
struct ChildOutcome: Sendable {
    var end: ChildEnd
    /// What it wrote to standard output, at most one byte more than allowed.
    var output: [UInt8]
    /// The last of what it wrote to standard error.
    var errors: [UInt8]
}

/// One program that runs.
final class ChildProcess: Sendable {
    struct Limits: Sendable {
        /// Bytes of standard output that are kept; what is beyond is read and dropped.
        var outputBytes: Int
        /// When it is killed, in nanoseconds of the monotonic clock.
        var deadline: Int64?
        /// How long it has after SIGTERM.
        var graceNanoseconds: Int64
    }

    private struct State {
        var process: pid_t = 0
        var isEnding = false
        var killAt: Int64?
    }
    private static let spawning = Locked(())
    private static let errorBytes = 4096
    private let state = Locked(State())
    private let limits: Limits

    init(_ limits: Limits) { self.limits = limits }

    /// Asks it to end, from any thread; before it has begun it is ended when it begins.
    func terminate() {
        state.withLock { state in
            guard !state.isEnding else { return }
            state.isEnding = true
            if state.process > 0 { end(&state) }
        }
    }

    private func end(_ state: inout State) {
        kill(-state.process, SIGTERM)
        state.killAt = System.monotonicNanoseconds + limits.graceNanoseconds
    }

    /// Runs a program to its end. Blocks.
    func run(_ command: [String], environment: [String: String], input: [UInt8]) -> ChildOutcome {
        var pipes = [ChildPipe](repeating: ChildPipe(), count: 3)
        defer { for pipe in pipes { pipe.close() } }
        let error = Self.spawning.withLock { _ -> Int32 in
            for index in 0..<3 where !pipes[index].open() { return errno }
            return start(command, environment, pipes)
        }
        guard error == 0 else { return ChildOutcome(end: .notStarted(error), output: [], errors: []) }
        // What is the child's.
        pipes[0].closeRead()
        pipes[1].closeWrite()
        pipes[2].closeWrite()
        return exchange(&pipes, input)
    }

    private func start(_ command: [String], _ environment: [String: String], _ pipes: [ChildPipe]) -> Int32 {
        #if canImport(Darwin)
        var (actions, attributes) = (posix_spawn_file_actions_t?.none, posix_spawnattr_t?.none)
        #else
        var (actions, attributes) = (posix_spawn_file_actions_t(), posix_spawnattr_t())
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, pipes[0].readEnd, 0)
        posix_spawn_file_actions_adddup2(&actions, pipes[1].writeEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, pipes[2].writeEnd, 2)
        // The worker's threads block signals, and it ignores SIGPIPE: not so the child.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var arguments = command.map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        return state.withLock { state in
            let error = posix_spawnp(
                &state.process, command[0], &actions, &attributes, &arguments, &variables)
            if error != 0 { state.process = 0 } else if state.isEnding { end(&state) }
            return error
        }
    }

    /// Feeds it and reads from it until it is over.
    private func exchange(_ pipes: inout [ChildPipe], _ input: [UInt8]) -> ChildOutcome {
        var outcome = ChildOutcome(end: .exited(0), output: [], errors: [])
        var rest = input[...]
        var quietPause: Int32 = 1
        // The end that is written to alone; the child's is another.
        _ = fcntl(pipes[0].writeEnd, F_SETFL, O_NONBLOCK)
        if rest.isEmpty { pipes[0].closeWrite() }
        while true {
            if let end = reaped() {
                outcome.end = end
                read(&pipes, &outcome)
                return outcome
            }
            var polled = [
                pollfd(fd: pipes[0].writeEnd, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: pipes[1].readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes[2].readEnd, events: Int16(POLLIN), revents: 0),
            ]
            // Closed pipes are those of one that is about to exit, or has closed them to work on.
            let isQuiet = pipes[1].readEnd < 0 && pipes[2].readEnd < 0
            poll(&polled, 3, min(isQuiet ? quietPause : 200, untilDeadline))
            if isQuiet { quietPause = min(quietPause * 2, 50) }
            if polled[0].revents != 0 { feed(&pipes[0], &rest) }
            read(&pipes, &outcome)
        }
    }

    /// Milliseconds, at least one.
    private var untilDeadline: Int32 {
        guard let deadline = limits.deadline else { return .max }
        return Int32(clamping: max(0, deadline - System.monotonicNanoseconds) / 1_000_000 + 1)
    }

    /// How it ended; nil while it runs. Kills it when it is time.
    private func reaped() -> ChildEnd? {
        state.withLock { state in
            var status: Int32 = 0
            let isOverdue = limits.deadline.map { System.monotonicNanoseconds >= $0 } ?? false
            let isLate = state.killAt.map { System.monotonicNanoseconds >= $0 } ?? false
            if isOverdue || isLate { kill(-state.process, SIGKILL) }
            // Killed, it is waited for.
            let ended = waitpid(state.process, &status, isOverdue || isLate ? 0 : WNOHANG)
            if ended == 0 || (ended < 0 && errno == EINTR) { return nil }
            state.process = 0
            if ended < 0 { return .notStarted(errno) }
            let signal = status & 0x7F
            if isOverdue, signal == SIGKILL { return .overdue }
            return signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
        }
    }

    private func feed(_ pipe: inout ChildPipe, _ rest: inout ArraySlice<UInt8>) {
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { System.writeOnce($0.bytes, to: pipe.writeEnd) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            // It does not want the rest.
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        pipe.closeWrite()
    }

    /// Reads what is there, without waiting.
    private func read(_ pipes: inout [ChildPipe], _ outcome: inout ChildOutcome) {
        let room = limits.outputBytes + 1
        pipes[1].read { bytes in outcome.output += bytes.prefix(max(0, room - outcome.output.count)) }
        pipes[2].read { bytes in
            StandardError.write(bytes: bytes)
            outcome.errors = Array((outcome.errors + bytes).suffix(Self.errorBytes))
        }
    }
}

/// A pipe between the worker and a child.
private struct ChildPipe {
    private(set) var readEnd: Int32 = -1
    private(set) var writeEnd: Int32 = -1

    mutating func open() -> Bool {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return false }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return true
    }

    /// Gives what is there to `body`; closes the pipe at its end.
    mutating func read(_ body: (ArraySlice<UInt8>) -> Void) {
        guard readEnd >= 0 else { return }
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = System.readOnce(readEnd, into: &buffer)
            if count > 0 {
                body(buffer[..<count])
                continue
            }
            if count < 0, errno == EINTR { continue }
            if count == 0 || errno != EAGAIN { closeRead() }
            return
        }
    }

    mutating func closeRead() {
        if readEnd >= 0 { System.closeFile(readEnd) }
        readEnd = -1
    }

    mutating func closeWrite() {
        if writeEnd >= 0 { System.closeFile(writeEnd) }
        writeEnd = -1
    }

    func close() {
        if readEnd >= 0 { System.closeFile(readEnd) }
        if writeEnd >= 0 { System.closeFile(writeEnd) }
    }
}
#endif
