// CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords. One topic's error is not another's.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

extension Broker {
    // MARK: CreateTopics

    nonisolated(nonsending) func createTopics(_ request: CreateTopicsRequest) async -> CreateTopicsResponse {
        var response = CreateTopicsResponse()
        let counts = Dictionary(request.topics.map { ($0.name, 1) }, uniquingKeysWith: +)
        var done: Set<String> = []
        for topic in request.topics where done.insert(topic.name).inserted {
            var result = CreateTopicsResponse.Topic()
            result.name = topic.name
            if counts[topic.name, default: 0] > 1 {
                result.errorCode = .invalidRequest
                result.errorMessage = "The topic is in the request more than once."
            } else {
                do throws(WireFailure) {
                    let made = try await create(topic, validateOnly: request.validateOnly)
                    result.describe(made.settings, made.partitions, made.id)
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
            }
            response.topics.append(result)
        }
        return response
    }

    private nonisolated(nonsending) func create(
        _ topic: CreateTopicsRequest.Topic, validateOnly: Bool
    ) async throws(WireFailure) -> (settings: TopicSettings, partitions: Int, id: UniqueID?) {
        let partitions = try partitions(of: topic)
        var topicSettings = TopicSettings()
        do throws(SettingsError) {
            for config in topic.configs {
                if let value = config.value { try topicSettings.set(key: config.name, value: value) }
            }
        } catch {
            throw WireFailure(StreamError(error))
        }
        do throws(StreamError) {
            if validateOnly {
                try served.checkTopic(topic.name, partitions: partitions, topicSettings)
            } else {
                try await served.createTopic(topic.name, partitions: partitions, topicSettings)
            }
        } catch {
            throw WireFailure(error)
        }
        return (topicSettings, partitions, validateOnly ? nil : served.topic(topic.name)?.id)
    }

    private func partitions(of topic: CreateTopicsRequest.Topic) throws(WireFailure) -> Int {
        guard topic.assignments.isEmpty else {
            guard topic.numPartitions == -1, topic.replicationFactor == -1 else {
                throw WireFailure(
                    .invalidRequest,
                    "Partitions and replicas are counted by the assignment when there is one.")
            }
            let indexes = topic.assignments.map(\.partitionIndex).sorted()
            guard indexes == Array(0..<Int32(indexes.count)),
                topic.assignments.allSatisfy({ $0.brokerIDs == [Self.nodeID] })
            else {
                throw WireFailure(
                    .invalidReplicaAssignment, "The one broker there is has the id \(Self.nodeID).")
            }
            return indexes.count
        }
        guard topic.replicationFactor == -1 || topic.replicationFactor == 1 else {
            throw WireFailure(
                .invalidReplicationFactor,
                "There is one broker: the replication factor is 1, not \(topic.replicationFactor).")
        }
        if topic.numPartitions == -1 { return settings.partitions }
        guard topic.numPartitions >= 1 else {
            throw WireFailure(.invalidPartitions, "A topic has at least one partition.")
        }
        return Int(topic.numPartitions)
    }

    // MARK: DeleteTopics

    nonisolated(nonsending) func deleteTopics(
        _ request: DeleteTopicsRequest, _ context: RequestContext
    ) async -> DeleteTopicsResponse {
        var asked = request.topics
        if context.version < 6 {
            asked = request.topicNames.map { name in .with { $0.name = name } }
        }
        var response = DeleteTopicsResponse()
        for topic in asked { response.responses.append(await delete(topic)) }
        return response
    }

    private nonisolated(nonsending) func delete(
        _ asked: DeleteTopicsRequest.Topic
    ) async -> DeleteTopicsResponse.Topic {
        var result = DeleteTopicsResponse.Topic()
        result.name = asked.name
        result.topicID = asked.topicID
        guard (asked.name == nil) != (asked.topicID == .zero) else {
            result.errorCode = .invalidRequest
            result.errorMessage = "A topic is deleted by its name or by its id, not by both."
            return result
        }
        let found = asked.name.map { served.topic($0) } ?? served.topic(UniqueID(asked.topicID))
        guard let topic = found else {
            result.errorCode = asked.name == nil ? .unknownTopicId : .unknownTopicOrPartition
            return result
        }
        result.name = topic.name
        result.topicID = WireUUID(topic.id)
        do throws(StreamError) {
            try await served.store.admin.deleteTopic(topic.name)
        } catch {
            let failure = WireFailure(error)
            result.errorCode = failure.code
            result.errorMessage = failure.message
        }
        return result
    }

    // MARK: CreatePartitions

    nonisolated(nonsending) func createPartitions(
        _ request: CreatePartitionsRequest
    ) async -> CreatePartitionsResponse {
        var response = CreatePartitionsResponse()
        for topic in request.topics {
            var result = CreatePartitionsResponse.Topic()
            result.name = topic.name
            do throws(WireFailure) {
                try await add(topic, validateOnly: request.validateOnly)
            } catch {
                result.errorCode = error.code
                result.errorMessage = error.message
            }
            response.results.append(result)
        }
        return response
    }

    private nonisolated(nonsending) func add(
        _ asked: CreatePartitionsRequest.Topic, validateOnly: Bool
    ) async throws(WireFailure) {
        guard let topic = served.topic(asked.name) else {
            throw WireFailure(StreamError.unknownTopic(asked.name))
        }
        guard asked.count > topic.numbers.count, asked.count <= Limits.partitionsPerTopic else {
            throw WireFailure(
                .invalidPartitions,
                "The topic has \(topic.numbers.count) partitions; \(asked.count) are not more, or too many.")
        }
        if let assignments = asked.assignments,
            assignments.count != Int(asked.count) - topic.numbers.count
                || !assignments.allSatisfy({ $0.brokerIDs == [Self.nodeID] })
        {
            throw WireFailure(
                .invalidReplicaAssignment, "The one broker there is has the id \(Self.nodeID).")
        }
        if validateOnly { return }
        do throws(StreamError) {
            try await served.store.admin.addPartitions(to: asked.name, total: Int(asked.count))
        } catch {
            throw WireFailure(error)
        }
    }

    // MARK: DeleteRecords

    nonisolated(nonsending) func deleteRecords(_ request: DeleteRecordsRequest) async -> DeleteRecordsResponse
    {
        var response = DeleteRecordsResponse()
        for asked in request.topics {
            var result = DeleteRecordsResponse.Topic()
            result.name = asked.name
            let topic = served.topic(asked.name)
            for partition in asked.partitions {
                result.partitions.append(await deleteRecords(partition, in: topic))
            }
            response.topics.append(result)
        }
        return response
    }

    private nonisolated(nonsending) func deleteRecords(
        _ asked: DeleteRecordsRequest.Partition, in topic: ServedTopic?
    ) async -> DeleteRecordsResponse.Partition {
        var result = DeleteRecordsResponse.Partition()
        result.partitionIndex = asked.partitionIndex
        result.lowWatermark = -1
        guard let topic, let number = topic.number(asked.partitionIndex),
            let ends = served.ends(of: [number])[0]
        else {
            result.errorCode = .unknownTopicOrPartition
            return result
        }
        guard !topic.isInternal else {
            result.errorCode = .invalidTopicException
            return result
        }
        do throws(StreamError) {
            let start = try await served.store.admin.deleteRecords(
                before: Offset(asked.offset == -1 ? ends.highWatermark : asked.offset),
                of: TopicPartition(topic: topic.name, partition: Int(asked.partitionIndex)))
            result.lowWatermark = start.rawValue
        } catch {
            result.errorCode = WireFailure(error).code
        }
        return result
    }
}

extension CreateTopicsResponse.Topic {
    fileprivate mutating func describe(_ settings: TopicSettings, _ partitions: Int, _ id: UniqueID?) {
        if let id { topicID = WireUUID(id) }
        numPartitions = Int32(clamping: partitions)
        replicationFactor = 1
        configs = TopicSettings.Keys.all.map { key in
            .with {
                $0.name = key.name
                $0.value = key.text(in: settings)
                $0.configSource = ConfigSource(isDefault: key.isDefault(in: settings)).rawValue
            }
        }
    }
}
