// The server over a socket of this machine: what a client gets, and what a bad one does not do to others.

#if Server
import KafkaWire
import Sluice
import SluiceLog
import SluiceTesting
import SluiceServer
import Testing

struct KafkaServerTests {
    private let batch = TestBatch.bytes(keys: ["a", "b", "c"])

    @Test func `versions are told to whoever asks in a version of his own`() async throws {
        try await withServer { _, address in
            try await WireClient.connected(to: address) { client in
                // Header of ApiVersions 99, of which nobody knows the rest.
                try await client.send(bytes: [0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 1, 2])
                let refused = try await client.receive(.apiVersions, version: 0)
                #expect(refused.id == 7)
                guard case .apiVersions(let response) = refused.1 else { return }
                #expect(response.errorCode == .unsupportedVersion)
                #expect(response.apiKeys.map(\.apiKey) == [18])
                let known = try await client.ask(
                    .apiVersions(
                        .with {
                            $0.clientSoftwareName = "test"
                            $0.clientSoftwareVersion = "1"
                        }), version: 4)
                guard case .apiVersions(let all) = known else { return }
                let advertised = all.apiKeys.map(\.apiKey)
                #expect(advertised == advertised.sorted())
                #expect(advertised.contains(0) && !advertised.contains(24))
            }
        }
    }

