// Produce: appends record batches.
//
// (1) A request with acks 0 has no response at all. (2) Versions 0 to 2 are read and written so that they can
// be refused; their records have an older format. (3) Version 12 has the layout of 11: what it adds is a
// meaning.

/// Appends record batches.
package struct ProduceRequest: WireStruct {
    /// The transaction; null without one.
    package var transactionalID: String?
    /// When to answer: 0 never, 1 when it is written, -1 when it is durable.
    package var acks: Int16 = 0
    /// How long to wait for it, in milliseconds.
    package var timeoutMs: Int32 = 0
    /// What to append, by topic.
    package var topicData: [Topic] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        if c.version >= 3 { try c.nullableString(&transactionalID) }
        try c.int16(&acks)
        try c.int32(&timeoutMs)
        try c.array(&topicData)
    }

    /// What to append to a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// What to append, by partition.
        package var partitionData: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitionData)
        }
    }

    /// What to append to a partition.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var index: Int32 = 0
        /// Where in the frame the batch is.
        package var records: Range<Int>?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&index)
            try c.records(&records)
        }
    }
}

/// Where the batches went.
package struct ProduceResponse: WireStruct {
    /// The topics.
    package var responses: [Topic] = []
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// Where the leaders that are named are.
    package var nodeEndpoints: [NodeEndpoint] = []

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.array(&responses)
        if c.version >= 1 { try c.int32(&throttleTimeMs) }
    }

    package mutating func tags(_ c: inout some Coder) throws(WireError) {
        if c.version >= 10, try c.tag(0, if: !nodeEndpoints.isEmpty) { try c.array(&nodeEndpoints) }
    }

    /// What became of the batches for a topic.
    package struct Topic: WireStruct {
        /// The name of the topic.
        package var name = ""
        /// The partitions of the topic.
        package var partitionResponses: [Partition] = []

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.string(&name)
            try c.array(&partitionResponses)
        }
    }

    /// What became of a batch.
    package struct Partition: WireStruct {
        /// The partition, from 0.
        package var index: Int32 = 0
        /// What went wrong.
        package var errorCode = ErrorCode.none
        /// The offset of the first record; -1 when there is an error.
        package var baseOffset: Int64 = 0
        /// When it was appended, in milliseconds since 1970; -1 when records keep their own times.
        package var logAppendTimeMs: Int64 = -1
        /// The first offset that is kept.
        package var logStartOffset: Int64 = -1
        /// The records that caused the batch to be refused.
        package var recordErrors: [RecordError] = []
        /// What went wrong, in words.
        package var errorMessage: String?
        /// Who leads, when this broker does not.
        package var currentLeader = LeaderAndEpoch()

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&index)
            try c.error(&errorCode)
            try c.int64(&baseOffset)
            if c.version >= 2 { try c.int64(&logAppendTimeMs) }
            if c.version >= 5 { try c.int64(&logStartOffset) }
            if c.version >= 8 {
                try c.array(&recordErrors)
                try c.nullableString(&errorMessage)
            }
        }

        package mutating func tags(_ c: inout some Coder) throws(WireError) {
            if c.version >= 10, try c.tag(0, if: currentLeader != LeaderAndEpoch()) {
                try currentLeader.code(&c)
            }
        }
    }

    /// A record that is not valid.
    package struct RecordError: WireStruct {
        /// The record in the batch, from 0.
        package var batchIndex: Int32 = 0
        /// What is wrong with it.
        package var batchIndexErrorMessage: String?

        package init() {}

        package mutating func fields(_ c: inout some Coder) throws(WireError) {
            try c.int32(&batchIndex)
            try c.nullableString(&batchIndexErrorMessage)
        }
    }
}
