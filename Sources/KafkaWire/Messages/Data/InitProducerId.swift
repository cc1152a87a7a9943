// InitProducerId: the identity of an idempotent producer.

/// Asks for the identity of an idempotent producer.
package struct InitProducerIdRequest: WireStruct {
    /// The transaction; null without one.
    package var transactionalID: String?
    /// How long a transaction may take, in milliseconds.
    package var transactionTimeoutMs: Int32 = 0
    /// The producer; -1 when it has no identity yet.
    package var producerID: Int64 = -1
    /// The epoch of the producer.
    package var producerEpoch: Int16 = -1

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.nullableString(&transactionalID)
        try c.int32(&transactionTimeoutMs)
        if c.version >= 3 {
            try c.int64(&producerID)
            try c.int16(&producerEpoch)
        }
    }
}

/// The identity of a producer.
package struct InitProducerIdResponse: WireStruct {
    /// How long the client is to wait, in milliseconds; 0 is not at all.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong.
    package var errorCode = ErrorCode.none
    /// The producer; -1 when it has no identity yet.
    package var producerID: Int64 = -1
    /// The epoch of the producer.
    package var producerEpoch: Int16 = 0

    package init() {}

    package mutating func fields(_ c: inout some Coder) throws(WireError) {
        try c.int32(&throttleTimeMs)
        try c.error(&errorCode)
        try c.int64(&producerID)
        try c.int16(&producerEpoch)
    }
}
