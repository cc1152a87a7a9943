// SyncGroup: brings the assignments of a generation from its leader to its members.

/// Asks for a member's assignment; the leader's brings everyone's.
package struct SyncGroupRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The generation of the group.
    package var generationID: Int32 = 0
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The identity of a static member; null for a dynamic one.
    package var groupInstanceID: String?
    /// What kind of group it is, such as `consumer`.
    package var protocolType: String?
    /// The assignor that was chosen.
    package var protocolName: String?
    /// Everyone's assignment, from the leader; empty from the others.
    package var assignments: [Assignment] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        try c.int32(&generationID)
        try c.string(&memberID)
        if c.version >= 3 { try c.nullableString(&groupInstanceID) }
        if c.version >= 5 {
            try c.nullableString(&protocolType)
            try c.nullableString(&protocolName)
        }
        try c.array(&assignments)
    }

    /// The assignment of a member.
    package struct Assignment: WireStruct {
        /// The member; empty when it has no identity yet.
        package var memberID = ""
        /// The assignment: bytes that only members understand.
        package var assignment: [UInt8] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&memberID)
            try c.bytes(&assignment)
        }
    }
}

/// The assignment of a member.
package struct SyncGroupResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// What kind of group it is, such as `consumer`.
    package var protocolType: String?
    /// The assignor that was chosen.
    package var protocolName: String?
    /// The assignment: bytes that only members understand.
    package var assignment: [UInt8] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        try c.error(&errorCode)
        if c.version >= 5 {
            try c.nullableString(&protocolType)
            try c.nullableString(&protocolName)
        }
        try c.bytes(&assignment)
    }
}
