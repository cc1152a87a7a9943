// What users are told: every case says what, where and what to do; and the engine's errors become the right
// case.

import Glibc
import Sluice
import SluiceCore
import SluiceLog
import Testing

@Suite struct StreamErrorTests {
    static let partition = TopicPartition(topic: "flights", partition: 2)

    /// One of each case, and what its message must contain.
    static let samples: [(StreamError, [String])] = [
        (
            .busy(
                Busy(
                    topic: "t", retryAfter: .milliseconds(12),
                    reason: .buffer(usedBytes: 1536, limitBytes: 2048))),
            ["\"t\"", "1536 bytes (1.5 KiB) of 2048 bytes (2 KiB)", "12 ms", "buffer.memory", "not taken"]
        ),
        (.cancelled(accepted: false), ["was not taken"]),
        (.cancelled(accepted: true), ["was taken and will be written", "flush"]),
        (.closed, ["closed"]),
        (.consumerInUse, ["consumer for each loop"]),
        (.unknownTopic("flihgts"), ["no topic \"flihgts\"", "ensureTopic"]),
        (.unknownPartition(partition), ["\"flights\" has no partition 2", "from 0"]),
        (.topicExists("Flights"), ["\"Flights\" exists", "differ only in case"]),
        (
            .illegalTopicName("a/b", reason: "'/' is not allowed"),
            ["\"a/b\"", "'/' is not allowed", "1 to 249"]
        ),
        (
            .illegalConfiguration(key: "segment.bytes", value: "5", reason: "accepted: 4096 or more"),
            ["segment.bytes cannot be \"5\": accepted: 4096 or more."]
        ),
        (
            .recordTooLarge(bytes: 2_000_000, limit: 1 << 20),
            ["2000000 bytes (1.9 MiB)", "1048576 bytes (1 MiB)"]
        ),
        (
            .offsetOutOfRange(partition, requested: 3, valid: 5..<9),
            ["flights-2", "no offset 3", "5 to 8", ".earliest"]
        ),
        (.offsetOutOfRange(partition, requested: 10, valid: 5..<9), ["no offset 10", "5 to 8", ".latest"]),
        (.offsetOutOfRange(partition, requested: 3, valid: 0..<0), ["is empty and its end is 0"]),
        (.unexpectedEnd(partition, is: 9), ["flights-2", "end is 9", "Nothing of this write"]),
        (.indeterminate(partition, reason: "fdatasync failed"), ["flights-2", "fdatasync failed", "twice"]),
        (.notADirectory(path: "/x/y"), ["/x/y", "directory"]),
        (
            .notAStore(path: "/x", reason: "there is no meta.properties"),
            ["/x", "no meta.properties", "empty"]
        ),
        (.locked(path: "/x", processID: 77), ["/x", "another process (77)"]),
        (.locked(path: "/x", processID: nil), ["another process."]),
        (.newerFormat(path: "/x", version: 9, features: []), ["/x", "(format 9)", "later version"]),
        (.newerFormat(path: "/x", version: 1, features: ["tiers"]), ["/x", "(format 1, with tiers)"]),
        (
            .corrupt(file: "/x/0.log", position: 4711, reason: "bad checksum"),
            ["/x/0.log", "4711", "bad checksum"]
        ),
        (
            .io(operation: "write", file: "/x/0.log", errno: EIO),
            ["write of /x/0.log", "Input/output error", "backup"]
        ),
        (.noSpace(path: "/x"), ["/x", "resumes by itself"]),
        (.tooManyOpenFiles(limit: 256), ["256", "ulimit -n"]),
        (.readOnly(path: "/x"), ["/x", "only be read"]),
        (
            .offline(partition, reason: "a segment is missing"),
            ["flights-2", "a segment is missing", "Other partitions"]
        ),
    ]

