// OffsetDelete: deletes what a group has committed.
//
// The response has the error in front of the throttle time, unlike others.

/// Deletes what a group has committed.
package struct OffsetDeleteRequest: WireStruct {
    /// The group.
    package var groupID = ""
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.string(&groupID)
        try c.array(&topics)
    }

    /// Partitions of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitions)
        }
    }

    /// A partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
        }
    }
}

/// What became of a deletion.
package struct OffsetDeleteResponse: WireStruct {
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// The topics.
    package var topics: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.error(&errorCode)
        try c.int32(&throttleTimeMs)
        try c.array(&topics)
    }

    /// What became of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions of the topic.
        package var partitions: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitions)
        }
    }

    /// What became of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.error(&errorCode)
        }
    }
}
