// OffsetCommit: commits what a group has read.

/// Commits what a group has read.
package struct OffsetCommitRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The generation of the group; -1 for who is no member.
    package var generationIDOrMemberEpoch: Int32 = -1
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The identity of a static member; null for a dynamic one.
    package var groupInstanceID: String?
    /// How long to keep it, in milliseconds; -1 is as long as the broker likes.
    package var retentionTimeMs: Int64 = -1
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        try c.int32(&generationIDOrMemberEpoch)
        try c.string(&memberID)
        if c.version >= 7 { try c.nullableString(&groupInstanceID) }
        if c.version <= 4 { try c.int64(&retentionTimeMs) }
        try c.array(&topics)
    }

    /// What to commit of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitions)
        }
    }

    /// What to commit of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The offset of the next record to be read.
        package var committedOffset: Int64 = 0
        /// The epoch of the last record that was read; -1 when it is not known.
        package var committedLeaderEpoch: Int32 = -1
        /// What the committer wants to find again.
        package var committedMetadata: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.int64(&committedOffset)
            if c.version >= 6 { try c.int32(&committedLeaderEpoch) }
            try c.nullableString(&committedMetadata)
        }
    }
}

/// What became of a commit.
package struct OffsetCommitResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 { try c.int32(&throttleTimeMs) }
        try c.array(&topics)
    }

    /// What became of the commits of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitions)
        }
    }

    /// What became of the commit of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.error(&errorCode)
        }
    }
}
