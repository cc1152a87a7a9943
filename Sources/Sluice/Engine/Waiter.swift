// One answer, awaited by one task or polled by one thread. Whoever comes first, answer or cancellation, wins.
//
// (1) `isTaken` decides who answers; he alone writes `answer`, before `state` says so. (2) The one who waits
// writes `continuation` before `state` says that he waits. (3) Sequentially consistent: a caller that helps
// counts itself, then looks here; who answers says so here, then looks for helpers. One of them sees the
// other.

import Synchronization

private enum WaiterState: UInt8, AtomicRepresentable {
    case empty, awaited, answered
}

/// A place for an answer that comes once. No lock and no memory but its own: there is one for each `send`.
final class Waiter<Value: Sendable>: @unchecked Sendable {
    private let isTaken = Atomic(false)
    private let state = Atomic(WaiterState.empty)
    @exclusivity(unchecked) private var answer: Result<Value, StreamError>?
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Result<Value, StreamError>, Never>?

    /// Gives the answer; later ones are dropped.
    func resume(_ result: Result<Value, StreamError>) {
        guard !isTaken.exchange(true, ordering: .acquiringAndReleasing) else { return }
        answer = result
        if state.exchange(.answered, ordering: .sequentiallyConsistent) == .awaited {
            continuation.take()?.resume(returning: result)
        }
    }

    /// The answer, if it is there.
    var result: Result<Value, StreamError>? {
        state.load(ordering: .sequentiallyConsistent) == .answered ? answer : nil
    }

    /// Waits for the answer. When the task is cancelled the answer is `cancelled`, unless that is nil: then
    /// it goes on.
    nonisolated(nonsending) func value(cancelled: StreamError? = nil) async -> Result<Value, StreamError> {
        if let result { return result }
        return await withTaskCancellationHandler {
            // Who has set `isTaken` resumes it, once: a checked one would take memory of its own.
            await withUnsafeContinuation { continuation in
                self.continuation = continuation
                let (isWaiting, _) = state.compareExchange(
                    expected: .empty, desired: .awaited, ordering: .acquiringAndReleasing)
                guard !isWaiting, let result else { return }
                self.continuation = nil
                continuation.resume(returning: result)
            }
        } onCancel: {
            if let cancelled { resume(.failure(cancelled)) }
        }
    }
}
