// What a group's commit says of a partition that is shared out message by message: the first record that is
// not settled, as its offset, and the window above it, as its metadata.
//
//   "w1:" base64 of  | end − base | least moment | item … |
//   item             | gap | (count − 1) << 1 + delayed | deliveries u8 | moment − least moment, if delayed |
//
// All but the deliveries are varints: 7 bits a byte, the least first, the top bit says that more follow.
//
// (1) An item is a run of records that are not settled: `count` offsets, the first `gap` behind the run
// before, or behind the base. What is between runs is settled, or not there. (2) Valid if and only if the
// runs end at or before `end`, hold `MessageLimits.inFlight` records at most, `reserve` fits, and nothing
// follows. (3) An empty window is no metadata at all: a group that has settled everything looks like any
// other. (4) Moments are milliseconds since 1970. (5) Other metadata is not ours: the window is empty.

import SluiceLog

/// A window as it is stored.
package struct StoredWindow: Hashable, Sendable {
    /// A record that is not settled.
    package struct Entry: Hashable, Sendable {
        /// Its offset.
        package var offset: Int64
        /// How often it was given out, counted before that; at most 255.
        package var deliveries: Int
        /// Before when it is not to be given out again, in milliseconds since 1970.
        package var moment: Int64?

        /// A record that is not settled.
        package init(offset: Int64, deliveries: Int, moment: Int64? = nil) {
            self.offset = offset
            self.deliveries = deliveries
            self.moment = moment
        }
    }

    /// The first offset that was never taken; all below the window are settled.
    package var end: Int64
    /// In the order of their offsets, all below `end`.
    package var entries: [Entry]

    /// What the metadata of a window begins with; the number is its version.
    package static let prefix = "w1:"

    /// A window.
    package init(end: Int64, entries: [Entry] = []) {
        self.end = end
        self.entries = entries
    }

    /// The first record that is not settled: what is committed.
    package var base: Int64 { entries.first?.offset ?? end }

    // MARK: Writing

    /// What is committed as metadata.
    package var metadata: String {
        guard let base = entries.first?.offset else { return "" }
        var bytes: [UInt8] = []
        let least = entries.lazy.compactMap(\.moment).min() ?? 0
        Self.put(UInt64(bitPattern: end &- base), &bytes)
        Self.put(UInt64(bitPattern: least), &bytes)
        var (behind, index) = (base, 0)
        while index < entries.count {
            let first = entries[index]
            var count = 1
            while index + count < entries.count, isNext(entries[index + count], first, count) { count += 1 }
            Self.put(UInt64(bitPattern: first.offset &- behind), &bytes)
            Self.put(UInt64(count - 1) << 1 | (first.moment == nil ? 0 : 1), &bytes)
            bytes.append(UInt8(clamping: first.deliveries))
            if let moment = first.moment { Self.put(UInt64(bitPattern: moment &- least), &bytes) }
            behind = first.offset + Int64(count)
            index += count
        }
        return Self.prefix + String(decoding: Base64.encode(bytes), as: UTF8.self)
    }

    private func isNext(_ entry: Entry, _ first: Entry, _ count: Int) -> Bool {
        entry.offset == first.offset + Int64(count) && entry.deliveries == first.deliveries
            && entry.moment == first.moment
    }

    /// What the entries take at the worst, when each is of its own kind and delayed.
    var reserve: Int {
        var behind = base
        return entries.reduce(0) { sum, entry in
            defer { behind = entry.offset + 1 }
            return sum + MessageLimits.entryBytes + Self.size(entry.offset - behind)
        }
    }

    /// Bytes of a distance.
    static func size(_ distance: Int64) -> Int {
        max(1, (64 - UInt64(bitPattern: distance).leadingZeroBitCount + 6) / 7)
    }

    private static func put(_ value: UInt64, _ bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    // MARK: Reading

    /// The window that a commit says; empty when its metadata is not ours, or cannot be read.
    package init(base: Int64, metadata: String) {
        self = Self.read(base, metadata) ?? StoredWindow(end: base)
    }

    /// How many records of a commit's metadata are not settled; nil when it holds no window.
    package static func count(in metadata: String) -> Int? { read(0, metadata)?.entries.count }

    private static func read(_ base: Int64, _ metadata: String) -> StoredWindow? {
        guard metadata.hasPrefix(prefix), metadata.utf8.count <= GroupLimits.metadataBytes,
            let bytes = Base64.decode(metadata.utf8.dropFirst(prefix.utf8.count))
        else { return nil }
        var reader = BinaryReader(bytes[...])
        do throws(MalformedRecord) {
            return try read(base, &reader)
        } catch {
            return nil
        }
    }

    private static func read(
        _ base: Int64, _ reader: inout BinaryReader
    ) throws(MalformedRecord) -> StoredWindow {
        var window = StoredWindow(end: try sum(base, try distance(&reader)))
        let least = Int64(bitPattern: try varint(&reader))
        var behind = base
        while reader.left > 0 {
            let first = try sum(behind, try distance(&reader))
            let tag = try varint(&reader)
            let deliveries = Int(try reader.integer(UInt8.self))
            let moment: Int64? = tag & 1 == 0 ? nil : try sum(least, try distance(&reader))
            let most = UInt64(MessageLimits.inFlight - window.entries.count)
            guard tag >> 1 < most else { throw MalformedRecord(reason: "more records than are in flight") }
            let count = Int64(tag >> 1) + 1
            behind = try sum(first, count)
            guard behind <= window.end else { throw MalformedRecord(reason: "a run ends behind the window") }
            for index in 0..<count {
                window.entries.append(
                    Entry(offset: first + index, deliveries: deliveries, moment: moment))
            }
        }
        guard !window.entries.isEmpty, window.base == base else {
            throw MalformedRecord(reason: "the first record is settled")
        }
        guard window.reserve <= MessageLimits.reserveBytes else {
            throw MalformedRecord(reason: "a window that would not fit when its records are delayed")
        }
        return window
    }

    private static func distance(_ reader: inout BinaryReader) throws(MalformedRecord) -> Int64 {
        guard let value = Int64(exactly: try varint(&reader)) else {
            throw MalformedRecord(reason: "a distance of 64 bits")
        }
        return value
    }

    private static func sum(_ a: Int64, _ b: Int64) throws(MalformedRecord) -> Int64 {
        let (sum, isOver) = a.addingReportingOverflow(b)
        if isOver { throw MalformedRecord(reason: "an offset beyond 63 bits") }
        return sum
    }

    private static func varint(_ reader: inout BinaryReader) throws(MalformedRecord) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = UInt64(try reader.integer(UInt8.self))
            if shift == 63, byte > 1 { break }
            value |= (byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw MalformedRecord(reason: "a varint of more than 64 bits")
    }
}
