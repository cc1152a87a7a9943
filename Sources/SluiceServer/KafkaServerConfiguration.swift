// How a server behaves, as its program says.

#if Server
public import Logging
import Sluice

/// How a `KafkaServer` behaves.
public struct KafkaServerConfiguration: Sendable {
    /// The address to listen at: this machine alone, unless told otherwise.
    public var host = "127.0.0.1"
    /// The port to listen at; 0: one that is free, see `KafkaServer.address`.
    public var port = 9092
    /// Where clients are told to find the server; nil: where each has come to. Kafka: advertised.listeners.
    public var advertised: KafkaServer.Address?
    /// What the server shows to be believed; nil: connections are not encrypted.
    /// Kafka: ssl.keystore.certificate.chain and ssl.keystore.key.
    public var tls: KafkaServerTLS?
    /// How often the files of `tls` are read again.
    var tlsRenewal = Duration.seconds(60)
    /// Whether clients must say who they are: SCRAM-SHA-256 and SCRAM-SHA-512, and PLAIN with `tls`, for the
    /// users that `Admin.createUser` has made. Kafka: sasl.enabled.mechanisms.
    public var sasl = false
    /// How long a connection may take until it is encrypted.
    public var handshakeTimeout = Duration.seconds(10)
    /// Whether a topic that a client asks for is made. Kafka: auto.create.topics.enable.
    public var autoCreateTopics = false
    /// Partitions of topics that are made without saying how many. Kafka: num.partitions.
    public var partitions = 1
    /// Connections at once.
    public var maxConnections = 4096
    /// Requests of a connection that may be under way; beyond it nothing is read.
    public var requestsInFlight = 64
    /// Bytes of one request. Kafka: socket.request.max.bytes.
    public var maxRequestBytes = 100 << 20
    /// Bytes of all requests that have arrived, or are about to, and are not answered.
    /// Kafka: queued.max.request.bytes.
    public var requestMemoryBytes = 256 << 20
    /// Bytes of all fetched records that have not been sent.
    public var responseMemoryBytes = 256 << 20
    /// Bytes of records in one response. Kafka: fetch.max.bytes of a broker.
    public var maxFetchBytes = 16 << 20
    /// After what silence a connection is closed. Kafka: connections.max.idle.ms.
    public var idleTimeout = Duration.seconds(600)
    /// How long a request, or a MiB of it, may take to arrive, and an answer to be taken; and how long a
    /// client may take to authenticate.
    public var stallTimeout = Duration.seconds(30)
    /// What clients may send and take that are not in `quotas`.
    public var defaultQuota = ClientQuota()
    /// What clients may send and take, by client id.
    public var quotas: [String: ClientQuota] = [:]
    /// Threads that move bytes.
    public var eventLoops = 2
    /// How long after a refusal was written batches come whose client does not know of it.
    var refusalGrace = Duration.milliseconds(50)
    /// Where the server reports what it does.
    public var logger = Logger(label: "sluice.server")

    /// The defaults, changed by `change`.
    public init(_ change: (inout Self) -> Void = { _ in }) { change(&self) }

    var broker: BrokerSettings {
        var settings = BrokerSettings()
        settings.autoCreateTopics = autoCreateTopics
        settings.partitions = max(partitions, 1)
        settings.responseMemoryBytes = responseMemoryBytes
        settings.fetchBytes = max(maxFetchBytes, 1)
        settings.refusalGraceNanoseconds = refusalGrace.nanoseconds
        settings.quota = defaultQuota
        settings.quotas = quotas
        return settings
    }

    var connection: ConnectionSettings {
        var settings = ConnectionSettings()
        settings.limits.requestsInFlight = max(requestsInFlight, 1)
        settings.limits.idleNanoseconds = idleTimeout.nanoseconds
        settings.limits.stalledNanoseconds = stallTimeout.nanoseconds
        settings.admissionNanoseconds = stallTimeout.nanoseconds
        settings.frameBytes = maxRequestBytes
        settings.advertised = advertised.map { Endpoint(host: $0.host, port: $0.port) }
        return settings
    }
}

extension Duration {
    /// Saturated.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflows ? .max : product.addingSaturated(attoseconds / 1_000_000_000)
    }
}
#endif
