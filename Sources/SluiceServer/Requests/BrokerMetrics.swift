// What the server counts, for swift-metrics.

import KafkaWire
import Metrics

/// The server's counters, under the names that metrics systems see.
struct BrokerMetrics: Sendable {
    private let produced = Counter(label: "sluice_server_produced_records_total")
    private let fetched = Counter(label: "sluice_server_fetched_bytes_total")
    private let refused = Counter(label: "sluice_server_refused_batches_total")
    private let throttled = Counter(label: "sluice_server_throttled_total")
    private let connections = Gauge(label: "sluice_server_connections")
    private let accepted = Counter(label: "sluice_server_accepted_connections_total")
    private let admitted = Counter(
        label: "sluice_server_authentications_total", dimensions: [("result", "admitted")])
    private let turnedAway = Counter(
        label: "sluice_server_authentications_total", dimensions: [("result", "refused")])
    private let requests: [ApiKey: Counter]
    private let closed: [CloseReason: Counter]

    init() {
        requests = Dictionary(
            uniqueKeysWithValues: ApiKey.allCases.map {
                ($0, Counter(label: "sluice_server_requests_total", dimensions: [("api", $0.name)]))
            })
        closed = Dictionary(
            uniqueKeysWithValues: CloseReason.allCases.map {
                ($0, Counter(label: "sluice_server_closed_total", dimensions: [("reason", $0.rawValue)]))
            })
    }

    /// So many records in batches that were found to be good.
    func produce(records: Int) { produced.increment(by: records) }
    /// So many bytes of batches go to a client.
    func fetch(bytes: Int) { fetched.increment(by: bytes) }
    /// A batch was refused for want of room.
    func refuse() { refused.increment() }
    /// A client was told to wait.
    func throttle() { throttled.increment() }
    /// There are so many connections.
    func connected(_ count: Int) { connections.record(count) }
    /// A connection has come.
    func accept() { accepted.increment() }
    /// A client has said who he is, and it was found to be so, or not.
    func authenticate(_ isAdmitted: Bool) { (isAdmitted ? admitted : turnedAway).increment() }
    /// A request is there.
    func request(_ api: ApiKey) { requests[api]?.increment() }
    /// The server has ended a connection.
    func close(_ reason: CloseReason) { closed[reason]?.increment() }
}
