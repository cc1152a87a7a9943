// What consumers tell their group's leader, and what the leader tells them: Kafka's embedded consumer
// protocol.
//
//   Subscription  version i16 | topics [string] | userData bytes?
//                 | 1+: owned [topic string, partitions [i32]] | 2+: generation i32 | 3+: rack string?
//   Assignment    version i16 | partitions [topic string, partitions [i32]] | userData bytes?
//
// (1) A later version only adds at the end, so that one newer than 3 is read as 3, and what follows is
// ignored. (2) Both are read from other programs: reading throws and never traps.

package import SluiceLog

/// What a consumer subscribes to and still owns.
package struct ConsumerSubscription: Hashable, Sendable {
    /// The newest version that is known.
    package static let newestVersion: Int16 = 3

    /// The topics that it wants to read.
    package var topics: [String]
    /// What its assignor added.
    package var userData: [UInt8]?
    /// What it owned when it joined. From version 1.
    package var owned: [GroupPartition]
    /// The generation in which it got that; -1 for none. From version 2.
    package var generation: Int32
    /// Where it is. From version 3.
    package var rackID: String?

    /// A subscription.
    package init(
        topics: [String], userData: [UInt8]? = nil, owned: [GroupPartition] = [], generation: Int32 = -1,
        rackID: String? = nil
    ) {
        self.topics = topics
        self.userData = userData
        self.owned = owned
        self.generation = generation
        self.rackID = rackID
    }

    /// Reads a subscription of any version; throws when the bytes are none.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        var reader = BinaryReader(bytes)
        let version = try reader.integer(Int16.self)
        guard version >= 0 else { throw MalformedRecord(reason: "subscription version \(version)") }
        topics = try reader.list(minimumBytes: 2) { reader throws(MalformedRecord) in
            try reader.requiredString()
        }
        userData = try reader.run()
        owned = version >= 1 ? try reader.topics() : []
        generation = version >= 2 ? try reader.integer() : -1
        rackID = version >= 3 ? try reader.shortString() : nil
    }

    /// The subscription's bytes; what `version` does not have is left out.
    package func bytes(version: Int16 = newestVersion) -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(version)
        writer.put(Int32(topics.count))
        for topic in topics { writer.putShort(topic) }
        writer.putRun(userData)
        if version >= 1 { writer.putTopics(owned) }
        if version >= 2 { writer.put(generation) }
        if version >= 3 { writer.putShort(rackID) }
        return writer.bytes
    }
}

/// What a consumer is to read.
package struct ConsumerAssignment: Hashable, Sendable {
    /// The partitions.
    package var partitions: [GroupPartition]
    /// What the leader's assignor added.
    package var userData: [UInt8]?

    /// An assignment.
    package init(partitions: [GroupPartition], userData: [UInt8]? = nil) {
        self.partitions = partitions
        self.userData = userData
    }

    /// Reads an assignment of any version; no bytes at all mean no partitions. Throws when they are none.
    package init(_ bytes: ArraySlice<UInt8>) throws(MalformedRecord) {
        guard !bytes.isEmpty else {
            partitions = []
            return
        }
        var reader = BinaryReader(bytes)
        let version = try reader.integer(Int16.self)
        guard version >= 0 else { throw MalformedRecord(reason: "assignment version \(version)") }
        partitions = try reader.topics()
        userData = try reader.run()
    }

    /// The assignment's bytes.
    package func bytes(version: Int16 = ConsumerSubscription.newestVersion) -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(version)
        writer.putTopics(partitions)
        writer.putRun(userData)
        return writer.bytes
    }
}
