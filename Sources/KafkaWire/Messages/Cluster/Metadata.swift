// Metadata: brokers, topics and partitions.
//
// (1) Version 0 has no null: there an empty list asks for all topics, and cannot ask for none. (2) A topic
// has an identity from version 10 on, and can be asked for by it from 12 on.

/// Asks for brokers, topics and partitions.
package struct MetadataRequest: WireStruct {
    /// The topics; null is all of them, empty none.
    package var topics: [Topic]?
    /// Whether a topic that does not exist may be made.
    package var allowAutoTopicCreation = true
    /// Whether to tell what the client may do with the cluster.
    package var includeClusterAuthorizedOperations = false
    /// Whether to tell what the client may do with a topic.
    package var includeTopicAuthorizedOperations = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.nullableArray(&topics, since: 1)
        if c.version >= 4 { try c.bool(&allowAutoTopicCreation) }
        if (8...10).contains(c.version) { try c.bool(&includeClusterAuthorizedOperations) }
        if c.version >= 8 { try c.bool(&includeTopicAuthorizedOperations) }
        // All topics, before there was a null to say so.
        if c.version == 0, topics?.isEmpty == true { topics = nil }
    }

    /// A topic, by name or by identity.
    package struct Topic: WireStruct {
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// The name of the topic; null asks by identity.
        package var name: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            if c.version >= 10 { try c.uuid(&topicID) }
            try c.nullableString(&name, since: 10)
        }
    }
}

/// Brokers, topics and partitions.
package struct MetadataResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The brokers.
    package var brokers: [Broker] = []
    /// The identity of the cluster.
    package var clusterID: String?
    /// The broker that administrative requests go to.
    package var controllerID: Int32 = -1
    /// The topics.
    package var topics: [Topic] = []
    /// A bit for each operation that is allowed; `Int32.min` when nobody asked.
    package var clusterAuthorizedOperations = Int32.min
    /// What went wrong.
    package var errorCode = ErrorCode.none

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 { try c.int32(&throttleTimeMs) }
        try c.array(&brokers)
        if c.version >= 2 { try c.nullableString(&clusterID) }
        if c.version >= 1 { try c.int32(&controllerID) }
        try c.array(&topics)
        if (8...10).contains(c.version) { try c.int32(&clusterAuthorizedOperations) }
        if c.version >= 13 { try c.error(&errorCode) }
    }

    /// A broker, and where it is.
    package struct Broker: WireStruct {
        /// The broker.
        package var nodeID: Int32 = 0
        /// The host to connect to.
        package var host = ""
        /// The port to connect to.
        package var port: Int32 = 0
        /// The rack of the broker.
        package var rack: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&nodeID)
            try c.string(&host)
            try c.int32(&port)
            if c.version >= 1 { try c.nullableString(&rack) }
        }
    }

    /// A topic.
    package struct Topic: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The name of the topic; null when it was asked for by identity and is not known.
        package var name: String?
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// Whether the brokers keep it for themselves.
        package var isInternal = false
        /// The partitions of the topic.
        package var partitions: [Partition] = []
        /// A bit for each operation that is allowed; `Int32.min` when nobody asked.
        package var topicAuthorizedOperations = Int32.min

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.nullableString(&name, since: 12)
            if c.version >= 10 { try c.uuid(&topicID) }
            if c.version >= 1 { try c.bool(&isInternal) }
            try c.array(&partitions)
            if c.version >= 8 { try c.int32(&topicAuthorizedOperations) }
        }
    }

    /// A partition.
    package struct Partition: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The broker that leads; -1 when it is not known.
        package var leaderID: Int32 = 0
        /// The epoch of the leader; -1 when it is not known.
        package var leaderEpoch: Int32 = -1
        /// The brokers that have it.
        package var replicaNodes: [Int32] = []
        /// The brokers that have it all.
        package var isrNodes: [Int32] = []
        /// The brokers that have it and are not there.
        package var offlineReplicas: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.int32(&partitionIndex)
            try c.int32(&leaderID)
            if c.version >= 7 { try c.int32(&leaderEpoch) }
            try c.array(&replicaNodes)
            try c.array(&isrNodes)
            if c.version >= 5 { try c.array(&offlineReplicas) }
        }
    }
}
