// DeleteGroups: deletes groups that have no members.

/// Deletes groups.
package struct DeleteGroupsRequest: WireStruct {
    /// The groups.
    package var groupsNames: [String] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&groupsNames)
    }
}

/// What became of the groups.
package struct DeleteGroupsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The groups.
    package var results: [Group] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&results)
    }

    /// What became of a group.
    package struct Group: WireStruct {
        /// The group.
        package var groupID = ""
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&groupID)
            try c.error(&errorCode)
        }
    }
}
