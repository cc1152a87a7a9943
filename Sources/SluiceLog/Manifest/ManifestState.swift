// The store as its manifest describes it: topics, their partitions, segments and recovery points.
//
// (1) A pure fold: the same records give the same state, in the running store and at the next opening.
// (2) Sealed segments of a partition are adjacent: each ends where the next begins, the last where the active
// one begins. (3) A record about a partition or topic that does not exist changes nothing: it raced with a
// deletion.

/// A partition as the manifest knows it.
package struct PartitionManifest: Hashable, Sendable {
    package var epoch: Int32 = 0
    /// Kafka: log start offset.
    package var logStart: Int64 = 0
    /// Oldest first.
    package var sealed: [SealedSegment] = []
    /// Of the active segment.
    package var recovery = RecoveryPoint.start(of: 0)
    /// Bytes of the active segment that are not torn whatever they look like; 0 when no damage was found.
    package var damagedBelow: Int64 = 0
    /// How far it is compacted.
    package var cleaning = CleaningPoint()
    /// Sealed segments that were found not to be what was sealed, by base offset.
    package var damage: [Int64: SegmentDamage] = [:]

    /// Its idempotent producers, as of the recovery point.
    package var producers = ProducerStates()

    package init() {}

    /// Forgets what was found in segments that are gone.
    fileprivate mutating func forgetDamage() {
        guard !damage.isEmpty else { return }
        let there = Set(sealed.map(\.baseOffset))
        damage = damage.filter { there.contains($0.key) }
    }
}

