// DescribeCluster: the brokers.

/// Asks for the brokers.
package struct DescribeClusterRequest: WireStruct {
    /// Whether to tell what the client may do with the cluster.
    package var includeClusterAuthorizedOperations = false
    /// What to describe: 1 brokers, 2 controllers.
    package var endpointType: Int8 = 1
    /// Whether to list brokers that take no part.
    package var includeFencedBrokers = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.bool(&includeClusterAuthorizedOperations)
        if c.version >= 1 { try c.int8(&endpointType) }
        if c.version >= 2 { try c.bool(&includeFencedBrokers) }
    }
}

/// The brokers.
package struct DescribeClusterResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// What went wrong, in words.
    package var errorMessage: String?
    /// What is described: 1 brokers, 2 controllers.
    package var endpointType: Int8 = 1
    /// The identity of the cluster.
    package var clusterID = ""
    /// The broker that administrative requests go to.
    package var controllerID: Int32 = -1
    /// The brokers.
    package var brokers: [Broker] = []
    /// A bit for each operation that is allowed; `Int32.min` when nobody asked.
    package var clusterAuthorizedOperations = Int32.min

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.error(&errorCode)
        try c.nullableString(&errorMessage)
        if c.version >= 1 { try c.int8(&endpointType) }
        try c.string(&clusterID)
        try c.int32(&controllerID)
        try c.array(&brokers)
        try c.int32(&clusterAuthorizedOperations)
    }

    /// A broker, and where it is.
    package struct Broker: WireStruct {
        /// The broker.
        package var brokerID: Int32 = 0
        /// The host to connect to.
        package var host = ""
        /// The port to connect to.
        package var port: Int32 = 0
        /// The rack of the broker.
        package var rack: String?
        /// Whether it takes no part.
        package var isFenced = false

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&brokerID)
            try c.string(&host)
            try c.int32(&port)
            try c.nullableString(&rack)
            if c.version >= 2 { try c.bool(&isFenced) }
        }
    }
}
