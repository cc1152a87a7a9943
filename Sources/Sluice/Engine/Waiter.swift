// One answer, awaited by one task or polled by one thread. Whoever comes first, answer or cancellation, wins.
//
// (1) `isTaken` decides who answers; he alone writes `answer`, before `state` says so. (2) The one who waits
// writes `continuation` before `state` says that he waits. (3) Sequentially consistent: a caller that helps
// counts itself, then looks here; who answers says so here, then looks for helpers. One of them sees the
// other.
//
// Inlinable for the other modules of the package, as `Locked` is.

package import Synchronization

/// How far an answer is.
package enum WaiterState: UInt8, AtomicRepresentable {
    /// Nobody waits and it is not there; somebody waits; it is there.
    case empty, awaited, answered
}

/// A place for an answer that comes once. No lock and no memory but its own: there is one for each `send`.
package final class Waiter<Value: Sendable>: @unchecked Sendable {
    package let isTaken = Atomic(false)
    package let state = Atomic(WaiterState.empty)
    @exclusivity(unchecked) package var answer: Result<Value, StreamError>?
    @exclusivity(unchecked) package var continuation: UnsafeContinuation<Result<Value, StreamError>, Never>?

    @inlinable package init() {}

    /// Gives the answer; later ones are dropped.
    @inlinable package func resume(_ result: Result<Value, StreamError>) {
        guard !isTaken.exchange(true, ordering: .acquiringAndReleasing) else { return }
        answer = result
        if state.exchange(.answered, ordering: .sequentiallyConsistent) == .awaited {
            continuation.take()?.resume(returning: result)
        }
    }

    /// The answer, if it is there.
    @inlinable package var result: Result<Value, StreamError>? {
        state.load(ordering: .sequentiallyConsistent) == .answered ? answer : nil
    }

    /// Waits for the answer. When the task is cancelled the answer is `cancelled`, unless that is nil: then
    /// it goes on.
    @inlinable
    package nonisolated(nonsending) func value(
        cancelled: StreamError? = nil
    ) async -> Result<Value, StreamError> {
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
