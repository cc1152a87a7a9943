// The pieces that messages are made of: numbers with units, names in quotes, the system's own words.

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension StreamError {
    /// `1536 bytes (1.5 KiB)`: exact, and readable.
    static func bytes(_ count: Int) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB"]
        var size = Double(count) / 1024
        var unit = 0
        while size >= 1024, unit < units.count - 1 {
            size /= 1024
            unit += 1
        }
        if size < 1 { return "\(count) byte\(count == 1 ? "" : "s")" }
        let tenths = Int((size * 10).rounded(.down))
        let number = tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
        return "\(count) bytes (\(number) \(units[unit]))"
    }

    /// Where it happened: the partition, or the store when the topic has no name.
    static func place(_ partition: TopicPartition) -> String {
        partition.topic.isEmpty ? "The store" : "\(partition)"
    }

    /// Which offsets a partition has, in words.
    static func range(_ valid: Range<Offset>) -> String {
        valid.isEmpty
            ? "the partition is empty and its end is \(valid.upperBound)"
            : "it has \(valid.lowerBound) to \(valid.upperBound + -1)"
    }

    /// Where to go on instead.
    static func advice(forOffset requested: Offset, outside valid: Range<Offset>) -> String {
        requested < valid.lowerBound
            ? "Retention has deleted it: go on at .earliest." : "It is not written yet: go on at .latest."
    }

    /// The system's words for an error number: `Input/output error`.
    static func text(ofErrno errno: Int32) -> String {
        // strerror's answer may be overwritten by the next call in any thread, strerror_r's is ours. Glibc
        // has two of that name and Swift imports the one of POSIX, which fills the buffer.
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            strerror_r(errno, buffer.baseAddress!, buffer.count - 1)
            return String(
                decoding: buffer.prefix { $0 != 0 }.lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return text.isEmpty ? "unknown error" : text
    }

    /// What to do about a failed call, by its number.
    static func advice(forErrno errno: Int32) -> String {
        switch errno {
        case EACCES, EPERM: "Check who owns the store's directory and what its permissions are."
        case EIO: "The disk may be failing: look into the system's log, and take a backup."
        case ENOENT: "Something else removed or renamed it: a store's files are its own."
        case ENAMETOOLONG: "Give the store a shorter path."
        case EFBIG: "A limit on the size of files is in force: see ulimit -f."
        default: "The system's log may say more."
        }
    }
}

/// A name in quotes, cut where it would flood a message, without characters that would upset a terminal.
func quoted(_ name: String) -> String {
    let shown = name.unicodeScalars.prefix(120).map { scalar -> String in
        switch scalar {
        case "\"", "\\": "\\" + String(scalar)
        case _ where [.control, .format].contains(scalar.properties.generalCategory):
            "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
        default: String(scalar)
        }
    }.joined()
    return "\"\(shown)\(name.unicodeScalars.count > 120 ? "…" : "")\""
}
