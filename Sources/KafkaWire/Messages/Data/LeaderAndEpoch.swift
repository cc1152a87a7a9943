// Who leads a partition, and where: tagged fields of the responses to Produce and Fetch.

/// Where a broker is.
package struct NodeEndpoint: WireStruct {
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
        try c.nullableString(&rack)
    }
}

/// Who leads a partition.
package struct LeaderAndEpoch: WireStruct {
    /// The broker that leads; -1 when it is not known.
    package var leaderID: Int32 = -1
    /// The epoch of the leader; -1 when it is not known.
    package var leaderEpoch: Int32 = -1

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&leaderID)
        try c.int32(&leaderEpoch)
    }
}
