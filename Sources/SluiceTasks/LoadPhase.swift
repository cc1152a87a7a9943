// How far something is that is made from the store before anybody asks it anything: a queue of tasks, a topic
// that is shared out.
//
// (1) While it loads, calls wait. (2) A load that failed is begun anew by the next call.

import Sluice

enum LoadPhase {
    case unloaded
    case loading([PendingAnswer<TaskError?>])
    case ready
    case closed

    /// What a call does that wants it ready.
    enum Entry {
        case go
        case wait(PendingAnswer<TaskError?>)
        case load
        case refused
    }

    /// Comes in. With the lock of what it is the phase of.
    mutating func enter() -> Entry {
        switch self {
        case .ready: return .go
        case .closed: return .refused
        case .loading(let others):
            let mine = PendingAnswer<TaskError?>()
            self = .loading(others + [mine])
            return .wait(mine)
        case .unloaded:
            self = .loading([])
            return .load
        }
    }
}

extension LoadPhase.Entry {
    /// Returns when it is ready.
    ///
    /// - Parameter load: loads it, says so in its phase, and tells those who wait.
    /// - Throws: what loading throws, `stream(.closed)`, `cancelled`.
    nonisolated(nonsending) func loaded(
        by load: @escaping @Sendable () async -> TaskError?
    ) async throws(TaskError) {
        switch self {
        case .go: return
        case .refused: throw .stream(.closed)
        case .wait(let mine):
            guard let failure = await mine.value() else { throw .cancelled }
            if let failure { throw failure }
        case .load:
            // In a task of its own: whoever asks first may be cancelled.
            let failure = await Task.detached { await load() }.value
            if let failure { throw failure }
        }
    }
}
