// Batches of clients through the library: once each, with errors that a server can translate; producer ids.

import Synchronization
import Testing

@testable import Sluice
@testable import SluiceLog

@Suite struct RawAppenderTests {
    private let place = TopicPartition(topic: "t", partition: 0)

    private func batch(
        _ values: [String], sequence: Int32 = -1, id: Int64 = -1, epoch: Int16 = -1
    ) -> RawBatch {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 12)
        var context = CodecContext()
        for value in values {
            let bytes = Array(value.utf8)
            precondition(builder.append(timestamp: 1, key: nil, value: bytes.span.bytes))
        }
        let sealed = builder.seal(
            .none, with: &context,
            producer: ProducerSequence(producerID: id, epoch: epoch, baseSequence: sequence))
        return RawBatch(bytes: ByteSlice(sealed.bytes))
    }

    private func append(
        _ appender: RawAppender, _ batch: RawBatch, to place: TopicPartition? = nil
    ) async -> Result<AppendedBatch, RawAppendError> {
        await withCheckedContinuation { continuation in
            appender.append(batch, to: place ?? self.place, .durable) { continuation.resume(returning: $0) }
        }
    }

    @Test func `a client's batch is appended as it came, and one with a producer id once`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let appender = RawAppender(store)
            defer { appender.close() }
            #expect(try await append(appender, batch(["a", "b"])).get().baseOffset == 0)
            let producer = try await store.initProducerID()
            let first = batch(["c"], sequence: 0, id: producer.id, epoch: producer.epoch)
            #expect(try await append(appender, first).get() == AppendedBatch(baseOffset: 2))
            let again = batch(["c"], sequence: 0, id: producer.id, epoch: producer.epoch)
            let answer = try await append(appender, again).get()
            #expect(answer.baseOffset == 2 && answer.isDuplicate)
        }
    }

    @Test func `each error has its own case`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let appender = RawAppender(store)
            defer { appender.close() }
            _ = await append(appender, batch(["a"], sequence: 0, id: 5, epoch: 1))
            #expect(
                await append(appender, batch(["b"], sequence: 2, id: 5, epoch: 1))
                    == .failure(.outOfOrderSequence(expected: 1)))
            #expect(
                await append(appender, batch(["b"], sequence: 1, id: 5, epoch: 0))
                    == .failure(.invalidProducerEpoch(current: 1)))
            for bad in [
                batch(["b"], sequence: -1, id: 5, epoch: 0), RawBatch(bytes: ByteSlice(ByteBuffer([1]))),
            ] {
                let answer = await append(appender, bad)
                guard case .failure(.invalidRecord) = answer else {
                    Issue.record("\(answer)")
                    continue
                }
            }
            let nowhere = TopicPartition(topic: "nowhere", partition: 0)
            #expect(
                await append(appender, batch(["b"]), to: nowhere)
                    == .failure(.stream(.unknownTopic("nowhere"))))
        }
    }

    @Test func `an identity is given once, and its next epochs until they are used up`() async throws {
        let directory = try TemporaryDirectory()
        var seen: Set<Int64> = []
        for _ in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<1500 { group.addTask { try await store.initProducerID().id } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for id in ids { #expect(seen.insert(id).inserted) }
            let old = ProducerIdentity(id: ids[0], epoch: 3)
            #expect(try await store.initProducerID(existing: old) == ProducerIdentity(id: old.id, epoch: 4))
            let last = ProducerIdentity(id: ids[0], epoch: .max - 1)
            let new = try await store.initProducerID(existing: last)
            #expect(new.epoch == 0 && seen.insert(new.id).inserted)
            try await store.close()
        }
    }

    @Test func `a closed store gives neither places nor ids`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.admin.createTopic("t")
        let appender = RawAppender(store)
        try await store.close()
        #expect(await append(appender, batch(["a"])) == .failure(.stream(.closed)))
        await #expect(throws: StreamError.closed) { try await store.initProducerID() }
        appender.close()
    }
}
