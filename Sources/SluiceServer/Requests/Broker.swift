// A broker: what it makes of each request. No connection, no NIO; one for all connections.
//
// (1) A request that changes or asks something is answered when that is done. (2) Nothing here waits in a
// thread: what reads the disk goes to the store's readers. (3) One node: it leads all partitions, coordinates
// every group, and is the controller.

import KafkaWire
import Logging
import Sluice
import SluiceCore
import SluiceLog

/// What requests are answered from.
final class Broker: Sendable {
    let served: ServedStore
    let settings: BrokerSettings
    let logger: Logger
    let delayedFetches: DelayedFetches
    let responses: SharedBudget
    let metrics = BrokerMetrics()
    private let quotas: Locked<ClientQuotas>
    private let hasQuotas: Bool

    init(_ served: ServedStore, _ settings: BrokerSettings, logger: Logger) {
        self.served = served
        self.settings = settings
        self.logger = logger
        delayedFetches = DelayedFetches(served)
        responses = SharedBudget(limit: settings.responseMemoryBytes)
        let quotas = ClientQuotas(standard: settings.quota, named: settings.quotas)
        hasQuotas = !quotas.isEmpty
        self.quotas = Locked(quotas)
    }

    /// The id of the one node there is.
    static let nodeID: Int32 = 1

    /// What the cluster is called: the store's identity, as Kafka writes such.
    var clusterID: String { served.id.description }

    /// How long the client is to wait after so many bytes, nanoseconds.
    func charge(_ bytes: Int, _ client: String, _ direction: ClientQuotas.Direction) -> Int64 {
        guard hasQuotas else { return 0 }
        return quotas.withLock { $0.charge(bytes, client: client, direction, now: Instant.monotonicNow) }
    }

    /// Answers a request other than Produce, Fetch, JoinGroup and SyncGroup, which take time: see there.
    nonisolated(nonsending) func answer(_ request: KafkaRequest, _ context: RequestContext) async -> Answer {
        switch request {
        case .apiVersions(let request): .response(.apiVersions(apiVersions(request, context)))
        case .metadata(let request): .response(.metadata(await metadata(request, context)))
        case .listOffsets(let request): .response(.listOffsets(await listOffsets(request, context)))
        case .offsetForLeaderEpoch(let request):
            .response(.offsetForLeaderEpoch(await offsetForLeaderEpoch(request)))
        case .findCoordinator(let request): .response(.findCoordinator(findCoordinator(request, context)))
        case .heartbeat(let request): .response(.heartbeat(await heartbeat(request)))
        case .leaveGroup(let request): .response(.leaveGroup(await leaveGroup(request, context)))
        case .offsetCommit(let request): .response(.offsetCommit(await offsetCommit(request)))
        case .offsetFetch(let request): .response(.offsetFetch(await offsetFetch(request, context)))
        case .offsetDelete(let request): .response(.offsetDelete(await offsetDelete(request)))
        case .describeGroups(let request): .response(.describeGroups(await describeGroups(request, context)))
        case .listGroups(let request): .response(.listGroups(await listGroups(request)))
        case .deleteGroups(let request): .response(.deleteGroups(await deleteGroups(request)))
        case .createTopics(let request): .response(.createTopics(await createTopics(request)))
        case .deleteTopics(let request): .response(.deleteTopics(await deleteTopics(request, context)))
        case .createPartitions(let request): .response(.createPartitions(await createPartitions(request)))
        case .deleteRecords(let request): .response(.deleteRecords(await deleteRecords(request)))
        case .describeConfigs(let request): .response(.describeConfigs(describeConfigs(request)))
        case .alterConfigs(let request): .response(.alterConfigs(await alterConfigs(request)))
        case .incrementalAlterConfigs(let request):
            .response(.incrementalAlterConfigs(await incrementalAlterConfigs(request)))
        case .describeCluster(let request): .response(.describeCluster(describeCluster(request, context)))
        case .describeLogDirs(let request): .response(.describeLogDirs(describeLogDirs(request)))
        // Where clients authenticate, those requests come before this: see Admission.
        case .saslHandshake: .response(.saslHandshake(.with { $0.errorCode = .illegalSaslState }))
        case .saslAuthenticate: .response(.saslAuthenticate(.with { $0.errorCode = .illegalSaslState }))
        case .produce, .fetch, .joinGroup, .syncGroup: .close
        case .initProducerId(let request): .response(.initProducerId(await initProducerId(request)))
        }
    }
}

/// How a broker behaves.
struct BrokerSettings: Sendable {
    /// Whether a topic that a client writes to is made. Kafka: auto.create.topics.enable.
    var autoCreateTopics = false
    /// Of topics that are made without saying how many. Kafka: num.partitions.
    var partitions = 1
    /// Bytes of fetched records that wait to be sent, of all connections together.
    var responseMemoryBytes = 256 << 20
    /// Bytes of records in one response, at most; Kafka: fetch.max.bytes of a broker.
    var fetchBytes = 16 << 20
    /// What a client sends behind a refusal arrives within so long of the refusal's answer.
    var refusalGraceNanoseconds: Int64 = 50_000_000
    /// Of a client that is not named.
    var quota = ClientQuota()
    /// By client id.
    var quotas: [String: ClientQuota] = [:]
}
