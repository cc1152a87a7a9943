// Reads a message from borrowed bytes.
//
// (1) No bytes trap: each length is compared with what is left before anything is read or allocated. (2) What
// is allocated is within a constant factor of the bytes that have been read, and `WireLimits`. (3) Records
// are not copied: they are handed out as positions.

/// A coder that reads.
struct WireReader: WireCoder, ~Copyable, ~Escapable {
    private let source: RawSpan
    /// The next byte to be read.
    private(set) var position = 0
    /// The version of the message.
    private(set) var version: Int16 = 0
    /// Whether the version has compact lengths and tagged fields.
    private(set) var isFlexible = false
    private var elementsLeft = WireLimits.elements
    private var tags = Tags()

    /// The tagged fields of a struct.
    struct Tags {
        /// How many begin behind `next`.
        fileprivate var left: UInt32 = 0
        /// The greatest number so far.
        fileprivate var last: UInt32?
        /// The one whose value is at the position: nobody has asked for it yet.
        fileprivate var next: Tag?
        /// The one that is being read.
        fileprivate var open: Tag?
    }

    fileprivate struct Tag {
        var number: UInt32
        var end: Int
    }

    /// A reader of `bytes`, from their start.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { source = bytes }

    /// How many bytes are left.
    var left: Int { source.byteCount - position }

    mutating func begin(_ api: ApiKey, _ version: Int16) {
        self.version = version
        isFlexible = api.isFlexible(version)
    }

    /// Reads an integer.
    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value
    ) throws(WireError) {
        let size = MemoryLayout<Value>.size
        guard size <= left else { throw error(.truncated(needed: size, left: left)) }
        value = Value(bigEndian: source.unsafeLoadUnaligned(fromByteOffset: position, as: Value.self))
        position += size
    }

    /// Reads a string; null only where it is allowed.
    @inline(never)
    mutating func string(_ value: inout String?, isNullable: Bool) throws(WireError) {
        let start = position
        let length = isFlexible ? try compactLength() : try length(Int16.self)
        guard let length else { return value = try null(.string, isNullable, at: start) }
        guard length <= WireLimits.stringBytes else {
            throw WireError(
                .tooLong(.string, count: length, limit: WireLimits.stringBytes), at: start)
        }
        let range = try run(length)
        guard let text = source.withUnsafeBytes({ String(validating: $0[range], as: UTF8.self) }) else {
            throw WireError(.notUTF8, at: start)
        }
        value = text
    }

    /// Reads a run of bytes: a copy.
    mutating func bytes(_ value: inout [UInt8]) throws(WireError) {
        let start = position
        guard let range = try nullableRun() else { throw WireError(.null(.bytes), at: start) }
        value = source.withUnsafeBytes { [UInt8]($0[range]) }
    }

    /// Reads where records are.
    mutating func records(_ value: inout Range<Int>?) throws(WireError) { value = try nullableRun() }

    /// Reads an array; null only where it is allowed.
    @inline(never)
    mutating func array<Value: WireValue>(
        _ value: inout [Value]?, isNullable: Bool
    ) throws(WireError) {
        let start = position
        let count = isFlexible ? try compactLength() : try length(Int32.self)
        guard let count else { return value = try null(.array, isNullable, at: start) }
        // No element is without bytes.
        guard count <= left else { throw WireError(.truncated(needed: count, left: left), at: start) }
        guard count <= elementsLeft else {
            throw WireError(.tooLong(.array, count: count, limit: WireLimits.elements), at: start)
        }
        elementsLeft -= count
        var elements: [Value] = []
        elements.reserveCapacity(min(count, WireLimits.reservedElements))
        for _ in 0..<count {
            var element = Value()
            try element.code(&self)
            elements.append(element)
        }
        value = elements
    }

    /// Reads how many tagged fields follow.
    @inline(never)
    mutating func beginTags() throws(WireError) -> Tags {
        let outer = tags
        tags = Tags()
        tags.left = try uvarint()
        return outer
    }

    /// Goes on to the tagged field `number`, if it is there.
    mutating func tag(_ number: UInt32, if differs: Bool) throws(WireError) -> Bool {
        try closeTag()
        while let next = try nextTag() {
            guard next.number <= number else { return false }
            tags.next = nil
            if next.number == number {
                tags.open = next
                return true
            }
            position = next.end
        }
        return false
    }

    /// Skips the tagged fields that nobody asked for.
    @inline(never)
    mutating func endTags(_ outer: Tags) throws(WireError) {
        try closeTag()
        while let next = try nextTag() {
            tags.next = nil
            position = next.end
        }
        tags = outer
    }

    private mutating func nextTag() throws(WireError) -> Tag? {
        if let next = tags.next { return next }
        guard tags.left > 0 else { return nil }
        tags.left -= 1
        let start = position
        let number = try uvarint()
        if let last = tags.last, last >= number { throw WireError(.tagOrder(number), at: start) }
        let size = Int(try uvarint())
        guard size <= left else { throw error(.truncated(needed: size, left: left)) }
        tags.last = number
        tags.next = Tag(number: number, end: position + size)
        return tags.next
    }

    private mutating func closeTag() throws(WireError) {
        guard let tag = tags.open else { return }
        guard position == tag.end else { throw WireError(.tagSize(tag.number), at: tag.end) }
        tags.open = nil
    }

    private mutating func nullableRun() throws(WireError) -> Range<Int>? {
        guard let length = isFlexible ? try compactLength() : try length(Int32.self) else { return nil }
        return try run(length)
    }

    /// The next `length` bytes.
    private mutating func run(_ length: Int) throws(WireError) -> Range<Int> {
        guard length <= left else { throw error(.truncated(needed: length, left: left)) }
        defer { position += length }
        return position..<(position + length)
    }

    /// A length of fixed width; -1 is null.
    private mutating func length<Value: FixedWidthInteger & BitwiseCopyable>(
        _: Value.Type
    ) throws(WireError) -> Int? {
        let start = position
        var value: Value = 0
        try integer(&value)
        guard value >= -1 else { throw WireError(.negative(Int(value)), at: start) }
        return value < 0 ? nil : Int(value)
    }

    /// A length that is one less than what is written; 0 is null.
    private mutating func compactLength() throws(WireError) -> Int? {
        let value = try uvarint()
        return value == 0 ? nil : Int(value - 1)
    }

    private mutating func uvarint() throws(WireError) -> UInt32 {
        let start = position
        var value: UInt64 = 0
        for index in 0..<WireLimits.varintBytes {
            var byte: UInt8 = 0
            try integer(&byte)
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 {
                guard let short = UInt32(exactly: value) else { break }
                return short
            }
        }
        throw WireError(.varint, at: start)
    }

    /// Nil, where null is allowed.
    private func null<Value>(
        _ part: WirePart, _ isAllowed: Bool, at start: Int
    ) throws(WireError) -> Value? {
        guard isAllowed else { throw WireError(.null(part), at: start) }
        return nil
    }

    private func error(_ fault: WireFault) -> WireError { WireError(fault, at: position) }
}
