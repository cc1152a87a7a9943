// The border between the store's errors and Kafka's: each crosses it here and nowhere else.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

/// An error as a client is told of it.
struct WireFailure: Error, Hashable, Sendable {
    var code: ErrorCode
    /// What happened and what to do, where the response has a place for it.
    var message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: StreamError) {
        message = error.description
        code =
            switch error {
            case .busy, .noSpace: .kafkaStorageError
            case .unknownTopic, .unknownPartition: .unknownTopicOrPartition
            case .topicExists: .topicAlreadyExists
            case .illegalTopicName: .invalidTopicException
            case .illegalConfiguration(let key, _, _):
                key == "partitions" ? .invalidPartitions : .invalidConfig
            case .recordTooLarge: .messageTooLarge
            case .missingKey: .invalidRecord
            case .offsetOutOfRange: .offsetOutOfRange
            case .fenced: .illegalGeneration
            case .unknownMember: .unknownMemberId
            case .unknownGroup: .groupIdNotFound
            case .groupNotEmpty: .nonEmptyGroup
            case .unsupported: .invalidRequest
            // Somebody who asks again finds out: not known, or not now.
            case .closed, .cancelled: .leaderNotAvailable
            case .indeterminate, .corrupt, .io, .offline, .tooManyOpenFiles, .readOnly: .kafkaStorageError
            default: .unknownServerError
            }
    }

    init(_ error: LogError, at place: TopicPartition?) {
        // A partition that was there a moment ago: its topic has been deleted.
        switch error {
        case .unknownPartition(topic: "", _):
            self.init(place.map { .unknownTopic($0.topic) } ?? StreamError(error, at: nil))
        case .outOfOrderSequence: self.init(.outOfOrderSequenceNumber, error.description)
        case .invalidProducerEpoch: self.init(.invalidProducerEpoch, error.description)
        case .invalidProducer: self.init(.invalidRecord, error.description)
        default: self.init(StreamError(error, at: place))
        }
    }
}

extension ErrorCode {
    /// What the coordinator says, which counts as Kafka does.
    init(_ error: GroupError) { self = ErrorCode(rawValue: error.code) ?? .unknownServerError }

    /// The same, or that there is no error.
    init(_ error: GroupError?) { self = error.map { ErrorCode($0) } ?? .none }

}
