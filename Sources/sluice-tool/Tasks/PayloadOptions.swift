// What a task is about, as the command line gets it: an argument, a file, standard input.

#if Tool
import ArgumentParser
import Sluice
import SluiceLog

struct PayloadOptions: ParsableArguments {
    @Argument(help: "The payload, JSON or whatever the worker takes; - reads it from standard input.")
    var payload: String?

    @Option(help: ArgumentHelp("Read the payload from a file, as it is.", valueName: "file"))
    var file: String?

    /// The most that is read: more than one task takes.
    private static let maxBytes = 64 << 20

    func validate() throws {
        if payload != nil, file != nil { throw ValidationError("Give the payload, or --file, not both.") }
    }

    /// The bytes. Throws `failed`.
    func read() throws -> [UInt8] {
        if let file { return try Self.bytes(ofFile: file) }
        if payload == "-" { return try Self.all(of: 0, "Standard input") }
        return Array((payload ?? "").utf8)
    }

    private static func bytes(ofFile path: String) throws -> [UInt8] {
        let file = System.openToRead(path)
        guard file >= 0 else {
            throw ToolError.failed("\(path) cannot be read: \(System.text(ofErrno: -file)).")
        }
        defer { System.closeFile(file) }
        return try all(of: file, path)
    }

    private static func all(of descriptor: Int32, _ name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let buffer = ByteBuffer(capacity: 256 << 10)
        while true {
            buffer.count = 0
            let count = System.readSome(descriptor, into: buffer)
            guard count >= 0 else {
                throw ToolError.failed("\(name) cannot be read: \(System.text(ofErrno: Int32(-count))).")
            }
            if count == 0 { return bytes }
            bytes += [UInt8](copying: buffer.bytes)
            guard bytes.count <= maxBytes else {
                throw ToolError.failed("\(name) has more than \(maxBytes >> 20) MiB.")
            }
        }
    }
}
#endif
