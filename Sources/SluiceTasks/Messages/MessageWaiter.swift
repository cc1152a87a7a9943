// Who waits for a message.

import Sluice
import SluiceCore

/// A message with what its holder gets.
struct HandedMessage: Sendable {
    var lease: MessageLease
    var record: Record
}

/// One call of `next`. What it is given is in `handed`, which the engine's lock guards: a call that was
/// cancelled at the same time gives it back.
final class MessageWaiter: @unchecked Sendable {
    /// Through which object it was asked.
    let owner: ObjectIdentifier
    /// With the engine's lock.
    var handed: HandedMessage?
    private let pending = PendingAnswer<TaskError?>()

    init(_ owner: ObjectIdentifier) { self.owner = owner }

    /// There is an answer: what is in `handed`, nothing any more, or an error.
    func wake(_ failure: TaskError? = nil) { pending.give(failure) }

    /// Waits; nil when the task was cancelled.
    nonisolated(nonsending) func value() async -> TaskError?? { await pending.value() }
}
