// DescribeLogDirs: what lies in the directories of the log.

/// Asks for what lies in the directories of the log.
package struct DescribeLogDirsRequest: WireStruct {
    /// The topics; null is all.
    package var topics: [Topic]?

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.nullableArray(&topics)
    }

    /// Partitions of a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var topic = ""
        /// The partitions of the topic.
        package var partitions: [Int32] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&topic)
            try c.array(&partitions)
        }
    }
}

/// What lies in the directories of the log.
package struct DescribeLogDirsResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The directories.
    package var results: [LogDir] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        if c.version >= 3 { try c.error(&errorCode) }
        try c.array(&results)
    }

    /// A directory.
    package struct LogDir: WireStruct {
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The path of the directory.
        package var logDir = ""
        /// The topics.
        package var topics: [Topic] = []
        /// The size of the volume in bytes; -1 when it is not known.
        package var totalBytes: Int64 = -1
        /// The free bytes of the volume; -1 when it is not known.
        package var usableBytes: Int64 = -1

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.error(&errorCode)
            try c.string(&logDir)
            try c.array(&topics)
            if c.version >= 4 {
                try c.int64(&totalBytes)
                try c.int64(&usableBytes)
            }
        }
    }

    /// What lies there of a topic.
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

    /// What lies there of a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var partitionIndex: Int32 = 0
        /// The bytes of its segments.
        package var partitionSize: Int64 = 0
        /// How far it is behind.
        package var offsetLag: Int64 = 0
        /// Whether it is a copy that is being moved here.
        package var isFutureKey = false

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&partitionIndex)
            try c.int64(&partitionSize)
            try c.int64(&offsetLag)
            try c.bool(&isFutureKey)
        }
    }
}
