// Writes a message into an array.
//
// (1) Records are not written: their length is, and their place is a gap of the frame. (2) What no length of
// the version can say is an error, never cut.

/// A coder that writes.
struct WireWriter: WireCoder {
    /// What has been written.
    private(set) var output: [UInt8] = []
    /// Where records belong, in order.
    private(set) var gaps: [WireFrame.Gap] = []
    /// The version of the message.
    private(set) var version: Int16 = 0
    /// Whether the version has compact lengths and tagged fields.
    private(set) var isFlexible = false
    private var tags = Tags()

    /// The tagged fields of a struct.
    struct Tags {
        /// Where their count is: one byte, since no struct has as many as 128.
        fileprivate var countPosition = 0
        /// Where the value that is being written starts, without its size.
        fileprivate var open: Int?
    }

    /// A writer into an empty array.
    init() {}

    mutating func begin(_ api: ApiKey, _ version: Int16) {
        self.version = version
        isFlexible = api.isFlexible(version)
    }

    /// Writes an integer.
    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value
    ) throws(WireError) {
        withUnsafeBytes(of: value.bigEndian) { output.append(contentsOf: $0) }
    }

    /// Writes a string.
    @inline(never)
    mutating func string(_ value: inout String?, isNullable: Bool) throws(WireError) {
        guard let text = value ?? (isNullable ? nil : "") else { return try length(nil, Int16.self) }
        let count = text.utf8.count
        guard count <= WireLimits.stringBytes else {
            throw error(.tooLong(.string, count: count, limit: WireLimits.stringBytes))
        }
        try length(count, Int16.self)
        output.append(contentsOf: text.utf8)
    }

    /// Writes a run of bytes.
    mutating func bytes(_ value: inout [UInt8]) throws(WireError) {
        try checked(value.count, .bytes)
        try length(value.count, Int32.self)
        output.append(contentsOf: value)
    }

    /// Writes the length of records, and leaves the gap that they belong into.
    mutating func records(_ value: inout Range<Int>?) throws(WireError) {
        if let value { try checked(value.count, .bytes) }
        try length(value?.count, Int32.self)
        if let value, !value.isEmpty { gaps.append(WireFrame.Gap(position: output.count, records: value)) }
    }

    /// Writes an array.
    @inline(never)
    mutating func array<Value: WireValue>(
        _ value: inout [Value]?, isNullable: Bool
    ) throws(WireError) {
        guard let elements = value ?? (isNullable ? nil : []) else { return try length(nil, Int32.self) }
        try checked(elements.count, .array)
        try length(elements.count, Int32.self)
        for var element in elements { try element.code(&self) }
    }

    /// Writes that there are no tagged fields yet.
    @inline(never)
    mutating func beginTags() throws(WireError) -> Tags {
        let outer = tags
        tags = Tags(countPosition: output.count)
        output.append(0)
        return outer
    }

    /// Begins the tagged field `number`, unless it has its default.
    mutating func tag(_ number: UInt32, if differs: Bool) throws(WireError) -> Bool {
        closeTag()
        guard differs else { return false }
        output[tags.countPosition] += 1
        uvarint(number)
        tags.open = output.count
        return true
    }

    /// Ends the tagged fields of a struct.
    @inline(never)
    mutating func endTags(_ outer: Tags) throws(WireError) {
        closeTag()
        tags = outer
    }

    /// Puts the size in front of a value that is complete. Tagged values are small and rare: they are moved.
    private mutating func closeTag() {
        guard let start = tags.open else { return }
        let value = output[start...]
        output.removeSubrange(start...)
        uvarint(UInt32(value.count))
        output.append(contentsOf: value)
        tags.open = nil
    }

    /// A length of the width of `Value`, or a varint in flexible versions; nil is null.
    private mutating func length<Value: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int?, _: Value.Type
    ) throws(WireError) {
        if isFlexible {
            uvarint(UInt32((count ?? -1) + 1))
        } else {
            var value = Value(count ?? -1)
            try integer(&value)
        }
    }

    private mutating func uvarint(_ value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }

    /// Throws when no frame can hold `count`.
    private func checked(_ count: Int, _ part: WirePart) throws(WireError) {
        guard count < Int(Int32.max) else {
            throw error(.tooLong(part, count: count, limit: Int(Int32.max) - 1))
        }
    }

    private func error(_ fault: WireFault) -> WireError { WireError(fault, at: output.count) }
}
