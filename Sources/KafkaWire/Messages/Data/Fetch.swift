// Fetch: reads record batches.
//
// (1) Topics go by name up to version 12, by identity from 13 on. (2) The records of a response are a gap in
// its frame: whoever sends it puts them there, from a file or from memory.

/// Reads record batches.
package struct FetchRequest: WireStruct {
    /// The cluster that a follower believes to be in.
    package var clusterID: String?
    /// The broker that follows; -1 for a client.
    package var replicaID: Int32 = -1
    /// Who follows, from version 15 on.
    package var replicaState = ReplicaState()
    /// How long to wait for `minBytes`, in milliseconds.
    package var maxWaitMs: Int32 = 0
    /// How many bytes to wait for.
    package var minBytes: Int32 = 0
    /// How many bytes to send at most; a first batch is sent whatever its size.
    package var maxBytes = Int32.max
    /// Whether to read what is not committed: 0 everything, 1 committed only.
    package var isolationLevel: Int8 = 0
    /// The session; 0 is none.
    package var sessionID: Int32 = 0
    /// The place in the session: -1 wants none, 0 wants a new one.
    package var sessionEpoch: Int32 = -1
    /// The topics.
    package var topics: [Topic] = []
    /// What the session is to leave out from now on.
    package var forgottenTopicsData: [ForgottenTopic] = []
    /// The rack of the client.
    package var rackID = ""

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version <= 14 { try c.int32(&replicaID) }
        try c.int32(&maxWaitMs)
        try c.int32(&minBytes)
        try c.int32(&maxBytes)
        try c.int8(&isolationLevel)
        if c.version >= 7 {
            try c.int32(&sessionID)
            try c.int32(&sessionEpoch)
        }
        try c.array(&topics)
        if c.version >= 7 { try c.array(&forgottenTopicsData) }
        if c.version >= 11 { try c.string(&rackID) }
    }

    package mutating func tags(_ c: inout some Coder) throws(WireError) {
        if try c.tag(0, if: clusterID != nil) { try c.nullableString(&clusterID) }
        if c.version >= 15, try c.tag(1, if: replicaState != ReplicaState()) { try replicaState.code(&c) }
    }

    /// Who follows.
    package struct ReplicaState: WireStruct {
        /// The broker that follows; -1 for a client.
        package var replicaID: Int32 = -1
        /// The epoch of the broker that follows; -1 for a client.
        package var replicaEpoch: Int64 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&replicaID)
            try c.int64(&replicaEpoch)
        }
    }

    /// What to read of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            if c.version <= 12 { try c.string(&topic) }
            if c.version >= 13 { try c.uuid(&topicID) }
            try c.array(&partitions)
        }
    }

    /// What to read of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partition: Int32 = 0
        /// The epoch of the leader that the client knows; -1 is not to be checked.
        package var currentLeaderEpoch: Int32 = -1
        /// The offset to begin at.
        package var fetchOffset: Int64 = 0
        /// The epoch of the last record that a follower has; -1 for a client.
        package var lastFetchedEpoch: Int32 = -1
        /// The first offset that a follower keeps; -1 for a client.
        package var logStartOffset: Int64 = -1
        /// How many bytes to send at most; a first batch is sent whatever its size.
        package var partitionMaxBytes: Int32 = 0
        /// The directory of the follower.
        package var replicaDirectoryID = WireUUID.zero

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partition)
            if c.version >= 9 { try c.int32(&currentLeaderEpoch) }
            try c.int64(&fetchOffset)
            if c.version >= 12 { try c.int32(&lastFetchedEpoch) }
            if c.version >= 5 { try c.int64(&logStartOffset) }
            try c.int32(&partitionMaxBytes)
        }

        package mutating func tags(_ c: inout some Coder) throws(WireError) {
            if c.version >= 17, try c.tag(0, if: replicaDirectoryID != .zero) {
                try c.uuid(&replicaDirectoryID)
            }
        }
    }

    /// Partitions that a session is to leave out.
    package struct ForgottenTopic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// The partitions of the topic.
        package var partitions: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            if c.version <= 12 { try c.string(&topic) }
            if c.version >= 13 { try c.uuid(&topicID) }
            try c.array(&partitions)
        }
    }
}

/// Record batches, and how far there are more.
package struct FetchResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The session; 0 is none.
    package var sessionID: Int32 = 0
    /// The topics.
    package var responses: [Topic] = []
    /// Where the leaders that are named are.
    package var nodeEndpoints: [NodeEndpoint] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        if c.version >= 7 {
            try c.error(&errorCode)
            try c.int32(&sessionID)
        }
        try c.array(&responses)
    }

    package mutating func tags(_ c: inout some Coder) throws(WireError) {
        if c.version >= 16, try c.tag(0, if: !nodeEndpoints.isEmpty) { try c.array(&nodeEndpoints) }
    }

    /// What was read of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            if c.version <= 12 { try c.string(&topic) }
            if c.version >= 13 { try c.uuid(&topicID) }
            try c.array(&partitions)
        }
    }

    /// What was read of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The offset behind the last record that may be read.
        package var highWatermark: Int64 = 0
        /// The offset behind the last record that is committed.
        package var lastStableOffset: Int64 = -1
        /// The first offset that is kept.
        package var logStartOffset: Int64 = -1
        /// Where a follower has to cut its log.
        package var divergingEpoch = EpochEndOffset()
        /// Who leads, when this broker does not.
        package var currentLeader = LeaderAndEpoch()
        /// The snapshot that a follower has to read instead.
        package var snapshotID = SnapshotID()
        /// Transactions to be left out; null when everything is read.
        package var abortedTransactions: [AbortedTransaction]?
        /// The broker to read from instead; -1 is this one.
        package var preferredReadReplica: Int32 = -1
        /// What to send from, or where in the frame the batches are. Empty rather than null when there are
        /// none.
        package var records: Range<Int>? = 0..<0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.error(&errorCode)
            try c.int64(&highWatermark)
            try c.int64(&lastStableOffset)
            if c.version >= 5 { try c.int64(&logStartOffset) }
            try c.nullableArray(&abortedTransactions)
            if c.version >= 11 { try c.int32(&preferredReadReplica) }
            try c.records(&records)
        }

        package mutating func tags(_ c: inout some Coder) throws(WireError) {
            if try c.tag(0, if: divergingEpoch != EpochEndOffset()) { try divergingEpoch.code(&c) }
            if try c.tag(1, if: currentLeader != LeaderAndEpoch()) { try currentLeader.code(&c) }
            if try c.tag(2, if: snapshotID != SnapshotID()) { try snapshotID.code(&c) }
        }
    }

    /// The end of an epoch.
    package struct EpochEndOffset: WireStruct {
        /// The epoch.
        package var epoch: Int32 = -1
        /// The offset behind the last one.
        package var endOffset: Int64 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&epoch)
            try c.int64(&endOffset)
        }
    }

    /// A snapshot of cluster metadata.
    package struct SnapshotID: WireStruct {
        /// The offset behind the last one.
        package var endOffset: Int64 = -1
        /// The epoch.
        package var epoch: Int32 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int64(&endOffset)
            try c.int32(&epoch)
        }
    }

    /// A transaction that was aborted.
    package struct AbortedTransaction: WireStruct {
        /// Whose transaction it was.
        package var producerID: Int64 = 0
        /// The first offset of the transaction.
        package var firstOffset: Int64 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int64(&producerID)
            try c.int64(&firstOffset)
        }
    }
}
