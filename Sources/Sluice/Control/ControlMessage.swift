// How a live store is spoken to: messages over a stream socket.
//
//   message   length u32, big-endian, of what follows: 1 to 1 MiB · JSON, one object, UTF-8
//   request   {"version":1,"request":"ping", …}
//   answer    {"version":1,"result":…}  or  {"version":1,"error":{"code":"unknownTopic","message":"…"}}
//
// (1) One request at a time on a connection; answers come in order. (2) A length out of range ends the
// connection after an answer that says so; anything else that is wrong is answered, and the connection goes
// on. (3) A version that is not known is refused with `unsupported`; members that are not known are passed
// over.

package import SluiceCore
import SluiceLog

package enum ControlMessage {
    package static let version: Int64 = 1
    /// Bytes of JSON in one message: what a connection may take of memory.
    package static let maxBytes = 1 << 20
    package static let headerBytes = 4

    /// A message of its length and the JSON.
    package static func encode(_ value: JSONValue) -> [UInt8] {
        let json = value.encoded
        var writer = BinaryWriter()
        writer.put(UInt32(json.count))
        return writer.bytes + json
    }

    package static func result(_ value: JSONValue) -> JSONValue {
        ["version": .integer(version), "result": value]
    }

    package static func failure(_ code: String, _ message: String) -> JSONValue {
        ["version": .integer(version), "error": ["code": .string(code), "message": .string(message)]]
    }
}

/// Bytes as they come, cut into messages.
package struct ControlInput {
    private var bytes: [UInt8] = []

    package init() {}

    package mutating func append(_ more: some Sequence<UInt8>) { bytes += more }

    package enum Next: Equatable {
        case message([UInt8])
        case incomplete
        /// The stream cannot be understood any more.
        case broken(length: Int)
    }

    /// The next message, taken out.
    package mutating func next() -> Next {
        var reader = BinaryReader(bytes[...])
        guard let length = (try? reader.integer(UInt32.self)).map(Int.init) else { return .incomplete }
        guard (1...ControlMessage.maxBytes).contains(length) else { return .broken(length: length) }
        let end = ControlMessage.headerBytes + length
        guard bytes.count >= end else { return .incomplete }
        defer { bytes.removeFirst(end) }
        return .message(Array(bytes[ControlMessage.headerBytes..<end]))
    }
}
