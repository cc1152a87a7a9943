// What a producer does when its buffer is full: refuses, waits, gives up, is cancelled, goes on.
//
// A lane that has not handed over its batch holds the room: so the buffer is full for as long as a test
// wants.

import Sluice
import Testing

@Suite struct BackPressureTests {
    /// A producer with room for one batch, which a lane has taken.
    private func withFullBuffer(
        maxBlock: Duration = .seconds(600),
        _ body: (StreamStore, Producer, inout Appender) async throws -> Void
    ) async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.batchBytes = 1024
                    $0.bufferBytes = 1024
                    $0.maxBlock = maxBlock
                })
            var lane = producer.appender()
            try lane.appendNow(value: "holds the room")
            try await body(store, producer, &lane)
            try await lane.close()
        }
    }

    @Test func `a full buffer refuses what does not wait, and says why`() async throws {
        try await withFullBuffer { store, producer, lane in
            let answer = await error({ try producer.appendNow(value: "x") })
            guard case .busy(let busy) = answer else { return unexpected(answer) }
            #expect(busy.topic == "t")
            #expect(busy.retryAfter >= .milliseconds(1))
            #expect(busy.reason == .buffer(usedBytes: 1024, limitBytes: 1024))
            try await lane.flush()
            try producer.appendNow(value: "y")
            try await producer.flush()
            #expect(try await store.entries("t") == [Entry(0, "holds the room"), Entry(1, "y")])
        }
    }

    @Test func `append waits for room and goes on`() async throws {
        try await withFullBuffer { store, producer, lane in
            let waiting = Task { try await producer.append(value: "x") }
            lane.submit()
            _ = try await waiting.value
            try await producer.flush()
            #expect(try await store.entries("t").map(\.value) == ["holds the room", "x"])
        }
    }

    @Test func `many who wait all get in, also with records larger than the buffer`() async throws {
        try await withFullBuffer { store, producer, lane in
            let large = String(repeating: "x", count: 5000)
            let tasks = (0..<30).map { index in
                Task { try await producer.send(value: index % 3 == 0 ? large : "small \(index)") }
            }
            lane.submit()
            var offsets: Set<Offset> = []
            for task in tasks { offsets.insert(try await task.value.offset) }
            #expect(offsets == Set((1...30).map { Offset($0) }))
        }
    }

    @Test(arguments: [Duration.zero, .milliseconds(3)])
    func `append gives up after maxBlock`(_ maxBlock: Duration) async throws {
        try await withFullBuffer(maxBlock: maxBlock) { store, producer, lane in
            let appended = await error({ try await producer.append(value: "x") })
            guard case .busy = appended else { return unexpected(appended) }
            let sent = await error({ try await producer.send(value: "x") })
            guard case .busy = sent else { return unexpected(sent) }
            let blocking = BlockingStore(store)
            let blocked = await error({ _ = try blocking.send(producer, value: "x") })
            guard case .busy = blocked else { return unexpected(blocked) }
            try await lane.flush()
            #expect(try await producer.send(value: "y").offset == 1)
        }
    }

    @Test func `cancelled while it waits for room, a record is not taken`() async throws {
        try await withFullBuffer { store, producer, lane in
            let waiting = Task { try await producer.append(value: "x") }
            waiting.cancel()
            #expect(await error { _ = try await waiting.value } == .cancelled(accepted: false))
            try await lane.flush()
            #expect(try await store.entries("t") == [Entry(0, "holds the room")])
        }
    }

    @Test func `cancelled while it waits for its acknowledgement, a record stays`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            var lane = producer.appender()
            let record = try lane.appendNow(value: "x")
            let waiting = Task { try await producer.acknowledgement(of: record) }
            waiting.cancel()
            #expect(await error { _ = try await waiting.value } == .cancelled(accepted: true))
            try await lane.close()
            #expect(try await producer.acknowledgement(of: record).offset == 0)
            // A task that is cancelled already: its record is taken all the same.
            let sending = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await producer.send(value: "y")
            }
            switch await error({ _ = try await sending.value }) {
            case nil, .cancelled(accepted: true): break
            case let other: Issue.record("\(String(describing: other))")
            }
            try await producer.flush()
            #expect(try await store.entries("t") == [Entry(0, "x"), Entry(1, "y")])
        }
    }

    @Test func `a lane that is told that there is no room has handed over what it holds`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 8)
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.batchBytes = 1024; $0.bufferBytes = 2048
                })
            var lane = producer.appender()
            var refusals = 0
            for index in 0..<64 {
                var isTaken = false
                while !isTaken {
                    do {
                        try lane.appendNow(value: "\(index)", partition: index % 8)
                        isTaken = true
                    } catch {
                        refusals += 1
                        await Task.yield()
                    }
                }
            }
            try await lane.close()
            #expect(refusals > 0)
            var values: [String?] = []
            for partition in 0..<8 { values += try await store.entries("t", partition).map(\.value) }
            #expect(Set(values) == Set((0..<64).map { "\($0)" }))
        }
    }

    @Test func `who waits for room when the producer is closed is told so`() async throws {
        try await withFullBuffer { store, producer, lane in
            let waiting = Task { try await producer.append(value: "x") }
            try await producer.close()
            #expect(await error { _ = try await waiting.value } == .closed)
            lane.submit()
        }
    }
}
