// The stores that targets damage: made once, the same every time.

@testable import SluiceLog
@testable import SluiceTesting

struct PartitionName: Hashable, CustomStringConvertible {
    var topic: String
    var partition: Int
    var description: String { "\(topic)-\(partition)" }
}

struct StoreSample: Sendable {
    let files: SimulatedFileSystem
    let appended: [PartitionName: [FuzzedReading.Record]]
    /// From here on only the log has what was appended: acknowledged as written, and not synced.
    let unsynced: [PartitionName: Int64]

    var names: [PartitionName] { appended.keys.sorted { $0.description < $1.description } }

    /// What more than the log knows of.
    func kept(_ name: PartitionName) -> [FuzzedReading.Record] {
        (appended[name] ?? []).filter { $0.offset < unsynced[name] ?? .max }
    }

    /// Closed; and ended by a crash after it had been opened once more, with something in the journal alone
    /// known.
    static let all: [StoreSample] = [made(crashes: false), made(crashes: true)]

    private static func made(crashes: Bool) -> StoreSample {
        do throws(FuzzFailure) {
            return try make(crashes: crashes)
        } catch {
            preconditionFailure("the sample cannot be made: \(error)")
        }
    }

    private static func make(crashes: Bool) throws(FuzzFailure) -> StoreSample {
        let store = FuzzStore(SimulatedFileSystem(seed: 1))
        var appended: [PartitionName: [FuzzedReading.Record]] = [:]
        func open() throws(FuzzFailure) {
            do throws(LogError) { try store.open() } catch { throw FuzzFailure(description: "\(error)") }
        }
        func append(_ count: Int, _ topic: String, _ partition: Int) throws(FuzzFailure) {
            let name = PartitionName(topic: topic, partition: partition)
            for _ in 0..<count {
                let next = appended[name]?.count ?? 0
                let values = (next..<(next + 2)).map {
                    "\(name) \($0) " + String(repeating: "sluice ", count: 8)
                }
                let codec = Codec.allCases[next / 2 % Codec.allCases.count]
                guard let base = try store.append(values, topic, partition, codec) else {
                    throw FuzzFailure(description: "\(name) takes no records")
                }
                appended[name, default: []] += values.enumerated().map {
                    .init(offset: base + Int64($0.offset), value: $0.element)
                }
            }
        }
        try open()
        try store.createTopic("d", partitions: 2)
        // Several sealed segments.
        try store.createTopic("w", partitions: 1) {
            $0.isDurable = false
            $0.segmentBytes = 1_000
        }
        try append(6, "d", 0)
        try append(12, "w", 0)
        try append(4, "d", 1)
        try store.drive()
        var unsynced: [PartitionName: Int64] = [:]
        if crashes {
            try store.close()
            let written = PartitionName(topic: "w", partition: 0)
            unsynced[written] = Int64(appended[written]?.count ?? 0)
            try open()
            try append(3, "d", 0)
            try append(2, "w", 0)
            try append(1, "d", 1)
            store.die()
        } else {
            try store.close()
        }
        return StoreSample(files: store.files, appended: appended, unsynced: unsynced)
    }
}
