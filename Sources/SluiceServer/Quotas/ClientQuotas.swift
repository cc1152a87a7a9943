// How many bytes a second clients may send and take, by the name that they give themselves.
//
// (1) A client over its quota is told to wait until it is within again, and its connection is not read from
// for so long; nothing is refused. (2) A bucket holds a second of the rate, so that a burst passes. (3) The
// connections of one name share its bucket. (4) Time is a parameter.

/// What clients may do. Kafka: producer_byte_rate and consumer_byte_rate of a client id.
public struct ClientQuota: Sendable, Hashable {
    /// Bytes per second that all producers of the name may send; nil: as many as they like.
    /// Kafka: producer_byte_rate.
    public var producerBytesPerSecond: Int64?
    /// Bytes per second that all its consumers may take; nil: as many as they like.
    /// Kafka: consumer_byte_rate.
    public var consumerBytesPerSecond: Int64?

    /// A quota; without arguments none.
    public init(producerBytesPerSecond: Int64? = nil, consumerBytesPerSecond: Int64? = nil) {
        self.producerBytesPerSecond = producerBytesPerSecond
        self.consumerBytesPerSecond = consumerBytesPerSecond
    }
}

/// The buckets of all clients.
struct ClientQuotas: Sendable {
    /// Which way bytes go.
    enum Direction: Sendable, Hashable { case produced, consumed }

    private struct Key: Hashable { var client: String; var direction: Direction }

    private struct Bucket {
        var bytes: Double
        var filledAt: Int64
    }

    private let standard: ClientQuota
    private let named: [String: ClientQuota]
    private var buckets: [Key: Bucket] = [:]

    /// Names that are remembered; beyond it those that are within their quota are forgotten.
    static let rememberedClients = 10_000
    /// What a client is kept from at once.
    static let greatestThrottleNanoseconds: Int64 = 1_000_000_000

    /// - Parameters:
    ///   - standard: of a client that is not named.
    ///   - named: by client id.
    init(standard: ClientQuota, named: [String: ClientQuota]) {
        self.standard = standard
        self.named = named
    }

    /// Names that are remembered now.
    var clientCount: Int { buckets.count }

    /// Whether anybody has one.
    var isEmpty: Bool { standard == ClientQuota() && named.values.allSatisfy { $0 == ClientQuota() } }

    /// So many bytes have gone: how long the client is to wait, nanoseconds.
    mutating func charge(_ bytes: Int, client: String, _ direction: Direction, now: Int64) -> Int64 {
        let quota = named[client] ?? standard
        let rate = direction == .produced ? quota.producerBytesPerSecond : quota.consumerBytesPerSecond
        guard let rate else { return 0 }
        let perSecond = Double(max(rate, 1))
        let key = Key(client: client, direction: direction)
        if buckets[key] == nil, buckets.count >= Self.rememberedClients { forget(now) }
        var bucket = buckets[key] ?? Bucket(bytes: perSecond, filledAt: now)
        let seconds = Double(max(0, now - bucket.filledAt)) / 1e9
        bucket.bytes = min(bucket.bytes + seconds * perSecond, perSecond) - Double(bytes)
        bucket.filledAt = max(bucket.filledAt, now)
        buckets[key] = bucket
        guard bucket.bytes < 0 else { return 0 }
        return Int64(min(-bucket.bytes / perSecond, Double(Self.greatestThrottleNanoseconds) / 1e9) * 1e9)
    }

    /// Drops those who were silent: a debt is forgotten in a minute, and all of them when that is not enough.
    private mutating func forget(_ now: Int64) {
        buckets = buckets.filter { _, bucket in
            now - bucket.filledAt < (bucket.bytes < 0 ? 60_000_000_000 : 1_000_000_000)
        }
        if buckets.count >= Self.rememberedClients { buckets = [:] }
    }
}