    @Test func `a batch comes back as it was sent with its place written into it`() async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                for expected in [0, 3] as [Int64] {
                    let response = try await client.ask(
                        .produce("t", bytes: batch.count), version: 9, records: batch)
                    #expect(response.produced?.errorCode == ErrorCode.none)
                    #expect(response.produced?.baseOffset == expected)
                    #expect(response.produced?.logStartOffset == 0)
                }
                try await client.send(.fetch("t", from: 3), version: 12)
                let (_, response, frame) = try await client.receive(.fetch, version: 12)
                let fetched = try #require(response.fetched)
                #expect(fetched.highWatermark == 6 && fetched.lastStableOffset == 6)
                let records = Array(frame[try #require(fetched.records)])
                #expect(records.count == batch.count)
                #expect(records[16...] == batch[16...])
                #expect(try BatchHeader(records.span.bytes).baseOffset == 3)
            }
            // And the library reads the same.
            var values = 0
            for try await batch in try await store.consumer(of: "t", until: .end) { values += batch.count }
            #expect(values == 6)
        }
    }

    @Test func `pipelined batches are appended and answered in their order`() async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                for _ in 0..<200 {
                    try await client.send(.produce("t", bytes: batch.count), version: 9, records: batch)
                }
                for number in 0..<200 as Range<Int64> {
                    let (id, response, _) = try await client.receive(.produce, version: 9)
                    #expect(Int64(id) == number + 1)
                    #expect(response.produced?.baseOffset == 3 * number)
                }
            }
        }
    }

    @Test func `acks 0 has no answer and a refusal of it ends the connection`() async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                try await client.send(.produce("t", bytes: batch.count, acks: 0), version: 9, records: batch)
                let response = try await client.ask(.fetch("t", from: 0, waiting: 10_000), version: 12)
                #expect(response.fetched?.highWatermark == 3)
                try await client.send(
                    .produce("nobody", bytes: batch.count, acks: 0), version: 9, records: batch)
                #expect(try await client.nextFrame() == nil)
            }
        }
    }

    @Test func `old formats and wrong acks are refused in the words of the version`() async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                let old = try await client.ask(.produce("t", bytes: batch.count), version: 2, records: batch)
                #expect(old.produced?.errorCode == .unsupportedVersion)
                let acks = try await client.ask(
                    .produce("t", bytes: batch.count, acks: 2), version: 9, records: batch)
                #expect(acks.produced?.errorCode == .invalidRequiredAcks)
                let nowhere = try await client.ask(
                    .produce("t", 1, bytes: batch.count), version: 9, records: batch)
                #expect(nowhere.produced?.errorCode == .unknownTopicOrPartition)
                let own = try await client.ask(
                    .produce("__consumer_offsets", bytes: batch.count), version: 9, records: batch)
                #expect(own.produced?.errorCode != ErrorCode.none)
            }
        }
    }

    @Test func `a fetch at the end waits and is woken by the next batch`() async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { reader in
                try await reader.send(.fetch("t", from: 0, waiting: 60_000), version: 12)
                try await WireClient.connected(to: address) { writer in
                    _ = try await writer.ask(.produce("t", bytes: batch.count), version: 9, records: batch)
                }
                let (_, response, _) = try await reader.receive(.fetch, version: 12)
                #expect(response.fetched?.highWatermark == 3)
                #expect(response.fetched?.records?.count == batch.count)
            }
        }
    }

    @Test func `a request behind a fetch that waits ends the wait`() async throws {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                try await client.send(.fetch("t", from: 0, waiting: 60_000), version: 12)
                try await client.send(.metadata(.with { $0.topics = [] }), version: 9)
                let fetched = try await client.receive(.fetch, version: 12)
                #expect(fetched.id == 1 && fetched.1.fetched?.records?.count == 0)
                #expect(try await client.receive(.metadata, version: 9).id == 2)
            }
        }
    }

    @Test func `offsets out of range and topics that are not there are errors of their partition`()
        async throws
    {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                let beyond = try await client.ask(.fetch("t", from: 1, waiting: 60_000), version: 12)
                #expect(beyond.fetched?.errorCode == .offsetOutOfRange)
                let unknown = try await client.ask(.fetch("u", from: 0, waiting: 60_000), version: 12)
                #expect(unknown.fetched?.errorCode == .unknownTopicOrPartition)
                let session = try await client.ask(
                    .fetch(
                        .with {
                            $0.sessionID = 3
                            $0.sessionEpoch = 2
                        }), version: 12)
                guard case .fetch(let response) = session else { return }
                #expect(response.errorCode == .fetchSessionIdNotFound && response.sessionID == 0)
            }
        }
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF, 0xFF],
            [0x7F, 0, 0, 0, 1],
            [0, 0, 0, 2, 1, 1],
            // Metadata 9 with an array of four thousand million topics.
            [0, 0, 0, 18, 0, 3, 0, 9, 0, 0, 0, 1, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 1],
            // A request that nobody knows.
            [0, 0, 0, 10, 3, 0xE8, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF],
            // One that is known and not served.
            [0, 0, 0, 10, 0, 24, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF],
        ] as [[UInt8]])
    func `a connection that sends nonsense ends and no other is disturbed`(_ bytes: [UInt8]) async throws {
        try await withServer { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { good in
                try await WireClient.connected(to: address) { bad in
                    try await bad.send(bytes: bytes)
                    #expect(try await bad.nextFrame() == nil)
                }
                let response = try await good.ask(
                    .produce("t", bytes: batch.count), version: 9, records: batch)
                #expect(response.produced?.errorCode == ErrorCode.none)
            }
        }
    }

    @Test func `requests with bytes drawn anew never take the server down`() async throws {
        try await withServer { store, address in
            try await store.admin.createTopic("t")
            var random = SeededRandom(seed: 3)
            for _ in 0..<300 {
                let api = ApiKey.allCases.randomElement(using: &random) ?? .metadata
                let version = Int16.random(in: api.versions, using: &random)
                var body = [UInt8](repeating: 0, count: .random(in: 0...60, using: &random))
                for index in body.indices { body[index] = .random(in: 0...255, using: &random) }
                let head: [UInt8] = [
                    UInt8(api.rawValue >> 8), UInt8(api.rawValue & 0xFF), 0, UInt8(version), 0, 0, 0, 1, 0xFF,
                    0xFF,
                ]
                let frame = [0, 0, 0, UInt8(head.count + body.count)] + head + body
                try? await WireClient.connected(to: address) { client in try await client.send(bytes: frame) }
            }
            try await WireClient.connected(to: address) { client in
                let response = try await client.ask(.metadata(.with { $0.topics = nil }), version: 9)
                guard case .metadata(let metadata) = response else { return }
                #expect(metadata.brokers.count == 1)
            }
        }
    }

    @Test func `connections beyond the limit are closed and those within go on`() async throws {
        try await withServer({ $0.maxConnections = 2 }) { _, address in
            try await WireClient.connected(to: address) { first in
                _ = try await first.ask(.metadata(.with { $0.topics = [] }), version: 9)
                try await WireClient.connected(to: address) { second in
                    _ = try await second.ask(.metadata(.with { $0.topics = [] }), version: 9)
                    try await WireClient.connected(to: address) { third in
                        let frame = try await third.nextFrame()
                        #expect(frame == nil)
                    }
                    _ = try await first.ask(.metadata(.with { $0.topics = [] }), version: 9)
                }
            }
        }
    }

    @Test func `large frames that are announced and do not come keep nobody from his own`() async throws {
        try await withServer({ $0.requestMemoryBytes = 1 << 20 }) { [batch] store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { first in
                try await first.send(bytes: [5, 0, 0, 0, 1, 2, 3])
                try await WireClient.connected(to: address) { second in
                    try await second.send(bytes: [5, 0, 0, 0] + [UInt8](repeating: 0, count: 100_000))
                    let response = try await WireClient.connected(to: address) { good in
                        try await good.ask(.produce("t", bytes: batch.count), version: 9, records: batch)
                    }
                    #expect(response.produced?.errorCode == ErrorCode.none)
                }
            }
        }
    }

    @Test func `memory for requests that is short delays them and loses none`() async throws {
        let large = TestBatch.bytes(
            keys: Array(repeating: "key", count: 400), value: String(repeating: "v", count: 500), codec: .none
        )
        try await withServer({ $0.requestMemoryBytes = large.count }) { store, address in
            try await store.admin.createTopic("t")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await WireClient.connected(to: address) { client in
                            for _ in 0..<10 {
                                try await client.send(
                                    .produce("t", bytes: large.count), version: 9, records: large)
                            }
                            for _ in 0..<10 {
                                let (_, response, _) = try await client.receive(.produce, version: 9)
                                #expect(response.produced?.errorCode == ErrorCode.none)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let end = try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)).upperBound
            #expect(end == Offset(16_000))
        }
    }
}
#endif
