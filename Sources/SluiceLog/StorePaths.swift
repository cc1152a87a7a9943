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
    /// While a damaged offsets topic is written anew: what was good of it.
    package var rescuedOffsets: String { "\(root)/rescued-offsets" }
    package var reserve: String { "\(root)/reserve" }

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
    /// Behind the names of a compacted segment's files until they take the place of the old ones: `.7`.
    package var suffix = ""

    package init(directory: String, baseOffset: Int64) {
        stem = "\(directory)/\(StorePaths.padded(baseOffset, to: 20))"
    }

    /// The files of a compacted segment before they are renamed.
    package init(directory: String, baseOffset: Int64, generation: Int32) {
        self.init(directory: directory, baseOffset: baseOffset)
        suffix = ".\(generation)"
    }

    package var log: String { stem + ".log" + suffix }
    package var index: String { stem + ".index" + suffix }
    package var timeIndex: String { stem + ".timeindex" + suffix }
    package var all: [String] { [log, index, timeIndex] }

    /// What a name says when it is one of a segment's; nil when it is not.
    package static func parse(_ name: String) -> SegmentName? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts[0].utf8.count == 20, let base = Int64(parts[0]), base >= 0,
            ["log", "index", "timeindex"].contains(parts[1])
        else { return nil }
        guard parts.count == 3 else { return SegmentName(baseOffset: base, kind: parts[1], generation: nil) }
        guard let generation = Int32(parts[2]), generation > 0, "\(generation)" == parts[2] else {
            return nil
        }
        return SegmentName(baseOffset: base, kind: parts[1], generation: generation)
    }
}

/// The name of a segment's file, taken apart.
package struct SegmentName {
    package var baseOffset: Int64
    /// `log`, `index` or `timeindex`.
    package var kind: Substring
    /// Of a compacted segment that has not taken its place yet.
    package var generation: Int32?
}
