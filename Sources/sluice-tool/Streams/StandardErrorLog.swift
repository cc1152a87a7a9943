// A structured log on standard error: one line an entry, `key=value` after the message, for eyes and for jq's
// kin alike.

#if Tool
import Foundation
import Logging

/// Writes `2026-11-28T01:02:03.004Z notice sluice.server listening address=127.0.0.1:9092`.
struct StandardErrorLog: LogHandler {
    var logLevel = Logger.Level.notice
    var metadata: Logger.Metadata = [:]
    private let label: String

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
        line += " \(event.level.rawValue) \(label) \(event.message)"
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(Self.quoted("\(value)"))"
        }
        StandardError.print(line)
    }

    /// Quoted when it would not be one word; line ends are written as `\n`.
    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
        if isPlain { return text }
        var result = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": result += "\\\(character)"
            case "\n": result += "\\n"
            case _ where character.value < 0x20: result += " "
            default: result.unicodeScalars.append(character)
            }
        }
        return result + "\""
    }
}
#endif
