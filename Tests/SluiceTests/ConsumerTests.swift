// Reading: from where, to where, in what order, and what happens when the log changes under a reader.

import Sluice
import Testing

@Suite struct ConsumerTests {
    private let t0 = TopicPartition(topic: "t", partition: 0)

    /// A store with topic `t`: `batches` in partition 0.
    private func withTopic(
        _ batches: [[String]], partitions: Int = 1, _ body: (StreamStore) async throws -> Void
    ) async throws {
        try await withStore { store in
            try await store.admin.createTopic(
                "t", partitions: partitions, configuration: .init { $0.compression = .uncompressed })
            try await store.append(batches, to: "t")
            try await body(store)
        }
    }

    @Test func `reading begins at any offset, also within a batch, and ends at the end`() async throws {
        try await withTopic([["0", "1", "2", "3"], ["4"], ["5", "6", "7"]]) { store in
            for start in 0...8 {
                let entries = try await store.entries("t", from: .offset(Offset(Int64(start))))
                #expect(entries == (start..<8).map { Entry(Int64($0), "\($0)") })
            }
            #expect(try await store.entries("t", from: .earliest).count == 8)
            #expect(try await store.entries("t", from: .latest) == [])
        }
    }

    @Test func `a batch that is entered in the middle begins there`() async throws {
        try await withTopic([["0", "1", "2", "3"]]) { store in
            for try await batch in try await store.consumer(of: [t0], from: .offset(2), until: .end) {
                #expect(batch.baseOffset == 2)
                #expect(batch.nextOffset == 4)
                #expect(batch.count == 2)
                #expect(batch.topicPartition == t0)
                #expect(!batch.isEmpty)
            }
        }
    }

    @Test(arguments: [-1, 9, Int64.max, Int64.min])
    func `an offset that is not there is refused with the ones that are`(_ offset: Int64) async throws {
        try await withTopic([["0", "1", "2", "3", "4", "5", "6", "7"]]) { store in
            let refusal = await error {
                _ = try await store.consumer(of: [t0], from: .offset(Offset(offset)))
            }
            #expect(refusal == .offsetOutOfRange(t0, requested: Offset(offset), valid: 0..<8))
        }
    }

    @Test func `reading begins at a time`() async throws {
        try await withTopic([]) { store in
            var lane = try await store.producer(for: "t").appender()
            for index in 0..<100 {
                let time = Timestamp(millisecondsSince1970: Int64(1000 + index * 10))
                try await lane.append(value: "\(index)", timestamp: time)
                if index % 7 == 0 { lane.submit() }
            }
            try await lane.close()
            for (time, first) in [
                (0, 0), (1000, 0), (1001, 1), (1010, 1), (1495, 50), (1990, 99), (1991, 100),
            ] {
                let moment = Timestamp(millisecondsSince1970: Int64(time))
                let entries = try await store.entries("t", from: .timestamp(moment))
                #expect(entries.map(\.value) == (first..<100).map { "\($0)" })
                let offset = try await store.admin.offset(of: t0, at: moment)
                #expect(offset == (first < 100 ? Offset(Int64(first)) : nil))
            }
        }
    }

    @Test func `a reader with an end does not see what came later`() async throws {
        try await withTopic([["0"], ["1"]]) { store in
            let consumer = try await store.consumer(of: "t", until: .end)
            try await store.append([["2"]], to: "t")
            var seen: [String?] = []
            for try await batch in consumer { seen += batch.map(\.valueString) }
            #expect(seen == ["0", "1"])
            // Sent back, it still ends where it was to end.
            try await consumer.seek(t0, to: .offset(1))
            for try await batch in consumer { seen += batch.map(\.valueString) }
            #expect(seen == ["0", "1", "1"])
        }
    }

    @Test func `a reader without an end gets what comes later`() async throws {
        try await withTopic([["0"]]) { store in
            let consumer = try await store.consumer(of: "t")
            let producer = try await store.producer(for: "t")
            var seen = 0
            for try await batch in consumer {
                seen += batch.count
                if seen == 200 { break }
                // The record is not there yet when the loop asks for the next batch.
                let value = "\(seen)"
                Task { try await producer.send(value: value) }
            }
            #expect(seen == 200)
        }
    }

