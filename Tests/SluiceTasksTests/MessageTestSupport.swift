// What the tests of messages share.

@testable import Sluice
import SluiceLog
@testable import SluiceTasks
import Testing

/// A message without its record, which tests compare.
struct Seen: Hashable, Sendable {
    var value: String
    var deliveries: Int
}

extension StreamStore {
    /// Makes a topic, and appends `0`, `1`, … to it, to its partitions in turn.
    func fill(_ topic: String, partitions: Int = 1, _ numbers: Range<Int>) async throws {
        try await admin.ensureTopic(topic, partitions: partitions)
        let producer = try await producer(for: topic)
        for number in numbers {
            try await producer.append(value: "\(number)", partition: number % partitions)
        }
        try await producer.flush()
    }

    /// Every record of a topic.
    func records(of topic: String) async throws -> [Record] {
        var records: [Record] = []
        for try await batch in try await consumer(of: topic, until: .end) { records += Array(batch) }
        return records
    }

    /// What a group has committed of a topic's first partition, and how far that is from the end.
    func progress(_ group: String, _ topic: String) async throws -> (committed: Offset?, lag: Int64?) {
        let described = try await admin.describeGroup(group).partitions.first { $0.partition.topic == topic }
        return (described?.committed, described?.lag)
    }
}

/// Waits until something is so, which nobody says; a minute at most.
func eventually(in store: StreamStore, _ condition: () async throws -> Bool) async throws {
    let served = ServedStore(store)
    for _ in 0..<6_000 {
        if try await condition() { return }
        let later = PendingAnswer<Void>()
        served.schedule(at: Instant.monotonicNow + 10_000_000) { later.give(()) }
        _ = await later.value()
    }
    throw Failure("it is not so after a minute")
}

extension MessageQueue {
    /// A message that is not released when it is let go of.
    func handed() async throws -> HandedMessage {
        guard let handed = try await engine.next(MessageWaiter(ObjectIdentifier(self)), isStopped: { false })
        else { throw Failure("no message came") }
        return handed
    }

    /// The next message, which is there or coming.
    func some() async throws -> Message {
        guard let message = try await next() else { throw Failure("no message came") }
        return message
    }

    /// Accepts so many messages.
    func accept(_ count: Int) async throws -> [Seen] {
        var seen: [Seen] = []
        for _ in 0..<count {
            let message = try await some()
            seen.append(message.seen)
            try await message.accept()
        }
        return seen
    }
}

/// What goes wrong with a message: closures cannot consume it.
extension Message {
    consuming func acceptFailure() async -> TaskError? {
        do throws(TaskError) {
            try await accept()
            return nil
        } catch {
            return error
        }
    }

    consuming func releaseFailure(after delay: Duration) async -> TaskError? {
        do throws(TaskError) {
            try await release(after: delay)
            return nil
        } catch {
            return error
        }
    }

    func extendFailure(by span: Duration) async -> TaskError? {
        do throws(TaskError) {
            try await extend(by: span)
            return nil
        } catch {
            return error
        }
    }

    var seen: Seen { Seen(value: record.valueString ?? "-", deliveries: deliveries) }
}

extension Record {
    func header(_ key: String) -> String? {
        headers.first { $0.key == key }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}

func seen(_ numbers: some Sequence<Int>, deliveries: Int = 1) -> [Seen] {
    numbers.map { Seen(value: "\($0)", deliveries: deliveries) }
}
