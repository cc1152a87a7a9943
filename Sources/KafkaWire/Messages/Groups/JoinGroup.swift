// JoinGroup: becomes a member of a group, for its next generation.

/// Joins a group.
package struct JoinGroupRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// After what silence the member is gone, in milliseconds.
    package var sessionTimeoutMs: Int32 = 0
    /// How long the member may take to join again, in milliseconds; -1 is the session timeout.
    package var rebalanceTimeoutMs: Int32 = -1
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The identity of a static member; null for a dynamic one.
    package var groupInstanceID: String?
    /// What kind of group it is, such as `consumer`.
    package var protocolType = ""
    /// The assignors that the member knows, the best first.
    package var protocols: [GroupProtocol] = []
    /// Why, in words.
    package var reason: String?

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        try c.int32(&sessionTimeoutMs)
        if c.version >= 1 { try c.int32(&rebalanceTimeoutMs) }
        try c.string(&memberID)
        if c.version >= 5 { try c.nullableString(&groupInstanceID) }
        try c.string(&protocolType)
        try c.array(&protocols)
        if c.version >= 8 { try c.nullableString(&reason) }
    }

    /// An assignor, with what the member says to the leader under it.
    package struct GroupProtocol: WireStruct {
        /// The name of the assignor.
        package var name = ""
        /// The subscription: bytes that only members understand.
        package var metadata: [UInt8] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.bytes(&metadata)
        }
    }
}

/// The group as it is when all have joined.
package struct JoinGroupResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The generation of the group.
    package var generationID: Int32 = -1
    /// What kind of group it is, such as `consumer`.
    package var protocolType: String?
    /// The assignor that was chosen. Versions before 7 have no null.
    package var protocolName: String?
    /// The member that assigns.
    package var leader = ""
    /// Whether the leader need not assign.
    package var skipAssignment = false
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The members, for the leader; empty for the others.
    package var members: [Member] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 2 { try c.int32(&throttleTimeMs) }
        try c.error(&errorCode)
        try c.int32(&generationID)
        if c.version >= 7 { try c.nullableString(&protocolType) }
        try c.nullableString(&protocolName, since: 7)
        try c.string(&leader)
        if c.version >= 9 { try c.bool(&skipAssignment) }
        try c.string(&memberID)
        try c.array(&members)
    }

    /// A member, as the leader sees it.
    package struct Member: WireStruct {
        /// The member; empty when it has no identity yet.
        package var memberID = ""
        /// The identity of a static member; null for a dynamic one.
        package var groupInstanceID: String?
        /// The subscription: bytes that only members understand.
        package var metadata: [UInt8] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&memberID)
            if c.version >= 5 { try c.nullableString(&groupInstanceID) }
            try c.bytes(&metadata)
        }
    }
}
