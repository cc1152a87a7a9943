// OffsetForLeaderEpoch: where a leader's epoch ended, which shows a client that the log was cut.
//
// The response has the error in front of the partition, unlike others.

/// Asks where the epoch of a leader ended.
package struct OffsetForLeaderEpochRequest: WireStruct {
    /// The broker that follows; -1 for a client.
    package var replicaID: Int32 = -2
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 { try c.int32(&replicaID) }
        try c.array(&topics)
    }

    /// What to look up in a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&topic)
            try c.array(&partitions)
        }
    }

    /// What to look up in a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partition: Int32 = 0
        /// The epoch of the leader that the client knows; -1 is not to be checked.
        package var currentLeaderEpoch: Int32 = -1
        /// The epoch to look up.
        package var leaderEpoch: Int32 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partition)
            try c.int32(&currentLeaderEpoch)
            try c.int32(&leaderEpoch)
        }
    }
}

/// Where epochs ended.
package struct OffsetForLeaderEpochResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&topics)
    }

    /// What was found in a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The partitions of the topic.
        package var partitions: [EpochEndOffset] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&topic)
            try c.array(&partitions)
        }
    }

    /// The end of an epoch in a partition.
    package struct EpochEndOffset: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The partition, from 0.
        package var partition: Int32 = 0
        /// The greatest epoch that is not above the one asked for; -1 when there is none.
        package var leaderEpoch: Int32 = -1
        /// The offset behind it; -1 when there is none.
        package var endOffset: Int64 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.int32(&partition)
            try c.int32(&leaderEpoch)
            try c.int64(&endOffset)
        }
    }
}
