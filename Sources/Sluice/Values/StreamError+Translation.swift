// The border between the engine's errors and the library's: each crosses it here and nowhere else.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
package import SluiceCore
package import SluiceLog

extension StreamError {
    /// A failed call to the file system, as the caller of the library is told about it.
    package init(_ error: IOError) {
        switch error.errno {
        case ENOSPC, EDQUOT: self = .noSpace(path: error.path)
        case EROFS: self = .readOnly(path: error.path)
        case ENOTDIR: self = .notADirectory(path: error.path)
        case EMFILE, ENFILE: self = .tooManyOpenFiles(limit: FileLimit.current)
        default: self = .io(operation: error.operation, file: error.path, errno: error.errno)
        }
    }

    /// What the engine answered. `partition`: the one that was asked; nil when it was about the whole store.
    package init(_ error: LogError, at partition: TopicPartition?) {
        // Without a partition there is only the store to name: an empty topic, which messages show as such.
        let place = partition ?? TopicPartition(topic: "", partition: 0)
        switch error {
        case .io(let error): self.init(error)
        case .indeterminate(let reason): self = .indeterminate(place, reason: reason)
        case .stopped(let error):
            let failure = "\(error.operation) of \(error.path) failed: \(Self.text(ofErrno: error.errno))"
            self =
                partition == nil
                ? Self(error) : .offline(place, reason: "writing has stopped, since " + failure)
        case .corrupt(let file, let position, let reason):
            self = .corrupt(file: file, position: position, reason: reason)
        case .offline(let reason): self = .offline(place, reason: reason)
        case .unknownTopic(let topic): self = .unknownTopic(topic)
        case .unknownPartition(let topic, let number):
            self = .unknownPartition(TopicPartition(topic: topic, partition: number))
        case .topicExists(let topic): self = .topicExists(topic)
        case .unknownUser(let name): self = .unknownUser(name)
        case .userExists(let name): self = .userExists(name)
        case .offsetOutOfRange(let requested, let valid):
            let range = Offset(valid.lowerBound)..<Offset(valid.upperBound)
            self = .offsetOutOfRange(place, requested: Offset(requested), valid: range)
        case .unexpectedEnd(let topic, let number, let end):
            self = .unexpectedEnd(TopicPartition(topic: topic, partition: number), is: Offset(end))
        case .tooLarge(let bytes, let limit): self = .recordTooLarge(bytes: bytes, limit: limit)
        case .tooManyPartitions(let count, let limit):
            self = .illegalConfiguration(
                key: "partitions", value: "\(count) in the store",
                reason: "diskBytes is enough for \(limit); give the store more, or delete topics")
        case .noRoom(let used, let limit):
            self = .busy(
                Busy(
                    topic: place.topic, retryAfter: .seconds(1),
                    reason: .disk(usedBytes: used, limitBytes: limit)))
        // Told only to those who append batches of clients: BatchSender.
        case .outOfOrderSequence, .invalidProducerEpoch, .invalidProducer:
            self = .unsupported(error.description)
        case .notADirectory(let path): self = .notADirectory(path: path)
        case .notAStore(let path, let reason): self = .notAStore(path: path, reason: reason)
        case .newerFormat(let path, let version, let features):
            self = .newerFormat(path: path, version: version, features: features)
        case .locked(let path, let process): self = .locked(path: path, processID: process)
        case .closed: self = .closed
        }
    }

    /// A setting of a topic that was refused.
    package init(_ error: SettingsError) {
        self = .illegalConfiguration(key: error.key, value: error.value, reason: error.reason)
    }
}
