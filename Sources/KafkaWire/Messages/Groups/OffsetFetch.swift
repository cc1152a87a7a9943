// OffsetFetch: what groups have committed.
//
// Up to version 7 a request is about one group; from 8 on about several, and the fields of the one are gone.

/// Asks for what groups have committed.
package struct OffsetFetchRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The topics; null is everything that is committed.
    package var topics: [Topic]?
    /// The groups.
    package var groups: [Group] = []
    /// Whether to refuse partitions with commits of open transactions.
    package var requireStable = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version <= 7 {
            try c.string(&groupID)
            try c.nullableArray(&topics, since: 2)
        }
        if c.version >= 8 { try c.array(&groups) }
        if c.version >= 7 { try c.bool(&requireStable) }
    }

    /// Partitions of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions, from 0.
        package var partitionIndexes: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitionIndexes)
        }
    }

    /// A group, and what of it.
    package struct Group: WireStruct {
        /// The group.
        package var groupID = ""
        /// The member; null for a classic group.
        package var memberID: String?
        /// The epoch of the member; -1 in a classic group.
        package var memberEpoch: Int32 = -1
        /// The topics; null is everything that is committed.
        package var topics: [Topic]?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&groupID)
            if c.version >= 9 {
                try c.nullableString(&memberID)
                try c.int32(&memberEpoch)
            }
            try c.nullableArray(&topics)
        }
    }
}

/// What groups have committed.
package struct OffsetFetchResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The groups.
    package var groups: [Group] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 { try c.int32(&throttleTimeMs) }
        if c.version <= 7 { try c.array(&topics) }
        if (2...7).contains(c.version) { try c.error(&errorCode) }
        if c.version >= 8 { try c.array(&groups) }
    }

    /// What is committed of a topic.
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

    /// What is committed of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The offset of the next record to be read; -1 when nothing is committed.
        package var committedOffset: Int64 = 0
        /// The epoch of the last record that was read; -1 when it is not known.
        package var committedLeaderEpoch: Int32 = -1
        /// What the committer wanted to find again.
        package var metadata: String?
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.int64(&committedOffset)
            if c.version >= 5 { try c.int32(&committedLeaderEpoch) }
            try c.nullableString(&metadata)
            try c.error(&errorCode)
        }
    }

    /// What a group has committed.
    package struct Group: WireStruct {
        /// The group.
        package var groupID = ""
        /// The topics.
        package var topics: [Topic] = []
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&groupID)
            try c.array(&topics)
            try c.error(&errorCode)
        }
    }
}
