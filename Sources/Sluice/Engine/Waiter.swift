// One answer, awaited by one task or polled by one thread. Whoever comes first, answer or cancellation, wins.

import Synchronization

/// A place for an answer that comes once.
final class Waiter<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, StreamError>?
        var continuation: CheckedContinuation<Result<Value, StreamError>, Never>?
    }
    private let state = Mutex(State())

    /// Gives the answer; later ones are dropped.
    func resume(_ result: Result<Value, StreamError>) {
        let continuation = state.withLock { state -> CheckedContinuation<Result<Value, StreamError>, Never>? in
            guard state.result == nil else { return nil }
            state.result = result
            return state.continuation.take()
        }
        continuation?.resume(returning: result)
    }

    /// The answer, if it is there.
    var result: Result<Value, StreamError>? { state.withLock { $0.result } }

    /// Waits for the answer. When the task is cancelled the answer is `cancelled`, unless that is nil: then it goes on.
    nonisolated(nonsending) func value(cancelled: StreamError? = nil) async -> Result<Value, StreamError> {
        if let result { return result }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state -> Result<Value, StreamError>? in
                    if let result = state.result { return result }
                    state.continuation = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            if let cancelled { resume(.failure(cancelled)) }
        }
    }
}
