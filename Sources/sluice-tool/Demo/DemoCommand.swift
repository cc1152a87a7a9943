// `sluice demo input`: what `make demo` runs.

#if Tool
import ArgumentParser
import Foundation
import Sluice

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show what a store does: with real input, or under pressure.",
        subcommands: [DemoInputCommand.self, DemoPressureCommand.self],
        defaultSubcommand: DemoInputCommand.self)
}

struct DemoInputCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "input",
        abstract: "Stream real input through a store and check what comes back.",
        discussion:
            "Scripts/demo-input gets the input; `make demo` does both. The store is made anew at DIR/store.")

    @Argument(help: ArgumentHelp("Where flights.tsv and dpkg.log are, or one of them.", valueName: "dir"))
    var directory: String

    func run() async throws {
        let inputs = DemoInput.found(in: directory)
        guard !inputs.isEmpty else {
            throw ToolError.failed(
                "\(directory) has neither flights.tsv nor dpkg.log. Scripts/demo-input gets them.")
        }
        let path = "\(directory)/store"
        try removeStore(path)
        var failures = 0
        var runs: [DemoRun] = []

        let store = try await StreamStore.open(at: path)
        for input in inputs {
            var run = try await DemoRun(input)
            try say("\(input.topic): \(input.about)")
            let seconds = try await run.append(to: store)
            try say("  appended    \(line(run.whole, seconds)), all of it durable")
            try report(size: run, path)
            failures += try await replay(run, store, isFirst: true)
            runs.append(run)
        }
        try await store.close()

        let begun = System.monotonicNanoseconds
        let reopened = try await StreamStore.open(at: path)
        let milliseconds = Double(System.monotonicNanoseconds - begun) / 1e6
        try say("closed, and reopened in \(Amounts.decimal(milliseconds)) ms")
        for run in runs { failures += try await replay(run, reopened, isFirst: false) }
        try await reopened.close()

        try say(failures == 0 ? "✓ what came back is what went in" : "✗ \(failures) comparisons failed")
        if failures > 0 { throw ToolError.damaged }
    }

    /// Replays from offset 0 and from the moment, and compares. Returns how many comparisons failed.
    private func replay(_ run: DemoRun, _ store: StreamStore, isFirst: Bool) async throws -> Int {
        if isFirst {
            let (plain, seconds) = try await run.replay(store, from: .earliest, hashing: false)
            try say("  replayed    \(line(plain, seconds))")
        }
        var failures = 0
        let moment = "\(run.moment.millisecondsSince1970) ms, when half had been appended"
        for (position, place, expected) in [
            (Position.earliest, "offset 0", run.whole), (.timestamp(run.moment), moment, run.secondHalf),
        ] {
            let (found, _) = try await run.replay(store, from: position, hashing: true)
            let name = isFirst ? "" : run.input.topic + ", "
            if let difference = expected.difference(to: found) {
                failures += 1
                try say("  ✗ \(name)from \(place): \(difference)")
            } else {
                let order = found.keys == 1 ? "order" : "order for each of \(found.keys) keys"
                try say(
                    "  ✓ \(name)from \(place): \(Amounts.grouped(found.records)) records; \(order) and SHA-256 agree"
                )
            }
        }
        return failures
    }

    private func report(size run: DemoRun, _ path: String) throws {
        let files = TopicFiles(store: path, topic: run.input.topic, partitions: run.input.partitions)
        guard let stored = files.logBytes(), stored > 0 else { return }
        let ratio = Amounts.decimal(Double(run.whole.bytes) / Double(stored))
        try say("  on disk     \(Amounts.megabytes(stored)), a ratio of \(ratio)")
    }

    private func line(_ fingerprint: Fingerprint, _ seconds: Double) -> String {
        Amounts.line(records: fingerprint.records, bytes: fingerprint.bytes, seconds: seconds)
    }

    private func say(_ line: String) throws { try StandardOutput.print(line) }

    /// Removes the store of an earlier run, and nothing that is not a store.
    private func removeStore(_ path: String) throws {
        let manager = FileManager.default
        guard manager.fileExists(atPath: path) else { return }
        guard
            manager.fileExists(atPath: path + "/meta.properties")
                || manager.fileExists(atPath: path + "/LOCK")
        else {
            throw ToolError.failed(
                "\(path) is not a store of an earlier demo. Move it away; the demo makes its store there.")
        }
        do {
            try manager.removeItem(atPath: path)
        } catch {
            throw ToolError.failed(
                "\(path) of an earlier demo cannot be removed: \(error). Remove it, then try again.")
        }
    }
}
#endif
