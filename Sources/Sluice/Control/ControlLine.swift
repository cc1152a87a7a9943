// A connection to a live store that is kept: for workers of another process, who are there as long as it is.
//
// (1) Requests go out one at a time, in the order in which they were made. (2) There is a thread while there
// is something to send or to wait for, and none else. (3) What was asked when the connection ended may have
// been done or not. (4) A connection that has ended stays so: open another.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import CSluiceSystem
package import SluiceCore

/// A connection to the process that has a store open.
package final class ControlLine: Sendable {
    private struct State {
        var waiting: [(bytes: [UInt8], pending: PendingAnswer<ControlClient.Answer>)] = []
        var isSending = false
        var hasEnded = false
    }
    private let file: Int32
    private let state = Locked(State())

    private init(_ file: Int32) { self.file = file }

    deinit { Self.close(file) }

    /// Connects; nil when nobody listens there.
    package static func open(_ store: String) -> ControlLine? {
        let file = sluice_control_connect(store)
        return file < 0 ? nil : ControlLine(file)
    }

    /// Whether nothing more is answered.
    package var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Asks, and waits for the answer; `silent` when the connection has ended, or the caller was cancelled.
    package nonisolated(nonsending) func ask(
        _ request: String, _ members: [String: JSONValue]
    ) async -> ControlClient.Answer {
        let pending = PendingAnswer<ControlClient.Answer>()
        let bytes = ControlClient.message(request, members)
        let (isFirst, isLate) = state.withLock { state in
            if state.hasEnded { return (false, true) }
            state.waiting.append((bytes, pending))
            defer { state.isSending = true }
            return (!state.isSending, false)
        }
        if isLate { return .silent }
        if isFirst {
            if let thread = Thread.start("sluice-ask", { [self] in exchange() }) {
                thread.detach()
            } else {
                end()
            }
        }
        return await pending.value() ?? .silent
    }

    /// Ends the connection; whoever waits for an answer gets none.
    package func close() {
        state.withLock { $0.hasEnded = true }
        shutdown(file, Int32(SHUT_RDWR))
    }

    private func exchange() {
        var input = ControlInput()
        while let next = state.withLock({ Self.next(&$0) }) {
            let answer = ControlClient.exchange(next.bytes, over: file, &input)
            if case .silent = answer { end() }
            next.pending.give(answer)
        }
    }

    private static func next(
        _ state: inout State
    ) -> (bytes: [UInt8], pending: PendingAnswer<ControlClient.Answer>)? {
        guard !state.waiting.isEmpty else {
            state.isSending = false
            return nil
        }
        return state.waiting.removeFirst()
    }

    private func end() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.hasEnded = true
            return state.waiting
        }
        for one in waiting { one.pending.give(.silent) }
    }

    #if canImport(Glibc)
    private static func close(_ file: Int32) { _ = Glibc.close(file) }
    #else
    private static func close(_ file: Int32) { _ = Darwin.close(file) }
    #endif
}
