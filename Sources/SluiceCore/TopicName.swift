// Which names a topic may have.
//
// (1) Kafka's rule: 1 to 249 characters of [a-zA-Z0-9._-], but not "." or "..", since a partition is a
//     directory "<topic>-<partition>", and a file name of 255 has to have room for the number.
// (2) Stricter than Kafka: two topics whose names differ only in case, or only in '.' against '_', cannot
//     both exist. A file system may ignore case, and metrics fold '.' into '_'. Kafka only warns of that.
// (3) Pure functions; anyone may call them.

/// The rules for names of topics.
package enum TopicName {
    /// The most characters that a name may have. Kafka: `Topic.MAX_NAME_LENGTH`.
    package static let maxLength = 249

    /// Why `name` is not the name of a topic, as the end of a sentence; nil when it is one.
    ///
    /// - Complexity: O(1): of a longer name than `maxLength` no more than that is looked at.
    /// - Source: Kafka's `Topic.validate`.
    package static func check(_ name: String) -> String? {
        let bytes = name.utf8
        if bytes.isEmpty { return "it is empty" }
        if name == "." || name == ".." { return "\"\(name)\" is a directory, not a name" }
        // Characters first: a long name in another alphabet is told about its alphabet, not about its bytes.
        if let bad = name.unicodeScalars.prefix(maxLength + 1).first(where: { !isLegal($0) }) {
            return "\(quoted(bad)) is not one of the letters a-z and A-Z, the digits, '.', '_' and '-'"
        }
        if bytes.count > maxLength { return "it has \(bytes.count) characters, \(maxLength) is the most" }
        return nil
    }

    /// What two names that may not exist side by side have in common: lower case, and '_' for '.'.
    ///
    /// The catalogue keeps one topic per key. `name` is legal.
    package static func collisionKey(_ name: String) -> String {
        String(
            decoding: name.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
                case UInt8(ascii: "."): UInt8(ascii: "_")
                default: byte
                }
            }, as: UTF8.self)
    }

    private static func isLegal(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
        default: false
        }
    }

    /// A character for a message: spelled out where it would not be seen, or would upset a terminal.
    private static func quoted(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0x20: "a space"
        case 0x21...0x7E: "'\(scalar)'"
        case 0..<0xA0: "the control character " + codePoint(scalar)
        default: "'\(scalar)' (\(codePoint(scalar)))"
        }
    }

    private static func codePoint(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
