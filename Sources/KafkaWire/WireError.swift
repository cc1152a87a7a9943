// What can be wrong with a message, and where.

/// Why bytes are not the message that they should be, or a message cannot be written.
///
/// A broker that cannot read a request cannot answer it either: it closes the connection.
package struct WireError: Error, Hashable, Sendable {
    /// What is wrong.
    package var fault: WireFault
    /// The byte where it is, counted from the start of what is read or written.
    package var position: Int

    /// `fault` at byte `position`.
    package init(_ fault: WireFault, at position: Int) {
        self.fault = fault
        self.position = position
    }
}

/// What is wrong with a message.
package enum WireFault: Hashable, Sendable {
    /// The message ends within a field that takes `needed` bytes.
    case truncated(needed: Int, left: Int)
    /// A size, length or count below what its type allows.
    case negative(Int)
    /// A frame, a string or all arrays together are over their limit in `WireLimits`.
    case tooLong(WirePart, count: Int, limit: Int)
    /// Null where the version has no null.
    case null(WirePart)
    /// A string that is not UTF-8.
    case notUTF8
    /// A varint that does not end, or does not fit 32 bits.
    case varint
    /// Tagged fields that do not ascend.
    case tagOrder(UInt32)
    /// A tagged field that does not end where its size says.
    case tagSize(UInt32)
    /// A response goes on behind its end.
    case trailingBytes(Int)
}

/// What has a length.
package enum WirePart: String, Hashable, Sendable {
    /// A request or response with its header.
    case frame
    /// A string.
    case string
    /// A run of bytes.
    case bytes
    /// The elements of an array.
    case array
}

extension WireError: CustomStringConvertible {
    /// What happened and where, in one sentence.
    package var description: String {
        switch fault {
        case .truncated(let needed, let left):
            "the message ends at byte \(position): \(needed) bytes are needed, \(left) are there"
        case .negative(let length): "a length of \(length) at byte \(position)"
        case .tooLong(let part, let count, let limit):
            "the \(part) at byte \(position) has a length of \(count), the limit is \(limit)"
        case .null(let part): "the \(part) at byte \(position) is null, which this version does not allow"
        case .notUTF8: "the string at byte \(position) is not UTF-8"
        case .varint: "the varint at byte \(position) does not fit 32 bits"
        case .tagOrder(let tag): "the tagged field \(tag) at byte \(position) follows a greater one or itself"
        case .tagSize(let tag): "the tagged field \(tag) does not end at byte \(position), as its size says"
        case .trailingBytes(let count): "\(count) bytes follow the message at byte \(position)"
        }
    }
}
