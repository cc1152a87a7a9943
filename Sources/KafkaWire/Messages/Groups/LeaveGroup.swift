// LeaveGroup: members leave a group.
//
// Up to version 2 one member leaves, and its error is the response's own; from 3 on several do, each with its
// error.

/// Leaves a group.
package struct LeaveGroupRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The members that leave.
    package var members: [Member] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        if c.version <= 2 { try c.string(&memberID) }
        if c.version >= 3 { try c.array(&members) }
    }

    /// A member that leaves.
    package struct Member: WireStruct {
        /// The member; empty when it has no identity yet.
        package var memberID = ""
        /// The identity of a static member; null for a dynamic one.
        package var groupInstanceID: String?
        /// Why, in words.
        package var reason: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&memberID)
            try c.nullableString(&groupInstanceID)
            if c.version >= 5 { try c.nullableString(&reason) }
        }
    }
}

/// What became of leaving.
package struct LeaveGroupResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The members.
    package var members: [Member] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        try c.error(&errorCode)
        if c.version >= 3 { try c.array(&members) }
    }

    /// What became of a member.
    package struct Member: WireStruct {
        /// The member; empty when it has no identity yet.
        package var memberID = ""
        /// The identity of a static member; null for a dynamic one.
        package var groupInstanceID: String?
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&memberID)
            try c.nullableString(&groupInstanceID)
            try c.error(&errorCode)
        }
    }
}
