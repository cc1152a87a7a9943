// A password, from where others do not see it.

#if Tool
import Foundation
import SluiceLog

enum Password {
    /// The first line of a file; else the environment's; else what somebody types, twice; else the first line
    /// of standard input.
    ///
    /// Throws `failed` when there is none, or two that differ.
    static func read(file: String?, user: String) async throws -> String {
        if let file { return try line(ofFile: file) }
        if let password = System.environment("SLUICE_PASSWORD") { return password }
        let interrupter = try Interrupter()
        return try await withTaskCancellationHandler {
            try typed(interrupter, user)
        } onCancel: {
            interrupter.interrupt()
        }
    }

    private static func line(ofFile path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ToolError.failed("The password's file \(path) cannot be read.")
        }
        return try text([UInt8](data.prefix { $0 != UInt8(ascii: "\n") }))
    }

    private static func typed(_ interrupter: Interrupter, _ user: String) throws -> String {
        var input = ByteInput(0, interrupter)
        guard System.isTerminal(0) else { return try line(&input) }
        StandardError.write("Password of \(user): ")
        let echo = System.hideTyping(0)
        defer {
            System.showTyping(0, echo)
            StandardError.print("")
        }
        let first = try line(&input)
        StandardError.write("\nOnce more: ")
        guard try line(&input) == first else { throw ToolError.failed("The two passwords differ.") }
        return first
    }

    /// The next line of the input, taken out; at the end, what there is.
    private static func line(_ input: inout ByteInput) throws -> String {
        while true {
            let count = input.buffer.count
            if let end = System.index(of: UInt8(ascii: "\n"), in: input.buffer.bytes, from: 0, to: count) {
                let line = bytes(input, end)
                try input.drop(end + 1)
                return try text(line)
            }
            guard count <= 4096 else { throw ToolError.failed("The password's line is too long.") }
            guard try input.fill(dropping: 0) else {
                if input.isInterrupted { throw CancellationError() }
                return try text(bytes(input, count))
            }
        }
    }

    private static func bytes(_ input: borrowing ByteInput, _ count: Int) -> [UInt8] {
        input.buffer.bytes.withUnsafeBytes { Array($0.prefix(count)) }
    }

    /// Without the end that lines have elsewhere.
    private static func text(_ line: [UInt8]) throws -> String {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...]
        guard let text = String(validating: line, as: UTF8.self) else {
            throw ToolError.failed("The password is not UTF-8.")
        }
        guard !text.isEmpty else { throw ToolError.failed("The password is empty.") }
        return text
    }
}
#endif
