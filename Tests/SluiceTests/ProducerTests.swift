// The shared producer: where records go, what they carry, what is refused, and what is known of them
// afterwards.

import Sluice
import SluiceCore
import Testing

@Suite struct ProducerTests {
    @Test func `a record comes back with everything it was given`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            let time = Timestamp(millisecondsSince1970: 1_234_567_890_123)
            let headers = [
                RecordHeader(key: "a", value: [1, 2]), RecordHeader(key: "a", value: nil),
                RecordHeader(key: "", value: []),
            ]
            try await producer.send(key: "k", value: "v", headers: headers, timestamp: time)
            try await producer.send(value: .null)
            try await producer.send(key: "", value: "")
            try await producer.send(key: [0, 255] as [UInt8], value: [0xFF] as [UInt8])
            let records = try await store.records("t")
            #expect(records.map(\.offset) == [0, 1, 2, 3])
            #expect(records[0].headers == headers)
            #expect(records[0].timestamp == time)
            #expect(records[0].keyString == "k" && records[0].valueString == "v")
            #expect(records[1].keyBytes == nil && records[1].valueCount == nil && records[1].isTombstone)
            #expect(records[1].headers.isEmpty)
            #expect(records[2].keyString == "" && records[2].valueString == "" && !records[2].isTombstone)
            #expect(records[3].keyBytes == [0, 255])
            #expect(records[3].valueString == "\u{FFFD}")
        }
    }

    @Test func `the receipt has the record's place and time`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 3)
            let producer = try await store.producer(for: "t")
            let time = Timestamp(millisecondsSince1970: -5)
            let receipt = try await producer.send(value: "v", timestamp: time, partition: 2)
            #expect(receipt.topicPartition == TopicPartition(topic: "t", partition: 2))
            #expect(receipt.offset == 0)
            #expect(receipt.timestamp == time)
            #expect(try await producer.send(value: "w", partition: 2).offset == 1)
            #expect(try await store.records("t", 2).map(\.timestamp).first == time)
        }
    }

    @Test func `a record without time gets the present one, and the receipt says the same`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            let before = Timestamp.now - .milliseconds(100)
            let receipt = try await producer.send(value: "v")
            let found = try await store.records("t")[0].timestamp
            #expect(receipt.timestamp == found)
            #expect(found >= before && found <= Timestamp.now)
        }
    }

    @Test func `with the log's time, receipt and record have it`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", configuration: .init { $0.timestampType = .logAppendTime })
            let producer = try await store.producer(for: "t")
            let before = Timestamp.now
            let receipt = try await producer.send(value: "v", timestamp: Timestamp(millisecondsSince1970: 1))
            #expect(receipt.timestamp >= before)
            #expect(try await store.records("t").map(\.timestamp) == [receipt.timestamp])
        }
    }

    @Test func `a key decides the partition as Kafka does`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 5)
            let producer = try await store.producer(for: "t")
            for key in (0..<40).map({ "key-\($0)" }) + [""] {
                let receipt = try await producer.send(key: key, value: key)
                let expected = Partitioner.partition(of: Array(key.utf8).span.bytes, partitions: 5)
                #expect(receipt.topicPartition.partition == expected)
            }
        }
    }

    @Test func `records without a key are spread over the partitions, batch by batch`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 4)
            let producer = try await store.producer(for: "t")
            var used: Set<Int> = []
            for index in 0..<200 {
                used.insert(try await producer.send(value: "\(index)").topicPartition.partition)
            }
            #expect(used.count == 4)
            var lane = producer.appender()
            let together = try (0..<50).map { _ in try lane.appendNow(value: "x").partition }
            #expect(Set(together).count == 1)
            try await lane.close()
        }
    }

    @Test(arguments: [-1, 2, Int.max, Int.min])
    func `a partition that is not there is refused`(_ partition: Int) async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 2)
            let producer = try await store.producer(for: "t")
            let place = TopicPartition(topic: "t", partition: partition)
            #expect(
                await error { try await producer.send(value: "v", partition: partition) }
                    == .unknownPartition(place))
            #expect(
                await error { try producer.appendNow(value: "v", partition: partition) }
                    == .unknownPartition(place))
            #expect(try await producer.send(value: "v", partition: 1).offset == 0)
        }
    }

    @Test func `a record at the limit is taken, one byte more is too large`() async throws {
        try await withStore { store in
            try await store.admin.createTopic(
                "t",
                configuration: .init {
                    $0.maxMessageBytes = 4096; $0.compression = .uncompressed
                })
            let producer = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 1024 })
            // The estimate of a record is never too low and at most 35 bytes too high.
            let fits = 4096 - 61 - 40
            #expect(try await producer.send(value: [UInt8](repeating: 7, count: fits)).offset == 0)
            let refusal = await error {
                try await producer.send(value: [UInt8](repeating: 7, count: fits + 1))
            }
            #expect(refusal == .recordTooLarge(bytes: fits + 1 + 40, limit: 4096))
            let header = RecordHeader(key: "h", value: [UInt8](repeating: 7, count: fits))
            let answer = await error({ try await producer.send(value: "", headers: [header]) })
            guard case .recordTooLarge = answer else { return unexpected(answer) }
            #expect(try await producer.send(value: "after").offset == 1)
            #expect(try await store.records("t").map(\.valueCount) == [fits, 5])
        }
    }

    @Test(arguments: Compression.allCases)
    func `every codec gives back what it was given`(_ codec: Compression) async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t", configuration: .init { $0.compression = codec })
            var lane = producer.appender()
            for index in 0..<2000 {
                try await lane.append(key: "k\(index % 7)", value: "a value with number \(index)")
            }
            try await lane.close()
            let entries = try await store.entries("t")
            #expect(entries == (0..<2000).map { Entry(Int64($0), "k\($0 % 7)", "a value with number \($0)") })
        }
    }

    @Test func `a topic's codec is in force whatever the producer asks for`() async throws {
        let values = (0..<500).map { _ in "the same again and again" }
        func stored(_ topic: Compression?, _ producer: Compression?) async throws -> Int {
            try await withStore { store in
                try await store.admin.createTopic("t", configuration: .init { $0.compression = topic })
                var lane = try await store.producer(
                    for: "t", configuration: .init { $0.compression = producer }
                )
                .appender()
                for value in values { try await lane.append(value: value) }
                try await lane.close()
                var bytes = 0
                for try await batch in try await store.consumer(of: "t", until: .end) {
                    bytes += batch.storedByteCount
                }
                return bytes
            }
        }
        let plain = try await stored(.uncompressed, .zstd)
        #expect(plain > values.count * 24)
        #expect(try await stored(.zstd, .uncompressed) < plain / 10)
        #expect(try await stored(nil, .uncompressed) == plain)
        #expect(try await stored(nil, nil) < plain / 4)
    }

    @Test func `with a linger, records leave together`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.linger = .seconds(3600) })
            for index in 0..<10 { try await producer.append(value: "\(index)") }
            #expect(try await store.admin.offsets(of: TopicPartition(topic: "t", partition: 0)) == 0..<0)
            try await producer.flush()
            var counts: [Int] = []
            for try await batch in try await store.consumer(of: "t", until: .end) {
                counts.append(batch.count)
            }
            #expect(counts == [10])
            // Someone who waits does not linger, and takes the others along.
            try producer.appendNow(value: "10")
            #expect(try await producer.send(value: "11").offset == 11)
        }
    }

    @Test func `a linger ends by itself`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 2)
            let producer = try await store.producer(
                for: "t", configuration: .init { $0.linger = .milliseconds(2) })
            let consumer = try await store.consumer(of: "t")
            var seen = 0
            try producer.appendNow(value: "a", partition: 0)
            try producer.appendNow(value: "b", partition: 1)
            for try await batch in consumer {
                seen += batch.count
                if seen == 2 { try producer.appendNow(value: "c", partition: 0) }
                if seen == 3 { break }
            }
            #expect(seen == 3)
        }
    }

    @Test func `what became of a batch is known for the next 4096`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", configuration: .init { $0.durability = .written })
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.acknowledgement = .written; $0.compression = .uncompressed
                })
            let first = try await producer.append(value: "first")
            try await producer.flush()
            #expect(try await producer.acknowledgement(of: first).offset == 0)
            var lane = producer.appender()
            for index in 1..<4096 {
                try await lane.append(value: "\(index)")
                lane.submit()
            }
            try await lane.flush()
            #expect(try await producer.acknowledgement(of: first).offset == 0)
            let last = try await lane.append(value: "last")
            try await lane.flush()
            let answer = await error({ _ = try await producer.acknowledgement(of: first) })
            guard case .indeterminate = answer else { return unexpected(answer) }
            #expect(try await producer.acknowledgement(of: last).offset == 4096)
            try await lane.close()
        }
    }

    @Test func `with many partitions what became of a batch is known for eight of each`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 600)
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.acknowledgement = .written; $0.compression = .uncompressed
                })
            let first = try await producer.append(value: "first", partition: 0)
            try await producer.flush()
            for _ in 1..<8 {
                for partition in 0..<600 {
                    _ = try await producer.append(value: "next", partition: partition)
                }
                try await producer.flush()
            }
            #expect(try await producer.acknowledgement(of: first).offset == 0)
        }
    }

    @Test func `a batch that stays open while thousands pass it is written, and its room given back`()
        async throws
    {
        try await withStore { store in
            try await store.admin.createTopic(
                "t", partitions: 2, configuration: .init { $0.durability = .written })
            let producer = try await store.producer(
                for: "t",
                configuration: .init {
                    $0.acknowledgement = .written
                    $0.batchBytes = 1024
                    $0.bufferBytes = 3072
                })
            var lane = producer.appender()
            let slow = try await lane.append(value: "slow", partition: 1)
            for index in 0..<4200 {
                try await producer.append(value: "\(index)", partition: 0); try await producer.flush()
            }
            try await lane.flush()
            #expect(try await store.entries("t", 1) == [Entry(0, "slow")])
            let answer = await error({ _ = try await producer.acknowledgement(of: slow) })
            guard case .indeterminate = answer else { return unexpected(answer) }
            // All three batches fit again.
            for partition in [0, 1] { try lane.appendNow(value: "again", partition: partition) }
            try await lane.close()
            #expect(try await store.entries("t", 1).count == 2)
        }
    }

    @Test func `flush tells the first failure, once`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            let producer = try await store.producer(for: "t")
            var lane = producer.appender()
            let lost = try await lane.append(value: "lost")
            try await store.admin.deleteTopic("t")
            #expect(await error { try await lane.flush() } == .unknownTopic("t"))
            try await lane.flush()
            try await producer.flush()
            #expect(await error { _ = try await producer.acknowledgement(of: lost) } == .unknownTopic("t"))
            #expect(await error { try await producer.send(value: "x") } == .unknownTopic("t"))
            #expect(await error { try await producer.close() } == .unknownTopic("t"))
            try await producer.close()
        }
    }
}
