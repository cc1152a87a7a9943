// Where everything is in a store's directory. Docs/Format.md has the same tree with every byte.

/// The names of a store's files.
package struct StorePaths: Sendable {
    package let root: String
    package init(_ root: String) { self.root = root }

    package var lock: String { "\(root)/LOCK" }
    package var meta: String { "\(root)/meta.properties" }
    package var manifest: String { "\(root)/manifest" }
    package var journal: String { "\(root)/journal" }
    package var topics: String { "\(root)/topics" }
    package var quarantine: String { "\(root)/quarantine" }

    package func manifest(_ number: Int) -> String { "\(manifest)/\(Self.padded(Int64(number), to: 6)).log" }
    package func journal(_ number: Int) -> String { "\(journal)/\(number)" }
    package func partition(_ topic: String, _ partition: Int32) -> String {
        "\(topics)/\(topic)-\(partition)"
    }
    /// Where a deleted topic's directory waits for its removal: its name may be taken again meanwhile.
    package func leaving(_ topic: String, _ partition: Int32, _ id: UniqueID) -> String {
        "\(topics)/\(topic)-\(partition).\(id)-delete"
    }

    /// A number with zeros in front.
    package static func padded(_ number: Int64, to digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}

/// The files of one segment. Kafka: the base offset in 20 digits.
package struct SegmentPaths: Sendable {
    package var stem: String
    package init(directory: String, baseOffset: Int64) {
        stem = "\(directory)/\(StorePaths.padded(baseOffset, to: 20))"
    }
    package var log: String { stem + ".log" }
    package var index: String { stem + ".index" }
    package var timeIndex: String { stem + ".timeindex" }
    package var all: [String] { [log, index, timeIndex] }

    /// The base offset and the kind (`log`, `index`, `timeindex`) of a file of that name; nil when it is not
    /// a segment's.
    package static func parse(_ name: String) -> (baseOffset: Int64, kind: Substring)? {
        let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 20, let base = Int64(parts[0]), base >= 0,
            ["log", "index", "timeindex"].contains(parts[1])
        else { return nil }
        return (base, parts[1])
    }
}
