// Topics that a connection has named: looked up once, for as long as nothing about them changes.

import Sluice
import SluiceCore
import SluiceLog

/// What one connection knows of topics.
final class KnownTopics: Sendable {
    private enum Key: Hashable {
        case name(String)
        case id(UniqueID)
    }

    private let served: ServedStore
    private let topics = Locked<[Key: ServedTopic]>([:])

    /// Topics that are remembered.
    private static let rememberedTopics = 1024

    init(_ served: ServedStore) { self.served = served }

    /// The topic of that name; nil when there is none.
    func topic(_ name: String) -> ServedTopic? { known(.name(name)) { served.topic(name) } }

    /// The topic of that identity; nil when there is none.
    func topic(_ id: UniqueID) -> ServedTopic? { known(.id(id)) { served.topic(id) } }

    private func known(_ key: Key, _ find: () -> ServedTopic?) -> ServedTopic? {
        if let topic = topics.withLock({ $0[key] }), served.isCurrent(topic) { return topic }
        let topic = find()
        topics.withLock { topics in
            if topics.count >= Self.rememberedTopics { topics = [:] }
            topics[key] = topic
        }
        return topic
    }
}
