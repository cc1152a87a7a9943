// Ids of idempotent producers, as a server gives them; and their batches through what it appends with.

import Testing

@testable import Sluice
@testable import SluiceLog

@Suite struct ProducerIDTests {
    private func submit(
        _ sender: BatchSender, to number: Int, _ value: String, _ sequence: Int32, epoch: Int16 = 1
    ) async -> Result<AppendedBatch, LogError> {
        var builder = RecordBatchBuilder(rawCapacity: 1 << 12)
        var context = CodecContext()
        let bytes = Array(value.utf8)
        precondition(builder.append(timestamp: 1, key: nil, value: bytes.span.bytes))
        let sealed = builder.seal(
            .none, with: &context,
            producer: ProducerSequence(producerID: 5, epoch: epoch, baseSequence: sequence))
        let batch = BatchSender.Batch(
            bytes: ByteSlice(sealed.bytes), recordCount: sealed.recordCount,
            maxTimestamp: sealed.maxTimestamp, isIdempotent: true)
        #expect(sender.admit(batch.bytes.count, topic: "t") == .accepted(throttleNanoseconds: 0))
        return await withCheckedContinuation { continuation in
            sender.submit(
                batch, to: number, of: "t", .durable, failuresSeen: sender.failures(in: number)
            ) {
                continuation.resume(returning: $0)
            }
        }
    }

    @Test func `an id is given once, over openings too`() async throws {
        let directory = try TemporaryDirectory()
        var seen: Set<Int64> = []
        for _ in 0..<3 {
            let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
            let served = ServedStore(store)
            let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<1500 { group.addTask { try await served.newProducerID() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for id in ids { #expect(seen.insert(id).inserted) }
            try await store.close()
        }
    }

    @Test func `a closed store gives no ids`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("store"), configuration: quiet())
        try await store.close()
        await #expect(throws: StreamError.closed) { try await ServedStore(store).newProducerID() }
    }

    @Test func `a batch of a producer is appended once and a wrong sequence is no failure of others`()
        async throws
    {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let served = ServedStore(store)
            let sender = BatchSender(served)
            let number = try #require(served.topic("t")?.number(0))
            #expect(try await submit(sender, to: number, "a", 0).get() == AppendedBatch(baseOffset: 0))
            let again = try await submit(sender, to: number, "a", 0).get()
            #expect(again.baseOffset == 0 && again.isDuplicate)
            let gap = LogError.outOfOrderSequence(producerID: 5, epoch: 1, sequence: 2, expected: 1)
            #expect(await submit(sender, to: number, "b", 2) == .failure(gap))
            let fence = LogError.invalidProducerEpoch(producerID: 5, epoch: 0, current: 1)
            #expect(await submit(sender, to: number, "b", 1, epoch: 0) == .failure(fence))
            #expect(sender.failures(in: number) == 0)
            guard case .failure(.invalidProducer) = await submit(sender, to: number, "b", -1) else {
                Issue.record("a batch without a sequence was taken")
                return
            }
            #expect(sender.failures(in: number) == 1)
            #expect(try await submit(sender, to: number, "b", 1).get().baseOffset == 1)
        }
    }
}
