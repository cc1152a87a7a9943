// A rule of the house, with samples that it must find and samples that it must leave alone.

import Testing

/// Something that is not as it should be, and where.
struct Finding: CustomStringConvertible {
    let path: String
    let line: Int
    let message: String

    init(_ file: SourceFile, _ line: Int, _ message: String) {
        self.init(path: file.path, line: line, message)
    }

    init(path: String, line: Int, _ message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var place: String { "\(path):\(line)" }
    var description: String { "\(place): \(message)" }
}

/// A rule that is checked over the whole project.
struct Rule: Sendable, CustomTestStringConvertible {
    /// What holds, as a sentence.
    let name: String
    let check: @Sendable (Repository) -> [Finding]
    /// Files that break it, and each place where. Without such a sample a rule would prove nothing.
    let planted: [(files: [String: String], places: [String])]
    /// Files that come close and do not break it.
    let clean: [[String: String]]

    init(
        _ name: String, planted: [(files: [String: String], places: [String])],
        clean: [[String: String]] = [],
        _ check: @escaping @Sendable (Repository) -> [Finding]
    ) {
        self.name = name
        self.check = check
        self.planted = planted
        self.clean = clean
    }

    var testDescription: String { name }

    static let all = layeringRules + wordRules + textRules
}
