// ListOffsets, OffsetForLeaderEpoch: offsets by time, and by epoch.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

extension Broker {
    // MARK: ListOffsets

    nonisolated(nonsending) func listOffsets(
        _ request: ListOffsetsRequest, _ context: RequestContext
    ) async -> ListOffsetsResponse {
        let (served, version) = (served, context.version)
        // Times are looked up in files.
        let topics = await served.onReader {
            request.topics.map { asked -> ListOffsetsResponse.Topic in
                let topic = served.topic(asked.name)
                return .with {
                    $0.name = asked.name
                    $0.partitions = asked.partitions.map { served.offset($0, in: topic, asked.name, version) }
                }
            }
        }
        return .with { $0.topics = topics }
    }

    // MARK: OffsetForLeaderEpoch

    nonisolated(nonsending) func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest
    ) async -> OffsetForLeaderEpochResponse {
        let served = served
        let topics = await served.onReader {
            request.topics.map { asked -> OffsetForLeaderEpochResponse.Topic in
                let topic = served.topic(asked.topic)
                return .with {
                    $0.topic = asked.topic
                    $0.partitions = asked.partitions.map { served.epochEnd($0, in: topic) }
                }
            }
        }
        return .with { $0.topics = topics }
    }
}

extension ServedStore {
    /// One partition of ListOffsets. For `onReader`.
    fileprivate func offset(
        _ asked: ListOffsetsRequest.Partition, in topic: ServedTopic?, _ name: String, _ version: Int16
    ) -> ListOffsetsResponse.Partition {
        var answer = ListOffsetsResponse.Partition()
        answer.partitionIndex = asked.partitionIndex
        guard let number = topic?.number(asked.partitionIndex), let ends = ends(of: [number])[0] else {
            answer.errorCode = .unknownTopicOrPartition
            return answer
        }
        if let refusal = ends.refusal(ofEpoch: asked.currentLeaderEpoch) {
            answer.errorCode = refusal
            return answer
        }
        do throws(LogError) {
            switch SpecialTime(asked.timestamp, version) {
            case .latest?: answer.offset = ends.highWatermark
            case .earliest?: answer.offset = ends.logStart
            case .maxTimestamp?: answer.set(try latestRecord(in: number))
            case .tiered?: break
            case .unknown?: answer.errorCode = .unsupportedVersion
            case nil: answer.set(try record(atTime: asked.timestamp, in: number))
            }
        } catch {
            let place = TopicPartition(topic: name, partition: Int(asked.partitionIndex))
            answer.errorCode = WireFailure(error, at: place).code
        }
        if answer.offset >= 0 { answer.leaderEpoch = ends.leaderEpoch }
        return answer
    }

    /// One partition of OffsetForLeaderEpoch. For `onReader`.
    fileprivate func epochEnd(
        _ asked: OffsetForLeaderEpochRequest.Partition, in topic: ServedTopic?
    ) -> OffsetForLeaderEpochResponse.EpochEndOffset {
        var answer = OffsetForLeaderEpochResponse.EpochEndOffset()
        answer.partition = asked.partition
        guard let number = topic?.number(asked.partition), let ends = ends(of: [number])[0] else {
            answer.errorCode = .unknownTopicOrPartition
            return answer
        }
        if let refusal = ends.refusal(ofEpoch: asked.currentLeaderEpoch) {
            answer.errorCode = refusal
            return answer
        }
        do throws(LogError) {
            guard let found = try end(ofEpoch: asked.leaderEpoch, in: number) else { return answer }
            answer.leaderEpoch = found.epoch
            answer.endOffset = found.endOffset
        } catch {
            answer.errorCode = WireFailure(error, at: nil).code
        }
        return answer
    }
}

extension PartitionEnds {
    /// Why a client that takes this for the leader's epoch is refused; nil when it is right, or says none.
    func refusal(ofEpoch epoch: Int32) -> ErrorCode? {
        guard epoch >= 0, epoch != leaderEpoch else { return nil }
        return epoch < leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }
}

extension ListOffsetsResponse.Partition {
    /// Nothing found stays -1.
    fileprivate mutating func set(_ found: TimedOffset?) {
        guard let found else { return }
        offset = found.offset
        timestamp = found.timestamp
    }
}

/// Times below zero, which mean places.
private enum SpecialTime {
    case latest, earliest, maxTimestamp
    /// What lies in remote storage: nothing.
    case tiered
    case unknown

    /// nil: a time.
    init?(_ timestamp: Int64, _ version: Int16) {
        switch timestamp {
        case 0...: return nil
        case -1: self = .latest
        case -2: self = .earliest
        case -3 where version >= 7: self = .maxTimestamp
        case -4 where version >= 8: self = .earliest
        case -5 where version >= 9: self = .tiered
        default: self = .unknown
        }
    }
}
