// The identity of a topic or a directory on the wire: 16 bytes, big-endian.

/// 128 bits that name a topic or a log directory.
package struct WireUUID: Hashable, Sendable {
    /// The first eight bytes.
    package var high: UInt64
    /// The last eight bytes.
    package var low: UInt64

    /// The identity with these bits.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All bits clear: no identity.
    package static let zero = WireUUID(high: 0, low: 0)
}
