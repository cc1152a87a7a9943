// What a run found, for people and for machines: members in order, one line of JSON.

#if Tool
import ArgumentParser
import CSluiceBench
import Foundation
import Histogram
import SluiceCore

/// Figures by name, in the order in which they were added.
struct BenchFigures {
    private(set) var members: [(name: String, value: JSONValue)] = []

    mutating func add(_ name: String, _ value: JSONValue) { members.append((name, value)) }
    mutating func add(_ name: String, rounded value: Double, _ digits: Int = 1) {
        let scale = pow(10, Double(digits))
        members.append((name, .number((value * scale).rounded() / scale)))
    }

    subscript(name: String) -> JSONValue? { members.last { $0.name == name }?.value }

    /// One line; members in their order.
    var line: String {
        let parts = members.map { member in
            String(decoding: JSONValue.string(member.name).encoded, as: UTF8.self) + ":"
                + String(decoding: member.value.encoded, as: UTF8.self)
        }
        return "{" + parts.joined(separator: ",") + "}"
    }

    /// Percentiles of latencies that were recorded in nanoseconds, as microseconds.
    mutating func add(_ latencies: BenchLatencies, prefix: String = "latency") {
        for (name, percentile) in BenchLatencies.percentiles {
            add("\(prefix)_\(name)_us", rounded: latencies.microseconds(percentile))
        }
        add("\(prefix)_max_us", rounded: latencies.maxMicroseconds)
    }

    /// The build and the machine, which figures are worth nothing without.
    mutating func addMachine(_ directory: String) {
        add("version", .string(SluiceCommand.configuration.version))
        #if DEBUG
        add("build", "debug")
        #else
        add("build", "release")
        #endif
        add("date", .string(Date.now.formatted(.iso8601)))
        add("cpu", .string(BenchMachine.processor))
        add("cores", .integer(Int64(ProcessInfo.processInfo.activeProcessorCount)))
        add("file_system", .string(BenchMachine.fileSystem(of: directory)))
        if let sync = BenchMachine.syncMicroseconds(in: directory) {
            add("device_sync_p50_us", rounded: sync)
        } else {
            add("device_sync_p50_us", .null)
        }
    }
}

/// How long something took, each time; a histogram of high dynamic range, three digits exact.
struct BenchLatencies: Sendable {
    private var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)

    static let percentiles: [(name: String, value: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p999", 99.9), ("p9999", 99.99),
    ]

    var count: Int { Int(histogram.totalCount) }

    mutating func record(nanoseconds: Int64) { _ = histogram.record(UInt64(max(nanoseconds, 0))) }
    mutating func add(_ other: BenchLatencies) { histogram.add(other.histogram) }

    func microseconds(_ percentile: Double) -> Double {
        count == 0 ? 0 : Double(histogram.valueAtPercentile(percentile)) / 1000
    }
    var maxMicroseconds: Double { count == 0 ? 0 : Double(histogram.max) / 1000 }

    var words: String {
        let parts = Self.percentiles.map { "\($0.name) \(Amounts.decimal(microseconds($0.value)))" }
        return parts.joined(separator: ", ") + ", max \(Amounts.decimal(maxMicroseconds)) µs"
    }
}

/// The machine that a run is on.
enum BenchMachine {
    static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }

    /// The type of the file system that holds the path, as the system names it.
    static func fileSystem(of path: String) -> String {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let text = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        var best = (length: -1, type: "unknown")
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let place = String(fields[1])
            let holds = path == place || path.hasPrefix(place == "/" ? "/" : place + "/")
            if holds, place.utf8.count >= best.length { best = (place.utf8.count, String(fields[2])) }
        }
        return best.type
    }

    /// Half of the syncs of 190 bytes more in a growing file take so long; nil where it cannot be written.
    static func syncMicroseconds(in directory: String) -> Double? {
        let path = directory + "/sync-probe"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var times = [UInt64](repeating: 0, count: 200)
        guard bench_sync(path, 190, times.count, &times) == 0 else { return nil }
        return Double(times.sorted()[times.count / 2]) / 1000
    }

    /// The most memory that the process has had since `resetPeak`, bytes; 0 where that is not known.
    static var peakMemory: Int64 { status("VmHWM:") }

    /// What is resident now, bytes; 0 where that is not known.
    static var residentMemory: Int64 { status("VmRSS:") }

    private static func status(_ name: String) -> Int64 {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) * 1024
    }

    static func resetPeak() {
        guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return }
        try? file.write(contentsOf: Data("5".utf8))
        try? file.close()
    }

    /// Calls of the process that read, so far; nil where that is not known.
    static var readCalls: Int64? {
        let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("syscr:") }
        return line?.split(separator: " ").last.flatMap { Int64($0) }
    }

    /// Bytes of the segments below a directory.
    static func logBytes(below path: String) -> Int64 {
        var bytes: Int64 = 0
        let files = FileManager.default.enumerator(atPath: path)
        while let name = files?.nextObject() as? String {
            guard name.hasSuffix(".log") else { continue }
            let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + name)
            bytes += (attributes?[.size] as? NSNumber)?.int64Value ?? 0
        }
        return bytes
    }
}
#endif
