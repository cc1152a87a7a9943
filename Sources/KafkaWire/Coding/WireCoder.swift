// A layout is written once: a function that hands each field, in the order of the wire, to a coder, which
// reads it or writes it.
//
//   integer    1, 2, 4 or 8 bytes, big-endian; a bool is one byte, a UUID two of eight
//   string     i16 length, UTF-8; null is -1           flexible: uvarint length + 1, UTF-8; null is 0
//   bytes      i32 length, bytes                       flexible: uvarint length + 1, bytes
//   records    as bytes; null is -1, or 0
//   array      i32 count, elements; null is -1         flexible: uvarint count + 1, elements; null is 0
//   struct     its fields                              flexible: its fields, then its tagged fields
//   tagged     uvarint count, then for each by ascending number: uvarint number, uvarint size, the value
//
// (1) Reading and writing cannot disagree: both are the same lines. (2) A version without a field does not
// touch it: read, it keeps its default; written, it is left out. (3) Writing does not change what it is
// given: a coder that writes is handed a copy. (4) Coders do not let strings, arrays and tagged fields be
// inlined into the layouts that have them: the module would take half as long again to compile (2026-11).

/// A coder, as layouts take it: `func fields(_ coder: inout some Coder)`.
package typealias Coder = WireCoder & ~Copyable & ~Escapable

/// Reads the fields of a message, or writes them.
package protocol WireCoder: ~Copyable, ~Escapable {
    /// What is remembered of a struct's tagged fields while those of a struct within it are coded.
    associatedtype Tags

    /// The version of the message.
    var version: Int16 { get }
    /// Whether the version has compact lengths and tagged fields.
    var isFlexible: Bool { get }

    /// From here on, fields are in the layout of `version` of `api`.
    mutating func begin(_ api: ApiKey, _ version: Int16)

    /// An integer.
    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ value: inout Value) throws(WireError)
    /// A string. Where null is not allowed, nil is written as an empty one.
    mutating func string(_ value: inout String?, isNullable: Bool) throws(WireError)
    /// A run of bytes.
    mutating func bytes(_ value: inout [UInt8]) throws(WireError)
    /// A run of record batches: where it is in what is read, or what is to be put into the place that is left
    /// free in what is written. The codec never copies records.
    mutating func records(_ value: inout Range<Int>?) throws(WireError)
    /// An array. Where null is not allowed, nil is written as an empty one.
    mutating func array<Value: WireValue>(_ value: inout [Value]?, isNullable: Bool) throws(WireError)

    /// Begins the tagged fields of a flexible struct; returns those of the struct around it.
    mutating func beginTags() throws(WireError) -> Tags
    /// Whether the tagged field `number` is to be coded now. Numbers ascend; a writer takes a field when it
    /// `differs` from its default.
    mutating func tag(_ number: UInt32, if differs: Bool) throws(WireError) -> Bool
    /// Ends the tagged fields of a struct, and goes on with those of the struct around it.
    mutating func endTags(_ outer: Tags) throws(WireError)
}

/// What an array is made of.
package protocol WireValue: Hashable, Sendable {
    /// The value that reading begins with.
    init()
    /// Reads or writes it.
    mutating func code(_ coder: inout some Coder) throws(WireError)
}

/// A part of a message that has a layout.
package protocol WireStruct: WireValue {
    /// The fields, in the order of the wire.
    mutating func fields(_ coder: inout some Coder) throws(WireError)
    /// The tagged fields that are known, by ascending number; those that are not are skipped.
    mutating func tags(_ coder: inout some Coder) throws(WireError)
}

extension WireStruct {
    /// No tagged fields.
    package mutating func tags(_ coder: inout some Coder) throws(WireError) {}

    /// The fields, and in flexible versions the tagged ones.
    package mutating func code(_ coder: inout some Coder) throws(WireError) {
        try fields(&coder)
        guard coder.isFlexible else { return }
        let outer = try coder.beginTags()
        try tags(&coder)
        try coder.endTags(outer)
    }

    /// A value whose fields are set by `set`, and else have their defaults.
    package static func with(_ set: (inout Self) -> Void) -> Self {
        var value = Self()
        set(&value)
        return value
    }
}

/// `value` as it has been read, or written.
func coded<Value: WireValue>(_ value: Value, _ coder: inout some Coder) throws(WireError) -> Value {
    var value = value
    try value.code(&coder)
    return value
}

extension Int8: WireValue {
    /// One byte.
    package mutating func code(_ coder: inout some Coder) throws(WireError) { try coder.int8(&self) }
}

extension Int32: WireValue {
    /// Four bytes.
    package mutating func code(_ coder: inout some Coder) throws(WireError) { try coder.int32(&self) }
}

extension String: WireValue {
    /// A string that may not be null.
    package mutating func code(_ coder: inout some Coder) throws(WireError) { try coder.string(&self) }
}

extension WireCoder where Self: ~Copyable, Self: ~Escapable {
    /// An integer of one byte.
    package mutating func int8(_ value: inout Int8) throws(WireError) { try integer(&value) }
    /// An integer of two bytes.
    package mutating func int16(_ value: inout Int16) throws(WireError) { try integer(&value) }
    /// An integer of four bytes.
    package mutating func int32(_ value: inout Int32) throws(WireError) { try integer(&value) }
    /// An integer of eight bytes.
    package mutating func int64(_ value: inout Int64) throws(WireError) { try integer(&value) }

    /// One byte; any but 0 is true.
    package mutating func bool(_ value: inout Bool) throws(WireError) {
        var byte: UInt8 = value ? 1 : 0
        try integer(&byte)
        value = byte != 0
    }

    /// Two bytes. A code that Kafka did not have yet counts as an unknown error.
    package mutating func error(_ value: inout ErrorCode) throws(WireError) {
        var code = value.rawValue
        try integer(&code)
        value = ErrorCode(rawValue: code) ?? .unknownServerError
    }

    /// Sixteen bytes.
    package mutating func uuid(_ value: inout WireUUID) throws(WireError) {
        try integer(&value.high)
        try integer(&value.low)
    }

    /// The tagged fields of what has none that are known.
    package mutating func noTags() throws(WireError) {
        guard isFlexible else { return }
        let outer = try beginTags()
        try endTags(outer)
    }

    /// A string that may not be null.
    package mutating func string(_ value: inout String) throws(WireError) {
        var some: String? = value
        try string(&some, isNullable: false)
        value = some ?? ""
    }

    /// A string that may be null, from version `first` on.
    package mutating func nullableString(_ value: inout String?, since first: Int16 = 0) throws(WireError) {
        try string(&value, isNullable: version >= first)
    }

    /// An array that may not be null.
    package mutating func array<Value: WireValue>(_ value: inout [Value]) throws(WireError) {
        var some: [Value]? = value
        try array(&some, isNullable: false)
        value = some ?? []
    }

    /// An array that may be null, from version `first` on.
    package mutating func nullableArray<Value: WireValue>(
        _ value: inout [Value]?, since first: Int16 = 0
    ) throws(WireError) {
        try array(&value, isNullable: version >= first)
    }
}
