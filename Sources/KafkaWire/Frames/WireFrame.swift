// A frame: i32 size of what follows, a header, and a request or a response. Big-endian, in both directions.
//
// (1) The frames of a connection are answered in their order. (2) What is written has gaps where records
// belong, so that they go from a file or a batch to the socket without passing through here.

/// A frame to be sent: bytes, and what belongs between them.
package struct WireFrame: Hashable, Sendable {
    /// The frame with its size, without the records.
    package var bytes: [UInt8]
    /// Where records belong, in the order of the message.
    package var gaps: [Gap]

    /// A place where records belong.
    package struct Gap: Hashable, Sendable {
        /// Where in `bytes`: the records go in front of this byte.
        package var position: Int
        /// What the message has there; as many bytes have to be sent.
        package var records: Range<Int>
    }

    /// The bytes of the size.
    package static let sizeBytes = 4

    /// Writes a frame.
    init(_ code: (inout WireWriter) throws(WireError) -> Void) throws(WireError) {
        var writer = WireWriter()
        // The size, when it is known.
        var size: Int32 = 0
        try writer.int32(&size)
        try code(&writer)
        bytes = writer.output
        gaps = writer.gaps
        let count = gaps.reduce(bytes.count - Self.sizeBytes) { $0 + $1.records.count }
        guard count <= Int(Int32.max) else {
            throw WireError(.tooLong(.frame, count: count, limit: Int(Int32.max)), at: 0)
        }
        for place in 0..<Self.sizeBytes {
            bytes[place] = UInt8(truncatingIfNeeded: count >> (24 - 8 * place))
        }
    }

    /// How many bytes follow the size that `bytes` begin with; nil while it is not all there.
    ///
    /// A size that is negative, or over `limit`, throws: what follows it cannot be found, the connection is
    /// lost.
    package static func size(
        _ bytes: RawSpan, limit: Int = WireLimits.frameBytes
    ) throws(WireError) -> Int? {
        guard bytes.byteCount >= sizeBytes else { return nil }
        var reader = WireReader(bytes)
        var size: Int32 = 0
        try reader.int32(&size)
        guard size >= 0 else { throw WireError(.negative(Int(size)), at: 0) }
        guard size <= limit else { throw WireError(.tooLong(.frame, count: Int(size), limit: limit), at: 0) }
        return Int(size)
    }

    /// All bytes of the frame, with the records that lie in `source` where the message says.
    package func joined(with source: [UInt8]) -> [UInt8] {
        var all: [UInt8] = []
        var position = 0
        for gap in gaps {
            all += bytes[position..<gap.position] + source[gap.records]
            position = gap.position
        }
        return all + bytes[position...]
    }
}
