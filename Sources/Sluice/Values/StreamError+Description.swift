// The errors as their reader sees them: what happened, where, and what to do. One paragraph, no code, no
// jargon of ours.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension StreamError: CustomStringConvertible {
    /// What happened, where, and what to do about it.
    public var description: String {
        switch self {
        case .busy, .cancelled, .closed, .consumerInUse: momentText
        case .unknownTopic, .unknownPartition, .topicExists, .illegalTopicName, .illegalConfiguration,
            .recordTooLarge, .missingKey, .offsetOutOfRange, .unexpectedEnd, .unknownUser, .userExists:
            requestText
        case .fenced, .unknownMember, .unknownGroup, .groupNotEmpty, .unsupported: groupText
        case .indeterminate(let partition, let reason):
            """
            \(Self.place(partition)): a record may or may not have been written: \(reason). Read the end of \
            the partition to find out; sending it again may store it twice. The partition takes records \
            again after the store was closed and reopened.
            """
        case .notADirectory, .notAStore, .locked, .newerFormat, .corrupt, .io, .noSpace, .tooManyOpenFiles,
            .readOnly, .offline:
            systemText
        }
    }

    private var groupText: String {
        switch self {
        case .fenced(let group, let reason):
            """
            This consumer has lost its place in group \(quoted(group)): \(reason). What it had not committed \
            will be delivered again, here or elsewhere. Go on with the loop: it joins again.
            """
        case .unknownMember(let group):
            """
            This consumer is not a member of group \(quoted(group)) now: it left, or was away too long. \
            Begin a loop over it: that joins.
            """
        case .unknownGroup(let group):
            """
            There is no group \(quoted(group)) in this store. A group begins with its first member, or with \
            its first committed offset.
            """
        case .groupNotEmpty(let group):
            """
            Group \(quoted(group)) has members, and this needs it empty. Close its consumers first, or wait \
            until they have left.
            """
        case .unsupported(let reason): "\(reason)."
        default: ""
        }
    }

    private var momentText: String {
        switch self {
        case .busy(let busy): "\(busy)"
        case .cancelled(accepted: false):
            "The task was cancelled while it waited for room. The record was not taken."
        case .cancelled(accepted: true):
            """
            The task was cancelled while it waited for an acknowledgement. The record was taken and will be \
            written; flush the producer to learn of a failure.
            """
        case .closed:
            "It has been closed. A store, producer or consumer is of no more use then: open another."
        default:
            """
            Another loop is reading from this consumer. Make a consumer for each loop, or end the first one \
            before the second begins.
            """
        }
    }

    private var requestText: String {
        switch self {
        case .unknownTopic(let topic):
            """
            There is no topic \(quoted(topic)). Topics are not made by using them: check the spelling, or \
            make it with admin.ensureTopic.
            """
        case .unknownPartition(let partition):
            """
            Topic \(quoted(partition.topic)) has no partition \(partition.partition). Partitions count from \
            0; admin.describeTopic says how many there are.
            """
        case .topicExists(let topic):
            """
            A topic \(quoted(topic)) exists already. Names that differ only in case, or only in '.' against \
            '_', count as the same. Use it, or take another name; admin.ensureTopic makes a topic only when \
            it is missing.
            """
        case .illegalTopicName(let name, let reason):
            """
            \(quoted(name)) cannot be the name of a topic: \(reason). Names have 1 to 249 of the characters \
            a-z, A-Z, 0-9, '.', '_' and '-'.
            """
        case .illegalConfiguration(let key, let value, let reason):
            "\(key) cannot be \(quoted(value)): \(reason)\(reason.hasSuffix("?") ? "" : ".")"
        case .unknownUser(let name): "There is no user \(quoted(name)); admin.users says which there are."
        case .userExists(let name):
            "A user \(quoted(name)) exists already. Delete it first, or say that it is to be replaced."
        case .recordTooLarge(let bytes, let limit):
            """
            A record of \(Self.bytes(bytes)) is over the limit of \(Self.bytes(limit)) (max.message.bytes). \
            Split it, raise the topic's limit, or store it elsewhere and send where it is.
            """
        case .missingKey(let topic):
            """
            A record for topic \(quoted(topic)) has no key. The topic is compacted (cleanup.policy), it \
            keeps the last record of each key. Give the record a key, or append it to another topic.
            """
        case .offsetOutOfRange(let partition, let requested, let valid):
            """
            \(partition): there is no offset \(requested); \(Self.range(valid)). \
            \(Self.advice(forOffset: requested, outside: valid))
            """
        case .unexpectedEnd(let partition, let end):
            """
            \(partition): its end is \(end), not the offset that was expected: someone else appended first. \
            Nothing of this write was appended. Read what is new, decide again, and write with the end as it \
            is.
            """
        default: ""
        }
    }

    private var systemText: String {
        switch self {
        case .notADirectory(let path):
            """
            \(path) is not a directory, or something above it is not. Give the path of a directory for the \
            store.
            """
        case .notAStore(let path, let reason):
            """
            \(path) is not a store: \(reason). Give the directory of a store, or an empty or new one to make \
            a store there. Nothing in it was changed.
            """
        case .locked(let path, let process):
            """
            The store \(path) is open in another process\(process.map { " (\($0))" } ?? ""). One process \
            writes at a time: close it there first. The lock goes with the process, also when it is killed.
            """
        case .newerFormat(let path, let version, let features):
            """
            The store \(path) was written by a later version of Sluice (format \(version)\
            \(features.isEmpty ? "" : ", with \(features.joined(separator: ", "))")). Use that version or a \
            later one. Nothing was changed.
            """
        case .corrupt(let file, let position, let reason):
            """
            \(file) is damaged at byte \(position): \(reason). Nothing was cut or changed; the rest of the \
            store can be used. Take the file from a backup, or do without what is in it.
            """
        case .io("mkdir", let directory, ENOENT):
            """
            The directory \(directory) cannot be made: the one above it is missing. Make that first, or give \
            another path.
            """
        case .io(let operation, let file, let errno):
            """
            \(operation) of \(file) failed: \(Self.text(ofErrno: errno)) (errno \(errno)). \
            \(Self.advice(forErrno: errno))
            """
        case .noSpace(let path):
            """
            No space is left on the file system of \(path). Nothing was lost: reading goes on, and writing \
            resumes by itself once there is room. Free space, or lower retention.bytes or retention.ms.
            """
        case .tooManyOpenFiles(let limit):
            """
            The process may have \(limit) files open, and has. Raise the limit (ulimit -n), or lower \
            StoreConfiguration.maxOpenFiles.
            """
        case .readOnly(let path):
            """
            \(path) can only be read: it was opened so, or its file system is mounted so. Open the store \
            with StreamStore.open, on a file system that can be written.
            """
        case .offline(let partition, let reason):
            """
            \(Self.place(partition)) is off line: \(reason). Other partitions are not affected. Put that \
            right and open the store again.
            """
        default: ""
        }
    }
}