    @Test func `many readers that wait are all told`() async throws {
        try await withTopic([]) { store in
            let consumers = try await withThrowingTaskGroup(of: Consumer.self) { group in
                for _ in 0..<20 { group.addTask { try await store.consumer(of: "t") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let loops = consumers.map { consumer in
                Task {
                    var seen: [Int64] = []
                    for try await batch in consumer {
                        seen += batch.map(\.offset.rawValue)
                        if seen.count >= 50 { break }
                    }
                    return seen
                }
            }
            let producer = try await store.producer(for: "t")
            for index in 0..<50 { try await producer.send(value: "\(index)") }
            for loop in loops { #expect(try await loop.value == Array(0..<50)) }
        }
    }

    @Test func `left early, a loop begins with the same batch again`() async throws {
        try await withTopic([["0", "1"], ["2"], ["3"]]) { store in
            let consumer = try await store.consumer(of: "t", until: .end)
            for try await batch in consumer {
                #expect(batch.baseOffset == 0)
                #expect(try consumer.position(of: t0) == 0)
                break
            }
            struct Stop: Error {}
            await #expect(throws: Stop.self) {
                for try await batch in consumer where batch.baseOffset == 2 { throw Stop() }
            }
            #expect(try consumer.position(of: t0) == 2)
            #expect(try consumer.lag() == [t0: 2])
            var bases: [Offset] = []
            for try await batch in consumer { bases.append(batch.baseOffset) }
            #expect(bases == [2, 3])
            #expect(try consumer.lag() == [t0: 0])
            #expect(try consumer.position(of: t0) == 4)
        }
    }

    @Test func `two loops at once are one too many`() async throws {
        try await withTopic([["0"], ["1"]]) { store in
            let consumer = try await store.consumer(of: "t", until: .end)
            for try await _ in consumer {
                #expect(await error { for try await _ in consumer {} } == .consumerInUse)
            }
            // The first has ended: the place is free.
            for try await _ in consumer {}
        }
    }

    @Test func `a loop goes on elsewhere after a seek`() async throws {
        try await withTopic([["0"], ["1"], ["2"], ["3"]]) { store in
            let consumer = try await store.consumer(of: "t", until: .end)
            var seen: [Int64] = []
            for try await batch in consumer {
                seen.append(batch.baseOffset.rawValue)
                if seen.count == 2 { try await consumer.seek(t0, to: .earliest) }
                if seen.count == 4 { try await consumer.seek(t0, to: .offset(3)) }
            }
            #expect(seen == [0, 1, 0, 1, 3])
            let other = TopicPartition(topic: "t", partition: 7)
            #expect(await error { try await consumer.seek(other, to: .latest) } == .unknownPartition(other))
            let refusal = await error { try await consumer.seek(t0, to: .offset(5)) }
            #expect(refusal == .offsetOutOfRange(t0, requested: 5, valid: 0..<4))
            try await consumer.seek(t0, to: .latest)
            for try await _ in consumer { Issue.record("there is nothing behind the end") }
        }
    }

    @Test func `a seek wakes a loop that waits`() async throws {
        try await withTopic([["0"]]) { store in
            let consumer = try await store.consumer(of: [t0], from: .latest)
            let loop = Task {
                for try await batch in consumer { return batch.baseOffset }
                return Offset(-1)
            }
            try await consumer.seek(t0, to: .earliest)
            #expect(try await loop.value == 0)
        }
    }

    @Test func `a paused partition waits its turn, and loses nothing`() async throws {
        try await withTopic([["0"], ["1"], ["2"]], partitions: 2) { store in
            try await store.append([["a"], ["b"], ["c"]], to: "t", 1)
            let consumer = try await store.consumer(of: "t", until: .end)
            let t1 = TopicPartition(topic: "t", partition: 1)
            var seen: [TopicPartition: [String?]] = [:]
            var order: [Int] = []
            for try await batch in consumer {
                order.append(batch.topicPartition.partition)
                seen[batch.topicPartition, default: []] += batch.map(\.valueString)
                if order.count == 1 { consumer.pause([t0]) }
                if seen[t1]?.count == 3 { consumer.resume([t0]) }
            }
            #expect(seen == [t0: ["0", "1", "2"], t1: ["a", "b", "c"]])
            #expect(order == [0, 1, 1, 1, 0, 0])
        }
    }

    @Test func `partitions take turns`() async throws {
        try await withTopic([["0"], ["1"], ["2"]], partitions: 3) { store in
            let value = String(repeating: "x", count: 2000)
            for partition in 0..<3 {
                try await store.append(Array(repeating: [value], count: 5), to: "t", partition)
            }
            let partitions = (1...2).map { TopicPartition(topic: "t", partition: $0) }
            let consumer = try await store.consumer(
                of: partitions, from: .earliest, until: .end, configuration: .init { $0.maxBatchBytes = 1024 }
            )
            #expect(consumer.assignment == partitions)
            var order: [Int] = []
            for try await batch in consumer { order.append(batch.topicPartition.partition) }
            #expect(order.sorted() == Array(repeating: 1, count: 5) + Array(repeating: 2, count: 5))
            #expect(Set(order.prefix(5)) == [1, 2])
        }
    }

    @Test func `a batch larger than a fetch is read whole`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", configuration: .init { $0.compression = .uncompressed })
            let values = (0..<6).map { String(repeating: "\($0)", count: 50_000) }
            try await store.append([Array(values[0..<3]), Array(values[3...])], to: "t")
            let entries = try await store.entries("t", maxBatchBytes: 1024)
            #expect(entries.map(\.value) == values)
        }
    }

    @Test func `both ways through a batch show the same, and a record outlives its batch`() async throws {
        try await withTopic([(0..<50).map { "value \($0)" }]) { store in
            var kept: [Record] = []
            for try await batch in try await store.consumer(of: "t", until: .end) {
                var views = batch.records
                for record in batch {
                    guard let view = views.next() else { return unexpected(nil) }
                    let isSame =
                        view.offset == record.offset && view.timestamp == record.timestamp
                        && view.valueString == record.valueString && view.keyString == record.keyString
                        && view.isTombstone == record.isTombstone && view.headers == record.headers
                        && view.topicPartition == record.topicPartition
                    #expect(isSame)
                    kept.append(record.offset.rawValue % 2 == 0 ? record : view.keep())
                }
                if views.next() != nil { Issue.record("more views than records") }
            }
            try await store.admin.deleteTopic("t")
            #expect(kept.map(Entry.init) == (0..<50).map { Entry(Int64($0), "value \($0)") })
        }
    }

    @Test func `overtaken by a deletion, a reader is told what is left`() async throws {
        let value = String(repeating: "x", count: 1000)
        try await withTopic((0..<10).map { ["\($0)" + value] }) { store in
            let consumer = try await store.consumer(
                of: [t0], from: .earliest, until: .never, configuration: .init { $0.maxBatchBytes = 1024 })
            let refusal = await error {
                for try await batch in consumer where batch.baseOffset == 0 {
                    #expect(try await store.admin.deleteRecords(before: 7, of: t0) == 7)
                }
            }
            #expect(refusal == .offsetOutOfRange(t0, requested: 1, valid: 7..<10))
            try await consumer.seek(t0, to: .earliest)
            var bases: [Offset] = []
            for try await batch in consumer {
                bases.append(batch.baseOffset)
                if bases.count == 3 { break }
            }
            #expect(bases == [7, 8, 9])
        }
    }

    @Test func `a deletion within a batch hides its front`() async throws {
        try await withTopic([["0", "1", "2", "3"]]) { store in
            try await store.admin.deleteRecords(before: 3, of: t0)
            #expect(try await store.entries("t") == [Entry(3, "3")])
        }
    }

    @Test func `a reader that waits is told that its topic has been deleted`() async throws {
        try await withTopic([["0"]]) { store in
            let consumer = try await store.consumer(of: [t0], from: .latest)
            let loop = Task { await error { for try await _ in consumer {} } }
            try await store.admin.deleteTopic("t")
            #expect(await loop.value == .unknownTopic("t"))
            #expect(await error { _ = try consumer.lag() } == .unknownTopic("t"))
            // A new topic of that name is another.
            try await store.admin.createTopic("t")
            #expect(await error { for try await _ in consumer {} } == .unknownTopic("t"))
        }
    }

    @Test func `a segment that somebody removed is an error, not a loop`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.admin.createTopic("t")
        try await store.append([["0"]], to: "t")
        try directory.remove("store/topics/t-0/00000000000000000000.log")
        let answer = await error({ _ = try await store.entries("t") })
        guard case .io(operation: "open", _, errno: 2) = answer else { return unexpected(answer) }
        try? await store.close()
    }
}
