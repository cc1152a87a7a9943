// The socket in a store's directory: one thread, asleep in poll(2) while nobody asks anything.
//
// (1) At most `maxConnections`; whoever comes beyond that waits in the kernel's queue. (2) A connection has
// one request under way; until it is answered nothing more is read from it. (3) One that is silent for a
// minute and has nothing by being there, or does not take its answer, is closed. (4) No bytes trap: see
// ControlMessage. (5) The store is held while a request of it runs, and not otherwise: a store that is
// dropped ends the thread. (6) That a connection ends is noticed at once, also while its request is under
// way: its peer ends with it.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import CSluiceSystem
import Logging
import SluiceCore
import SluiceLog

final class ControlServer: @unchecked Sendable {
    /// A worker of another process has two.
    private static let maxConnections = 64
    private static let idleNanoseconds: Int64 = 60_000_000_000

    private weak var store: StreamStore?
    private let path: String
    private let listener: Int32
    private let wake: Int32
    private let answers = Locked(Answers())
    /// Answered when the socket is gone.
    private let ended = Waiter<Void>()

    private struct Answers {
        var ready: [(connection: Int32, serial: Int, bytes: [UInt8])] = []
        var isStopped = false
    }

    private struct Connection {
        /// Tells connections of one descriptor apart.
        var serial: Int
        let peer = ControlPeer()
        var input = ControlInput()
        var output: [UInt8] = []
        var isAnswering = false
        /// Closed when all has been sent.
        var isEnding = false
        var deadline: Int64

        /// Who waits for an answer, or has something by being there, may be silent.
        var mayTimeOut: Bool { !isAnswering && (!output.isEmpty || !peer.isHolding) }
    }

    /// Listens in the store's directory. nil, with a line in the log, when that cannot be.
    static func start(_ store: StreamStore, _ logger: Logger) -> ControlServer? {
        let listener = sluice_control_listen(store.path)
        let error = errno
        let wake = listener >= 0 ? sluice_wake_open() : -1
        guard listener >= 0, wake >= 0 else {
            if listener >= 0 { close(listener) }
            logger.warning(
                "the store cannot be administered from outside: no control.sock",
                metadata: ["path": "\(store.path)", "errno": "\(error)"])
            return nil
        }
        let server = ControlServer(store, listener, wake)
        guard let thread = Thread.start("sluice-control", { server.run() }) else { return nil }
        thread.detach()
        return server
    }

    private init(_ store: StreamStore, _ listener: Int32, _ wake: Int32) {
        self.store = store
        path = store.path
        self.listener = listener
        self.wake = wake
    }

    deinit { close(wake) }

    /// Ends the thread; the socket's name goes with it.
    func stop() {
        answers.withLock { $0.isStopped = true }
        sluice_wake_ring(wake)
    }

    /// Returns when the socket is gone. Not to be cancelled.
    nonisolated(nonsending) func end() async {
        stop()
        _ = await ended.value()
    }

    // MARK: The thread

    private func run() {
        var connections: [Int32: Connection] = [:]
        var serial = 0
        // The directory may be another store's by the time that this one has been dropped.
        var own = stat()
        lstat(path + "/control.sock", &own)
        while !answers.withLock({ $0.isStopped }) {
            var polled = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
            if connections.count < Self.maxConnections {
                polled.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            }
            for (file, connection) in connections {
                var events: Int32 = 0
                if !connection.output.isEmpty { events |= Int32(POLLOUT) }
                if !connection.isAnswering, !connection.isEnding { events |= Int32(POLLIN) }
                polled.append(pollfd(fd: file, events: Int16(events), revents: 0))
            }
            poll(&polled, nfds_t(polled.count), timeout(connections))
            for entry in polled where entry.revents != 0 {
                switch entry.fd {
                case wake: sluice_wake_clear(wake)
                case listener: accept(&connections, &serial)
                default: serve(entry.fd, Int32(entry.revents), &connections)
                }
            }
            takeAnswers(&connections)
            let now = Instant.monotonicNow
            for (file, connection) in connections where connection.deadline <= now && connection.mayTimeOut {
                drop(file, &connections)
            }
        }
        for file in connections.keys { close(file) }
        close(listener)
        var present = stat()
        if lstat(path + "/control.sock", &present) == 0, present.st_ino == own.st_ino {
            unlink(path + "/control.sock")
        }
        ended.resume(.success(()))
    }

