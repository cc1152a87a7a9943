// The requests that are served, and in which versions.
//
// (1) What is not here is neither advertised nor read. (2) The ranges are what clients' negotiation needs,
// not only what is useful: librdkafka up to 2.11.0 looks for Produce 0, JoinGroup 0, FindCoordinator 0,
// InitProducerId 0 and ListOffsets 1, and turns compression, groups or idempotence off without them. (3)
// Raising a maximum is safe; lowering one is too; raising a minimum locks clients out.

/// A request of the Kafka protocol, by its number on the wire.
package enum ApiKey: Int16, CaseIterable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case describeGroups = 15
    case listGroups = 16
    case saslHandshake = 17
    case apiVersions = 18
    case createTopics = 19
    case deleteTopics = 20
    case deleteRecords = 21
    case initProducerId = 22
    case offsetForLeaderEpoch = 23
    case describeConfigs = 32
    case alterConfigs = 33
    case describeLogDirs = 35
    case saslAuthenticate = 36
    case createPartitions = 37
    case deleteGroups = 42
    case incrementalAlterConfigs = 44
    case offsetDelete = 47
    case describeCluster = 60

    /// The versions to advertise; all of them can be read and written.
    package var versions: ClosedRange<Int16> { row.versions }

    /// The versions to answer; the others that are advertised are refused with error 35, in their own layout.
    ///
    /// Those are Produce 0 to 2, whose records have an older format: advertised, since clients take a missing
    /// 0 for a broker of before compression, and sent by none of them.
    package var servedVersions: ClosedRange<Int16> { self == .produce ? 3...versions.upperBound : versions }

    /// Whether `version` has compact lengths and tagged fields.
    package func isFlexible(_ version: Int16) -> Bool { row.flexible.map { version >= $0 } ?? false }

    /// The name, as Kafka writes it.
    package var name: String {
        let word = String(describing: self)
        return word.prefix(1).uppercased() + word.dropFirst()
    }

    /// The versions, and the first one that is flexible; nil when none ever was.
    private var row: (versions: ClosedRange<Int16>, flexible: Int16?) {
        switch self {
        case .produce: (0...12, 9)
        case .fetch: (4...17, 12)
        case .listOffsets: (1...10, 6)
        case .metadata: (0...13, 9)
        case .offsetCommit: (2...9, 8)
        case .offsetFetch: (1...9, 6)
        case .findCoordinator: (0...6, 3)
        case .joinGroup: (0...9, 6)
        case .heartbeat: (0...4, 4)
        case .leaveGroup: (0...5, 4)
        case .syncGroup: (0...5, 4)
        case .describeGroups: (0...6, 5)
        case .listGroups: (0...5, 3)
        case .saslHandshake: (0...1, nil)
        case .apiVersions: (0...4, 3)
        case .createTopics: (2...7, 5)
        case .deleteTopics: (1...6, 4)
        case .deleteRecords: (0...2, 2)
        case .initProducerId: (0...5, 2)
        case .offsetForLeaderEpoch: (2...4, 4)
        case .describeConfigs: (1...4, 4)
        case .alterConfigs: (0...2, 2)
        case .describeLogDirs: (0...4, 2)
        case .saslAuthenticate: (0...2, 2)
        case .createPartitions: (0...3, 2)
        case .deleteGroups: (0...2, 2)
        case .incrementalAlterConfigs: (0...1, 1)
        case .offsetDelete: (0...0, nil)
        case .describeCluster: (0...2, 0)
        }
    }
}