    @Test(arguments: samples.indices)
    func `a message says what, where and what to do`(index: Int) {
        let (error, parts) = Self.samples[index]
        let text = "\(error)"
        for part in parts { #expect(text.contains(part), "\(text)") }
        #expect(text.hasSuffix(".") || text.hasSuffix("?"), "\(text)")
        #expect(!text.contains("\n") && !text.contains("  ") && !text.contains(".."), "\(text)")
    }

    @Test func `what may work without a change can be tried again`() {
        let retriable = Self.samples.map(\.0).filter(\.isRetriable)
        #expect(retriable.count == 5)
        for error in retriable {
            switch error {
            case .busy, .locked, .noSpace, .tooManyOpenFiles: break
            default: Issue.record("\(error) is not retriable")
            }
        }
    }

    @Test func `a name cannot upset the terminal or flood the message`() {
        let text = "\(StreamError.unknownTopic("a\u{1B}[2J\n\"" + String(repeating: "x", count: 10_000)))"
        #expect(text.contains(#""a\u{1B}[2J\u{A}\""#) && text.count < 400)
    }

    @Test func `asking again is never due at once`() {
        let busy = Busy(topic: "t", retryAfter: .zero, reason: .buffer(usedBytes: 1, limitBytes: 1))
        #expect(busy.retryAfter == .milliseconds(1))
    }

    @Test(arguments: [
        (ENOSPC, StreamError.noSpace(path: "f")),
        (EDQUOT, .noSpace(path: "f")),
        (EROFS, .readOnly(path: "f")),
        (ENOTDIR, .notADirectory(path: "f")),
        (EIO, .io(operation: "write", file: "f", errno: EIO)),
        (EACCES, .io(operation: "write", file: "f", errno: EACCES)),
    ])
    func `a system error becomes the case that says what to do`(errno: Int32, expected: StreamError) {
        #expect(StreamError(IOError(operation: "write", path: "f", errno: errno)) == expected)
    }

    @Test(arguments: [EMFILE, ENFILE])
    func `too many open files names the limit in force`(errno: Int32) {
        let error = StreamError(IOError(operation: "open", path: "f", errno: errno))
        guard case .tooManyOpenFiles(let limit) = error else {
            Issue.record("another case")
            return
        }
        #expect(limit > 0)
    }

    @Test func `the engine's errors become the library's, with the partition that was asked`() {
        let partition = Self.partition
        let eio = IOError(operation: "write", path: "f", errno: EIO)
        let pairs: [(LogError, StreamError)] = [
            (.io(eio), .io(operation: "write", file: "f", errno: EIO)),
            (.indeterminate(reason: "r"), .indeterminate(partition, reason: "r")),
            (.corrupt(file: "f", position: 9, reason: "r"), .corrupt(file: "f", position: 9, reason: "r")),
            (.offline(reason: "r"), .offline(partition, reason: "r")),
            (.unknownTopic("t"), .unknownTopic("t")),
            (.topicExists("t"), .topicExists("t")),
            (
                .offsetOutOfRange(requested: 1, valid: 2..<3),
                .offsetOutOfRange(partition, requested: 1, valid: 2..<3)
            ),
            (.unexpectedEnd(topic: "flights", partition: 2, is: 7), .unexpectedEnd(partition, is: 7)),
            (.tooLarge(bytes: 2, limit: 1), .recordTooLarge(bytes: 2, limit: 1)),
            (.locked(path: "p", processID: 1), .locked(path: "p", processID: 1)),
            (.closed, .closed),
        ]
        for (engine, library) in pairs { #expect(StreamError(engine, at: partition) == library) }
        let stopped = "\(StreamError(LogError.stopped(eio), at: partition))"
        #expect(
            stopped.contains(
                "flights-2 is off line: writing has stopped, since write of f failed: Input/output error."))
        #expect(StreamError(LogError.stopped(eio), at: nil) == StreamError(eio))
        let store = "\(StreamError(LogError.indeterminate(reason: "r"), at: nil))"
        #expect(store.hasPrefix("The store: a record may or may not"))
    }

    @Test func `a refused setting keeps its key, value and reason`() {
        #expect(
            StreamError(SettingsError.unknownKey("retention.sm", value: "1", near: ["retention.ms"]))
                == .illegalConfiguration(
                    key: "retention.sm", value: "1",
                    reason: "there is no such setting; did you mean retention.ms?"))
    }
}
