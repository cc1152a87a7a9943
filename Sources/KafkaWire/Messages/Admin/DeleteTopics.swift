// DeleteTopics: deletes topics, by name and from version 6 on by identity too.

/// Deletes topics.
package struct DeleteTopicsRequest: WireStruct {
    /// The topics, from version 6 on.
    package var topics: [Topic] = []
    /// The topics, before version 6.
    package var topicNames: [String] = []
    /// How long to wait for it, in milliseconds.
    package var timeoutMs: Int32 = 0

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 6 { try c.array(&topics) }
        if c.version <= 5 { try c.array(&topicNames) }
        try c.int32(&timeoutMs)
    }

    /// A topic, by name or by identity.
    package struct Topic: WireStruct {
        /// The name of the topic; null goes by identity.
        package var name: String?
        /// The identity of the topic.
        package var topicID = WireUUID.zero

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.nullableString(&name)
            try c.uuid(&topicID)
        }
    }
}

/// What became of the topics.
package struct DeleteTopicsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var responses: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&responses)
    }

    /// What became of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic; null when it went by identity and is not known.
        package var name: String?
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.nullableString(&name, since: 6)
            if c.version >= 6 { try c.uuid(&topicID) }
            try c.error(&errorCode)
            if c.version >= 5 { try c.nullableString(&errorMessage) }
        }
    }
}
