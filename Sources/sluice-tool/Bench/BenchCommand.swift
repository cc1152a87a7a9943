// `sluice bench`: how fast the store is on this machine, and two runs side by side.

#if Tool
import ArgumentParser
import Foundation
import SluiceCore

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure appends, replays, latencies, openings, seeks, tasks; and the machine's limit.",
        discussion: """
            Each run makes a store of its own, verifies what it wrote, removes it, and prints a line for \
            people and one of JSON. `sluice bench --compare A B` sets two of those lines side by side.
            """,
        subcommands: [
            BenchAppend.self, BenchReplay.self, BenchTail.self, BenchMixed.self, BenchOpen.self,
            BenchSeek.self, BenchTasks.self, BenchLimit.self,
        ])

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Set two runs side by side: two files whose last line is what a run has printed.",
            valueName: "file"))
    var compare: [String] = []

    mutating func validate() throws {
        if ![0, 2].contains(compare.count) { throw ValidationError("--compare takes two files.") }
    }

    func run() async throws {
        guard !compare.isEmpty else { throw CleanExit.helpRequest(self) }
        let (a, b) = (try Self.read(compare[0]), try Self.read(compare[1]))
        try StandardOutput.print(Self.table(a, b, compare).text)
    }

    /// The members of the last line that is an object.
    private static func read(_ path: String) throws -> [String: JSONValue] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ToolError.failed("\(path) cannot be read: \(error.localizedDescription)")
        }
        for line in text.split(separator: "\n").reversed() {
            if let members = (try? JSONValue(parsing: Array(line.utf8)))?.object { return members }
        }
        throw ToolError.failed("\(path) has no line of JSON, as `sluice bench` prints it.")
    }

    private static func table(_ a: [String: JSONValue], _ b: [String: JSONValue], _ names: [String]) -> Table
    {
        var table = Table(["figure", names[0], names[1], "second/first"])
        for name in Set(a.keys).union(b.keys).sorted() {
            let (first, second) = (a[name] ?? .null, b[name] ?? .null)
            var ratio = ""
            if let first = number(first), let second = number(second), first != 0 {
                ratio = Amounts.decimal(second / first)
            }
            table.add([name, words(first), words(second), ratio])
        }
        return table
    }

    private static func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    private static func words(_ value: JSONValue) -> String {
        value.string ?? (value == .null ? "-" : String(decoding: value.encoded, as: UTF8.self))
    }
}
#endif
