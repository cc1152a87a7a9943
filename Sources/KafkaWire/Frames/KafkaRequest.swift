// A request, whichever it is.

/// What a client asks for.
package enum KafkaRequest: Hashable, Sendable {
    case produce(ProduceRequest)
    case fetch(FetchRequest)
    case listOffsets(ListOffsetsRequest)
    case metadata(MetadataRequest)
    case offsetCommit(OffsetCommitRequest)
    case offsetFetch(OffsetFetchRequest)
    case findCoordinator(FindCoordinatorRequest)
    case joinGroup(JoinGroupRequest)
    case heartbeat(HeartbeatRequest)
    case leaveGroup(LeaveGroupRequest)
    case syncGroup(SyncGroupRequest)
    case describeGroups(DescribeGroupsRequest)
    case listGroups(ListGroupsRequest)
    case saslHandshake(SaslHandshakeRequest)
    case apiVersions(ApiVersionsRequest)
    case createTopics(CreateTopicsRequest)
    case deleteTopics(DeleteTopicsRequest)
    case deleteRecords(DeleteRecordsRequest)
    case initProducerId(InitProducerIdRequest)
    case offsetForLeaderEpoch(OffsetForLeaderEpochRequest)
    case describeConfigs(DescribeConfigsRequest)
    case alterConfigs(AlterConfigsRequest)
    case describeLogDirs(DescribeLogDirsRequest)
    case saslAuthenticate(SaslAuthenticateRequest)
    case createPartitions(CreatePartitionsRequest)
    case deleteGroups(DeleteGroupsRequest)
    case incrementalAlterConfigs(IncrementalAlterConfigsRequest)
    case offsetDelete(OffsetDeleteRequest)
    case describeCluster(DescribeClusterRequest)

    /// The request `api`, with every field at its default.
    package init(_ api: ApiKey) {
        switch api {
        case .produce: self = .produce(ProduceRequest())
        case .fetch: self = .fetch(FetchRequest())
        case .listOffsets: self = .listOffsets(ListOffsetsRequest())
        case .metadata: self = .metadata(MetadataRequest())
        case .offsetCommit: self = .offsetCommit(OffsetCommitRequest())
        case .offsetFetch: self = .offsetFetch(OffsetFetchRequest())
        case .findCoordinator: self = .findCoordinator(FindCoordinatorRequest())
        case .joinGroup: self = .joinGroup(JoinGroupRequest())
        case .heartbeat: self = .heartbeat(HeartbeatRequest())
        case .leaveGroup: self = .leaveGroup(LeaveGroupRequest())
        case .syncGroup: self = .syncGroup(SyncGroupRequest())
        case .describeGroups: self = .describeGroups(DescribeGroupsRequest())
        case .listGroups: self = .listGroups(ListGroupsRequest())
        case .saslHandshake: self = .saslHandshake(SaslHandshakeRequest())
        case .apiVersions: self = .apiVersions(ApiVersionsRequest())
        case .createTopics: self = .createTopics(CreateTopicsRequest())
        case .deleteTopics: self = .deleteTopics(DeleteTopicsRequest())
        case .deleteRecords: self = .deleteRecords(DeleteRecordsRequest())
        case .initProducerId: self = .initProducerId(InitProducerIdRequest())
        case .offsetForLeaderEpoch: self = .offsetForLeaderEpoch(OffsetForLeaderEpochRequest())
        case .describeConfigs: self = .describeConfigs(DescribeConfigsRequest())
        case .alterConfigs: self = .alterConfigs(AlterConfigsRequest())
        case .describeLogDirs: self = .describeLogDirs(DescribeLogDirsRequest())
        case .saslAuthenticate: self = .saslAuthenticate(SaslAuthenticateRequest())
        case .createPartitions: self = .createPartitions(CreatePartitionsRequest())
        case .deleteGroups: self = .deleteGroups(DeleteGroupsRequest())
        case .incrementalAlterConfigs: self = .incrementalAlterConfigs(IncrementalAlterConfigsRequest())
        case .offsetDelete: self = .offsetDelete(OffsetDeleteRequest())
        case .describeCluster: self = .describeCluster(DescribeClusterRequest())
        }
    }

    /// Which request it is.
    package var api: ApiKey {
        switch self {
        case .produce: .produce
        case .fetch: .fetch
        case .listOffsets: .listOffsets
        case .metadata: .metadata
        case .offsetCommit: .offsetCommit
        case .offsetFetch: .offsetFetch
        case .findCoordinator: .findCoordinator
        case .joinGroup: .joinGroup
        case .heartbeat: .heartbeat
        case .leaveGroup: .leaveGroup
        case .syncGroup: .syncGroup
        case .describeGroups: .describeGroups
        case .listGroups: .listGroups
        case .saslHandshake: .saslHandshake
        case .apiVersions: .apiVersions
        case .createTopics: .createTopics
        case .deleteTopics: .deleteTopics
        case .deleteRecords: .deleteRecords
        case .initProducerId: .initProducerId
        case .offsetForLeaderEpoch: .offsetForLeaderEpoch
        case .describeConfigs: .describeConfigs
        case .alterConfigs: .alterConfigs
        case .describeLogDirs: .describeLogDirs
        case .saslAuthenticate: .saslAuthenticate
        case .createPartitions: .createPartitions
        case .deleteGroups: .deleteGroups
        case .incrementalAlterConfigs: .incrementalAlterConfigs
        case .offsetDelete: .offsetDelete
        case .describeCluster: .describeCluster
        }
    }

    /// Reads or writes it, without a header.
    package mutating func code(_ coder: inout some Coder) throws(WireError) {
        switch self {
        case .produce(let message): self = .produce(try coded(message, &coder))
        case .fetch(let message): self = .fetch(try coded(message, &coder))
        case .listOffsets(let message): self = .listOffsets(try coded(message, &coder))
        case .metadata(let message): self = .metadata(try coded(message, &coder))
        case .offsetCommit(let message): self = .offsetCommit(try coded(message, &coder))
        case .offsetFetch(let message): self = .offsetFetch(try coded(message, &coder))
        case .findCoordinator(let message): self = .findCoordinator(try coded(message, &coder))
        case .joinGroup(let message): self = .joinGroup(try coded(message, &coder))
        case .heartbeat(let message): self = .heartbeat(try coded(message, &coder))
        case .leaveGroup(let message): self = .leaveGroup(try coded(message, &coder))
        case .syncGroup(let message): self = .syncGroup(try coded(message, &coder))
        case .describeGroups(let message): self = .describeGroups(try coded(message, &coder))
        case .listGroups(let message): self = .listGroups(try coded(message, &coder))
        case .saslHandshake(let message): self = .saslHandshake(try coded(message, &coder))
        case .apiVersions(let message): self = .apiVersions(try coded(message, &coder))
        case .createTopics(let message): self = .createTopics(try coded(message, &coder))
        case .deleteTopics(let message): self = .deleteTopics(try coded(message, &coder))
        case .deleteRecords(let message): self = .deleteRecords(try coded(message, &coder))
        case .initProducerId(let message): self = .initProducerId(try coded(message, &coder))
        case .offsetForLeaderEpoch(let message): self = .offsetForLeaderEpoch(try coded(message, &coder))
        case .describeConfigs(let message): self = .describeConfigs(try coded(message, &coder))
        case .alterConfigs(let message): self = .alterConfigs(try coded(message, &coder))
        case .describeLogDirs(let message): self = .describeLogDirs(try coded(message, &coder))
        case .saslAuthenticate(let message): self = .saslAuthenticate(try coded(message, &coder))
        case .createPartitions(let message): self = .createPartitions(try coded(message, &coder))
        case .deleteGroups(let message): self = .deleteGroups(try coded(message, &coder))
        case .incrementalAlterConfigs(let message):
            self = .incrementalAlterConfigs(try coded(message, &coder))
        case .offsetDelete(let message): self = .offsetDelete(try coded(message, &coder))
        case .describeCluster(let message): self = .describeCluster(try coded(message, &coder))
        }
    }
}

