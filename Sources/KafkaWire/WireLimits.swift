// Every maximum of the codec, with its reason. Reaching one is a `WireError` that names it.
//
// How deep arrays and structs go is not here: the layouts fix it, no message contains itself.

/// The bounds of what the codec reads and writes.
package enum WireLimits {
    /// Kafka: socket.request.max.bytes. Bytes of a frame behind its size; a greater size is no frame.
    package static let frameBytes = 100 << 20
    /// Bytes of a string: what the 16-bit length of older versions can say, in newer ones too, as in Kafka.
    package static let stringBytes = Int(Int16.max)
    /// Elements of all arrays of a message together: twice the partitions of the largest topic. In memory an
    /// element takes up to some hundred bytes where one on the wire may be enough: a small frame must not
    /// become a large message.
    package static let elements = 1 << 18
    /// Elements that an array reserves room for before one of them is read.
    package static let reservedElements = 1 << 10
    /// Bytes of a varint: 32 bits, seven a byte.
    package static let varintBytes = 5
}
