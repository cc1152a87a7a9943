// OffsetCommit, OffsetFetch, OffsetDelete: how far groups have come.

import KafkaWire
import Sluice
import SluiceCore

extension Broker {
    // MARK: OffsetCommit

    nonisolated(nonsending) func offsetCommit(_ request: OffsetCommitRequest) async -> OffsetCommitResponse {
        var codes: [GroupPartition: ErrorCode] = [:]
        var numbers: [TopicPartition: Int] = [:]
        var offsets: [OffsetToCommit] = []
        for asked in request.topics {
            let topic = served.topic(asked.name)
            for partition in asked.partitions {
                let place = GroupPartition(topic: asked.name, partition: partition.partitionIndex)
                guard let number = topic?.number(partition.partitionIndex) else {
                    codes[place] = .unknownTopicOrPartition
                    continue
                }
                numbers[TopicPartition(topic: asked.name, partition: Int(partition.partitionIndex))] = number
                offsets.append(
                    OffsetToCommit(
                        place, offset: partition.committedOffset,
                        leaderEpoch: partition.committedLeaderEpoch,
                        metadata: partition.committedMetadata ?? ""))
            }
        }
        let failure = await commit(request, offsets, numbers, &codes)
        return .with { response in
            response.topics = request.topics.map { topic in
                .with {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        let place = GroupPartition(topic: topic.name, partition: partition.partitionIndex)
                        return .with {
                            $0.partitionIndex = partition.partitionIndex
                            $0.errorCode = codes[place] ?? failure ?? .none
                        }
                    }
                }
            }
        }
    }

    /// Returns what all partitions are told; what is told of one alone goes into `codes`.
    private nonisolated(nonsending) func commit(
        _ request: OffsetCommitRequest, _ offsets: [OffsetToCommit], _ numbers: [TopicPartition: Int],
        _ codes: inout [GroupPartition: ErrorCode]
    ) async -> ErrorCode? {
        if let failure = await groupsReady(isToBeMade: true) { return failure }
        let commit = CommitRequest(
            groupID: request.groupID, generation: request.generationIDOrMemberEpoch,
            memberID: request.memberID, instanceID: request.groupInstanceID, offsets: offsets)
        // Not given up when the connection ends: it may be durable all the same.
        switch await served.commit(commit, of: numbers)?.value() {
        case nil: return .coordinatorNotAvailable
        case .failure(let error): return ErrorCode(error)
        case .success(let refused):
            for entry in refused { codes[entry.partition] = ErrorCode(entry.error) }
            return nil
        }
    }

    // MARK: OffsetFetch

    nonisolated(nonsending) func offsetFetch(
        _ request: OffsetFetchRequest, _ context: RequestContext
    ) async -> OffsetFetchResponse {
        let failure = await groupsReady(isToBeMade: false)
        var response = OffsetFetchResponse()
        if context.version >= 8 {
            response.groups = request.groups.map { group in
                let (topics, code) = committed(group.groupID, group.topics, request.requireStable, failure)
                return .with {
                    $0.groupID = group.groupID
                    $0.topics = topics
                    $0.errorCode = code
                }
            }
            return response
        }
        let (topics, code) = committed(request.groupID, request.topics, request.requireStable, failure)
        response.topics = topics
        response.errorCode = code
        return response
    }

    private func committed(
        _ groupID: String, _ asked: [OffsetFetchRequest.Topic]?, _ requireStable: Bool, _ failure: ErrorCode?
    ) -> ([OffsetFetchResponse.Topic], ErrorCode) {
        if let failure { return (uncommitted(asked ?? [], failure), failure) }
        let places = asked?.flatMap { topic in
            topic.partitionIndexes.map { GroupPartition(topic: topic.name, partition: $0) }
        }
        switch served.committed(groupID, places, requireStable: requireStable) {
        case .failure(let error):
            let code = ErrorCode(error)
            // One that is about to be known is asked for again, by partition.
            return (uncommitted(asked ?? [], code), code == .unstableOffsetCommit ? .none : code)
        case .success(let found):
            var topics: [OffsetFetchResponse.Topic] = []
            for (place, committed) in found {
                if topics.last?.name != place.topic { topics.append(.with { $0.name = place.topic }) }
                topics[topics.count - 1].partitions.append(
                    .with {
                        $0.partitionIndex = place.partition
                        $0.committedOffset = committed?.offset ?? -1
                        $0.committedLeaderEpoch = committed?.leaderEpoch ?? -1
                        $0.metadata = committed?.metadata ?? ""
                    })
            }
            return (topics, .none)
        }
    }

    private func uncommitted(
        _ asked: [OffsetFetchRequest.Topic], _ code: ErrorCode
    ) -> [OffsetFetchResponse.Topic] {
        asked.map { topic in
            .with {
                $0.name = topic.name
                $0.partitions = topic.partitionIndexes.map { index in
                    .with {
                        $0.partitionIndex = index
                        $0.committedOffset = -1
                        $0.metadata = ""
                        $0.errorCode = code
                    }
                }
            }
        }
    }

    // MARK: OffsetDelete

    nonisolated(nonsending) func offsetDelete(_ request: OffsetDeleteRequest) async -> OffsetDeleteResponse {
        if let failure = await groupsReady(isToBeMade: false) { return .with { $0.errorCode = failure } }
        let places = request.topics.flatMap { topic in
            topic.partitions.map { GroupPartition(topic: topic.name, partition: $0.partitionIndex) }
        }
        var refused: [GroupPartition: ErrorCode] = [:]
        switch await served.deleteOffsets(request.groupID, places)?.value() {
        case nil: return .with { $0.errorCode = .coordinatorNotAvailable }
        case .failure(let error): return .with { $0.errorCode = ErrorCode(error) }
        case .success(let entries):
            for entry in entries { refused[entry.partition] = ErrorCode(entry.error) }
        }
        return .with { [refused] response in
            response.topics = request.topics.map { topic in
                .with {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        let place = GroupPartition(topic: topic.name, partition: partition.partitionIndex)
                        return .with {
                            $0.partitionIndex = partition.partitionIndex
                            $0.errorCode = refused[place] ?? .none
                        }
                    }
                }
            }
        }
    }
}
