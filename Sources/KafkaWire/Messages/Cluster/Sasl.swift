// SaslHandshake and SaslAuthenticate: who a client is.

/// Chooses how to authenticate.
package struct SaslHandshakeRequest: WireStruct {
    /// The mechanism, such as `PLAIN`.
    package var mechanism = ""

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&mechanism)
    }
}

/// Whether that is possible.
package struct SaslHandshakeResponse: WireStruct {
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The mechanisms that the broker has.
    package var mechanisms: [String] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.error(&errorCode)
        try c.array(&mechanisms)
    }
}

/// A step of authenticating.
package struct SaslAuthenticateRequest: WireStruct {
    /// What the mechanism says.
    package var authBytes: [UInt8] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.bytes(&authBytes)
    }
}

/// The answer to a step.
package struct SaslAuthenticateResponse: WireStruct {
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// What went wrong, in words.
    package var errorMessage: String?
    /// What the mechanism answers.
    package var authBytes: [UInt8] = []
    /// When to authenticate again, in milliseconds; 0 is never.
    package var sessionLifetimeMs: Int64 = 0

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.error(&errorCode)
        try c.nullableString(&errorMessage)
        try c.bytes(&authBytes)
        if c.version >= 1 { try c.int64(&sessionLifetimeMs) }
    }
}
