// Idempotent producers over a socket: ids, and batches that are sent again, out of order, or too late.

#if Server
import KafkaWire
import Sluice
import SluiceLog
import SluiceServer
import Testing

struct IdempotentProduceTests {
    /// One batch of `count` records.
    private func batch(_ count: Int, _ sequence: Int32, id: Int64 = 5, epoch: Int16 = 0) -> [UInt8] {
        TestBatch.bytes(
            keys: Array(repeating: "key", count: count),
            producer: ProducerSequence(producerID: id, epoch: epoch, baseSequence: sequence))
    }

    private func send(_ client: WireClient, _ batch: [UInt8]) async throws -> ProduceResponse.Partition {
        let response = try await client.ask(.produce("t", bytes: batch.count), version: 9, records: batch)
        return try #require(response.produced)
    }

    private func identity(
        _ client: WireClient, _ version: Int16 = 4,
        _ change: (inout InitProducerIdRequest) -> Void = { _ in }
    ) async throws -> InitProducerIdResponse {
        let response = try await client.ask(.initProducerId(.with(change)), version: version)
        guard case .initProducerId(let identity) = response else {
            Issue.record("\(response)")
            return InitProducerIdResponse()
        }
        return identity
    }

    @Test func `each producer is given an id of its own in every version, whatever it was before`()
        async throws
    {
        try await withServer { _, address in
            try await WireClient.connected(to: address) { client in
                var seen: Set<Int64> = []
                for version in ApiKey.initProducerId.versions {
                    let identity = try await identity(client, version)
                    #expect(identity.errorCode == .none && identity.producerEpoch == 0)
                    #expect(identity.producerID >= 0 && seen.insert(identity.producerID).inserted)
                }
                let again = try await identity(client) {
                    $0.producerID = 0
                    $0.producerEpoch = 3
                }
                #expect(again.producerEpoch == 0 && seen.insert(again.producerID).inserted)
                let all = try await client.ask(
                    .apiVersions(
                        .with {
                            $0.clientSoftwareName = "test"
                            $0.clientSoftwareVersion = "1"
                        }), version: 4)
                guard case .apiVersions(let response) = all else { return }
                let row = response.apiKeys.first { $0.apiKey == ApiKey.initProducerId.rawValue }
                #expect(row?.minVersion == 0 && row?.maxVersion == 5)
            }
        }
    }

    @Test func `there is no coordinator for a transactional id`() async throws {
        try await withServer { _, address in
            try await WireClient.connected(to: address) { client in
                let refused = try await identity(client) { $0.transactionalID = "transaction" }
                #expect(refused.errorCode == .coordinatorNotAvailable && refused.producerID == -1)
                let empty = try await identity(client) { $0.transactionalID = "" }
                #expect(empty.errorCode == .invalidRequest)
            }
        }
    }

    @Test func `a batch that is sent again is answered with its first place, on any connection`()
        async throws
    {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                for number in 0..<6 as Range<Int32> {
                    let first = try await send(client, batch(2, 2 * number))
                    #expect(first.baseOffset == Int64(2 * number))
                }
            }
            try await WireClient.connected(to: address) { client in
                // The last five are known.
                for number in 1..<6 as Range<Int32> {
                    let again = try await send(client, batch(2, 2 * number))
                    #expect(again.errorCode == .none && again.baseOffset == Int64(2 * number))
                    #expect(again.logStartOffset == 0)
                }
                #expect(try await send(client, batch(2, 0)).errorCode == .outOfOrderSequenceNumber)
                #expect(try await send(client, batch(1, 12)).baseOffset == 12)
            }
            let end = try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)).upperBound
            #expect(end == Offset(13))
        }
    }

    @Test func `a gap is out of order, and neither it nor a fence holds up what is due`() async throws {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                let first = try await send(client, batch(1, 0))
                #expect(first.baseOffset == 0)
                #expect(try await send(client, batch(1, 2)).errorCode == .outOfOrderSequenceNumber)
                #expect(try await send(client, batch(1, 1)).baseOffset == 1)
                #expect(try await send(client, batch(1, 5)).errorCode == .outOfOrderSequenceNumber)
                // The next epoch begins at 0, at once.
                #expect(try await send(client, batch(1, 2, epoch: 1)).errorCode == .outOfOrderSequenceNumber)
                #expect(try await send(client, batch(1, 0, epoch: 1)).baseOffset == 2)
                #expect(try await send(client, batch(1, 2)).errorCode == .invalidProducerEpoch)
                #expect(try await send(client, batch(1, 1, epoch: 1)).baseOffset == 3)
                // One of whom nothing is known may go on where he was, as one without an id may.
                #expect(try await send(client, batch(1, 77, id: 6)).baseOffset == 4)
                #expect(try await send(client, TestBatch.bytes(keys: ["a"])).baseOffset == 5)
            }
        }
    }

    @Test func `five batches under way are each there once when all are sent twice`() async throws {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                for round in 0..<40 as Range<Int32> {
                    let batches = (0..<5 as Range<Int32>).map { batch(1, 5 * round + $0) }
                    for batch in batches + batches {
                        try await client.send(.produce("t", bytes: batch.count), version: 9, records: batch)
                    }
                    for place in 0..<10 as Range<Int64> {
                        let (_, response, _) = try await client.receive(.produce, version: 9)
                        #expect(response.produced?.baseOffset == Int64(5 * round) + place % 5)
                    }
                }
            }
            let end = try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)).upperBound
            #expect(end == Offset(200))
        }
    }
}
#endif
