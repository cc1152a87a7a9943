// ApiVersions, Metadata, DescribeCluster, DescribeLogDirs: what there is, and where.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

extension Broker {
    // MARK: ApiVersions

    func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) -> ApiVersionsResponse {
        .with { response in
            let isNamed = [request.clientSoftwareName, request.clientSoftwareVersion]
                .allSatisfy(Self.isSoftwareName)
            if context.version >= 3, !isNamed { return response.errorCode = .invalidRequest }
            response.apiKeys = Self.advertised
        }
    }

    /// What the answer is to a version of ApiVersions that is not known: in version 0, with the versions that
    /// are.
    static var unsupportedApiVersions: ApiVersionsResponse {
        .with {
            $0.errorCode = .unsupportedVersion
            $0.apiKeys = advertised.filter { $0.apiKey == ApiKey.apiVersions.rawValue }
        }
    }

    /// What is served.
    static let advertised = ApiVersionsResponse.ApiVersion.advertised

    /// Kafka's rule: letters and digits, and dots and dashes between them.
    private static func isSoftwareName(_ name: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard let first = name.utf8.first, let last = name.utf8.last, isPlain(first), isPlain(last) else {
            return false
        }
        return name.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    // MARK: Metadata

    nonisolated(nonsending) func metadata(
        _ request: MetadataRequest, _ context: RequestContext
    ) async -> MetadataResponse {
        var response = MetadataResponse()
        response.brokers = [
            .with {
                $0.nodeID = Self.nodeID
                $0.host = context.endpoint.host
                $0.port = Int32(clamping: context.endpoint.port)
            }
        ]
        response.clusterID = clusterID
        response.controllerID = Self.nodeID
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = AuthorizedOperations.cluster
        }
        response.topics = await topics(request, context)
        guard request.includeTopicAuthorizedOperations else { return response }
        // Of names of which there is no topic too; an id that is not known is not even a name.
        for index in response.topics.indices where response.topics[index].errorCode != .unknownTopicId {
            response.topics[index].topicAuthorizedOperations = AuthorizedOperations.topic
        }
        return response
    }

    private nonisolated(nonsending) func topics(
        _ request: MetadataRequest, _ context: RequestContext
    ) async -> [MetadataResponse.Topic] {
        guard let asked = request.topics else { return served.topics.map(describe) }
        let mayCreate = settings.autoCreateTopics && (context.version < 4 || request.allowAutoTopicCreation)
        var topics: [MetadataResponse.Topic] = []
        for topic in asked { topics.append(await describe(topic, context.version, mayCreate: mayCreate)) }
        return topics
    }

    private nonisolated(nonsending) func describe(
        _ asked: MetadataRequest.Topic, _ version: Int16, mayCreate: Bool
    ) async -> MetadataResponse.Topic {
        var missing = MetadataResponse.Topic()
        missing.name = asked.name
        missing.topicID = asked.topicID
        guard let name = asked.name else {
            guard version >= 12 else {
                missing.errorCode = .invalidRequest
                missing.name = ""
                return missing
            }
            if let topic = served.topic(UniqueID(asked.topicID)) { return describe(topic) }
            missing.errorCode = .unknownTopicId
            return missing
        }
        if let topic = served.topic(name) { return describe(topic) }
        missing.errorCode = .unknownTopicOrPartition
        if TopicName.check(name) != nil {
            missing.errorCode = .invalidTopicException
        } else if mayCreate {
            do throws(StreamError) {
                try await served.store.admin.ensureTopic(name, partitions: settings.partitions)
                if let topic = served.topic(name) { return describe(topic) }
            } catch {
                missing.errorCode = WireFailure(error).code
            }
        }
        return missing
    }

    private func describe(_ topic: ServedTopic) -> MetadataResponse.Topic {
        .with { description in
            description.name = topic.name
            description.topicID = WireUUID(topic.id)
            description.isInternal = topic.isInternal
            description.partitions = served.ends(of: topic.numbers).enumerated().map { index, ends in
                .with {
                    $0.partitionIndex = Int32(index)
                    $0.leaderID = Self.nodeID
                    $0.leaderEpoch = ends?.leaderEpoch ?? -1
                    $0.replicaNodes = [Self.nodeID]
                    $0.isrNodes = [Self.nodeID]
                }
            }
        }
    }

    // MARK: DescribeCluster

    func describeCluster(
        _ request: DescribeClusterRequest, _ context: RequestContext
    ) -> DescribeClusterResponse {
        .with { response in
            response.endpointType = request.endpointType
            guard request.endpointType == 1 else {
                response.errorCode = .unsupportedEndpointType
                response.errorMessage = "There are no controllers beside the broker."
                return
            }
            response.clusterID = clusterID
            response.controllerID = Self.nodeID
            if request.includeClusterAuthorizedOperations {
                response.clusterAuthorizedOperations = AuthorizedOperations.cluster
            }
            response.brokers = [
                .with {
                    $0.brokerID = Self.nodeID
                    $0.host = context.endpoint.host
                    $0.port = Int32(clamping: context.endpoint.port)
                }
            ]
        }
    }

    // MARK: DescribeLogDirs

    func describeLogDirs(_ request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
        .with { response in
            let disk = served.disk
            var directory = DescribeLogDirsResponse.LogDir()
            directory.logDir = served.store.path
            directory.totalBytes = disk.limitBytes
            directory.usableBytes = max(0, disk.limitBytes - disk.usedBytes)
            let asked = request.topics.map { topics in
                Dictionary(topics.map { ($0.topic, Set($0.partitions)) }) { $0.union($1) }
            }
            for topic in served.topics {
                let partitions = asked?[topic.name]
                guard asked == nil || partitions != nil else { continue }
                directory.topics.append(sizes(of: topic) { partitions?.contains($0) ?? true })
            }
            response.results = [directory]
        }
    }

    private func sizes(
        of topic: ServedTopic, _ isAsked: (Int32) -> Bool
    ) -> DescribeLogDirsResponse.Topic {
        .with { description in
            description.name = topic.name
            for (index, bytes) in served.bytes(of: topic.numbers).enumerated() where isAsked(Int32(index)) {
                description.partitions.append(
                    .with {
                        $0.partitionIndex = Int32(index)
                        $0.partitionSize = bytes
                    })
            }
        }
    }
}

extension WireUUID {
    init(_ id: UniqueID) { self.init(high: id.high, low: id.low) }
}

extension UniqueID {
    init(_ id: WireUUID) { self.init(high: id.high, low: id.low) }
}
