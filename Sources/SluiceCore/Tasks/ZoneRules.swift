// A time zone out of the system's database: when its clocks change, and to what. RFC 8536 (TZif).
//
//   header 44 · version 1's data (32 bits) · header 44 · data (64 bits) · LF · what holds after that · LF
//   header: "TZif" · version u8 · 15 bytes · isut, isstd, leap, time, type, char count u32
//   data: time moments, in seconds · time types u8 · types (offset i32 · dst u8 · name u8) · names · the rest
//
// (1) What is given is bytes that somebody else has read: every count is checked against what is left, and
// nothing traps. (2) Behind the last moment the footer holds, a rule as POSIX has it for TZ. (3) A period is
// a span in which the clock is ahead of UTC by the same; two that follow differ.

package import SluiceLog

/// A time zone.
package struct ZoneRules: Hashable, Sendable {
    /// As the database calls it.
    package let name: String
    /// The clock's changes, in order: when, in seconds, and to what ahead of UTC.
    private var changes: [Change] = []
    /// What it is ahead of UTC before the first, in seconds.
    private var first: Int64 = 0
    /// What holds behind the last.
    private var rule: YearlyRule?

    private struct Change: Hashable, Sendable {
        var moment: Int64
        var offset: Int64
    }

    /// A span of time with one offset: milliseconds since 1970, and that the clock is ahead of UTC.
    struct Period: Hashable {
        var start: Int64
        /// Not in it.
        var end: Int64
        var offset: Int64
    }

    /// Bytes of a file, far more than any has.
    package static let fileBytes = 1 << 20
    private static let headerBytes = 44
    private static let farthest: Int64 = 1 << 40

    /// Reads a file's bytes. Throws for what is no TZif, or counts leap seconds.
    package init(name: String, _ bytes: [UInt8]) throws(MalformedRecord) {
        self.name = name
        var reader = BinaryReader(bytes[...])
        let old = try Header(&reader)
        if old.version == 0 {
            try readData(&reader, old, wide: false)
            return
        }
        _ = try reader.bytes(old.dataBytes(wide: false))
        let header = try Header(&reader)
        try readData(&reader, header, wide: true)
        let footer = try reader.bytes(reader.left)
        guard footer.first == 10, footer.last == 10, footer.count >= 2 else {
            throw MalformedRecord(reason: "a time zone without its footer")
        }
        let text = String(decoding: footer.dropFirst().dropLast(), as: UTF8.self)
        if !text.isEmpty { rule = try YearlyRule(text) }
    }

    private struct Header {
        var version: UInt8
        var counts: [Int]

        init(_ reader: inout BinaryReader) throws(MalformedRecord) {
            let magic = try reader.bytes(4)
            guard magic.elementsEqual("TZif".utf8) else {
                throw MalformedRecord(reason: "no time zone: it does not begin with TZif")
            }
            version = try reader.integer()
            _ = try reader.bytes(15)
            counts = []
            for _ in 0..<6 { counts.append(Int(try reader.integer(UInt32.self))) }
        }

        /// Of isut, isstd, leap, time, type and char.
        func dataBytes(wide: Bool) -> Int {
            let size = wide ? 8 : 4
            return counts[3] * (size + 1) + counts[4] * 6 + counts[5] + counts[2] * (size + 4) + counts[1]
                + counts[0]
        }
    }

    private mutating func readData(
        _ reader: inout BinaryReader, _ header: Header, wide: Bool
    ) throws(MalformedRecord) {
        var data = BinaryReader(try reader.bytes(header.dataBytes(wide: wide)))
        guard header.counts[2] == 0 else { throw MalformedRecord(reason: "a time zone with leap seconds") }
        var moments: [Int64] = []
        for _ in 0..<header.counts[3] {
            moments.append(wide ? try data.integer() : Int64(try data.integer(Int32.self)))
        }
        let kinds = try data.bytes(header.counts[3])
        var offsets: [Int64] = []
        for _ in 0..<header.counts[4] {
            let offset = Int64(try data.integer(Int32.self))
            _ = try data.bytes(2)
            guard abs(offset) <= 26 * 3600 else {
                throw MalformedRecord(reason: "a clock that is \(offset) seconds ahead")
            }
            offsets.append(offset)
        }
        guard let first = offsets.first else { throw MalformedRecord(reason: "a time zone without a type") }
        self.first = first
        var last = Int64.min
        for (moment, kind) in zip(moments, kinds) {
            guard moment > last, Int(kind) < offsets.count else {
                throw MalformedRecord(reason: "a time zone whose changes are out of order")
            }
            last = moment
            // Files begin with the big bang, which is no moment that a task is due at.
            guard moment > -Self.farthest, moment < Self.farthest else {
                self.first = offsets[Int(kind)]
                continue
            }
            append(Change(moment: moment, offset: offsets[Int(kind)]))
        }
    }

    private mutating func append(_ change: Change) {
        if (changes.last?.offset ?? first) != change.offset { changes.append(change) }
    }

    // MARK: Asking

    /// The period that a moment is in; milliseconds since 1970.
    func period(at moment: Int64) -> Period {
        let second = moment >= 0 ? moment / 1000 : (moment - 999) / 1000
        let isBehind = second >= changes.last?.moment ?? -Self.farthest
        let known = isBehind && rule != nil ? yearly(around: second) : changes
        let index = known.partitioningIndex { $0.moment > second }
        return Period(
            start: index == 0 ? .min : known[index - 1].moment * 1000,
            end: index < known.count ? known[index].moment * 1000 : .max,
            offset: (index == 0 ? first : known[index - 1].offset) * 1000)
    }

    /// The last change of the file and, behind it, those of the rule in the years about a moment.
    private func yearly(around second: Int64) -> [Change] {
        let last = changes.last ?? Change(moment: -Self.farthest, offset: first)
        var found = [last]
        let year = CivilDays.year(ofDay: CivilDays.floorDivide(second, 86_400).0)
        for change in ((year - 1)...(year + 1)).flatMap({ rule?.changes(in: $0) ?? [] })
        where change.moment > last.moment {
            // Summer time that never ends ends and begins in one moment.
            if found[found.count - 1].moment == change.moment { found.removeLast() }
            if found.last?.offset == change.offset { continue }
            found.append(Change(moment: change.moment, offset: change.offset))
        }
        return found
    }
}

extension Array {
    /// The first index from which on `isBehind` holds; of an array in which it holds from one on.
    fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
