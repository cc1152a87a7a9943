// Topics that the store keeps for itself: what groups have committed, and queues of tasks. Anyone may read
// them; they are written by their owners alone.

package import Logging
import SluiceCore
import SluiceLog

/// Which topics are internal.
package enum InternalTopic {
    /// What the name of a queue's topic begins with.
    package static let taskPrefix = "__tasks-"

    /// Whether the store keeps the topic for itself.
    static func isInternal(_ topic: String) -> Bool {
        topic == OffsetsTopic.name || topic.hasPrefix(taskPrefix)
    }

    /// Throws `unsupported` for what would put something else into an internal topic, or take it away.
    static func check(_ topic: String) throws(StreamError) {
        try OffsetsTopic.check(topic)
        guard topic.hasPrefix(taskPrefix) else { return }
        throw .unsupported(
            "\(topic) holds a queue of tasks, and is written by that alone: see TaskQueue in SluiceTasks")
    }
}

extension ServedStore {
    /// Makes an internal topic of one partition, unless it is there. Throws `noSpace`, `io`, `closed`;
    /// `topicExists` with a name that cannot be told apart.
    package nonisolated(nonsending) func makeInternalTopic(
        _ name: String, _ configuration: TopicConfiguration
    ) async throws(StreamError) {
        _ = try await engine.create(name, 1, configuration.settings, isEnsured: true).value().get()
    }

    /// What belongs to the store by a name: made by the first who asks, and kept as long as somebody has it.
    package func attachment<Object: AnyObject & Sendable>(_ name: String, _ make: () -> Object) -> Object {
        store.attachments.withLock { attachments in
            if let object = attachments[name]?.object as? Object { return object }
            let object = make()
            attachments = attachments.filter { $0.value.object != nil }
            attachments[name] = WeakAttachment(object: object)
            return object
        }
    }

    /// What belongs to the store by a name; nil when nobody has it.
    package func attached<Object: AnyObject & Sendable>(_ name: String) -> Object? {
        store.attachments.withLock { $0[name]?.object as? Object }
    }

    /// Where the store's log entries go.
    package var logger: Logger { engine.logger }
}

struct WeakAttachment: Sendable {
    weak var object: (any AnyObject & Sendable)?
}