    /// Milliseconds until the first connection has been silent for too long; -1 without one.
    private func timeout(_ connections: [Int32: Connection]) -> Int32 {
        guard let first = connections.values.filter(\.mayTimeOut).map(\.deadline).min() else {
            return -1
        }
        return Int32(clamping: max(0, first - Instant.monotonicNow) / 1_000_000 + 1)
    }

    private func accept(_ connections: inout [Int32: Connection], _ serial: inout Int) {
        while connections.count < Self.maxConnections {
            let file = sluice_control_accept(listener)
            if file < 0 {
                // Somebody else's, or one that went away: the next may be ours.
                if errno == EACCES || errno == ECONNABORTED || errno == EINTR { continue }
                // Out of descriptors, it would be told again at once.
                if errno == EMFILE || errno == ENFILE { _ = poll(nil, 0, 100) }
                return
            }
            serial += 1
            connections[file] = Connection(serial: serial, deadline: Self.deadline)
        }
    }

    private static var deadline: Int64 { Instant.monotonicNow + idleNanoseconds }

    private func drop(_ file: Int32, _ connections: inout [Int32: Connection]) {
        guard let connection = connections.removeValue(forKey: file) else { return }
        close(file)
        connection.peer.end()
    }

    private func serve(_ file: Int32, _ events: Int32, _ connections: inout [Int32: Connection]) {
        guard var connection = connections[file] else { return }
        if events & Int32(POLLOUT) != 0 {
            let output = connection.output
            let sent = output.withUnsafeBytes { sluice_send(file, $0.baseAddress, $0.count) }
            guard sent > 0 else { return drop(file, &connections) }
            connection.output.removeFirst(sent)
            connection.deadline = Self.deadline
            if connection.output.isEmpty, connection.isEnding { return drop(file, &connections) }
        }
        if events & Int32(POLLIN) != 0, !connection.isAnswering, !connection.isEnding {
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            let count = bytes.withUnsafeMutableBytes { sluice_receive(file, $0.baseAddress, $0.count) }
            guard count > 0 else { return drop(file, &connections) }
            connection.input.append(bytes[..<count])
            connection.deadline = Self.deadline
            take(&connection, file)
        } else if events & Int32(POLLHUP | POLLERR | POLLNVAL) != 0, events & Int32(POLLOUT) == 0 {
            return drop(file, &connections)
        }
        connections[file] = connection
    }

    /// Begins with the next request, if there is one.
    private func take(_ connection: inout Connection, _ file: Int32) {
        switch connection.input.next() {
        case .incomplete: break
        case .broken(let length):
            let answer = ControlMessage.failure(
                "illegalRequest", "A message has 1 to \(ControlMessage.maxBytes) bytes, not \(length).")
            connection.output += ControlMessage.encode(answer)
            connection.isEnding = true
        case .message(let bytes):
            guard let store else {
                connection.isEnding = true
                return
            }
            connection.isAnswering = true
            let (serial, peer) = (connection.serial, connection.peer)
            Task.detached { [self] in
                var answer = ControlMessage.encode(await ControlRequests.answer(bytes, store, peer))
                if answer.count > ControlMessage.headerBytes + ControlMessage.maxBytes {
                    answer = ControlMessage.encode(
                        ControlMessage.failure(
                            "tooLarge", "The answer has \(answer.count) bytes: ask for less at a time."))
                }
                let message = answer
                answers.withLock { $0.ready.append((file, serial, message)) }
                sluice_wake_ring(wake)
            }
        }
    }

    private func takeAnswers(_ connections: inout [Int32: Connection]) {
        let ready = answers.withLock { answers in
            defer { answers.ready = [] }
            return answers.ready
        }
        for (file, serial, bytes) in ready {
            guard var connection = connections[file], connection.serial == serial else { continue }
            connection.isAnswering = false
            connection.output += bytes
            connection.deadline = Self.deadline
            take(&connection, file)
            connections[file] = connection
        }
    }
}
