// More than the disk can hold, through a store: a fast producer, a slow consumer, records kept until read.
//
//     pressure DIRECTORY [OFFERED_BYTES] [READ_BYTES_PER_SECOND]
//
// The store has its default configuration. Every record is numbered; the consumer checks that each comes once and in
// order. `Scripts/pressure-test` runs it on a tmpfs of 256 MB. Ends with 1 when anything is lost, refused or unaccounted
// for.

import Foundation
import Sluice

let arguments = CommandLine.arguments
guard arguments.count > 1 else {
    print("pressure DIRECTORY [OFFERED_BYTES] [READ_BYTES_PER_SECOND]")
    exit(2)
}
let directory = arguments[1]
let offered = arguments.count > 2 ? Int(arguments[2]) ?? 2_000_000_000 : 2_000_000_000
let pace = arguments.count > 3 ? Double(arguments[3]) ?? 30e6 : 30e6

func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// CPU of the threads of a name, seconds; nil where the system does not tell.
func cpuSeconds(ofThreads name: String) -> Double? {
    let tasks = "/proc/self/task"
    guard let threads = try? FileManager.default.contentsOfDirectory(atPath: tasks) else { return nil }
    func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    let times = threads.compactMap { thread -> Double? in
        guard text("\(tasks)/\(thread)/comm").hasPrefix(name) else { return nil }
        return text("\(tasks)/\(thread)/schedstat").split(separator: " ").first.flatMap { Double($0) }
    }
    return times.isEmpty ? nil : times.reduce(0, +) / 1e9
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}

func run() async throws -> Bool {
    let valueBytes = 1_000
    let records = offered / valueBytes
    let store = try await StreamStore.open(at: directory + "/store")
    try await store.admin.createTopic(
        "events",
        configuration: TopicConfiguration {
            $0.retention = .untilConsumed(by: ["reader"])
            // What is offered is what is stored.
            $0.compression = .uncompressed
        })
    let begun = ContinuousClock.now

    async let produced: (Int, Double) = {
        var lane = try await store.producer(for: "events").appender()
        var longest = 0.0
        var value = [UInt8](repeating: 0, count: valueBytes)
        for number in 0..<records {
            withUnsafeBytes(of: UInt64(number).bigEndian) { bytes in
                for index in 0..<8 { value[index] = bytes[index] }
            }
            if number % 64 == 0 {
                let before = ContinuousClock.now
                try await lane.append(value: value)
                longest = max(longest, seconds(ContinuousClock.now - before))
            } else {
                try await lane.append(value: value)
            }
        }
        try await lane.close()
        return (records, longest)
    }()

    async let consumed: (Int, Int) = {
        let consumer = try await store.consumer(group: "reader", topics: ["events"])
        var next: UInt64 = 0
        var wrong = 0
        var bytes = 0.0
        for try await batch in consumer {
            for record in batch {
                var number = UInt64.max
                if let value = record.value {
                    number = 0
                    for index in 0..<8 {
                        number = number << 8 | UInt64(value.unsafeLoad(fromByteOffset: index, as: UInt8.self))
                    }
                }
                if number != next { wrong += 1 }
                next += 1
            }
            bytes += Double(batch.byteCount)
            let ahead = bytes / pace - seconds(ContinuousClock.now - begun)
            if ahead > 0 { try await Task.sleep(for: .seconds(ahead)) }
            if next == UInt64(records) { break }
        }
        try await consumer.commit()
        try await consumer.close()
        return (Int(next), wrong)
    }()

    let watch = Task { () -> Int64 in
        var greatest: Int64 = 0
        while !Task.isCancelled {
            greatest = max(greatest, used(directory))
            try? await Task.sleep(for: .milliseconds(20))
        }
        return greatest
    }
    let (sent, longestWait) = try await produced
    let (read, wrong) = try await consumed
    watch.cancel()
    let greatest = await watch.value
    let wall = seconds(ContinuousClock.now - begun)
    let report = try await store.pressure(on: "events")
    let offsets = try await store.admin.offsets(of: TopicPartition(topic: "events", partition: 0))
    // The controller looks on the timer's thread, which does little else.
    let cpu = cpuSeconds()
    let looking = cpuSeconds(ofThreads: "sluice-timer")
    try await store.close()

    print(
        "offered \(offered / 1_000_000) MB in \(records) records: accepted \(sent), read \(read), wrong \(wrong)"
    )
    print(
        String(
            format: "%.1f s, %.1f MB/s; longest wait of an append %.2f s; CPU of the process %.1f s", wall,
            Double(offered) / wall / 1e6, longestWait, cpu))
    if let looking {
        print(
            String(
                format: "the controller's thread: %.3f s, %.2f %% of that, %.2f %% of a core", looking,
                100 * looking / cpu, 100 * looking / wall))
    }
    print(
        "disk: at most \(greatest / 1_000_000) MB used, of a budget of \(report.disk.limitBytes / 1_000_000) MB"
    )
    print("left in the log: offsets \(offsets.lowerBound) to \(offsets.upperBound)")
    return wrong == 0 && read == records && sent == records && greatest <= report.disk.limitBytes
}

/// Blocks of all files below a directory, bytes.
func used(_ directory: String) -> Int64 {
    guard let files = FileManager.default.enumerator(atPath: directory) else { return 0 }
    var sum: Int64 = 0
    for case let name as String in files {
        var status = stat()
        if lstat(directory + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            sum += Int64(status.st_blocks) * 512
        }
    }
    return sum
}

do {
    exit(try await run() ? 0 : 1)
} catch {
    print("failed: \(error)")
    exit(1)
}
