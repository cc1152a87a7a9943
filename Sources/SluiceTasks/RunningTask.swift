// One task that runs: its body, why it was cancelled, what came of it.
//
// (1) There is one outcome: the first that is said. (2) A body that was cancelled and returns a result all
// the same has done its task, unless its lease was lost. (3) What came of it is settled where no cancellation
// reaches: in the body's task only when nobody has cancelled it, and nobody can any more.

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
        /// nil also once it is over.
        var body: Task<Void, Never>?
        var isOver = false
    }
    private let state = Locked(State())
    private let settle: @Sendable (RunningTask, Outcome) async -> Void

    /// - Parameter settle: called once.
    init(_ lease: TaskLease, settle: @escaping @Sendable (RunningTask, Outcome) async -> Void) {
        self.lease = lease
        self.settle = settle
    }

    func start(_ body: @escaping @Sendable () async throws -> [UInt8]) {
        let task = Task { [self] in
            do {
                let result = try await body()
                if case .lost? = reason { await ended(.lost) } else { await ended(.done(result)) }
            } catch {
                await ended(outcome(of: error))
            }
        }
        let isLate = state.withLock { state in
            if !state.isOver { state.body = task }
            return !state.isOver && state.reason != nil
        }
        if isLate { task.cancel() }
    }

    /// The body has ended; called in its task.
    private func ended(_ outcome: Outcome) async {
        let (isFirst, isCancelled) = state.withLock { state in
            defer { (state.isOver, state.body) = (true, nil) }
            return (!state.isOver, state.reason != nil)
        }
        guard isFirst else { return }
        if isCancelled {
            Task { await settle(self, outcome) }
        } else {
            await settle(self, outcome)
        }
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
        let (isFirst, body) = state.withLock { state in
            defer { (state.isOver, state.body) = (true, nil) }
            return (!state.isOver, state.body)
        }
        if isFirst { Task { await settle(self, outcome) } }
        body?.cancel()
    }

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
