// What somebody may have meant who asked for a setting that does not exist: for the message, nothing is
// guessed silently.
//
// First come names a typing error away, where case, '_' and '-' for '.', and the "log." of a broker's setting
// in Kafka are no difference; failing that, names that differ in the unit, as Kafka's log.retention.hours
// does from retention.ms.

extension TopicSettings.Keys {
    /// The settings whose names are near to `name`, best first, at most three.
    ///
    /// - Complexity: O(k · n) with k the letters of all keys and n those of `name`, 64 at the most.
    package static func near(to name: String) -> [String] {
        let asked = folded(name)
        let typed = all.map { (name: $0.name, distance: editDistance(asked, Array($0.name.utf8))) }
            .filter { $0.distance <= max(1, asked.count / 4) }
            .sorted { $0.distance < $1.distance }
        if !typed.isEmpty { return typed.prefix(3).map(\.name) }
        let stem = stem(asked)
        return all.map(\.name).filter { self.stem(Array($0.utf8)) == stem }.prefix(3).map { $0 }
    }

    /// Lower case, '.' between words, without the broker's prefix.
    private static func folded(_ name: String) -> [UInt8] {
        let text = TopicName.collisionKey(String(name.prefix(64)))
        let dot = UInt8(ascii: ".")
        let bytes = text.utf8.map { $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") ? dot : $0 }
        let prefix = Array("log.".utf8)
        return bytes.starts(with: prefix) ? Array(bytes.dropFirst(prefix.count)) : bytes
    }

    /// The words before the last: `retention` of `retention.hours` and of `retention.ms`.
    private static func stem(_ name: [UInt8]) -> [UInt8] {
        Array(name[..<(name.lastIndex(of: UInt8(ascii: ".")) ?? name.endIndex)])
    }

    /// The least number of letters put in, taken out or changed that makes `a` of `b`.
    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let changed = diagonal + (letter == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
