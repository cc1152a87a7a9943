// Topics from the outside: made, described, changed, deleted.

import Sluice
import Testing

@Suite struct AdminTests {
    @Test func `a topic is described as it was made`() async throws {
        try await withStore { store in
            let configuration = TopicConfiguration {
                $0.retentionTime = .seconds(60); $0.compression = .zstd
            }
            try await store.admin.createTopic("flights", partitions: 3, configuration: configuration)
            try await store.admin.createTopic("b")
            let topic = try await store.admin.describeTopic("flights")
            #expect(topic.name == "flights")
            #expect(topic.id.count == 22)
            #expect(topic.partitions == [0..<0, 0..<0, 0..<0])
            #expect(topic.configuration == configuration)
            #expect(try await store.admin.topics().map(\.name).sorted() == ["b", "flights"])
            #expect(await error { _ = try await store.admin.describeTopic("c") } == .unknownTopic("c"))
        }
    }

    @Test(arguments: ["orders", "Orders", "ORDERS"])
    func `a name is taken once`(_ name: String) async throws {
        try await withStore { store in
            try await store.admin.createTopic("orders")
            #expect(await error { try await store.admin.createTopic(name) } == .topicExists("orders"))
        }
    }

    @Test func `names that differ only in a dot or an underscore collide`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("a.b_c")
            #expect(await error { try await store.admin.createTopic("a_b.c") } == .topicExists("a.b_c"))
            #expect(await error { try await store.admin.ensureTopic("a_b.c") } == .topicExists("a.b_c"))
            try await store.admin.createTopic("a-b-c")
        }
    }

    @Test(arguments: ["", ".", "..", "a/b", "ü", "a b", "a\0b", String(repeating: "x", count: 250)])
    func `an illegal name is refused`(_ name: String) async throws {
        try await withStore { store in
            let answer = await error({ try await store.admin.createTopic(name) })
            guard case .illegalTopicName(_, _) = answer else { return unexpected(answer) }
            let topics = try await store.admin.topics()
            #expect(topics == [])
        }
    }

    @Test func `a name of 249 characters is one`() async throws {
        try await withStore { store in
            let name = String(repeating: "x", count: 249)
            try await store.admin.createTopic(name)
            try await store.append([["v"]], to: name)
            #expect(try await store.entries(name).count == 1)
        }
    }

    @Test(arguments: [0, -1, 100_001])
    func `a number of partitions that cannot be is refused`(_ partitions: Int) async throws {
        try await withStore { store in
            let refusal = await error { try await store.admin.createTopic("t", partitions: partitions) }
            guard case .illegalConfiguration(key: "partitions", _, _) = refusal else {
                return unexpected(refusal)
            }
        }
    }

    @Test func `ensuring makes a topic once and never alters it`() async throws {
        try await withStore { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await store.admin.ensureTopic("t", partitions: 2) } }
                try await group.waitForAll()
            }
            // Names that collide, at the same time: one of them is made.
            let made = await withTaskGroup(of: Bool.self) { group in
                for name in ["x.y", "x_y", "X.Y", "X_y"] {
                    group.addTask { await error { try await store.admin.ensureTopic(name) } == nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 1)
            let id = try await store.admin.describeTopic("t").id
            try await store.admin.ensureTopic(
                "t", partitions: 5, configuration: .init { $0.segmentBytes = 8192 })
            let topic = try await store.admin.describeTopic("t")
            #expect(topic.id == id && topic.partitions.count == 2 && topic.configuration == .init())
        }
    }

    @Test func `an altered topic stays so after reopening`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        try await store.admin.createTopic("t", configuration: .init { $0.segmentBytes = 8192 })
        try await store.admin.alterTopic("t") { $0.retentionBytes = 1 << 20 }
        let refusal = await error { try await store.admin.alterTopic("t") { $0.segmentBytes = 1 } }
        guard case .illegalConfiguration(key: "segment.bytes", _, _) = refusal else {
            return unexpected(refusal)
        }
        #expect(await error { try await store.admin.alterTopic("u") { _ in } } == .unknownTopic("u"))
        try await store.close()
        let again = try await StreamStore.open(at: directory("s"), configuration: quiet())
        let configuration = try await again.admin.describeTopic("t").configuration
        #expect(
            configuration
                == .init {
                    $0.segmentBytes = 8192; $0.retentionBytes = 1 << 20
                })
        try await again.close()
    }

    @Test func `partitions are added, never taken away`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t", partitions: 2)
            let old = try await store.producer(for: "t")
            try await store.admin.addPartitions(to: "t", total: 5)
            try await store.admin.addPartitions(to: "t", total: 5)
            let refusal = await error { try await store.admin.addPartitions(to: "t", total: 4) }
            guard case .illegalConfiguration(key: "partitions", value: "4", _) = refusal else {
                return unexpected(refusal)
            }
            #expect(
                await error { try await store.admin.addPartitions(to: "u", total: 4) } == .unknownTopic("u"))
            try await store.append([["v"]], to: "t", 4)
            #expect(
                try await store.admin.describeTopic("t").partitions == [0..<0, 0..<0, 0..<0, 0..<0, 0..<1])
            let place = TopicPartition(topic: "t", partition: 4)
            #expect(await error { try await old.send(value: "v", partition: 4) } == .unknownPartition(place))
            try await old.send(value: "v", partition: 1)
        }
    }

    @Test func `a topic that is made again is another`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            try await store.append([["old"]], to: "t")
            let id = try await store.admin.describeTopic("t").id
            try await store.admin.deleteTopic("t")
            #expect(try await store.admin.topics() == [])
            #expect(await error { _ = try await store.producer(for: "t") } == .unknownTopic("t"))
            #expect(await error { _ = try await store.consumer(of: "t") } == .unknownTopic("t"))
            #expect(await error { try await store.admin.deleteTopic("t") } == .unknownTopic("t"))
            try await store.admin.createTopic("t", partitions: 2)
            let topic = try await store.admin.describeTopic("t")
            #expect(topic.id != id && topic.partitions == [0..<0, 0..<0])
            try await store.append([["new"]], to: "t")
            #expect(try await store.entries("t") == [Entry(0, "new")])
        }
    }

    @Test func `a topic is made again at once while another task deletes it`() async throws {
        try await withStore { store in
            for round in 0..<30 {
                try await store.admin.createTopic("t", partitions: 3)
                let producer = try await store.producer(for: "t")
                try await producer.send(key: "k", value: "old")
                let before = try await store.admin.describeTopic("t").id
                async let deletion: Void = store.admin.deleteTopic("t")
                // From the moment on in which it is on its way out.
                while (try? await store.admin.describeTopic("t")) != nil { await Task.yield() }
                try await store.admin.createTopic("t", partitions: 1 + round % 2)
                let topic = try await store.admin.describeTopic("t")
                #expect(
                    topic.id != before && topic.partitions == Array(repeating: 0..<0, count: 1 + round % 2))
                try await deletion
                try await store.admin.deleteTopic("t")
            }
        }
    }

    @Test func `records are deleted up to an offset`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            try await store.append([["0", "1"], ["2", "3"]], to: "t")
            let place = TopicPartition(topic: "t", partition: 0)
            #expect(try await store.admin.deleteRecords(before: 3, of: place) == 3)
            #expect(try await store.admin.deleteRecords(before: 1, of: place) == 3)
            #expect(try await store.admin.offsets(of: place) == 3..<4)
            for offset in [5, -1] as [Offset] {
                let refusal = await error { try await store.admin.deleteRecords(before: offset, of: place) }
                #expect(refusal == .offsetOutOfRange(place, requested: offset, valid: 3..<4))
            }
            #expect(try await store.admin.deleteRecords(before: 4, of: place) == 4)
            #expect(try await store.admin.offsets(of: place) == 4..<4)
            try await store.append([["4"]], to: "t")
            #expect(try await store.entries("t") == [Entry(4, "4")])
        }
    }

    @Test func `partitions that are not there are unknown to every question`() async throws {
        try await withStore { store in
            try await store.admin.createTopic("t")
            for place in [
                TopicPartition(topic: "t", partition: 1), TopicPartition(topic: "t", partition: -1),
            ] {
                #expect(
                    await error { _ = try await store.admin.offsets(of: place) } == .unknownPartition(place))
                #expect(
                    await error { _ = try await store.admin.offset(of: place, at: .now) }
                        == .unknownPartition(place))
                #expect(
                    await error { try await store.admin.deleteRecords(before: 0, of: place) }
                        == .unknownPartition(place))
                #expect(await error { _ = try await store.consumer(of: [place]) } == .unknownPartition(place))
            }
            let other = TopicPartition(topic: "u", partition: 0)
            #expect(await error { _ = try await store.admin.offsets(of: other) } == .unknownTopic("u"))
            #expect(await error { _ = try await store.consumer(of: [other]) } == .unknownTopic("u"))
        }
    }
}
