// What the coordinator, its members and their callers say to each other.
//
// (1) Plain values. (2) Times that Kafka stores are milliseconds, and their names say so. (3) A ticket is the
// caller's own number for a request that is answered later, in an effect.

/// A partition, by its topic's name.
package struct GroupPartition: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The topic's name.
    package var topic: String
    /// The partition, from 0.
    package var partition: Int32

    /// The partition `partition` of `topic`.
    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// Topics in the order of their bytes' names, then partitions by number.
    package static func < (a: GroupPartition, b: GroupPartition) -> Bool {
        a.topic == b.topic ? a.partition < b.partition : a.topic < b.topic
    }

    /// `topic-partition`, as Kafka's tools write it.
    package var description: String { "\(topic)-\(partition)" }
}

/// A position that a group has committed: where it goes on.
package struct CommittedOffset: Hashable, Sendable {
    /// The offset of the next record to be read.
    package var offset: Int64
    /// The leader epoch of the last record read; -1 when the committer did not say.
    package var leaderEpoch: Int32
    /// What the committer added, at most `GroupLimits.metadataBytes` bytes.
    package var metadata: String
    /// When it was committed, in milliseconds since 1970.
    package var commitTimestamp: Int64

    /// A committed position.
    package init(offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", commitTimestamp: Int64) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.commitTimestamp = commitTimestamp
    }
}

/// A position to be committed.
package struct OffsetToCommit: Hashable, Sendable {
    /// Of which partition.
    package var partition: GroupPartition
    /// The offset of the next record to be read.
    package var offset: Int64
    /// The leader epoch of the last record read, or -1.
    package var leaderEpoch: Int32
    /// Anything the committer wants to find again.
    package var metadata: String

    /// A position to be committed.
    package init(_ partition: GroupPartition, offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "") {
        self.partition = partition
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
    }
}

/// A record of `__consumer_offsets`; without a value it takes back what its key said.
package struct GroupRecord: Hashable, Sendable {
    /// The record's key.
    package var key: [UInt8]
    /// The record's value; nil is a tombstone.
    package var value: [UInt8]?

    /// A record.
    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }

    /// The bytes of key and value.
    package var byteCount: Int { key.count + (value?.count ?? 0) }
}

/// A way of assigning that a member offers, with what it says to the leader under it.
package struct GroupProtocol: Hashable, Sendable {
    /// The assignor's name.
    package var name: String
    /// The member's subscription; bytes that the coordinator does not look into, mostly.
    package var metadata: [UInt8]

    /// A protocol as a member offers it.
    package init(name: String, metadata: [UInt8]) {
        self.name = name
        self.metadata = metadata
    }
}

/// A member asks to be in a group's next generation.
package struct JoinRequest: Hashable, Sendable {
    /// The group.
    package var groupID: String
    /// The member's id; empty when it has none yet.
    package var memberID: String
    /// The name of a static member. Kafka: group.instance.id.
    package var instanceID: String?
    /// What the client calls itself; the beginning of a new member's id.
    package var clientID: String
    /// Where the client is, as "/address". Ignored for a member in this process.
    package var clientHost: String
    /// Kafka: session.timeout.ms. Ignored for a member in this process.
    package var sessionTimeoutMilliseconds: Int32
    /// Kafka: max.poll.interval.ms; how long the member may take to rejoin.
    package var rebalanceTimeoutMilliseconds: Int32
    /// `consumer` for consumers.
    package var protocolType: String
    /// What the member offers, the dearest first.
    package var protocols: [GroupProtocol]
    /// Whether the member lives in this process: no heartbeats, and notices instead.
    package var isLocal: Bool
    /// Whether a new dynamic member is first told its id (`memberIDRequired`). Kafka: JoinGroup v4 and later.
    package var requiresKnownMemberID: Bool
    /// Whether it has been a member, and was put out: a static one stops when another has its name by now.
    package var isReturning: Bool

    /// A request to join.
    package init(
        groupID: String, memberID: String = "", instanceID: String? = nil, clientID: String,
        clientHost: String = "", sessionTimeoutMilliseconds: Int32 = 45_000,
        rebalanceTimeoutMilliseconds: Int32 = 300_000, protocolType: String = "consumer",
        protocols: [GroupProtocol], isLocal: Bool, requiresKnownMemberID: Bool = false,
        isReturning: Bool = false
    ) {
        self.groupID = groupID
        self.memberID = memberID
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        self.rebalanceTimeoutMilliseconds = rebalanceTimeoutMilliseconds
        self.protocolType = protocolType
        self.protocols = protocols
        self.isLocal = isLocal
        self.requiresKnownMemberID = requiresKnownMemberID
        self.isReturning = isReturning
    }
}

