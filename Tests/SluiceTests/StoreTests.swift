// A store as a whole: many tasks, many topics, against a model; segments that roll; ends and beginnings.

import Sluice
import SluiceTesting
import Testing

@Suite struct StoreTests {
    @Test func `what is appended is there after every reopening, with the offsets going on`() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<4 {
            let store = try await StreamStore.open(
                at: directory("s"), configuration: quiet { $0.strict = true })
            #expect(store.recovery.findings.isEmpty)
            try await store.admin.ensureTopic("t", partitions: 2)
            #expect(try await store.entries("t").count == round * 3)
            try await store.append([["\(round)a", "\(round)b"], ["\(round)c"]], to: "t")
            let entries = try await store.entries("t")
            #expect(entries.map(\.offset) == Array(0..<Int64(round * 3 + 3)))
            #expect(entries.last?.value == "\(round)c")
            try await store.close()
        }
    }

    @Test func `a topic of many segments reads as one, from every offset and time`() async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        try await store.admin.createTopic(
            "t",
            configuration: .init {
                $0.segmentBytes = 8192; $0.compression = .uncompressed
            })
        var lane = try await store.producer(for: "t").appender()
        for index in 0..<600 {
            let time = Timestamp(millisecondsSince1970: Int64(1_000_000 + index))
            try await lane.append(
                value: "value \(index) \(String(repeating: "x", count: 80))", timestamp: time)
            if index % 5 == 4 { try await lane.flush() }
        }
        try await lane.close()
        #expect(try directory.names(in: "s/topics/t-0").filter { $0.hasSuffix(".log") }.count > 5)
        func check(_ store: StreamStore) async throws {
            for start in stride(from: 0, through: 600, by: 37) {
                let found = try await store.entries(
                    "t", from: .offset(Offset(Int64(start))), maxBatchBytes: 2048)
                #expect(found.map(\.offset) == Array(Int64(start)..<600))
                let time = Timestamp(millisecondsSince1970: Int64(1_000_000 + start))
                let offset = try await store.admin.offset(
                    of: TopicPartition(topic: "t", partition: 0), at: time)
                #expect(offset == (start < 600 ? Offset(Int64(start)) : nil))
            }
        }
        try await check(store)
        try await store.close()
        let again = try await StreamStore.open(at: directory("s"), configuration: quiet { $0.strict = true })
        try await check(again)
        try await again.close()
    }

    @Test func `more partitions than files may be open`() async throws {
        try await withStore(quiet { $0.maxOpenFiles = 16 }) { store in
            try await store.admin.createTopic("t", partitions: 100)
            let producer = try await store.producer(for: "t", configuration: .init { $0.batchBytes = 1024 })
            for _ in 0..<2 {
                for partition in 0..<100 {
                    try await producer.append(value: "\(partition)", partition: partition)
                }
                try await producer.flush()
            }
            for partition in 0..<100 {
                #expect(
                    try await store.entries("t", partition).map(\.value) == ["\(partition)", "\(partition)"])
            }
        }
    }

    /// What a store should hold, as the tasks learned it: by partition, offset and value.
    private final class Model: Sendable {
        let topics = Shared<[TopicPartition: [Offset: String]]>([:])
        /// What was written to `a` and `c` at once.
        let atomic = Shared<Set<String>>([])

        func addAtomic(_ value: String) { atomic.change { _ = $0.insert(value) } }

        func add(_ receipt: RecordMetadata, _ value: String) {
            let before = topics.change {
                $0[receipt.topicPartition, default: [:]].updateValue(value, forKey: receipt.offset)
            }
            #expect(before == nil, "an offset was given twice")
        }
    }

    @Test(arguments: [1, 2, 3])
    func `what sixty-four tasks did at random is what the store holds`(_ seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        let store = try await StreamStore.open(at: directory("s"), configuration: quiet())
        let names = ["a", "b", "c"]
        for (index, name) in names.enumerated() {
            try await store.admin.createTopic(
                name, partitions: index + 1,
                configuration: .init {
                    $0.segmentBytes = 16_384
                    $0.durability = index == 1 ? .written : .durable
                })
        }
        let model = Model()
        var producers: [Producer] = []
        for name in names {
            producers.append(
                try await store.producer(
                    for: name,
                    configuration: .init {
                        $0.batchBytes = 2048; $0.bufferBytes = 16_384
                    }))
        }
        let shared = producers
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<64 {
                group.addTask {
                    var random = SeededRandom(seed: seed &* 1000 &+ UInt64(task))
                    for step in 0..<8 {
                        let value =
                            "\(task)-\(step) "
                            + String(repeating: "x", count: Int.random(in: 0..<400, using: &random))
                        let producer = shared[Int.random(in: 0..<3, using: &random)]
                        switch Int.random(in: 0..<10, using: &random) {
                        case 0..<4: model.add(try await producer.send(key: "\(task)", value: value), value)
                        case 4..<6:
                            var lane = producer.appender()
                            let tickets = [
                                try await lane.append(value: value + "/0"),
                                try await lane.append(value: value + "/1"),
                            ]
                            try await lane.close()
                            for (index, ticket) in tickets.enumerated() {
                                model.add(try await producer.acknowledgement(of: ticket), value + "/\(index)")
                            }
                        case 6..<8:
                            try await store.atomically { write in
                                try write.append(to: "a", value: value)
                                try write.append(to: "c", key: "\(task)", value: value)
                            }
                            model.addAtomic(value)
                        case 8:
                            var seen = -1
                            for entry in try await store.entries("a") {
                                #expect(Int(entry.offset) == seen + 1)
                                seen = Int(entry.offset)
                            }
                        default:
                            try await store.admin.ensureTopic("own-\(task)")
                            try await store.append([[value]], to: "own-\(task)")
                            if Bool.random(using: &random) {
                                try await store.admin.deleteTopic("own-\(task)")
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await check(store, model)
        try await store.close()
        let again = try await StreamStore.open(at: directory("s"), configuration: quiet { $0.strict = true })
        #expect(again.recovery.findings.isEmpty)
        try await check(again, model)
        try await again.close()
    }

    private func check(_ store: StreamStore, _ model: Model) async throws {
        let atomic = model.atomic.value
        let told = model.topics.value
        var inA: Set<String> = []
        var inC: Set<String> = []
        for (index, name) in ["a", "b", "c"].enumerated() {
            for partition in 0...index {
                let entries = try await store.entries(name, partition)
                let known = told[TopicPartition(topic: name, partition: partition)] ?? [:]
                var acknowledged = 0
                for entry in entries {
                    let value = entry.value ?? ""
                    if let expected = known[Offset(entry.offset)] {
                        #expect(expected == value)
                        acknowledged += 1
                    } else if name == "a" {
                        inA.insert(value)
                    } else {
                        #expect(name == "c")
                        inC.insert(value)
                    }
                }
                #expect(acknowledged == known.count)
                #expect(entries.map(\.offset) == Array(0..<Int64(entries.count)))
            }
        }
        #expect(inA == atomic && inC == atomic)
    }
}
