// From what was planned, and carried out, to the partitions of a volume and the removals that go on.

extension RecoveryExecutor {
    /// The partition as it was planned.
    static func log(of plan: PartitionPlan) -> PartitionLog {
        var log = PartitionLog(
            key: plan.key, topic: plan.topic, directory: plan.directory, settings: plan.settings,
            manifest: plan.manifest, active: plan.active)
        log.condition = plan.condition
        log.isNameDirty = plan.active.size == 0
        log.directoryBytes = plan.directoryBytes
        log.unrenamed = plan.unrenamed
        if !plan.producers.isEmpty {
            log.producers = PartitionProducers(plan.producers, isRecorded: !plan.isUnsound)
        }
        if plan.isUnsound {
            log.synced = plan.manifest.recovery
            log.recorded = plan.manifest.recovery
        } else {
            let ceiling = plan.settings.isDurable ? 0 : plan.manifest.recovery.ceiling
            log.recorded = plan.active.point(ceiling: ceiling)
            log.synced = log.recorded
        }
        return log
    }
}

extension PartitionPlan {
    var isDamaged: Bool { if case .damaged = condition { true } else { false } }

    /// Whether nobody knows the end of its log: nothing of it is touched.
    var isUnread: Bool { isUnsound && !isDamaged }
}

extension Volume {
    /// Goes on with deletions that a crash has interrupted.
    mutating func finishDeletions(_ topics: [TopicRecord]) {
        for topic in topics {
            topicIDs[topic.name] = topic.id
            removals.append(RemoveJob(target: .topic(topic), paths: paths))
        }
    }
}
