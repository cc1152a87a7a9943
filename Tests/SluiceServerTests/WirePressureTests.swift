// What a client on the wire sees of a full store, of a quota, and of the limit of a fetch.

#if Server
import KafkaWire
import Sluice
@testable import SluiceServer
import Testing

@Suite struct WirePressureTests {
    /// 200 KB under one key.
    private static func batch(_ number: Int) -> [UInt8] {
        TestBatch.bytes(keys: ["\(number)"], value: String(repeating: "v", count: 200_000), codec: .none)
    }

    @Test
    func `a full store refuses what is in flight behind a refusal and goes on in order when there is room`()
        async throws
    {
        // However slowly what is in flight arrives; the first that was refused ends it.
        try await withServer({ $0.refusalGrace = .seconds(600) }, store: { $0.diskBytes = 32 << 20 }) {
            store, address in
            try await store.admin.createTopic(
                "t",
                configuration: .init {
                    $0.backPressure = .reject
                    $0.segmentBytes = 1 << 20
                })
            let place = TopicPartition(topic: "t", partition: 0)
            var (taken, refusals) = (0, 0)
            var seen: [String] = []
            try await WireClient.connected(to: address) { client in
                while refusals < 3 {
                    let first = taken
                    for number in first..<(first + 5) {
                        let bytes = Self.batch(number)
                        try await client.send(.produce("t", bytes: bytes.count), version: 9, records: bytes)
                    }
                    var isRefused = false
                    for number in first..<(first + 5) {
                        let (_, response, _) = try await client.receive(.produce, version: 9)
                        let produced = try #require(response.produced)
                        if produced.errorCode == .none {
                            #expect(!isRefused, "\(number) was taken behind one that was refused")
                            #expect(produced.baseOffset == Int64(number))
                            taken = number + 1
                        } else {
                            #expect(produced.errorCode == .kafkaStorageError)
                            #expect(produced.errorMessage?.isEmpty == false)
                            isRefused = true
                        }
                    }
                    guard isRefused else { continue }
                    refusals += 1
                    #expect(taken > 20)
                    // What is read may go.
                    let end = try await store.admin.offsets(of: place).upperBound
                    #expect(end == Offset(Int64(taken)))
                    for try await batch in try await store.consumer(of: "t", until: .end) {
                        for record in batch { seen.append(record.keyString ?? "") }
                    }
                    _ = try await store.admin.deleteRecords(before: end, of: place)
                }
            }
            #expect(seen == (0..<taken).map(String.init))
        }
    }

    @Test func `a client over its quota is told to wait and is made to`() async throws {
        let bytes = TestBatch.bytes(keys: ["k"], value: String(repeating: "v", count: 250_000), codec: .none)
        // A debt of minutes, however slow the machine is: of that a second is told at once.
        try await withServer({ $0.quotas["test"] = .init(producerBytesPerSecond: 1_000) }) { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                let clock = ContinuousClock()
                let began = clock.now
                for _ in 0..<2 {
                    let response = try await client.ask(
                        .produce("t", bytes: bytes.count), version: 9, records: bytes)
                    guard case .produce(let answer) = response else { return }
                    #expect(response.produced?.errorCode == ErrorCode.none)
                    #expect(answer.throttleTimeMs == 1_000)
                }
                // This client does not wait by itself.
                #expect(began.duration(to: clock.now) >= .milliseconds(990))
            }
        }
    }

    @Test(arguments: [1_000_000, 2_500_000, 1] as [Int32])
    func `a fetch has one batch however large it is and what else fits`(maxBytes: Int32) async throws {
        let bytes = TestBatch.bytes(keys: ["k"], value: String(repeating: "v", count: 900_000), codec: .none)
        try await withServer { store, address in
            try await store.admin.createTopic("t", partitions: 3)
            try await WireClient.connected(to: address) { client in
                for partition in [0, 1, 2] as [Int32] {
                    for _ in 0..<3 {
                        _ = try await client.ask(
                            .produce("t", partition, bytes: bytes.count), version: 9, records: bytes)
                    }
                }
                // The first fetch knows nothing of where offsets lie, the second does.
                for offset in [0, 1] as [Int64] {
                    let response = try await client.ask(
                        .fetch(
                            .with {
                                $0.maxBytes = maxBytes
                                $0.minBytes = 1
                                $0.topics = [
                                    .with {
                                        $0.topic = "t"
                                        $0.partitions = ([0, 1, 2] as [Int32]).map { partition in
                                            .with {
                                                $0.partition = partition
                                                $0.fetchOffset = offset
                                                $0.partitionMaxBytes = 20_000_000
                                            }
                                        }
                                    }
                                ]
                            }), version: 4)
                    guard case .fetch(let fetched) = response else { return }
                    let sizes = fetched.responses.flatMap(\.partitions).map { $0.records?.count ?? 0 }
                    #expect(sizes.max() ?? 0 >= bytes.count)
                    #expect(sizes.reduce(0, +) <= max(Int(maxBytes), bytes.count), "\(sizes)")
                }
            }
        }
    }
}
#endif
