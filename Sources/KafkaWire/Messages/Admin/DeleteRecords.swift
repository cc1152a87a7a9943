// DeleteRecords: moves the start of logs.

/// Deletes the records below offsets.
package struct DeleteRecordsRequest: WireStruct {
    /// The topics.
    package var topics: [Topic] = []
    /// How long to wait for it, in milliseconds.
    package var timeoutMs: Int32 = 0

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&topics)
        try c.int32(&timeoutMs)
    }

    /// What to delete of a topic.
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

    /// What to delete of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The first offset to keep; -1 is the high watermark.
        package var offset: Int64 = 0

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.int64(&offset)
        }
    }
}

/// What became of the records.
package struct DeleteRecordsResponse: WireStruct {
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
        /// The first offset that is kept; -1 when there is an error.
        package var lowWatermark: Int64 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.int64(&lowWatermark)
            try c.error(&errorCode)
        }
    }
}
