// CreatePartitions: adds partitions to topics.

/// Adds partitions to topics.
package struct CreatePartitionsRequest: WireStruct {
    /// The topics.
    package var topics: [Topic] = []
    /// How long to wait for it, in milliseconds.
    package var timeoutMs: Int32 = 0
    /// Whether to check it and change nothing.
    package var validateOnly = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&topics)
        try c.int32(&timeoutMs)
        try c.bool(&validateOnly)
    }

    /// A topic that is to have more partitions.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// How many partitions it is to have.
        package var count: Int32 = 0
        /// Which brokers have the new ones; null leaves it to the brokers.
        package var assignments: [Assignment]?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.int32(&count)
            try c.nullableArray(&assignments)
        }
    }

    /// Which brokers have a partition.
    package struct Assignment: WireStruct {
        /// The brokers, the leader first.
        package var brokerIDs: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.array(&brokerIDs)
        }
    }
}

/// What became of the partitions.
package struct CreatePartitionsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var results: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&results)
    }

    /// What became of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.error(&errorCode)
            try c.nullableString(&errorMessage)
        }
    }
}