extension Busy: CustomStringConvertible {
    /// What is full, and when to ask again.
    public var description: String {
        switch reason {
        case .buffer(let used, let limit):
            """
            Topic \(quoted(topic)): \(StreamError.bytes(used)) of \(StreamError.bytes(limit)) are accepted \
            and not yet acknowledged. The record was not taken. Ask again in \(retryAfter.wholeMilliseconds) \
            ms, use append, which waits for room, or raise bufferBytes (buffer.memory).
            """
        case .disk(let used, let limit):
            """
            Topic \(quoted(topic)): the store has \(StreamError.bytes(Int(clamping: used))) of the \
            \(StreamError.bytes(Int(clamping: limit))) that it may use of the disk. The record was not \
            taken. Ask again in \(retryAfter.wholeMilliseconds) ms, use append, which waits, or give it more \
            (diskBytes) or a shorter retention.
            """
        case .lag(let group, let unread, let target):
            """
            Topic \(quoted(topic)): group \(quoted(group)) has \(StreamError.bytes(Int(clamping: unread))) \
            unread, and producers may be \(StreamError.bytes(Int(clamping: target))) ahead of it. The record \
            was not taken. Ask again in \(retryAfter.wholeMilliseconds) ms, or use append, which waits.
            """
        }
    }
}
