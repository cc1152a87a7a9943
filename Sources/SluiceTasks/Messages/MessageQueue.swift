// The public front of a topic that is shared out message by message.

public import Sluice
import SluiceCore
import SluiceLog

/// The records of a topic, each given to one of those who ask, until it is accepted: competing consumers.
///
/// ```swift
/// let queue = try await MessageQueue("orders", group: "billing", in: store)
/// while let message = try await queue.next() {
///     try await bill(message.record)
///     try await message.accept()
/// }
/// ```
/// The topic is any topic: its records stay for others. What the group has settled is in its committed
/// offsets, and nowhere else. Queues of one topic and group in one store share its messages.
public final class MessageQueue: Sendable {
    let engine: MessageEngine
    private let isStopped = Locked(false)

    /// The topic.
    public var topic: String { engine.topic }
    /// The group.
    public var group: String { engine.group }

    /// Opens a queue. A group that has committed nothing is committed where it begins.
    ///
    /// - Parameters:
    ///   - group: 1 to 1,024 bytes. No consumer may be a member of it.
    ///   - configuration: of the first who opens the queue in this process.
    /// - Throws: `stream(.unknownTopic)`; `illegal` for a configuration that is out of its range, or a
    ///   dead-letter topic that cannot be; `groupHasConsumers`, `stream`.
    public nonisolated(nonsending) init(
        _ topic: String, group: String, in store: StreamStore,
        configuration: MessageQueueConfiguration = .init()
    ) async throws(TaskError) {
        try configuration.validate()
        try MessageEngine.check(topic, group, configuration, ServedStore(store))
        let engine = ServedStore(store).attachment("messages \(topic) \(group)") {
            MessageEngine(store, topic: topic, group: group, configuration: configuration)
        }
        engine.joined()
        do throws(TaskError) {
            try await engine.begin()
        } catch {
            engine.left()
            throw error
        }
        self.engine = engine
    }

    deinit { engine.left() }

    /// The next message, as soon as there is one: its delivery is counted, durably, and it is hidden from
    /// others until the visibility time-out is over.
    ///
    /// Messages of a partition come in the order of their offsets, but for those that come back.
    /// - Returns: nil when the queue was stopped, the store is being closed, or the task is cancelled.
    /// - Throws: `groupHasConsumers`, `stream`: also once when records of a partition cannot be read, which
    ///   are tried again after half a minute while the others go on.
    public nonisolated(nonsending) func next() async throws(TaskError) -> Message? {
        guard !isStopped.withLock({ $0 }) else { return nil }
        let waiter = MessageWaiter(ObjectIdentifier(self))
        guard let handed = try await engine.next(waiter, isStopped: { isStopped.withLock { $0 } }) else {
            return nil
        }
        return Message(HeldMessage(engine, handed))
    }

    /// Gives nothing out any more through this object: who waits for `next` gets nil. Messages in hand may be
    /// ended as ever.
    public func stop() {
        isStopped.withLock { $0 = true }
        engine.stop(ObjectIdentifier(self))
    }
}
