// ListOffsets: offsets by time.

/// Asks for offsets by time.
package struct ListOffsetsRequest: WireStruct {
    /// The broker that follows; -1 for a client.
    package var replicaID: Int32 = 0
    /// Whether to read what is not committed: 0 everything, 1 committed only.
    package var isolationLevel: Int8 = 0
    /// The topics.
    package var topics: [Topic] = []
    /// How long a remote look-up may take, in milliseconds.
    package var timeoutMs: Int32 = 0

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&replicaID)
        if c.version >= 2 { try c.int8(&isolationLevel) }
        try c.array(&topics)
        if c.version >= 10 { try c.int32(&timeoutMs) }
    }

    /// What to look up in a topic.
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

    /// What to look up in a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The epoch of the leader that the client knows; -1 is not to be checked.
        package var currentLeaderEpoch: Int32 = -1
        /// The time, in milliseconds since 1970; -1 the end, -2 the start, -3 the greatest timestamp (7 on),
        /// -4 the start of what is local (8 on), -5 the end of what is remote (9 on).
        package var timestamp: Int64 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            if c.version >= 4 { try c.int32(&currentLeaderEpoch) }
            try c.int64(&timestamp)
        }
    }
}

/// Offsets by time.
package struct ListOffsetsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 2 { try c.int32(&throttleTimeMs) }
        try c.array(&topics)
    }

    /// What was found in a topic.
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

    /// What was found in a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The timestamp of the record, in milliseconds since 1970; -1 without one.
        package var timestamp: Int64 = -1
        /// The offset; -1 when nothing was found.
        package var offset: Int64 = -1
        /// The epoch of the leader; -1 when it is not known.
        package var leaderEpoch: Int32 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.error(&errorCode)
            try c.int64(&timestamp)
            try c.int64(&offset)
            if c.version >= 4 { try c.int32(&leaderEpoch) }
        }
    }
}
