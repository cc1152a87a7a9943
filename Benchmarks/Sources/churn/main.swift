// Twenty consumers of a group come and go at random while four producers write: is every record delivered, in order,
// never to two owners at once, and does no committed offset go back?
//
//     churn DIRECTORY [SECONDS]
//
// Consumers end in every way that there is: closed, cancelled in the middle, dropped. Ends with 1 when anything is wrong.

import Foundation
import Sluice

let arguments = CommandLine.arguments
guard arguments.count > 1 else {
    print("churn DIRECTORY [SECONDS]")
    exit(2)
}
let seconds = arguments.count > 2 ? Int(arguments[2]) ?? 60 : 60
let partitions = 8
let consumers = 20

/// What has happened, guarded by its lock.
final class Ledger: @unchecked Sendable {
    private let lock = NSLock()
    private var delivered = [[Bool]](repeating: [], count: partitions)
    private var owners = [Int?](repeating: nil, count: partitions)
    private var leaving: Set<Int> = []
    private var committed = [Int64](repeating: 0, count: partitions)
    private(set) var deliveries = 0
    private(set) var disordered = 0
    private(set) var shared = 0
    private(set) var setBack = 0
    private(set) var lives = 0

    func began() -> Int { lock.withLock { lives += 1; return lives } }
    func isLeaving(_ id: Int) { lock.withLock { _ = leaving.insert(id) } }

    func assigned(_ list: [TopicPartition], to id: Int) {
        lock.withLock {
            for place in list {
                if let owner = owners[place.partition], owner != id, !leaving.contains(owner) { shared += 1 }
                owners[place.partition] = id
            }
        }
    }

    func gone(_ list: [TopicPartition], from id: Int) {
        lock.withLock {
            for place in list where owners[place.partition] == id { owners[place.partition] = nil }
        }
    }

    func took(_ batch: RecordBatch, _ last: inout [Int: Int64]) {
        let partition = batch.topicPartition.partition
        lock.withLock {
            for record in batch {
                let offset = record.offset.rawValue
                if let before = last[partition], offset <= before { disordered += 1 }
                last[partition] = offset
                while delivered[partition].count <= Int(offset) { delivered[partition].append(false) }
                delivered[partition][Int(offset)] = true
                deliveries += 1
            }
        }
    }

    func saw(_ group: ConsumerGroupDescription) {
        lock.withLock {
            for progress in group.partitions {
                guard let offset = progress.committed?.rawValue else { continue }
                if offset < committed[progress.partition.partition] { setBack += 1 }
                committed[progress.partition.partition] = offset
            }
        }
    }

    func missing(_ ends: [Int64]) -> Int {
        lock.withLock {
            ends.enumerated().reduce(0) { sum, end in
                sum + (0..<Int(end.element)).count { $0 >= delivered[end.offset].count || !delivered[end.offset][$0] }
            }
        }
    }
}

func live(_ store: StreamStore, _ ledger: Ledger, _ random: inout SystemRandomNumberGenerator) async throws {
    let id = ledger.began()
    let consumer = try await store.consumer(
        group: "g", topics: ["t"],
        configuration: ConsumerConfiguration {
            $0.commit = .processed(every: .milliseconds(200))
            $0.maxBatchBytes = 32 << 10
            $0.onRebalance = { change, _ in
                switch change {
                case .assigned(let list): ledger.assigned(list, to: id)
                case .revoked(let list), .lost(let list): ledger.gone(list, from: id)
                }
            }
        })
    let loop = Task {
        var last: [Int: Int64] = [:]
        for try await batch in consumer { ledger.took(batch, &last) }
    }
    try await Task.sleep(for: .milliseconds(Int.random(in: 50...3_000, using: &random)))
    ledger.isLeaving(id)
    if Bool.random(using: &random) { loop.cancel() } else { try await consumer.close() }
    do { try await loop.value } catch is CancellationError {}
    if Bool.random(using: &random) { try await consumer.close() }
}

func run() async throws -> Bool {
    try? FileManager.default.removeItem(atPath: directory)
    let store = try await StreamStore.open(at: directory)
    try await store.admin.createTopic("t", partitions: partitions)
    let ledger = Ledger()
    let end = ContinuousClock.now + .seconds(seconds)
    var sent = 0
    try await withThrowingTaskGroup(of: Int.self) { tasks in
        for number in 0..<4 {
            tasks.addTask {
                let producer = try await store.producer(for: "t")
                var count = 0
                while ContinuousClock.now < end {
                    for _ in 0..<50 {
                        try await producer.append(key: "\(number)-\(count % 97)", value: "\(count)")
                        count += 1
                    }
                    try await producer.flush()
                    try await Task.sleep(for: .milliseconds(1))
                }
                try await producer.close()
                return count
            }
        }
        for _ in 0..<consumers {
            tasks.addTask {
                var random = SystemRandomNumberGenerator()
                while ContinuousClock.now < end { try await live(store, ledger, &random) }
                return 0
            }
        }
        tasks.addTask {
            while ContinuousClock.now < end {
                if let group = try? await store.admin.describeGroup("g") { ledger.saw(group) }
                try await Task.sleep(for: .milliseconds(20))
            }
            return 0
        }
        for try await count in tasks { sent += count }
    }
    // Whatever is left.
    let ends = try await store.admin.describeTopic("t").partitions.map(\.upperBound.rawValue)
    let last = try await store.consumer(group: "g", topics: ["t"])
    let rest = Task {
        var seen: [Int: Int64] = [:]
        for try await batch in last { ledger.took(batch, &seen) }
    }
    let patience = ContinuousClock.now + .seconds(60)
    while ledger.missing(ends) > 0, ContinuousClock.now < patience { try await Task.sleep(for: .milliseconds(100)) }
    try await last.close()
    try await rest.value
    try await store.close()
    let missing = ledger.missing(ends)
    print(
        """
        \(seconds) s, \(ledger.lives) consumers' lives, \(sent) records acknowledged, \(ledger.deliveries) delivered
        missing \(missing), out of order \(ledger.disordered), with two owners \(ledger.shared), commits set back \
        \(ledger.setBack)
        """)
    return missing == 0 && ledger.disordered == 0 && ledger.shared == 0 && ledger.setBack == 0
        && ends.reduce(0, +) == Int64(sent)
}

let directory = arguments[1]
do {
    exit(try await run() ? 0 : 1)
} catch {
    print("failed: \(error)")
    exit(1)
}
