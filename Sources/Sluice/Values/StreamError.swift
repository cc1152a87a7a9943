// The errors of the library, as cases with data. What each says to its reader is in
// `StreamError+Description.swift`; how the engine's errors become these is in
// `StreamError+Translation.swift`.

/// What can go wrong. `description` says what happened, where, and what to do about it.
@nonexhaustive
public enum StreamError: Error, Hashable, Sendable {
    // Asked at the wrong moment

    /// There is no room now; nothing was taken. Ask again after `retryAfter`, or use `append`, which waits.
    case busy(Busy)
    /// The task was cancelled. `accepted`: the record had been taken; it stays and will be written.
    case cancelled(accepted: Bool)
    /// The store, producer or consumer has been closed.
    case closed
    /// Another loop is reading from this consumer.
    case consumerInUse

    // Asked for something that is not so

    /// No topic has this name. Topics are never made by using them.
    case unknownTopic(String)
    /// The topic has no partition of this number.
    case unknownPartition(TopicPartition)
    /// There is a topic of this name, or of one that differs only in case or in '.' against '_'.
    case topicExists(String)
    /// The name breaks the rule. `reason` is the end of a sentence.
    case illegalTopicName(String, reason: String)
    /// No user has this name.
    case unknownUser(String)
    /// There is a user of this name.
    case userExists(String)
    /// A configuration has a value that cannot be. `key` is Kafka's name, or `sluice.*`, or the property's.
    case illegalConfiguration(key: String, value: String, reason: String)
    /// The record, with its headers, is larger than a batch of the topic may be.
    case recordTooLarge(bytes: Int, limit: Int)
    /// The topic keeps the last record of each key, so a record needs one.
    case missingKey(topic: String)
    /// The log does not reach there: retention has deleted it, or it is not yet written.
    case offsetOutOfRange(TopicPartition, requested: Offset, valid: Range<Offset>)
    /// Someone else appended first; nothing of this write was appended.
    case unexpectedEnd(TopicPartition, is: Offset)

    // Groups

    /// The member is not the owner any more: it took too long, or another took its place. Its loop joins
    /// again and begins at what has been committed.
    case fenced(group: String, reason: String)
    /// The group does not have the member: it left, or was removed.
    case unknownMember(group: String)
    /// There is no such group: nobody is in it, and nothing was committed.
    case unknownGroup(String)
    /// The group has members, and what was asked for needs it empty.
    case groupNotEmpty(String)
    /// This consumer, store or topic cannot do that; the text says why.
    case unsupported(String)

    // The outcome is not known

    /// The record may or may not be there: a sync failed. It is never reported as written.
    case indeterminate(TopicPartition, reason: String)

    // The directory, the disk, the system

    /// The path, or one above it, is not a directory.
    case notADirectory(path: String)
    /// The directory holds something that is not a store.
    case notAStore(path: String, reason: String)
    /// Another process has the store open; its id, when it is known.
    case locked(path: String, processID: Int32?)
    /// A later version of Sluice wrote the store: in a later format, or with features that this version does
    /// not know, by name.
    case newerFormat(path: String, version: Int, features: [String])
    /// Bytes on disk are not what was written. `position` is in `file`, in bytes.
    case corrupt(file: String, position: Int64, reason: String)
    /// A call of the operating system failed. `errno` is the system's number.
    case io(operation: String, file: String, errno: Int32)
    /// The file system is full.
    case noSpace(path: String)
    /// The process may open no more files; `limit` is how many it may.
    case tooManyOpenFiles(limit: Int)
    /// The store, or the file system below it, can only be read.
    case readOnly(path: String)
    /// The partition takes no records or gives none, until what `reason` says is put right. Others work.
    case offline(TopicPartition, reason: String)
}

extension StreamError {
    /// Whether the same call may succeed later although nobody has changed it.
    ///
    /// False of `cancelled`, since somebody wanted the end, and of `indeterminate`: asked again, the record
    /// may be there twice.
    public var isRetriable: Bool {
        switch self {
        case .busy, .locked, .noSpace, .tooManyOpenFiles: true
        case .cancelled, .closed, .consumerInUse, .unknownTopic, .unknownPartition, .topicExists,
            .illegalTopicName, .illegalConfiguration, .recordTooLarge, .missingKey, .offsetOutOfRange,
            .unexpectedEnd, .unknownUser, .userExists, .fenced, .unknownMember, .unknownGroup, .groupNotEmpty,
            .unsupported,
            .indeterminate, .notADirectory, .notAStore, .newerFormat, .corrupt, .io, .readOnly, .offline:
            false
        }
    }
}

/// Why there is no room, and when to ask again.
public struct Busy: Hashable, Sendable {
    /// The topic that was to be written.
    public var topic: String
    /// When asking again makes sense, from now: at least 1 ms.
    public var retryAfter: Duration
    /// What is full.
    public var reason: Reason

    /// No room in `topic`. A `retryAfter` below 1 ms counts as 1 ms, so that a loop does not spin on it.
    public init(topic: String, retryAfter: Duration, reason: Reason) {
        self.topic = topic
        self.retryAfter = max(retryAfter, .milliseconds(1))
        self.reason = reason
    }

    /// What is full.
    @nonexhaustive
    public enum Reason: Hashable, Sendable {
        /// Records accepted and not yet acknowledged; the limit is `ProducerConfiguration.bufferBytes`.
        case buffer(usedBytes: Int, limitBytes: Int)
        /// The store's files; the limit is its budget, or what the file system leaves of it.
        case disk(usedBytes: Int64, limitBytes: Int64)
        /// What a group has not read; the limit is what producers may be ahead of it.
        case lag(group: String, unreadBytes: Int64, targetBytes: Int64)
    }
}
