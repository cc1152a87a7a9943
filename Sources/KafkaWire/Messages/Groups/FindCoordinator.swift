// FindCoordinator: which broker coordinates a group.
//
// Up to version 3 a request has one key and the response one coordinator, without the key; from 4 on both
// have lists.

/// Asks which broker coordinates a group or a transaction.
package struct FindCoordinatorRequest: WireStruct {
    /// The group or the transaction.
    package var key = ""
    /// What it is: 0 a group, 1 a transaction, 2 a share group.
    package var keyType: Int8 = 0
    /// The groups or transactions.
    package var coordinatorKeys: [String] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version <= 3 { try c.string(&key) }
        if c.version >= 1 { try c.int8(&keyType) }
        if c.version >= 4 { try c.array(&coordinatorKeys) }
    }
}

/// Which brokers coordinate.
package struct FindCoordinatorResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// What went wrong, in words.
    package var errorMessage: String?
    /// The broker.
    package var nodeID: Int32 = 0
    /// The host to connect to.
    package var host = ""
    /// The port to connect to.
    package var port: Int32 = 0
    /// The coordinators.
    package var coordinators: [Coordinator] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        if c.version <= 3 { try c.error(&errorCode) }
        if (1...3).contains(c.version) { try c.nullableString(&errorMessage) }
        if c.version <= 3 {
            try c.int32(&nodeID)
            try c.string(&host)
            try c.int32(&port)
        }
        if c.version >= 4 { try c.array(&coordinators) }
    }

    /// Who coordinates a group or a transaction.
    package struct Coordinator: WireStruct {
        /// The group or the transaction.
        package var key = ""
        /// The broker.
        package var nodeID: Int32 = 0
        /// The host to connect to.
        package var host = ""
        /// The port to connect to.
        package var port: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&key)
            try c.int32(&nodeID)
            try c.string(&host)
            try c.int32(&port)
            try c.error(&errorCode)
            try c.nullableString(&errorMessage)
        }
    }
}