/// A generation, as one of its members is told of it.
package struct JoinResponse: Hashable, Sendable {
    /// A member as the leader sees it.
    package struct Member: Hashable, Sendable {
        /// The member's id.
        package var memberID: String
        /// Its name, when it is static.
        package var instanceID: String?
        /// Its subscription under the chosen protocol.
        package var metadata: [UInt8]

        /// A member as the leader sees it.
        package init(memberID: String, instanceID: String?, metadata: [UInt8]) {
            self.memberID = memberID
            self.instanceID = instanceID
            self.metadata = metadata
        }
    }
    /// The generation.
    package var generation: Int32
    /// The chosen protocol's type.
    package var protocolType: String
    /// The chosen protocol.
    package var protocolName: String
    /// The leader's id.
    package var leaderID: String
    /// The id of the member that is told.
    package var memberID: String
    /// For the leader all members, the first joiner first; for others empty.
    package var members: [Member]
    /// Whether the leader need not assign: the group goes on as it was. Kafka: JoinGroup v9.
    package var skipsAssignment = false

    /// What a member is told of a generation.
    package init(
        generation: Int32, protocolType: String, protocolName: String, leaderID: String, memberID: String,
        members: [Member]
    ) {
        self.generation = generation
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.leaderID = leaderID
        self.memberID = memberID
        self.members = members
    }

    /// Whether the member that is told is to assign.
    package var isLeader: Bool { leaderID == memberID }
}

/// A member asks for its assignment; the leader brings everyone's.
package struct SyncRequest: Hashable, Sendable {
    /// The group.
    package var groupID: String
    /// The generation that the member was told of.
    package var generation: Int32
    /// The member.
    package var memberID: String
    /// Its name, when it is static.
    package var instanceID: String?
    /// What the member takes the protocol's type to be; nil is not compared.
    package var protocolType: String?
    /// What the member takes the protocol to be; nil is not compared.
    package var protocolName: String?
    /// By member id; from the leader.
    package var assignments: [String: [UInt8]]

    /// A request for an assignment.
    package init(
        groupID: String, generation: Int32, memberID: String, instanceID: String? = nil,
        protocolType: String? = nil, protocolName: String? = nil, assignments: [String: [UInt8]] = [:]
    ) {
        self.groupID = groupID
        self.generation = generation
        self.memberID = memberID
        self.instanceID = instanceID
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }
}

/// A member's assignment.
package struct SyncResponse: Hashable, Sendable {
    /// The protocol's type.
    package var protocolType: String
    /// The protocol under which it was made.
    package var protocolName: String
    /// The assignment; empty when the leader left the member out.
    package var assignment: [UInt8]

    /// An assignment.
    package init(protocolType: String, protocolName: String, assignment: [UInt8]) {
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignment = assignment
    }
}

/// Positions that a member, or nobody in particular, commits.
package struct CommitRequest: Hashable, Sendable {
    /// The group.
    package var groupID: String
    /// The member's generation; -1 for a consumer without membership.
    package var generation: Int32
    /// The member; empty for a consumer without membership.
    package var memberID: String
    /// Its name, when it is static.
    package var instanceID: String?
    /// The positions.
    package var offsets: [OffsetToCommit]

    /// A commit; without member and generation it is for an empty group only.
    package init(
        groupID: String, generation: Int32 = -1, memberID: String = "", instanceID: String? = nil,
        offsets: [OffsetToCommit]
    ) {
        self.groupID = groupID
        self.generation = generation
        self.memberID = memberID
        self.instanceID = instanceID
        self.offsets = offsets
    }
}

/// A member that is to leave, by id, or by name alone.
package struct LeavingMember: Hashable, Sendable {
    /// The member's id; empty to name a static member by `instanceID`.
    package var memberID: String
    /// Its name, when it is static.
    package var instanceID: String?

    /// A member that is to leave.
    package init(memberID: String, instanceID: String? = nil) {
        self.memberID = memberID
        self.instanceID = instanceID
    }
}

/// A partition for which a request was refused.
package struct RefusedPartition: Hashable, Sendable {
    /// The partition.
    package var partition: GroupPartition
    /// Why.
    package var error: GroupError

    /// A refusal.
    package init(partition: GroupPartition, error: GroupError) {
        self.partition = partition
        self.error = error
    }
}
