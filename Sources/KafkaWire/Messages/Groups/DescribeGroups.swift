// DescribeGroups: the state of groups and their members.

/// Asks for the state of groups.
package struct DescribeGroupsRequest: WireStruct {
    /// The groups.
    package var groups: [String] = []
    /// Whether to tell what the client may do with a group.
    package var includeAuthorizedOperations = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&groups)
        if c.version >= 3 { try c.bool(&includeAuthorizedOperations) }
    }
}

/// The state of groups.
package struct DescribeGroupsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The groups.
    package var groups: [Group] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        try c.array(&groups)
    }

    /// A group.
    package struct Group: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?
        /// The group.
        package var groupID = ""
        /// PreparingRebalance, CompletingRebalance, Stable, Empty or Dead.
        package var groupState = ""
        /// What kind of group it is, such as `consumer`.
        package var protocolType = ""
        /// The assignor that was chosen; empty unless the group is stable.
        package var protocolData = ""
        /// The members.
        package var members: [Member] = []
        /// A bit for each operation that is allowed; `Int32.min` when nobody asked.
        package var authorizedOperations = Int32.min

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            if c.version >= 6 { try c.nullableString(&errorMessage) }
            try c.string(&groupID)
            try c.string(&groupState)
            try c.string(&protocolType)
            try c.string(&protocolData)
            try c.array(&members)
            if c.version >= 3 { try c.int32(&authorizedOperations) }
        }
    }

    /// A member.
    package struct Member: WireStruct {
        /// The member; empty when it has no identity yet.
        package var memberID = ""
        /// The identity of a static member; null for a dynamic one.
        package var groupInstanceID: String?
        /// What the client calls itself.
        package var clientID = ""
        /// Where the client is.
        package var clientHost = ""
        /// The subscription: bytes that only members understand.
        package var memberMetadata: [UInt8] = []
        /// The assignment: bytes that only members understand.
        package var memberAssignment: [UInt8] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&memberID)
            if c.version >= 4 { try c.nullableString(&groupInstanceID) }
            try c.string(&clientID)
            try c.string(&clientHost)
            try c.bytes(&memberMetadata)
            try c.bytes(&memberAssignment)
        }
    }
}
