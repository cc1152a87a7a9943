// Configurations: their defaults are those of the documentation, their ranges end where they say.

import Sluice
import SluiceCore
import Testing

@Suite struct ConfigurationTests {
    @Test func `a topic's typed properties are its settings`() throws {
        let configuration = TopicConfiguration {
            $0.retentionTime = .seconds(3600)
            $0.retentionBytes = 5_000_000_000
            $0.segmentBytes = 1 << 20
            $0.segmentTime = .seconds(60)
            $0.indexIntervalBytes = 512
            $0.maxMessageBytes = 2 << 20
            $0.compression = .zstd
            $0.timestampType = .logAppendTime
            $0.durability = .written
        }
        let properties = [
            "retention.ms": "3600000", "retention.bytes": "5000000000", "segment.bytes": "1048576",
            "segment.ms": "60000", "index.interval.bytes": "512", "max.message.bytes": "2097152",
            "compression.type": "zstd", "message.timestamp.type": "LogAppendTime",
            "sluice.durability": "written",
        ]
        #expect(configuration.properties == properties)
        #expect(try TopicConfiguration(properties: properties) == configuration)
        try configuration.validate()
    }

    @Test func `the defaults of a topic are those of the table`() {
        let configuration = TopicConfiguration()
        #expect(configuration.properties.isEmpty)
        #expect(configuration.retentionTime == .seconds(7 * 86_400) && configuration.retentionBytes == nil)
        #expect(configuration.segmentBytes == 128 << 20 && configuration.segmentTime == .seconds(7 * 86_400))
        #expect(configuration.indexIntervalBytes == 4096 && configuration.maxMessageBytes == 1 << 20)
        #expect(configuration.compression == nil && configuration.timestampType == .createTime)
        #expect(configuration.durability == .durable)
    }

    @Test func `every codec goes through the setting and back`() {
        for compression in Compression.allCases {
            let configuration = TopicConfiguration { $0.compression = compression }
            #expect(configuration.compression == compression)
            #expect(configuration.properties.count == 1)
        }
    }

    @Test func `no retention time is -1`() {
        #expect(TopicConfiguration { $0.retentionTime = nil }.properties == ["retention.ms": "-1"])
        let forever = TopicConfiguration { $0.retentionTime = .seconds(Int64.max) }
        #expect(forever.properties == ["retention.ms": "9223372036854775807"])
    }

    @Test func `a setting that is wrong is refused with its key`() {
        #expect(
            throws: StreamError.illegalConfiguration(
                key: "segment.bytes", value: "1", reason: "accepted: 4096 to 2147483647 bytes")
        ) { try TopicConfiguration(properties: ["segment.bytes": "1"]) }
        #expect(
            throws: StreamError.illegalConfiguration(
                key: "retention.ms", value: "-2", reason: "accepted: -1 (no limit), 0 or more ms")
        ) { try TopicConfiguration { $0.retentionTime = .milliseconds(-2) }.validate() }
    }

    @Test func `a negative retention is refused, not taken for none`() {
        let negative = TopicConfiguration { $0.retentionTime = .milliseconds(-1) }
        #expect(
            throws: StreamError.illegalConfiguration(
                key: "retention.ms", value: "-1",
                reason:
                    "it was assigned as a number, where nil is no limit; "
                    + "accepted: -1 (no limit), 0 or more ms"
            )
        ) { try negative.validate() }
        #expect(throws: StreamError.self) { try TopicConfiguration { $0.retentionBytes = -1 }.validate() }
    }

    @Test func `a producer's defaults are in range, and its ranges end where they say`() throws {
        try ProducerConfiguration().validate()
        #expect(
            ProducerConfiguration().batchBytes == 65_536 && ProducerConfiguration().bufferBytes == 33_554_432)
        for good in [1024, 1 << 20] { try ProducerConfiguration { $0.batchBytes = good }.validate() }
        for bad in [1023, (1 << 20) + 1] {
            expectRefused("batch.size", ProducerConfiguration { $0.batchBytes = bad })
        }
        try ProducerConfiguration { $0.bufferBytes = $0.batchBytes }.validate()
        expectRefused("buffer.memory", ProducerConfiguration { $0.bufferBytes = $0.batchBytes - 1 })
        expectRefused("linger.ms", ProducerConfiguration { $0.linger = .nanoseconds(-1) })
        expectRefused("max.block.ms", ProducerConfiguration { $0.maxBlock = .nanoseconds(-1) })
        try ProducerConfiguration { $0.maxBlock = .zero }.validate()
    }

    @Test func `a consumer's range ends where it says`() throws {
        for good in [1024, 1 << 20, 64 << 20] {
            try ConsumerConfiguration { $0.maxBatchBytes = good }.validate()
        }
        for bad in [1023, (64 << 20) + 1] {
            #expect(throws: StreamError.self) {
                try ConsumerConfiguration { $0.maxBatchBytes = bad }.validate()
            }
        }
    }

    @Test func `a store's ranges end where they say`() throws {
        try StoreConfiguration().validate()
        try StoreConfiguration { $0.maxOpenFiles = 16 }.validate()
        #expect(throws: StreamError.self) { try StoreConfiguration { $0.maxOpenFiles = 15 }.validate() }
        #expect(throws: StreamError.self) { try StoreConfiguration { $0.writerThreads = 0 }.validate() }
        #expect(throws: StreamError.self) { try StoreConfiguration { $0.readerThreads = 0 }.validate() }
    }

    private func expectRefused(_ key: String, _ configuration: ProducerConfiguration) {
        let error = #expect(throws: StreamError.self) { try configuration.validate() }
        guard case .illegalConfiguration(key, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
