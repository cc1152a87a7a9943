// CreateTopics: makes topics.

/// Makes topics.
package struct CreateTopicsRequest: WireStruct {
    /// The topics.
    package var topics: [Topic] = []
    /// How long to wait for it, in milliseconds.
    package var timeoutMs: Int32 = 60000
    /// Whether to check it and change nothing.
    package var validateOnly = false

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&topics)
        try c.int32(&timeoutMs)
        try c.bool(&validateOnly)
    }

    /// A topic to be made.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// How many partitions; -1 is the broker's default, or as many as are assigned.
        package var numPartitions: Int32 = 0
        /// How many brokers have each; -1 is the broker's default, or as many as are assigned.
        package var replicationFactor: Int16 = 0
        /// Which brokers have which partition; empty leaves it to the brokers.
        package var assignments: [Assignment] = []
        /// The settings.
        package var configs: [Config] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.int32(&numPartitions)
            try c.int16(&replicationFactor)
            try c.array(&assignments)
            try c.array(&configs)
        }
    }

    /// Which brokers have a partition.
    package struct Assignment: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The brokers, the leader first.
        package var brokerIDs: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.array(&brokerIDs)
        }
    }

    /// A setting.
    package struct Config: WireStruct {
        /// The name of the setting.
        package var name = ""
        /// The value; null has none to tell.
        package var value: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.nullableString(&value)
        }
    }
}

/// What became of the topics.
package struct CreateTopicsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.array(&topics)
    }

    /// What became of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The identity of the topic.
        package var topicID = WireUUID.zero
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// What went wrong, in words.
        package var errorMessage: String?
        /// Why the settings are not told.
        package var topicConfigErrorCode = ErrorCode.none
        /// How many partitions it has; -1 when it was not made.
        package var numPartitions: Int32 = -1
        /// How many brokers have each; -1 when it was not made.
        package var replicationFactor: Int16 = -1
        /// The settings; null when they are not told.
        package var configs: [Config]?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            if c.version >= 7 { try c.uuid(&topicID) }
            try c.error(&errorCode)
            try c.nullableString(&errorMessage)
            if c.version >= 5 {
                try c.int32(&numPartitions)
                try c.int16(&replicationFactor)
                try c.nullableArray(&configs)
            }
        }

        package mutating func tags(_ c: inout some Coder) throws(WireError) {
            if try c.tag(0, if: topicConfigErrorCode != .none) { try c.error(&topicConfigErrorCode) }
        }
    }

    /// A setting.
    package struct Config: WireStruct {
        /// The name of the setting.
        package var name = ""
        /// The value; null has none to tell.
        package var value: String?
        /// Whether it cannot be changed.
        package var readOnly = false
        /// Where it is from: 1 topic, 2 broker, 3 all brokers, 4 start of the broker, 5 default, 6 logger, 8
        /// group.
        package var configSource: Int8 = -1
        /// Whether the value is secret, and null therefore.
        package var isSensitive = false

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.nullableString(&value)
            try c.bool(&readOnly)
            try c.int8(&configSource)
            try c.bool(&isSensitive)
        }
    }
}
