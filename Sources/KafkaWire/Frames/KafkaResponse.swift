// A response, whichever it is.

/// What a broker answers.
package enum KafkaResponse: Hashable, Sendable {
    case produce(ProduceResponse)
    case fetch(FetchResponse)
    case listOffsets(ListOffsetsResponse)
    case metadata(MetadataResponse)
    case offsetCommit(OffsetCommitResponse)
    case offsetFetch(OffsetFetchResponse)
    case findCoordinator(FindCoordinatorResponse)
    case joinGroup(JoinGroupResponse)
    case heartbeat(HeartbeatResponse)
    case leaveGroup(LeaveGroupResponse)
    case syncGroup(SyncGroupResponse)
    case describeGroups(DescribeGroupsResponse)
    case listGroups(ListGroupsResponse)
    case saslHandshake(SaslHandshakeResponse)
    case apiVersions(ApiVersionsResponse)
    case createTopics(CreateTopicsResponse)
    case deleteTopics(DeleteTopicsResponse)
    case deleteRecords(DeleteRecordsResponse)
    case initProducerId(InitProducerIdResponse)
    case offsetForLeaderEpoch(OffsetForLeaderEpochResponse)
    case describeConfigs(DescribeConfigsResponse)
    case alterConfigs(AlterConfigsResponse)
    case describeLogDirs(DescribeLogDirsResponse)
    case saslAuthenticate(SaslAuthenticateResponse)
    case createPartitions(CreatePartitionsResponse)
    case deleteGroups(DeleteGroupsResponse)
    case incrementalAlterConfigs(AlterConfigsResponse)
    case offsetDelete(OffsetDeleteResponse)
    case describeCluster(DescribeClusterResponse)

    /// The response to `api`, with every field at its default.
    package init(_ api: ApiKey) {
        switch api {
        case .produce: self = .produce(ProduceResponse())
        case .fetch: self = .fetch(FetchResponse())
        case .listOffsets: self = .listOffsets(ListOffsetsResponse())
        case .metadata: self = .metadata(MetadataResponse())
        case .offsetCommit: self = .offsetCommit(OffsetCommitResponse())
        case .offsetFetch: self = .offsetFetch(OffsetFetchResponse())
        case .findCoordinator: self = .findCoordinator(FindCoordinatorResponse())
        case .joinGroup: self = .joinGroup(JoinGroupResponse())
        case .heartbeat: self = .heartbeat(HeartbeatResponse())
        case .leaveGroup: self = .leaveGroup(LeaveGroupResponse())
        case .syncGroup: self = .syncGroup(SyncGroupResponse())
        case .describeGroups: self = .describeGroups(DescribeGroupsResponse())
        case .listGroups: self = .listGroups(ListGroupsResponse())
        case .saslHandshake: self = .saslHandshake(SaslHandshakeResponse())
        case .apiVersions: self = .apiVersions(ApiVersionsResponse())
        case .createTopics: self = .createTopics(CreateTopicsResponse())
        case .deleteTopics: self = .deleteTopics(DeleteTopicsResponse())
        case .deleteRecords: self = .deleteRecords(DeleteRecordsResponse())
        case .initProducerId: self = .initProducerId(InitProducerIdResponse())
        case .offsetForLeaderEpoch: self = .offsetForLeaderEpoch(OffsetForLeaderEpochResponse())
        case .describeConfigs: self = .describeConfigs(DescribeConfigsResponse())
        case .alterConfigs: self = .alterConfigs(AlterConfigsResponse())
        case .describeLogDirs: self = .describeLogDirs(DescribeLogDirsResponse())
        case .saslAuthenticate: self = .saslAuthenticate(SaslAuthenticateResponse())
        case .createPartitions: self = .createPartitions(CreatePartitionsResponse())
        case .deleteGroups: self = .deleteGroups(DeleteGroupsResponse())
        case .incrementalAlterConfigs: self = .incrementalAlterConfigs(AlterConfigsResponse())
        case .offsetDelete: self = .offsetDelete(OffsetDeleteResponse())
        case .describeCluster: self = .describeCluster(DescribeClusterResponse())
        }
    }

    /// Which request it answers.
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

extension KafkaResponse {
    /// Reads a frame, without its size, that answers a request for `api` in `version`, one of
    /// `ApiKey.versions`. Positions of records count from the start of `frame`; nothing may follow the
    /// response.
    package static func read(
        _ frame: RawSpan, _ api: ApiKey, version: Int16
    ) throws(WireError) -> (correlationID: Int32, response: KafkaResponse) {
        precondition(api.versions.contains(version))
        var reader = WireReader(frame)
        var correlationID: Int32 = 0
        var response = KafkaResponse(api)
        try response.code(version, &correlationID, &reader)
        guard reader.left == 0 else { throw WireError(.trailingBytes(reader.left), at: reader.position) }
        return (correlationID, response)
    }

    /// The frame that answers a request in `version`, one of `ApiKey.versions`.
    package func frame(version: Int16, correlationID: Int32) throws(WireError) -> WireFrame {
        precondition(api.versions.contains(version))
        var response = self
        var correlationID = correlationID
        return try WireFrame { writer throws(WireError) in
            try response.code(version, &correlationID, &writer)
        }
    }

    /// Reads or writes header and response.
    private mutating func code(
        _ version: Int16, _ correlationID: inout Int32, _ coder: inout some Coder
    ) throws(WireError) {
        try coder.int32(&correlationID)
        coder.begin(api, version)
        if api != .apiVersions { try coder.noTags() }
        try code(&coder)
    }
}
