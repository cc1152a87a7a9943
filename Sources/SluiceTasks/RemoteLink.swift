// The connection by which a process is there, for a queue of another process: made again when it ends.
//
// (1) One attempt to join again is under way at a time, and whoever needs it waits for it. (2) It is made for
// `patience`; who asks then hears `unreachable`.

import Sluice
import SluiceCore

actor RemoteLink {
    /// What each request has.
    nonisolated let members: [String: JSONValue]
    private let store: String
    private var line: ControlLine?
    private var joining: Task<TaskError?, Never>?
    private static let patience = Duration.seconds(30)
    private static let pause = Duration.milliseconds(200)

    init(_ store: String, _ members: [String: JSONValue]) {
        self.store = store
        self.members = members
    }

    /// Joins the queue, once. Throws `unreachable`, `refused`.
    func join() async throws(TaskError) {
        guard let line = ControlLine.open(store) else { throw .unreachable(store: store) }
        switch await line.ask("joinQueue", members) {
        case .result: self.line = line
        case .refused(let code, let message): throw .refused(code: code, message: message)
        case .silent: throw .unreachable(store: store)
        }
    }

    /// Joins again, unless that has been done since the connection ended. Throws as `join`.
    ///
    /// - Parameter isForced: the connection is of no use, and is to end.
    func joinAgain(isForced: Bool = false) async throws(TaskError) {
        if isForced { line?.close() }
        if let line, !line.hasEnded { return }
        let joining = joining ?? Task { await keepJoining() }
        self.joining = joining
        let failure = await joining.value
        if self.joining == joining { self.joining = nil }
        if let failure { throw failure }
    }

    private func keepJoining() async -> TaskError? {
        let clock = ContinuousClock()
        let end = clock.now + Self.patience
        while true {
            do throws(TaskError) {
                try await join()
                return nil
            } catch {
                // Another program may have the store, and no queues; or it is being closed.
                if clock.now >= end || Task.isCancelled { return error }
            }
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Asks, again after joining again if need be. Throws `refused`, `unreachable`.
    func ask(
        _ request: String, _ more: [String: JSONValue] = [:], mayJoinAgain: Bool = true
    ) async throws(TaskError) -> JSONValue {
        while true {
            let answer = await line?.ask(request, members.merging(more) { $1 }) ?? .silent
            switch answer {
            case .result(let json): return json
            case .refused("closed", _) where mayJoinAgain: line?.close()
            case .refused(let code, let message): throw .refused(code: code, message: message)
            case .silent:
                if Task.isCancelled { throw .cancelled }
                if !mayJoinAgain { throw .unreachable(store: store) }
            }
            try await joinAgain()
        }
    }

    func close() { line?.close() }
}
