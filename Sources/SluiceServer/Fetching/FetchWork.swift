// What a Fetch request asks for, resolved, and the response that it comes to.

import KafkaWire
import Sluice
import SluiceCore
import SluiceLog

/// A fetch in the making. For one task.
final class FetchWork {
    /// A partition that is asked for.
    struct Part: Sendable {
        var topic: Int
        var place: TopicPartition
        /// The volume's number; nil when there is no such partition.
        var number: Int?
        var offset: Int64
        var maxBytes: Int
        var currentLeaderEpoch: Int32
        var partition: Int32
        var ends: PartitionEnds?
        var error = ErrorCode.none

        /// Reads it, waiting for the disk: no more than `maxBytes`, but for a first batch that is larger.
        func read(_ served: ServedStore, maxBytes: Int) -> Read {
            guard let number else { return Read() }
            do throws(LogError) {
                return Read(run: try served.read(number, at: offset, maxBytes: maxBytes))
            } catch {
                return Read(failure: WireFailure(error, at: place))
            }
        }
    }

    /// What came of reading a part.
    struct Read: Sendable {
        var run: FetchedRun?
        var failure: WireFailure?
        var bytes: Int { run?.bytes.count ?? 0 }
    }

    private let request: FetchRequest
    private(set) var parts: [Part] = []

    init(_ request: FetchRequest, _ topics: KnownTopics, version: Int16) {
        self.request = request
        for (index, asked) in request.topics.enumerated() {
            let topic = version >= 13 ? topics.topic(UniqueID(asked.topicID)) : topics.topic(asked.topic)
            for partition in asked.partitions {
                let name = topic?.name ?? asked.topic
                var part = Part(
                    topic: index,
                    place: TopicPartition(topic: name, partition: Int(partition.partition)),
                    number: topic?.number(partition.partition), offset: partition.fetchOffset,
                    maxBytes: max(Int(partition.partitionMaxBytes), 1),
                    currentLeaderEpoch: partition.currentLeaderEpoch, partition: partition.partition)
                if topic == nil {
                    part.error = version >= 13 ? .unknownTopicId : .unknownTopicOrPartition
                } else if part.number == nil {
                    part.error = .unknownTopicOrPartition
                }
                parts.append(part)
            }
        }
    }

    /// The volume's numbers of the partitions, each once.
    var numbers: [Int] { Array(Set(parts.compactMap(\.number))) }

    /// Whether a partition has an error: then nothing is waited for. So with a fetch of nothing.
    var hasError: Bool { parts.isEmpty || parts.contains { $0.error != .none } }

    /// Those of which there is something, as of the last look.
    var readable: [Int] {
        parts.indices.filter { index in
            let part = parts[index]
            return part.error == .none && part.ends.map { part.offset < $0.highWatermark } ?? false
        }
    }

    /// Bytes to read at most.
    func limit(_ most: Int) -> Int {
        let asked = parts.reduce(0) { sum, part in
            sum.addingReportingOverflow(part.maxBytes).overflow ? .max : sum + part.maxBytes
        }
        return max(1, min(most, asked, max(Int(request.maxBytes), 1)))
    }

    /// Looks where the partitions end: whether there is something to be read, or an error to be told.
    func look(_ served: ServedStore) -> Bool {
        let known = parts.indices.filter { parts[$0].number != nil }
        let ends = served.ends(of: known.compactMap { parts[$0].number })
        for (index, ends) in zip(known, ends) {
            parts[index].ends = ends
            parts[index].error = error(parts[index], ends)
        }
        return hasError || !readable.isEmpty
    }

    private func error(_ part: Part, _ ends: PartitionEnds?) -> ErrorCode {
        guard let ends else { return .unknownTopicOrPartition }
        if let refusal = ends.refusal(ofEpoch: part.currentLeaderEpoch) { return refusal }
        return part.offset < ends.logStart || part.offset > ends.highWatermark ? .offsetOutOfRange : .none
    }

    /// The response with what was read, by part.
    func response(_ reads: [Int: Read]) -> FetchResponse {
        var response = FetchResponse()
        response.responses = request.topics.map { topic in
            .with {
                $0.topic = topic.topic
                $0.topicID = topic.topicID
            }
        }
        for (index, part) in parts.enumerated() {
            let read = reads[index]
            let error = read?.failure?.code ?? part.error
            response.responses[part.topic].partitions.append(
                .with {
                    $0.partitionIndex = part.partition
                    $0.errorCode = error
                    let hasEnds = error == .none
                    $0.highWatermark = hasEnds ? part.ends?.highWatermark ?? -1 : -1
                    // There are no transactions: what may be seen is stable.
                    $0.lastStableOffset = $0.highWatermark
                    $0.logStartOffset = hasEnds ? part.ends?.logStart ?? -1 : -1
                    $0.abortedTransactions = request.isolationLevel == 1 ? [] : nil
                    $0.records = 0..<(read?.bytes ?? 0)
                })
        }
        return response
    }
}
