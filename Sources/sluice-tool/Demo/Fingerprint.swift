// What a sequence of records was, in a form that can be compared: two are equal when the same records with
// the same keys came in the same order for each key.

#if Tool
import Sluice

struct Fingerprint: Equatable {
    /// Records so far.
    private(set) var records: Int64 = 0
    /// Bytes of keys and values.
    private(set) var bytes: Int64 = 0
    /// By key: where its hash is.
    private var places: [String: Int] = [:]
    private var hashes: [SHA256] = []

    /// Adds a record: its value, ended by a line feed, to the hash of its key.
    mutating func add(key: RawSpan?, value: RawSpan?) {
        count(key: key, value: value)
        var name = ""
        if let key { name = String(decoding: key) }
        let place: Int
        if let known = places[name] {
            place = known
        } else {
            place = hashes.count
            places[name] = place
            hashes.append(SHA256())
        }
        if let value { hashes[place].update(value) }
        Self.newline.withUnsafeBufferPointer { hashes[place].update($0.span.bytes) }
    }

    /// Counts a record without hashing it.
    mutating func count(key: RawSpan?, value: RawSpan?) {
        records += 1
        if let key { bytes += Int64(key.byteCount) }
        if let value { bytes += Int64(value.byteCount) }
    }

    private static let newline = [UInt8(ascii: "\n")]

    /// The number of different keys.
    var keys: Int { hashes.count }

    /// The hash of each key, and the number of records: what two runs are compared by.
    var summary: [String: String] {
        places.mapValues { hashes[$0].hexadecimal }
    }

    /// What is different in `other`, in words; nil when nothing is.
    func difference(to other: Fingerprint) -> String? {
        if records != other.records { return "\(records) records went in, \(other.records) came out" }
        if bytes != other.bytes { return "\(bytes) bytes went in, \(other.bytes) came out" }
        let (mine, theirs) = (summary, other.summary)
        if mine == theirs { return nil }
        let keys = Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
        return "the SHA-256 of the values differs for the keys " + keys.joined(separator: ", ")
    }

    static func == (a: Self, b: Self) -> Bool { a.difference(to: b) == nil }
}
#endif
