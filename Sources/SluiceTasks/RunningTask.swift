// One task that runs: its body, why it was cancelled, what came of it.
//
// (1) There is one outcome: the first that is said. (2) A body that was cancelled and returns a result all
// the same has done its task, unless its lease was lost.

import Sluice
import SluiceCore

final class RunningTask: Sendable {
    let lease: TaskLease

    enum Outcome: Sendable {
        case done([UInt8])
        case failed(String, retryAfter: Duration?)
        case rejected(String)
        /// Beyond its hard limit; its body may still run.
        case overdue(Duration)
        /// Cancelled by a shutdown, and ended.
        case interrupted
        /// Cancelled by a shutdown, and did not end.
        case abandoned
        /// Another has it, or nobody wants it.
        case lost
    }

    enum Reason: Sendable {
        case softLimit(Duration)
        case shutdown
        case lost
    }

    private struct State {
        var reason: Reason?
        var body: Task<Void, Never>?
    }
    private let state = Locked(State())
    private let pending = PendingAnswer<Outcome>()

    init(_ lease: TaskLease) { self.lease = lease }

    func start(_ body: @escaping @Sendable () async throws -> [UInt8]) {
        let task = Task { [self] in
            do {
                let result = try await body()
                if case .lost? = reason { end(.lost) } else { end(.done(result)) }
            } catch {
                end(outcome(of: error))
            }
        }
        let isLate = state.withLock { state in
            state.body = task
            return state.reason != nil
        }
        if isLate { task.cancel() }
    }

    /// Cancels the body, which is to end soon. The first reason counts, but that the lease is lost always.
    func cancel(_ reason: Reason) {
        let body = state.withLock { state in
            if case .lost = reason { state.reason = reason } else { state.reason = state.reason ?? reason }
            return state.body
        }
        body?.cancel()
    }

    /// Says what came of it, whatever the body does.
    func end(_ outcome: Outcome) {
        pending.give(outcome)
        state.withLock { $0.body }?.cancel()
    }

    func outcome() async -> Outcome { await pending.value() ?? .lost }

    private var reason: Reason? { state.withLock { $0.reason } }

    private func outcome(of error: any Error) -> Outcome {
        switch reason {
        case .lost: return .lost
        case .shutdown: return .interrupted
        case .softLimit(let limit):
            return .failed("it took longer than its soft limit of \(limit): \(error)", retryAfter: nil)
        case nil: break
        }
        switch error {
        case let error as TaskRejection: return .rejected(error.reason)
        case let error as TaskPostponement: return .failed(error.reason, retryAfter: error.after)
        case TaskError.leaseLost: return .lost
        default: return .failed("\(error)", retryAfter: nil)
        }
    }
}
