// Reading the offsets topic at opening, and writing down what of it is true.
//
// (1) Records are folded in log order; the last of a key counts. (2) Members in this process died with it: a
// group of none but such is empty from now on, in its generation, so that commits of the dead are refused.
// (3) Members on the wire keep their places, and have a session time-out to be heard of again.

package import SluiceLog

/// What is known of a group while the topic is read.
struct LoadedGroup: Sendable {
    var metadata: (value: GroupMetadata, bytes: [UInt8], logOffset: Int64)?
    var offsets: [GroupPartition: StoredOffset] = [:]
}

extension GroupCoordinator {
    /// Folds a record of the offsets topic, in log order.
    ///
    /// Throws when key or value make no sense: the record is left out; what to do about it is the caller's.
    package mutating func load(
        key: ArraySlice<UInt8>, value: ArraySlice<UInt8>?, offset: Int64
    ) throws(MalformedRecord) {
        precondition(!isLoaded, "records are loaded before finishLoading")
        switch try GroupRecordKey(key) {
        case .offset(let groupID, let partition):
            let committed = try value.map { bytes throws(MalformedRecord) in try CommittedOffset(bytes) }
            loading[groupID, default: LoadedGroup()].offsets[partition] = committed.map {
                StoredOffset(committed: $0, logOffset: offset)
            }
        case .group(let groupID):
            let metadata = try value.map { bytes throws(MalformedRecord) in try GroupMetadata(bytes) }
            loading[groupID, default: LoadedGroup()].metadata = metadata.map {
                ($0, [UInt8](value ?? []), offset)
            }
        case .other: foreignRecords[[UInt8](key)] = value.map { [UInt8]($0) }
        }
    }

    /// All records have been loaded: requests are taken from now on. Gives out stores for groups whose
    /// members died with the last process.
    package mutating func finishLoading(now: Instant) {
        isLoaded = true
        for (groupID, loaded) in loading.sorted(by: { $0.key < $1.key }) {
            if groups.isEmpty { scheduleExpiry(now) }
            var group = Group(id: groupID)
            group.offsets = loaded.offsets
            if let metadata = loaded.metadata {
                group.metadata = (metadata.bytes, metadata.logOffset)
                restore(metadata.value, &group, now)
            }
            put(group)
        }
        loading = [:]
        expire(now)
    }

    private mutating func restore(_ metadata: GroupMetadata, _ group: inout Group, _ now: Instant) {
        group.generation = metadata.generation
        group.protocolType = metadata.protocolType.isEmpty ? nil : metadata.protocolType
        group.stateTimestamp = metadata.stateTimestamp
        let alive = metadata.members.filter { !$0.isLocal }
        guard !alive.isEmpty else {
            guard !metadata.members.isEmpty else { return }
            group.stateTimestamp = now.wallMilliseconds
            _ = store([group.record(assignments: [:])], in: &group, for: .metadata)
            return
        }
        group.state = .stable
        group.protocolName = metadata.protocolName
        group.leaderID = metadata.leaderID
        for old in alive {
            var member = Member(
                id: old.memberID, instanceID: old.instanceID, clientID: old.clientID,
                clientHost: old.clientHost, isLocal: false, sessionTimeout: old.sessionTimeout,
                rebalanceTimeout: old.rebalanceTimeout,
                protocols: [GroupProtocol(name: metadata.protocolName ?? "", metadata: old.subscription)],
                number: nextMemberNumber())
            member.assignment = old.assignment
            member.isNew = false
            member.hasSynced = true
            group.members[member.id] = member
            if let instanceID = member.instanceID { group.staticMembers[instanceID] = member.id }
            touch(member, in: group.id, now)
        }
        if group.leaderID.flatMap({ group.members[$0] }) == nil { group.leaderID = nil }
        group.noteSubscriptions()
        if alive.count < metadata.members.count { rebalance(&group, now) }
    }

    /// All that is true and durable, as records: what a damaged topic is written anew from.
    ///
    /// - Complexity: O(n) in groups and offsets.
    package func liveRecords() -> [GroupRecord] {
        var records = foreignRecords.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
            GroupRecord(key: $0.key, value: $0.value)
        }
        for group in groups.values.sorted(by: { $0.id < $1.id }) {
            if let metadata = group.metadata {
                let key = GroupRecordKey.group(groupID: group.id).bytes
                records.append(GroupRecord(key: key, value: metadata.value))
            }
            for (partition, stored) in group.offsets.sorted(by: { $0.key < $1.key }) {
                records.append(group.record(partition, stored.committed))
            }
        }
        return records
    }

    /// The bytes of `liveRecords`, keys and values: against the topic's size it says whether to compact.
    ///
    /// - Complexity: O(n) in groups and offsets.
    package var liveBytes: Int { liveRecords().reduce(0) { $0 + $1.byteCount } }
}
