// Runs the built `sluice` as a shell would: arguments, standard input, what it printed, how it ended.

#if Tool
import Foundation
import Testing

/// A directory of a test, removed with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "sluice-tool-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A store's path, where there is none yet.
    var store: String { path + "/store" }
}

/// What came of a run.
struct ToolResult {
    var status: Int32
    var output: Data
    var errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }
}

/// The tool, on one store.
struct Tool {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// The binary lies beside the tests'.
    static let binary = Bundle.main.executableURL!.deletingLastPathComponent().appending(path: "sluice")

    /// Runs it to its end.
    @discardableResult
    func run(_ arguments: String..., input: Data = Data(), environment: [String: String]? = nil) throws
        -> ToolResult
    {
        try run(arguments, input: input, environment: environment)
    }

    @discardableResult
    func run(_ arguments: String..., input: String) throws -> ToolResult {
        try run(arguments, input: Data(input.utf8))
    }

    func run(_ arguments: [String], input: Data, environment: [String: String]? = nil) throws -> ToolResult {
        // Files, not pipes: nothing has to be read while it runs.
        let names = ["in", "out", "err"].map { "\(scratch.path)/\($0)-\(UUID().uuidString)" }
        defer { for name in names { try? FileManager.default.removeItem(atPath: name) } }
        try input.write(to: URL(filePath: names[0]))
        for name in names.dropFirst() { _ = FileManager.default.createFile(atPath: name, contents: nil) }
        let process = process(arguments, environment)
        process.standardInput = FileHandle(forReadingAtPath: names[0])
        process.standardOutput = FileHandle(forWritingAtPath: names[1])
        process.standardError = FileHandle(forWritingAtPath: names[2])
        try process.run()
        process.waitUntilExit()
        return ToolResult(
            status: process.terminationReason == .exit
                ? process.terminationStatus : 128 + process.terminationStatus,
            output: try Data(contentsOf: URL(filePath: names[1])),
            errors: String(decoding: try Data(contentsOf: URL(filePath: names[2])), as: UTF8.self))
    }

    /// `sluice serve`, once it listens, until it is ended; `hear` gets what it has said until then.
    func serve(_ options: String..., hear: (String) -> Void = { _ in }) throws -> Process {
        let process = process(["serve", "--listen", "127.0.0.1:0"] + options)
        process.standardInput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        var text = Data()
        while text.range(of: Data("listening".utf8)) == nil {
            let more = errors.fileHandleForReading.availableData
            try #require(!more.isEmpty)
            text += more
        }
        hear(String(decoding: text, as: UTF8.self))
        // What it says from now on nobody reads.
        errors.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
        return process
    }

    /// A process that has not been started.
    func process(_ arguments: [String], _ environment: [String: String]? = nil) -> Process {
        let process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: scratch.path)
        process.environment = environment ?? ["SLUICE_STORE": scratch.store]
        return process
    }

    /// Runs it and expects that it ends well.
    @discardableResult
    func expect(_ arguments: String..., input: String = "") throws -> ToolResult {
        let result = try run(arguments, input: Data(input.utf8))
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        return result
    }

    /// Makes a topic without a journal: zeroing and scanning one takes a second for each run of a debug
    /// build.
    func create(_ arguments: String...) throws {
        let written = ["topic", "create"] + arguments + ["-c", "sluice.durability=written"]
        let result = try run(written, input: Data())
        #expect(result.status == 0, "\(written): \(result.errors)")
    }

    /// The `.log` files of a partition, in order.
    func segments(_ partition: String) throws -> [String] {
        let directory = "\(scratch.store)/topics/\(partition)"
        return try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".log") }
            .sorted()
            .map { "\(directory)/\($0)" }
    }
}
#endif
