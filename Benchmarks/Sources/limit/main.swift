// Sluice against a plain C loop that does the same work on the same input: encode, LZ4, CRC-32C, write; and back.
//
//     limit [RECORDS] [DIRECTORY] [ROUNDS]
//
// The two take turns, so that a machine whose speed drifts treats them alike. Put the directory on tmpfs: this compares
// programs, not disks. The topic has sluice.durability=written; nothing is synced by the C loop.

import CLimit
import Foundation
import Sluice

struct Figures {
    var wall: [Double] = []
    var cpu: [Double] = []

    mutating func measure(records: Int, _ body: () async throws -> Void) async rethrows {
        let (wallStart, cpuStart) = (clock(CLOCK_MONOTONIC), clock(CLOCK_PROCESS_CPUTIME_ID))
        try await body()
        wall.append((clock(CLOCK_MONOTONIC) - wallStart) / Double(records) * 1e9)
        cpu.append((clock(CLOCK_PROCESS_CPUTIME_ID) - cpuStart) / Double(records) * 1e9)
    }

    private func clock(_ id: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(id, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    var text: String {
        let (wall, cpu) = (Self.median(wall), Self.median(cpu))
        return String(format: "%6.2f M records/s   %6.1f ns wall   %6.1f ns CPU a record", 1000 / wall, wall, cpu)
    }
}

let arguments = CommandLine.arguments
let records = arguments.count > 1 ? Int(arguments[1]) ?? 5_000_000 : 5_000_000
let directory = arguments.count > 2 ? arguments[2] : "/dev/shm/sluice-limit"
let rounds = arguments.count > 3 ? Int(arguments[3]) ?? 5 : 5

/// JSON-like events of about 124 bytes.
let lines: [[UInt8]] = (0..<10_007).map { index in
    let user = index * 7919 % 100_003
    return Array(
        #"{"id":\#(index * 31),"user":"u-\#(user)","event":"\#(["click", "view", "buy"][index % 3])","page":"/item/\#(index * 17 % 4999)","ms":\#(index * 13 % 977),"ok":\#(index % 7 != 0),"session":"s\#(index * 104729 % 99991)"}"#.utf8)
}

func run(_ lines: [[UInt8]]) async throws {
    try? FileManager.default.removeItem(atPath: directory)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let storage = lines.map { line in
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: line.count)
        for (index, byte) in line.enumerated() { copy[index] = CChar(bitPattern: byte) }
        return UnsafePointer(copy)
    }
    let pointers = storage.map(Optional.some)
    let lengths = lines.map(\.count)
    let buffers = zip(storage, lengths).map { UnsafeRawBufferPointer(start: $0, count: $1) }
    let file = directory + "/limit.log"
    var (cAppend, append, cReplay, replay) = (Figures(), Figures(), Figures(), Figures())
    var stored: Int64 = 0
    for round in 0..<rounds {
        await cAppend.measure(records: records) {
            stored = climit_append(file, pointers, lengths, lines.count, records, 64 << 10)
        }
        let path = directory + "/store-\(round)"
        let store = try await StreamStore.open(at: path)
        try await store.admin.createTopic("events", configuration: .init { $0.durability = .written })
        let producer = try await store.producer(for: "events", configuration: .init { $0.acknowledgement = .written })
        try await append.measure(records: records) {
            var lane = producer.appender()
            // Pointers, as the C loop has them: an array's elements would be retained and released for each record.
            for index in 0..<records {
                try await lane.append(value: RawSpan(_unsafeBytes: buffers[index % buffers.count]))
            }
            try await lane.close()
        }
        var counted = 0
        var (sum, count): (Int64, Int) = (0, 0)
        await cReplay.measure(records: records) { sum = climit_replay(file, &counted) }
        var bytes: Int64 = 0
        let consumer = try await store.consumer(of: "events", until: .end)
        try await replay.measure(records: records) {
            for try await batch in consumer {
                var view = batch.records
                while let record = view.next() {
                    bytes += Int64(record.value?.byteCount ?? 0)
                    count += 1
                }
            }
        }
        guard sum == bytes, counted == records, count == records, stored > 0 else {
            fatalError("the two do not agree: \(sum) and \(bytes) bytes, \(counted) and \(count) records")
        }
        try await store.close()
        try FileManager.default.removeItem(atPath: path)
    }
    let raw = (0..<lines.count).reduce(0) { $0 + lines[$1].count } / lines.count
    print("\(records) records of \(raw) bytes, \(rounds) rounds in turn, median; \(directory)")
    print("append   C loop  \(cAppend.text)")
    print("         Sluice  \(append.text)")
    print("replay   C loop  \(cReplay.text)")
    print("         Sluice  \(replay.text)")
    func ratio(_ a: Figures, _ b: Figures) -> String {
        let wall = Figures.median(zip(a.wall, b.wall).map { $0 / $1 })
        let cpu = Figures.median(zip(a.cpu, b.cpu).map { $0 / $1 })
        return String(format: "%.2f by wall, %.2f by CPU", wall, cpu)
    }
    print("Sluice's speed as a part of the limit: append \(ratio(cAppend, append)); replay \(ratio(cReplay, replay))")
}

try await run(lines)
