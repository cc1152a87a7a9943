// Small records as bytes: what the manifest and the journal's entry tables are made of. Big-endian, no
// padding.
//
// (1) The writer appends to an array: for records of some hundred bytes, never on the path of a batch. (2)
// The reader checks each length against what is left before it reads or allocates, and throws; it never
// traps.

/// The bytes of a record end early or do not make sense. The caller adds file and position.
package struct MalformedRecord: Error, Hashable {
    package var reason: String
    package init(reason: String) { self.reason = reason }
}

/// Appends integers, strings and byte runs to an array.
package struct BinaryWriter {
    package var bytes: [UInt8] = []

    package init() {}

    package mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// UTF-8 behind its length as u32.
    package mutating func put(_ string: String) {
        put(UInt32(string.utf8.count))
        bytes.append(contentsOf: string.utf8)
    }

    package mutating func put(_ flag: Bool) { put(UInt8(flag ? 1 : 0)) }

    package mutating func put(_ id: UniqueID) {
        put(id.high)
        put(id.low)
    }

    /// A count as u32, then each element.
    package mutating func put<Element>(
        _ elements: some Collection<Element>, _ each: (inout BinaryWriter, Element) -> Void
    ) {
        put(UInt32(elements.count))
        for element in elements { each(&self, element) }
    }
}

/// Reads what `BinaryWriter` wrote.
package struct BinaryReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    package var left: Int { bytes.endIndex - position }

    package mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(MalformedRecord) -> T
    {
        let size = MemoryLayout<T>.size
        guard left >= size else { throw MalformedRecord(reason: "an integer of \(size) bytes is cut short") }
        var value: T = 0
        for index in position..<(position + size) {
            value = (T.bitWidth > 8 ? value << 8 : 0) | T(truncatingIfNeeded: bytes[index])
        }
        position += size
        return value
    }

    /// The next `count` bytes.
    package mutating func bytes(_ count: Int) throws(MalformedRecord) -> ArraySlice<UInt8> {
        guard count >= 0, count <= left else {
            throw MalformedRecord(reason: "a run of \(count) bytes is cut short")
        }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    package mutating func string() throws(MalformedRecord) -> String {
        let length = Int(try integer(UInt32.self))
        guard length <= left else {
            throw MalformedRecord(reason: "a string of \(length) bytes is cut short")
        }
        defer { position += length }
        guard let text = String(validating: bytes[position..<(position + length)], as: UTF8.self) else {
            throw MalformedRecord(reason: "a string is not UTF-8")
        }
        return text
    }

    package mutating func flag() throws(MalformedRecord) -> Bool { try integer(UInt8.self) != 0 }

    package mutating func id() throws(MalformedRecord) -> UniqueID {
        UniqueID(high: try integer(), low: try integer())
    }

    /// As many elements as the count in front says, each at least `minimumBytes` long.
    package mutating func array<Element>(
        minimumBytes: Int, _ each: (inout BinaryReader) throws(MalformedRecord) -> Element
    ) throws(MalformedRecord) -> [Element] {
        let count = Int(try integer(UInt32.self))
        guard count <= left / max(minimumBytes, 1) else {
            throw MalformedRecord(reason: "\(count) elements do not fit \(left) bytes")
        }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try each(&self)) }
        return elements
    }
}
