// ListGroups: which groups there are.

/// Asks which groups there are.
package struct ListGroupsRequest: WireStruct {
    /// The states to list; empty is all.
    package var statesFilter: [String] = []
    /// The types to list; empty is all.
    package var typesFilter: [String] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 4 { try c.array(&statesFilter) }
        if c.version >= 5 { try c.array(&typesFilter) }
    }
}

/// Which groups there are.
package struct ListGroupsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The groups.
    package var groups: [Group] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        try c.error(&errorCode)
        try c.array(&groups)
    }

    /// A group.
    package struct Group: WireStruct {
        /// The group.
        package var groupID = ""
        /// What kind of group it is, such as `consumer`.
        package var protocolType = ""
        /// The state of the group.
        package var groupState = ""
        /// `classic`, `consumer` or `share`.
        package var groupType = ""

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&groupID)
            try c.string(&protocolType)
            if c.version >= 4 { try c.string(&groupState) }
            if c.version >= 5 { try c.string(&groupType) }
        }
    }
}
