// Who asks for records and does not take them is cut off, and holds up nobody else until then.

#if Server
import KafkaWire
import Logging
import Sluice
import SluiceServer
import Testing

@Suite struct SlowReaderTests {
    /// Tells why connections were closed.
    private struct Closings: LogHandler {
        let reasons: AsyncStream<String>.Continuation
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        func log(event: LogEvent) {
            if let reason = event.metadata?["reason"] { reasons.yield("\(reason)") }
        }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
    }

    @Test func `a client that does not take its answers is cut off while others are served`() async throws {
        let (reasons, continuation) = AsyncStream.makeStream(of: String.self)
        let logger = Logger(label: "test") { _ in Closings(reasons: continuation) }
        let bytes = TestBatch.bytes(keys: ["k"], value: String(repeating: "v", count: 900_000), codec: .none)
        try await withServer({
            $0.logger = logger
            $0.stallTimeout = .milliseconds(100)
            $0.responseMemoryBytes = 32 << 20
        }) { store, address in
            try await store.admin.createTopic("t")
            try await WireClient.connected(to: address) { client in
                for _ in 0..<8 {
                    _ = try await client.ask(.produce("t", bytes: bytes.count), version: 9, records: bytes)
                }
            }
            try await WireClient.connected(to: address) { slow in
                // Far more than the buffers between the two take.
                for _ in 0..<60 {
                    try await slow.send(.fetch("t", from: 0, maxBytes: 8 << 20), version: 4)
                }
                try await WireClient.connected(to: address) { good in
                    let response = try await good.ask(.fetch("t", from: 7), version: 4)
                    #expect(response.fetched?.records?.count == bytes.count)
                }
                // It reads nothing before the server has had enough.
                for await reason in reasons where reason == "slowReader" { break }
                var answers = 0
                while try await slow.nextFrame() != nil { answers += 1 }
                #expect(answers < 60)
            }
        }
    }
}
#endif
