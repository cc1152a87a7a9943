// A file of the project as the rules see it: its lines, and the words of its code without comments and
// strings.

/// A text file and where it is.
struct SourceFile {
    /// Relative to the package, with '/'.
    let path: String
    let lines: [Substring]
    /// The words of the code, in order. Only Swift files have any.
    let words: [Word]

    /// A word of the code: an identifier, a keyword or a number, with what stands on both sides of it.
    struct Word {
        let text: Substring
        /// Counted from 1.
        let line: Int
        /// The byte right before it and right behind it; a line feed at the ends of the file.
        let before: UInt8
        let after: UInt8
        /// The first byte behind it that is not a space.
        let next: UInt8
    }

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        words = path.hasSuffix(".swift") ? Self.words(of: codeOnly(text)) : []
    }

    private static func words(of code: String) -> [Word] {
        let bytes = Array(code.utf8)
        let newline = UInt8(ascii: "\n")
        var words: [Word] = []
        var line = 1
        var start: Int?
        for position in 0...bytes.count {
            let byte = position < bytes.count ? bytes[position] : newline
            if isPartOfWord(byte) {
                if start == nil { start = position }
                continue
            }
            if let first = start {
                words.append(
                    Word(
                        text: Substring(decoding: bytes[first..<position], as: UTF8.self), line: line,
                        before: first > 0 ? bytes[first - 1] : newline, after: byte,
                        next: bytes[position...].first { $0 != UInt8(ascii: " ") } ?? newline))
                start = nil
            }
            if byte == newline { line += 1 }
        }
        return words
    }
}

private func isPartOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
        true
    default: false
    }
}

/// Swift source with every comment, every string and every name in backticks replaced by spaces; line breaks
/// stay, and so does the code in a string's interpolations.
func codeOnly(_ source: String) -> String {
    var scanner = CodeScanner(bytes: Array(source.utf8))
    scanner.scanCode(until: nil)
    return String(decoding: scanner.bytes, as: UTF8.self)
}

/// Walks over source once and blanks in place what is not code.
private struct CodeScanner {
    var bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Scans code up to the end, or, within an interpolation, to the parenthesis that closes it.
    mutating func scanCode(until close: UInt8?) {
        var depth = 0
        while position < bytes.count {
            if starts("//") {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { blank(1) }
            } else if starts("/*") {
                scanBlockComment()
            } else if let hashes = stringOpening() {
                scanString(hashes: hashes)
            } else if starts("`") {
                blank(1)
                while position < bytes.count, !starts("`"), !starts("\n") { blank(1) }
                blank(1)
            } else {
                let byte = bytes[position]
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if close == byte, depth == 0 { return }
                    depth -= 1
                }
                position += 1
            }
        }
    }

    /// How many '#' stand before the quote that opens a string here; nil when none does.
    private func stringOpening() -> Int? {
        var hashes = 0
        while position + hashes < bytes.count, bytes[position + hashes] == UInt8(ascii: "#") { hashes += 1 }
        let isQuote = position + hashes < bytes.count && bytes[position + hashes] == UInt8(ascii: "\"")
        return isQuote ? hashes : nil
    }

    private mutating func scanString(hashes: Int) {
        let hash = String(repeating: "#", count: hashes)
        let isLong = starts(hash + "\"\"\"")
        let close = (isLong ? "\"\"\"" : "\"") + hash
        blank(close.utf8.count)
        while position < bytes.count, !starts(close) {
            if starts("\\" + hash + "(") {
                blank(hashes + 2)
                scanCode(until: UInt8(ascii: ")"))
                blank(1)
            } else if starts("\\" + hash) {
                blank(hashes + 2)
            } else if !isLong, starts("\n") {
                return  // Not closed on its line: the compiler will say so.
            } else {
                blank(1)
            }
        }
        blank(close.utf8.count)
    }

    private mutating func scanBlockComment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && position < bytes.count
    }

    private func starts(_ text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

    private mutating func blank(_ count: Int) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] != UInt8(ascii: "\n") { bytes[position] = UInt8(ascii: " ") }
            position += 1
        }
    }
}
