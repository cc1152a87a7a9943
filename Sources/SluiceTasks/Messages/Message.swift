// A message in hand: it ends in exactly one way, which the compiler checks.

public import Sluice
import SluiceCore

/// A record that was given to the one who has this. Dropped without an end, it is released.
///
/// ```swift
/// guard let message = try await queue.next() else { return }
/// do {
///     try await handle(message.record)
///     try await message.accept()
/// } catch let error as Malformed {
///     try await message.reject("\(error)")
/// }
/// ```
public struct Message: ~Copyable, Sendable {
    private let held: HeldMessage

    init(_ held: HeldMessage) { self.held = held }

    /// The record: a value that outlives the message. It keeps its batch in memory.
    public var record: Record { held.handed.record }

    /// How often it was delivered, this time included.
    public var deliveries: Int { held.handed.lease.deliveries }

    /// It is done: it is not given out again. Durable on return; acceptances that come together share one
    /// sync. Not to be cancelled.
    ///
    /// - Throws: `messageLost` when the visibility time-out was over and another may have it;
    ///   `groupHasConsumers`, `stream`: then it may be given out again.
    public consuming func accept() async throws(TaskError) { try await held.accept() }

    /// Somebody else may have it, at once or after a span of up to 12 hours. Delivered as often as it may be,
    /// it goes to the dead letters. A delay is durable on return.
    ///
    /// - Throws: `messageLost`, `groupHasConsumers`, `stream`; `illegal` above 12 hours: it is released at
    ///   once then.
    public consuming func release(after delay: Duration = .zero) async throws(TaskError) {
        try await held.release(after: delay)
    }

    /// Nobody can make anything of it: it goes to the dead letters, durably, with the reason, of which 512
    /// bytes are kept.
    ///
    /// - Throws: `messageLost`, `groupHasConsumers`, `stream`: then it is tried again.
    public consuming func reject(_ reason: String) async throws(TaskError) { try await held.reject(reason) }

    /// It is hidden from others for a span from now on, up to 12 hours, instead of until then.
    ///
    /// - Throws: `messageLost`: stop working on it; `illegal`, `stream(.closed)`.
    public func extend(by span: Duration) async throws(TaskError) { try held.extend(by: span) }
}

/// What a message refers to: the one who drops it last releases it.
final class HeldMessage: Sendable {
    let handed: HandedMessage
    private let engine: MessageEngine
    private let isEnded = Locked(false)

    init(_ engine: MessageEngine, _ handed: HandedMessage) {
        self.engine = engine
        self.handed = handed
    }

    deinit {
        if !isEnded.withLock({ $0 }) { engine.drop(handed.lease) }
    }

    private func end() { isEnded.withLock { $0 = true } }

    nonisolated(nonsending) func accept() async throws(TaskError) {
        end()
        try await engine.accept(handed.lease)
    }

    nonisolated(nonsending) func release(after delay: Duration) async throws(TaskError) {
        // Not ended: what is refused here is released when it is dropped.
        let delay = try MessageEngine.check(delay)
        end()
        try await engine.release(handed.lease, after: delay)
    }

    nonisolated(nonsending) func reject(_ reason: String) async throws(TaskError) {
        end()
        try await engine.reject(handed, reason)
    }

    func extend(by span: Duration) throws(TaskError) {
        try engine.extend(handed.lease, by: try MessageEngine.check(span))
    }
}
