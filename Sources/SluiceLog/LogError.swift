// The engine's one error. The layer above translates it to its own, once, and adds the remedy in its words.

/// What the engine answers when it does not do what was asked.
public enum LogError: Error, Hashable, Sendable {
    /// A call to the file system failed; nothing of the request was kept.
    case io(IOError)
    /// The bytes may or may not survive: a sync failed, or the process that had them stopped.
    case indeterminate(reason: String)
    /// Writing here has stopped until the store is opened again: an earlier call failed in a way that leaves
    /// doubt.
    case stopped(IOError)
    /// Bytes that were acknowledged are damaged.
    case corrupt(file: String, position: Int64, reason: String)
    /// A file that the manifest names is missing or short.
    case offline(reason: String)
    case unknownTopic(String)
    case unknownPartition(topic: String, partition: Int)
    case topicExists(String)
    case unknownUser(String)
    case userExists(String)
    case offsetOutOfRange(requested: Int64, valid: Range<Int64>)
    /// A conditional append found another end.
    case unexpectedEnd(topic: String, partition: Int, is: Int64)
    case tooLarge(bytes: Int, limit: Int)
    /// More partitions than the budget of the disk can be opened with after a loss of power.
    case tooManyPartitions(count: Int, limit: Int)
    /// The store's budget of the disk is used up; nothing of the request was kept. There will be room when
    /// records have gone.
    case noRoom(usedBytes: Int64, limitBytes: Int64)
    /// Another batch of that producer is due: `expected` is its first sequence. Nothing was appended.
    /// Kafka: OUT_OF_ORDER_SEQUENCE_NUMBER.
    case outOfOrderSequence(producerID: Int64, epoch: Int16, sequence: Int32, expected: Int32)
    /// A later epoch of that producer has appended. Kafka: INVALID_PRODUCER_EPOCH.
    case invalidProducerEpoch(producerID: Int64, epoch: Int16, current: Int16)
    /// A batch that is to be appended once does not say which one it is. Kafka: INVALID_RECORD.
    case invalidProducer(reason: String)
    case notADirectory(path: String)
    case notAStore(path: String, reason: String)
    case newerFormat(path: String, version: Int, features: [String])
    case locked(path: String, processID: Int32?)
    case closed
}

extension LogError {
    /// Whether a batch was refused for what its producer has appended: one that is sent behind it is judged
    /// by its own sequence, whatever became of this one.
    package var isAboutSequence: Bool {
        switch self {
        case .outOfOrderSequence, .invalidProducerEpoch: true
        default: false
        }
    }
}

extension LogError: CustomStringConvertible {
    /// What happened and where.
    public var description: String {
        switch self {
        case .io(let error): "\(error.operation) of \(error.path) failed with error \(error.errno)"
        case .indeterminate(let reason): "indeterminate: \(reason)"
        case .stopped(let error):
            "writing has stopped since \(error.operation) of \(error.path) failed (\(error.errno))"
        case .corrupt(let file, let position, let reason): "\(file) is damaged at byte \(position): \(reason)"
        case .offline(let reason): "off line: \(reason)"
        case .unknownTopic(let name): "there is no topic \(name)"
        case .unknownPartition(let topic, let partition): "topic \(topic) has no partition \(partition)"
        case .topicExists(let name): "topic \(name) exists"
        case .unknownUser(let name): "there is no user \(name)"
        case .userExists(let name): "user \(name) exists"
        case .offsetOutOfRange(let offset, let valid):
            "offset \(offset) is out of range: \(valid.lowerBound) to \(valid.upperBound)"
        case .unexpectedEnd(let topic, let partition, let end): "\(topic)-\(partition) ends at \(end)"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes are more than \(limit)"
        case .tooManyPartitions(let count, let limit):
            "\(count) partitions are more than the \(limit) that the budget of the disk is enough for"
        case .noRoom(let used, let limit): "\(used) of \(limit) bytes of the disk are used"
        case .outOfOrderSequence(let producer, let epoch, let sequence, let expected):
            "producer \(producer) of epoch \(epoch) sent sequence \(sequence), \(expected) is due"
        case .invalidProducerEpoch(let producer, let epoch, let current):
            "producer \(producer) has epoch \(epoch), \(current) has appended"
        case .invalidProducer(let reason): reason
        case .notADirectory(let path): "\(path) is not a directory"
        case .notAStore(let path, let reason): "\(path) is not a store: \(reason)"
        case .newerFormat(let path, let version, let features):
            "\(path) has format \(version)\(features.isEmpty ? "" : " with \(features.joined(separator: ", "))")"
        case .locked(let path, let processID):
            "\(path) is locked by process \(processID.map(String.init) ?? "?")"
        case .closed: "the store is closed"
        }
    }
}
