// Heartbeat: a member is still there.

/// Says that a member is there.
package struct HeartbeatRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The generation of the group.
    package var generationID: Int32 = 0
    /// The member; empty when it has no identity yet.
    package var memberID = ""
    /// The identity of a static member; null for a dynamic one.
    package var groupInstanceID: String?

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        try c.int32(&generationID)
        try c.string(&memberID)
        if c.version >= 3 { try c.nullableString(&groupInstanceID) }
    }
}

/// Whether the member is to join again.
package struct HeartbeatResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
        try c.error(&errorCode)
    }
}
