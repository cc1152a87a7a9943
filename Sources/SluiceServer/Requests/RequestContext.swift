// What a request comes with, and what it gets.

import KafkaWire
import SluiceLog

/// A request with its surroundings.
struct RequestContext: Sendable {
    /// The request's header.
    var header: RequestHeader
    /// Where clients find this broker: what was configured, or the address that this connection came to.
    var endpoint: Endpoint
    /// Where the client is, as Kafka writes it: "/address".
    var clientHost: String

    /// The version of the layout.
    var version: Int16 { header.apiVersion }
    /// What the client calls itself.
    var clientID: String { header.clientID ?? "" }
}

/// A place to connect to.
struct Endpoint: Hashable, Sendable {
    var host: String
    var port: Int
}

/// What a request gets.
enum Answer: Sendable {
    /// A response, and the records that belong into it, in their order; the client is to wait for so long.
    /// `written` is called when it has been written, or never will be.
    case response(
        KafkaResponse, records: [ByteSlice] = [], throttleNanoseconds: Int64 = 0,
        written: (@Sendable () -> Void)? = nil)
    /// The client waits for nothing; it may have to be kept waiting all the same.
    case nothing(throttleNanoseconds: Int64 = 0)
    /// A response behind which the connection ends.
    case refusal(KafkaResponse)
    /// Bytes behind their size, without a header: SASL as in Kafka 0.10.
    case token([UInt8])
    /// There is nothing to say: the connection ends.
    case close
}

/// An answer that may have to wait for others, to a request that has been begun.
enum HeldAnswer: Sendable {
    case now(Answer)
    case later(@Sendable () async -> Answer)
}

extension Int64 {
    /// Nanoseconds as milliseconds of a response, rounded up.
    var throttleMilliseconds: Int32 { Int32(clamping: (self + 999_999) / 1_000_000) }
}
