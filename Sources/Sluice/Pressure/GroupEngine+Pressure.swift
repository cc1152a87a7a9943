// What the groups tell the controller of back pressure: where they are, and where their members are.

import SluiceCore
import SluiceLog

extension PressureEngine {
    /// The groups that may slow each topic's producers.
    func gatingGroups(of topics: [WatchedTopic]) -> [String: [GatingGroup]] {
        let concerned = topics.filter {
            !$0.settings.gatingGroups.isEmpty || $0.settings.pressureGroups == ["*"]
        }
        guard !concerned.isEmpty else { return [:] }
        return groups.gatingGroups(of: concerned)
    }
}

extension GroupEngine {
    fileprivate func gatingGroups(of topics: [WatchedTopic]) -> [String: [GatingGroup]] {
        guard isReady else { return unreadGroups(of: topics) }
        let processed = processedPlaces()
        return read { coordinator in
            var result: [String: [GatingGroup]] = [:]
            let all = coordinator.list().map(\.groupID)
            for topic in topics {
                let isAll = topic.settings.pressureGroups == ["*"]
                let names =
                    isAll
                    ? all + topic.settings.gatingGroups.filter { !all.contains($0) }
                    : topic.settings.gatingGroups
                for name in names {
                    var group = GatingGroup(name: name)
                    for (place, offset) in (try? coordinator.committed(groupID: name)) ?? []
                    where place.topic == topic.name {
                        group.committed[Int(place.partition)] = offset?.offset
                    }
                    let places = processed[name]?.filter { $0.key.topic == topic.name }
                    if let places {
                        group.processed = Dictionary(
                            uniqueKeysWithValues: places.map { ($0.key.partition, $0.value) })
                    }
                    group.hasMembers = !(coordinator.describe(name)?.members.isEmpty ?? true)
                    // Of `*` only those that read this topic.
                    let reads = !group.committed.isEmpty || places?.isEmpty == false
                    if !isAll || reads || topic.settings.gatingGroups.contains(name) {
                        result[topic.name, default: []].append(group)
                    }
                }
            }
            return result
        }
    }

    /// Before the offsets are read, or when they cannot be.
    private func unreadGroups(of topics: [WatchedTopic]) -> [String: [GatingGroup]] {
        let isStale = upkeep.withLock { $0.cannotRead }
        return Dictionary(
            topics.map { topic in
                (topic.name, topic.settings.gatingGroups.map { GatingGroup(name: $0, isStale: isStale) })
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Where members in this process have come to, by group.
    private func processedPlaces() -> [String: [TopicPartition: Int64]] {
        var places: [String: [TopicPartition: Int64]] = [:]
        for member in currentMembers {
            guard let consumer = member.state.withLock({ $0.watcher })?.consumer else { continue }
            places[member.groupID, default: [:]].merge(consumer.processedPlaces) { max($0, $1) }
        }
        return places
    }

    /// Members of these groups that commit by themselves do so when their loop comes back next.
    func commitSoon(_ names: Set<String>) {
        for member in currentMembers where names.contains(member.groupID) { member.commitSoon() }
    }
}

extension Membership {
    /// What has been processed is committed at the loop's next turn, and now if it waits.
    fileprivate func commitSoon() {
        guard commitInterval != nil else { return }
        state.withLock { state in
            state.commitDue = 0
            return state.watcher
        }?.wake()
    }
}

extension Consumer {
    /// One past the last record that the loop's body has ended with, where it has.
    fileprivate var processedPlaces: [TopicPartition: Int64] {
        state.withLock { state in
            var places: [TopicPartition: Int64] = [:]
            for partition in state.partitions {
                if let processed = partition.processed { places[partition.topicPartition] = processed }
            }
            return places
        }
    }
}
