// The records of `__consumer_offsets`, in Kafka's bytes.
//
//   key 0, 1   version i16 | group string | topic string | partition i32      a committed offset
//   key 2      version i16 | group string                                     a group's metadata
//   offset 3   version i16 | offset i64 | 3+: leaderEpoch i32 | metadata string | commitTimestamp i64
//              | 1 only: expireTimestamp i64
//   group 3    version i16 | protocolType string | generation i32 | protocol string? | leader string?
//              | 2+: stateTimestamp i64 | members [ ]
//   a member   memberID string | 3+: instanceID string? | clientID string | clientHost string
//              | 1+: rebalanceTimeout i32 | sessionTimeout i32 | subscription bytes | assignment bytes
//
// (1) Written: keys 1 and 2, values 3, the newest without tags. Read: values 0 to 3. (2) Another key version
// is somebody else's record and is left alone; another value version throws, and the record counts as
// damaged.

package import SluiceLog

/// What a record of the offsets topic is about.
package enum GroupRecordKey: Hashable, Sendable {
    /// A committed offset of a group.
    case offset(groupID: String, GroupPartition)
    /// A group and its members.
    case group(groupID: String)
    /// A key of a version that is not known: kept, not looked into.
    case other(version: Int16)

    /// Reads a key; throws when the bytes are none.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        switch try reader.integer(Int16.self) {
        case 0, 1:
            let group = try reader.requiredString()
            let topic = try reader.requiredString()
            self = .offset(
                groupID: group, GroupPartition(topic: topic, partition: try reader.integer()))
        case 2: self = .group(groupID: try reader.requiredString())
        case let version: self = .other(version: version)
        }
    }

    /// The key's bytes.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        switch self {
        case .offset(let groupID, let partition):
            writer.put(Int16(1))
            writer.putShort(groupID)
            writer.putShort(partition.topic)
            writer.put(partition.partition)
        case .group(let groupID):
            writer.put(Int16(2))
            writer.putShort(groupID)
        case .other(let version): writer.put(version)
        }
        return writer.bytes
    }
}

extension CommittedOffset {
    /// Reads the value of an offset record, version 0 to 3.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (0...3).contains(version) else {
            throw MalformedRecord(reason: "an offset value of version \(version)")
        }
        offset = try reader.integer()
        leaderEpoch = version >= 3 ? try reader.integer() : -1
        metadata = try reader.requiredString()
        commitTimestamp = try reader.integer()
        if version == 1 { _ = try reader.integer(Int64.self) }
    }

    /// The value of an offset record, version 3.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.put(Int16(3))
        writer.put(offset)
        writer.put(leaderEpoch)
        writer.putShort(metadata)
        writer.put(commitTimestamp)
        return writer.bytes
    }
}

/// The value of a group's record: its generation and members.
package struct GroupMetadata: Hashable, Sendable {
    /// A member of the generation.
    package struct Member: Hashable, Sendable {
        /// The member's id.
        package var memberID: String
        /// Its name, when it is static. From version 3.
        package var instanceID: String?
        /// What the client calls itself.
        package var clientID: String
        /// Where it is: "/address"; `localHost` for one in the process that wrote the record.
        package var clientHost: String
        /// How long it may take to rejoin, in milliseconds. From version 1.
        package var rebalanceTimeout: Int32
        /// How long it may be silent, in milliseconds.
        package var sessionTimeout: Int32
        /// What it said under the chosen protocol.
        package var subscription: [UInt8]
        /// What it was given.
        package var assignment: [UInt8]

        /// A member of the generation.
        package init(
            memberID: String, instanceID: String?, clientID: String, clientHost: String,
            rebalanceTimeout: Int32, sessionTimeout: Int32, subscription: [UInt8], assignment: [UInt8]
        ) {
            self.memberID = memberID
            self.instanceID = instanceID
            self.clientID = clientID
            self.clientHost = clientHost
            self.rebalanceTimeout = rebalanceTimeout
            self.sessionTimeout = sessionTimeout
            self.subscription = subscription
            self.assignment = assignment
        }

        /// Whether it lived in the process that wrote the record, and so is no more.
        package var isLocal: Bool { clientHost == GroupMetadata.localHost }
    }

    /// The host of members in this process. No address begins so: Kafka's begin with '/'.
    package static let localHost = "in-process"

    /// `consumer` for consumers; empty when the group never had members.
    package var protocolType: String
    /// The generation.
    package var generation: Int32
    /// The chosen protocol; nil when the group is empty.
    package var protocolName: String?
    /// The leader's id; nil when the group is empty.
    package var leaderID: String?
    /// Since when the group is as it is, in milliseconds since 1970; -1 when unknown. From version 2.
    package var stateTimestamp: Int64
    /// The members; none when the group is empty.
    package var members: [Member]

    /// A group's metadata.
    package init(
        protocolType: String, generation: Int32, protocolName: String?, leaderID: String?,
        stateTimestamp: Int64, members: [Member]
    ) {
        self.protocolType = protocolType
        self.generation = generation
        self.protocolName = protocolName
        self.leaderID = leaderID
        self.stateTimestamp = stateTimestamp
        self.members = members
    }

    /// Reads the value of a group's record, version 0 to 3.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        let version = try reader.integer(Int16.self)
        guard (0...3).contains(version) else {
            throw MalformedRecord(reason: "a group value of version \(version)")
        }
        protocolType = try reader.requiredString()
        generation = try reader.integer()
        protocolName = try reader.shortString()
        leaderID = try reader.shortString()
        stateTimestamp = version >= 2 ? try reader.integer() : -1
        members = try reader.list(minimumBytes: 18) { reader throws(MalformedRecord) in
            let memberID = try reader.requiredString()
            let instanceID = version >= 3 ? try reader.shortString() : nil
            let clientID = try reader.requiredString()
            let clientHost = try reader.requiredString()
            let rebalanceTimeout: Int32? = version >= 1 ? try reader.integer() : nil
            let sessionTimeout: Int32 = try reader.integer()
            return Member(
                memberID: memberID, instanceID: instanceID, clientID: clientID, clientHost: clientHost,
                // Version 0 had one time-out for both.
                rebalanceTimeout: rebalanceTimeout ?? sessionTimeout, sessionTimeout: sessionTimeout,
                subscription: try reader.run() ?? [], assignment: try reader.run() ?? [])
        }
    }

    /// The value's bytes, version 3.
    package var bytes: [UInt8] {
        var writer = BinaryWriter()
        writer.put(Int16(3))
        writer.putShort(protocolType)
        writer.put(generation)
        writer.putShort(protocolName)
        writer.putShort(leaderID)
        writer.put(stateTimestamp)
        writer.put(Int32(members.count))
        for member in members {
            writer.putShort(member.memberID)
            writer.putShort(member.instanceID)
            writer.putShort(member.clientID)
            writer.putShort(member.clientHost)
            writer.put(member.rebalanceTimeout)
            writer.put(member.sessionTimeout)
            writer.putRun(member.subscription)
            writer.putRun(member.assignment)
        }
        return writer.bytes
    }
}