/// What the manifest says now.
package struct ManifestState: Hashable, Sendable {
    package var topics: [UniqueID: TopicRecord] = [:]
    package var partitions: [PartitionKey: PartitionManifest] = [:]
    /// Deleted topics whose directories may still be there.
    package var leaving: [UniqueID: TopicRecord] = [:]
    /// Of the last opening.
    package var bootID = ""
    package var lastWallMilliseconds: Int64 = 0
    package var journalFloor: UInt64 = 0
    /// Whether the last thing that happened was a close.
    package var isClosed = true
    /// What back pressure has learnt.
    package var pressure: [UInt8] = []
    /// How far sealed segments have been read again; nil: never.
    package var scrub: ScrubPoint?
    /// Producer ids below this may have been given.
    package var producerIDEnd: Int64 = 0
    /// By name.
    package var users: [String: UserRecord] = [:]
    /// Empty before the first user.
    package var userSecret: [UInt8] = []

    package init() {}

    package mutating func apply(_ record: ManifestRecord) {
        switch record {
        case .opened(let boot, let wall, let floor):
            bootID = boot
            lastWallMilliseconds = max(lastWallMilliseconds, wall)
            journalFloor = floor
            isClosed = false
        case .closed(let wall):
            lastWallMilliseconds = max(lastWallMilliseconds, wall)
            isClosed = true
        case .topicCreated(let topic):
            guard topics[topic.id] == nil else { return }
            topics[topic.id] = topic
            addPartitions(topic.id, 0..<topic.partitions)
        case .topicConfigured(let id, let settings): topics[id]?.settings = settings
        case .partitionsAdded(let id, let total):
            guard let old = topics[id]?.partitions, total > old else { return }
            topics[id]?.partitions = total
            addPartitions(id, old..<total)
        case .topicDeleted(let id):
            guard let topic = topics.removeValue(forKey: id) else { return }
            leaving[id] = topic
            for partition in 0..<topic.partitions {
                partitions.removeValue(forKey: PartitionKey(topic: id, partition: partition))
            }
        case .topicForgotten(let id): leaving.removeValue(forKey: id)
        case .rolled(let key, let sealed):
            guard let partition = partitions[key], sealed.baseOffset == partition.recovery.baseOffset else {
                return
            }
            var next = RecoveryPoint.start(of: sealed.endOffset)
            next.ceiling = partition.recovery.ceiling
            partitions[key]?.recovery = next
            partitions[key]?.damagedBelow = 0
            // An empty one leaves nothing behind.
            if sealed.endOffset > partition.logStart { partitions[key]?.sealed.append(sealed) }
        case .recoveryPoint(let key, let point):
            guard point.baseOffset == partitions[key]?.recovery.baseOffset else { return }
            partitions[key]?.recovery = point
        case .logStart(let key, let offset):
            guard let old = partitions[key]?.logStart, offset > old else { return }
            partitions[key]?.logStart = offset
            partitions[key]?.sealed.removeAll { $0.endOffset <= offset }
            partitions[key]?.forgetDamage()
        case .restarted(let key, let offset):
            guard let partition = partitions[key], offset >= partition.recovery.baseOffset else { return }
            partitions[key]?.logStart = offset
            partitions[key]?.sealed = []
            partitions[key]?.damage = [:]
            partitions[key]?.recovery = .start(of: offset)
            partitions[key]?.recovery.ceiling = partition.recovery.ceiling
            partitions[key]?.damagedBelow = 0
        case .leaderEpoch(let key, let epoch):
            guard let old = partitions[key]?.epoch else { return }
            partitions[key]?.epoch = max(old, epoch)
        case .damaged(let key, let position):
            partitions[key]?.damagedBelow = position
        case .swapped(let key, let swap):
            guard let logStart = partitions[key]?.logStart else { return }
            partitions[key]?.sealed.apply(swap, logStart: logStart)
            partitions[key]?.cleaning = swap.point
            for base in swap.removed { partitions[key]?.damage[base] = nil }
            partitions[key]?.forgetDamage()
        case .pressure(let bytes): pressure = bytes
        case .scrubbed(let point): scrub = point
        case .segmentDamaged(let key, let base, let damage):
            guard partitions[key]?.sealed.contains(where: { $0.baseOffset == base }) == true else { return }
            partitions[key]?.damage[base] = damage
        case .producerIDs(let end): producerIDEnd = max(producerIDEnd, end)
        case .producers(let key, let changes): partitions[key]?.producers.merge(changes)
        case .user(let user): users[user.name] = user.credentials.isEmpty ? nil : user
        case .userSecret(let bytes): userSecret = bytes
        }
    }

    /// Whether anything in it is about idempotent producers, which a build before them cannot read.
    package var hasProducers: Bool {
        producerIDEnd > 0 || partitions.contains { !$0.value.producers.isEmpty }
    }

    /// Forgets producers that have been silent for `expiration` ms.
    mutating func expireProducers(wall: Int64, expiration: Int64) {
        for (key, partition) in partitions where !partition.producers.isEmpty {
            partitions[key]?.producers.expire(wall: wall, expiration: expiration)
        }
    }

    private mutating func addPartitions(_ topic: UniqueID, _ numbers: Range<Int32>) {
        for number in numbers { partitions[PartitionKey(topic: topic, partition: number)] = .init() }
    }

    /// The records that make this state from nothing: what a new manifest file begins with.
    package var snapshot: [ManifestRecord] {
        var records: [ManifestRecord] = []
        func order(_ topics: [UniqueID: TopicRecord]) -> [TopicRecord] {
            topics.values.sorted { ($0.id.high, $0.id.low) < ($1.id.high, $1.id.low) }
        }
        for topic in order(leaving) { records += [.topicCreated(topic), .topicDeleted(topic.id)] }
        for topic in order(topics) {
            records.append(.topicCreated(topic))
            for number in 0..<topic.partitions {
                let key = PartitionKey(topic: topic.id, partition: number)
                guard let partition = partitions[key] else { continue }
                append(partition, key, to: &records)
            }
        }
        if !pressure.isEmpty { records.append(.pressure(pressure)) }
        if let scrub { records.append(.scrubbed(scrub)) }
        if producerIDEnd > 0 { records.append(.producerIDs(below: producerIDEnd)) }
        records += userRecords
        records.append(
            .opened(bootID: bootID, wallMilliseconds: lastWallMilliseconds, journalFloor: journalFloor))
        if isClosed { records.append(.closed(wallMilliseconds: lastWallMilliseconds)) }
        return records
    }

    /// What makes the users of this state.
    var userRecords: [ManifestRecord] {
        let made = users.values.sorted { $0.name < $1.name }.map { ManifestRecord.user($0) }
        return userSecret.isEmpty ? made : [.userSecret(userSecret)] + made
    }

    private func append(
        _ partition: PartitionManifest, _ key: PartitionKey, to records: inout [ManifestRecord]
    ) {
        if partition.epoch != 0 { records.append(.leaderEpoch(key, partition.epoch)) }
        let first = partition.sealed.first?.baseOffset ?? partition.recovery.baseOffset
        // Where the oldest segment begins, then where the log does: that may be inside the segment.
        if first > 0 { records.append(.restarted(key, at: first)) }
        if partition.logStart > first { records.append(.logStart(key, partition.logStart)) }
        for sealed in partition.sealed { records.append(.rolled(key, sealed)) }
        if partition.recovery != .start(of: partition.recovery.baseOffset) {
            records.append(.recoveryPoint(key, partition.recovery))
        }
        if partition.cleaning != CleaningPoint() {
            let compacted = partition.sealed.filter { $0.generation > 0 }
            records.append(.swapped(key, SegmentSwap(added: compacted, point: partition.cleaning)))
        }
        for (base, damage) in partition.damage.sorted(by: { $0.key < $1.key }) {
            records.append(.segmentDamaged(key, base: base, damage))
        }
        if !partition.producers.isEmpty { records.append(.producers(key, partition.producers)) }
        if partition.damagedBelow > 0 { records.append(.damaged(key, below: partition.damagedBelow)) }
    }
}
