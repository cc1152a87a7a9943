// Why a batch of a Produce request is not taken.

import KafkaWire
import Sluice
import SluiceLog

/// A refusal: its code, what it says, and the records that are at fault.
struct ProduceRefusal: Error, Hashable, Sendable {
    var code: ErrorCode
    var message: String
    var records: [Int] = []

    init(_ code: ErrorCode, _ message: String, records: [Int] = []) {
        self.code = code
        self.message = message
        self.records = records
    }

    /// There is no room: the code is one that every client tries again.
    init(_ busy: Busy) { self.init(.kafkaStorageError, StreamError.busy(busy).description) }

    /// What the log says.
    init(_ error: LogError, _ place: TopicPartition) {
        let failure = WireFailure(error, at: place)
        self.init(failure.code, failure.message)
    }
}