/// A frame that a client has sent.
package struct ReceivedRequest: Hashable, Sendable {
    /// What it begins with.
    package var header: RequestHeader
    /// What is asked for; nil when the request or its version is not known.
    ///
    /// ApiVersions is then answered in version 0 with error 35; for all else the connection is closed, since
    /// nobody knows what the answer would have to look like.
    package var request: KafkaRequest?
}

extension KafkaRequest {
    /// Reads a frame, without its size. Positions of records count from the start of `frame`. What follows
    /// the request is not looked at, as in Kafka.
    package static func read(_ frame: RawSpan) throws(WireError) -> ReceivedRequest {
        var reader = WireReader(frame)
        var received = ReceivedRequest(header: RequestHeader())
        try received.header.code(&reader)
        guard let api = received.header.api else { return received }
        var request = KafkaRequest(api)
        try request.code(&reader)
        received.request = request
        return received
    }

    /// The frame that asks for it; `version` is one of `ApiKey.versions`.
    package func frame(
        version: Int16, correlationID: Int32, clientID: String?
    ) throws(WireError) -> WireFrame {
        precondition(api.versions.contains(version))
        var header = RequestHeader()
        header.apiKey = api.rawValue
        header.apiVersion = version
        header.correlationID = correlationID
        header.clientID = clientID
        var request = self
        return try WireFrame { writer throws(WireError) in
            try header.code(&writer)
            try request.code(&writer)
        }
    }
}
