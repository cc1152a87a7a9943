// `sluice bench open`: how long an opening takes, after a close and after a kill.

#if Tool
import ArgumentParser
import Foundation
import Logging
import Sluice
import SluiceCore

struct BenchOpen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open a store that was closed, one whose process was killed, and an empty one.",
        discussion: """
            The records are appended by another process, which kills itself (SIGKILL) when they are \
            acknowledged. What the opening has to read again is bounded, whatever the size of the store.
            """)

    @OptionGroup var workload: WorkloadOptions
    @OptionGroup var target: TargetOptions

    @Option(help: ArgumentHelp("How often each is opened.", valueName: "n"))
    var rounds = 5

    @Option(help: .hidden)
    var fill: String?

    mutating func validate() throws {
        if !(1...1_000).contains(rounds) { throw ValidationError("--rounds takes 1 to 1000.") }
    }

    func run() async throws {
        let records = try workload.make()
        let count = workload.count(of: records)
        if let fill { return try await append(records, count, at: fill) }
        let directory = try BenchDirectory(in: target.directory)
        defer { directory.remove() }
        var figures = target.figures(of: "open", records, workload, in: directory)
        figures.add("records", .integer(Int64(count)))
        let empty = try await measure(directory, "empty", rounds) { _ in }
        try await kill(at: directory.path + "/store", count)
        let stored = BenchMachine.logBytes(below: directory.path + "/store")
        figures.add("stored_bytes", .integer(stored))
        // A second opening finds what the first has mended: each begins with a copy of what the kill left.
        var killed: [Double] = []
        var scanned: Int64 = 0
        for round in 0..<rounds {
            let name = "killed-\(round)"
            try copy(directory.path + "/store", to: directory.path + "/" + name)
            killed += try await measure(directory, name, 1) { scanned = $0.bytesRead }
            try? FileManager.default.removeItem(atPath: directory.path + "/" + name)
        }
        let before = BenchMachine.residentMemory
        let opened = try await directory.openStore()
        figures.add("open_memory_bytes", .integer(BenchMachine.residentMemory - before))
        try await opened.close()
        let closed = try await measure(directory, "store", rounds) { _ in }
        for (name, times) in [("empty", empty), ("closed", closed), ("killed", killed)] {
            figures.add("open_\(name)_ms", rounded: times.sorted()[times.count / 2], 3)
            figures.add("open_\(name)_worst_ms", rounded: times.max() ?? 0, 3)
        }
        figures.add("scanned_bytes", .integer(scanned))
        figures.add("verified", .bool(!target.noVerify))
        if !target.noVerify {
            let store = try await directory.openStore()
            try await BenchReading.verify(store, BenchAppend.topic, records.summary(from: 0, count))
            try await store.close()
        }
        func median(_ times: [Double]) -> String { Amounts.decimal(times.sorted()[times.count / 2]) }
        try BenchReport.print(
            figures,
            "open: \(Amounts.megabytes(stored)), \(Amounts.grouped(Int64(count))) records: after a close "
                + "\(median(closed)) ms, after a kill \(median(killed)) ms with \(Amounts.megabytes(scanned)) "
                + "read again; an empty store \(median(empty)) ms",
            [], target.json)
    }

    /// Milliseconds of openings; each is closed again.
    private func measure(
        _ directory: BenchDirectory, _ name: String, _ rounds: Int, _ report: (RecoveryReport) -> Void
    ) async throws -> [Double] {
        var times: [Double] = []
        for round in 0...rounds {
            let began = System.monotonicNanoseconds
            let store = try await directory.openStore(name)
            let took = Double(System.monotonicNanoseconds - began) / 1e6
            report(store.recovery)
            try await store.close()
            // The first of several makes the store, or finds nothing in the caches of this process.
            if rounds == 1 { return [took] }
            if round > 0 { times.append(took) }
        }
        return times
    }

    private func copy(_ path: String, to other: String) throws {
        do {
            // A socket cannot be copied.
            try? FileManager.default.removeItem(atPath: path + "/control.sock")
            try FileManager.default.copyItem(atPath: path, toPath: other)
        } catch {
            throw ToolError.failed("\(path) cannot be copied: \(error.localizedDescription)")
        }
    }

    /// Has another process append, and be killed.
    private func kill(at path: String, _ count: Int) async throws {
        let process = Process()
        process.executableURL = Bundle.main.executableURL
        var arguments = CommandLine.arguments.dropFirst().filter { $0 != "--json" }
        arguments += ["--fill", path, "--records", "\(count)"]
        process.arguments = Array(arguments)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationReason == .uncaughtSignal, process.terminationStatus == SIGKILL else {
            throw ToolError.failed("The process that was to append has ended by itself.")
        }
    }

    private func append(_ records: BenchWorkload, _ count: Int, at path: String) async throws {
        let store = try await StreamStore.open(
            at: path, configuration: StoreConfiguration { $0.logger.logLevel = .error })
        try await target.makeTopic(in: store)
        let run = AppendRun(
            store: store, topic: BenchAppend.topic, records: records, keys: BenchKeys(workload),
            target: target, count: count)
        try await run.flatOut()
        _ = Foundation.kill(getpid(), SIGKILL)
    }
}
#endif
