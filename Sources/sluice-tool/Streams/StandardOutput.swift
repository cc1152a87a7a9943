// Standard output and standard error.

#if Tool
import SluiceLog

/// Standard output, in large writes: what is printed into `text` leaves when it is 64 KiB, or at `flush`.
struct StandardOutput: ~Copyable {
    /// What has been printed and not yet written.
    var text = TextBuffer(capacity: 2 * StandardOutput.writeBytes)
    /// Bytes that were written.
    private(set) var written: Int64 = 0

    private static let writeBytes = 64 << 10

    /// To be called after each record: writes when there is enough for a large write.
    @inline(__always)
    mutating func recordEnded() throws(ToolError) {
        if text.count >= Self.writeBytes { try flush() }
    }

    /// Writes what there is.
    ///
    /// Throws `outputClosed` when nobody reads any more, `failed` for other errors.
    mutating func flush() throws(ToolError) {
        guard text.count > 0 else { return }
        let error = System.writeAll(text.bytes, to: 1)
        written += Int64(text.count)
        text.removeAll()
        if error == 0 { return }
        if error == System.brokenPipe { throw .outputClosed }
        throw .failed(
            "Standard output cannot be written: \(System.text(ofErrno: error)). Check where it leads to.")
    }

    /// Writes bytes as they are.
    static func write(_ bytes: [UInt8]) throws(ToolError) {
        var output = StandardOutput()
        for byte in bytes { output.text.append(byte) }
        try output.flush()
    }

    /// Prints lines at once; nothing when there are none.
    static func printLines(_ lines: [String]) throws(ToolError) {
        if !lines.isEmpty { try print(lines.joined(separator: "\n")) }
    }

    /// Prints lines at once, for commands that print few.
    static func print(_ lines: String) throws(ToolError) {
        var output = StandardOutput()
        output.text.append(lines)
        if !lines.hasSuffix("\n") { output.text.append("\n") }
        try output.flush()
    }
}

/// Standard error.
enum StandardError {
    /// Writes a line. That it cannot be written is told to nobody.
    static func print(_ line: String) { write(line + "\n") }

    /// Writes bytes as they are.
    static func write(bytes: ArraySlice<UInt8>) {
        _ = bytes.withUnsafeBytes { System.writeAll($0.bytes, to: 2) }
    }

    static func write(_ text: String) {
        var text = text
        _ = text.withUTF8 { System.writeAll($0.span.bytes, to: 2) }
    }
}
#endif
