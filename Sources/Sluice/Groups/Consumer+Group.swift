// A consumer in a group: what it commits, and how its loop takes part in rebalances.
//
// (1) Partitions come and go between two batches: in the loop's own task, when it asks for the next. (2) What
// a loop's body has ended with is processed; what it still has is not. (3) A commit that a rebalance comes in
// between of is sent again in the new generation, as long as the partitions are still here.

import Logging
import SluiceCore
import SluiceLog

extension Consumer {
    /// The group that it is in; nil when it reads for itself.
    public var group: String? { membership?.groupID }

    /// Commits what has been processed: the batches whose body has ended, not the one in hand.
    ///
    /// Durable on return; not to be cancelled. Throws `fenced`, `unknownMember`, `unsupported` outside of a
    /// group, `noSpace`, `closed`.
    public nonisolated(nonsending) func commit() async throws(StreamError) {
        try await commit(processed)
    }

    /// Commits up to and including a batch. Throws as `commit()`; `fenced` when its partition has gone.
    public nonisolated(nonsending) func commit(_ batch: RecordBatch) async throws(StreamError) {
        try await commit(offsets: [batch.topicPartition: batch.nextOffset.rawValue])
    }

    /// Commits up to and including a record. Throws as `commit()`; `fenced` when its partition has gone.
    public nonisolated(nonsending) func commit(through record: Record) async throws(StreamError) {
        try await commit(offsets: [record.topicPartition: record.offset.rawValue + 1])
    }

    /// Commits the offsets of the records to be read next.
    ///
    /// Throws as `commit()`; `fenced` for a partition that it does not have, `offsetOutOfRange` for an offset
    /// beyond the end.
    public nonisolated(nonsending) func commit(next offsets: [TopicPartition: Offset])
        async throws(StreamError)
    {
        try await commit(offsets: offsets.mapValues(\.rawValue))
    }

    /// What the group has committed of the partitions that it has now; without those of which there is
    /// nothing.
    public nonisolated(nonsending) func committed() async throws(StreamError) -> [TopicPartition: Offset] {
        guard let membership else { throw Self.groupless }
        try engine.checkOpen()
        return membership.committed(assignment).mapValues { Offset($0) }
    }

    private static var groupless: StreamError {
        .unsupported(
            "This consumer belongs to no group and commits nothing: make it with consumer(group:topics:)")
    }

    private nonisolated(nonsending) func commit(offsets: [TopicPartition: Int64]) async throws(StreamError) {
        guard let membership else { throw Self.groupless }
        try await membership.commit(try check(offsets, membership))
    }

    private nonisolated(nonsending) func commit(
        _ processed: [TopicPartition: Progress]
    ) async throws(StreamError) {
        guard let membership else { throw Self.groupless }
        try await membership.commit(processed)
    }

    /// Throws for a partition that is not here, and for an offset that is not there.
    func check(
        _ offsets: [TopicPartition: Int64], _ membership: Membership
    ) throws(StreamError) -> [TopicPartition: Progress] {
        let numbers = state.withLock { state in
            Dictionary(
                state.partitions.map { ($0.topicPartition, $0.number) },
                uniquingKeysWith: { first, _ in first })
        }
        var checked: [TopicPartition: Progress] = [:]
        for (partition, offset) in offsets {
            guard let number = numbers[partition] else {
                guard membership.isMember else { throw membership.gone }
                throw .fenced(
                    group: membership.groupID, reason: "\(partition) is not assigned to it any more")
            }
            do throws(LogError) {
                let valid = try engine.offsets(number)
                guard offset >= 0, offset <= valid.upperBound else {
                    throw .offsetOutOfRange(requested: offset, valid: valid)
                }
            } catch {
                throw StreamError(error, of: partition)
            }
            checked[partition] = Progress(offset: offset, number: number)
        }
        return checked
    }

    // MARK: The loop's part

    /// Takes part in the group, between two batches: joins, gives away, takes.
    nonisolated(nonsending) func attend(_ membership: Membership) async throws(StreamError) {
        if membership.isToCommit { membership.commitInBackground(processed) }
        // What is told of the time before comes before a new beginning.
        try await takeChanges(membership)
        try await membership.join()
        try await takeChanges(membership)
    }

    private nonisolated(nonsending) func takeChanges(_ membership: Membership) async throws(StreamError) {
        while let change = membership.nextChange() {
            switch change {
            case .revoked(let partitions):
                defer { membership.revoked() }
                try await give(partitions, membership)
            case .lost(let partitions):
                reassign(removing: partitions)
                await configuration.onRebalance?(.lost(partitions), self)
            case .assigned(let partitions):
                let positions: [TopicPartition: Int64]
                do throws(StreamError) {
                    positions = try await membership.positions(partitions)
                } catch {
                    // Nothing has been taken: the next loop tries again.
                    membership.putBack(change)
                    throw error
                }
                let failure = try await take(partitions, positions, membership)
                await configuration.onRebalance?(.assigned(partitions), self)
                if let failure { throw failure }
            case .failed(let error):
                throw error
            }
        }
    }

    /// Leaves the group: with what was processed committed, unless that is the program's to do.
    nonisolated(nonsending) func leave() async throws(StreamError) {
        guard let membership else { return }
        var failure: StreamError?
        let partitions = assignment
        if membership.isMember, !partitions.isEmpty {
            do throws(StreamError) {
                try await give(partitions, membership)
            } catch {
                failure = error
            }
        }
        membership.leave()
        reassign([])
        if let failure { throw failure }
    }

    /// These go to others: commits what was processed of them, and lets the program do the same.
    private nonisolated(nonsending) func give(
        _ partitions: [TopicPartition], _ membership: Membership
    ) async throws(StreamError) {
        await configuration.onRebalance?(.revoked(partitions), self)
        var failure: StreamError?
        let processed = processed.filter { partitions.contains($0.key) }
        do throws(StreamError) {
            try await membership.commit(membership.uncommitted(processed))
        } catch {
            switch error {
            // They are lost already; what was not committed is delivered again.
            case .fenced, .unknownMember, .unknownTopic: break
            default: failure = error
            }
        }
        reassign(removing: partitions)
        if let failure { throw failure }
    }

    /// Begins with partitions where the group has come to.
    ///
    /// Returns what is wrong with one of them, if anything is.
    private nonisolated(nonsending) func take(
        _ partitions: [TopicPartition], _ committed: [TopicPartition: Int64], _ membership: Membership
    ) async throws(StreamError) -> StreamError? {
        let (engine, start) = (membership.groups.engine, configuration.start)
        let present = Set(assignment)
        let partitions = partitions.filter { !present.contains($0) }
        let readers = try await engine.onReader { () throws(StreamError) -> [PartitionReader] in
            var readers: [PartitionReader] = []
            for partition in partitions {
                // Deleted since the assignment was made: the next one will be without it.
                guard let number = try? engine.number(of: partition) else { continue }
                var reader = PartitionReader(topicPartition: partition, number: number, next: 0)
                do throws(StreamError) {
                    reader.next = try engine.place(of: reader, committed: committed[partition], start: start)
                } catch {
                    // One that cannot be read from there is told by the loop; the others go on.
                    reader.failure = error
                }
                readers.append(reader)
            }
            return readers
        }
        reassign(state.withLock { $0.partitions } + readers)
        return readers.lazy.compactMap(\.failure).first
    }

    /// Where processing has come to, in partitions whose topic is still the one that was read.
    var processed: [TopicPartition: Progress] {
        let found = state.withLock { state in
            state.partitions.compactMap { partition in
                partition.processed.map { (partition.topicPartition, partition.number, $0) }
            }
        }
        var processed: [TopicPartition: Progress] = [:]
        for (place, number, offset) in found where (try? engine.number(of: place)) == number {
            processed[place] = Progress(offset: offset, number: number)
        }
        return processed
    }

    /// A topic of the group has been deleted: it goes on without, and the group gives out the rest anew.
    func dropTopic(_ topic: String, _ membership: Membership) {
        membership.groups.engine.logger.warning(
            "a topic that a group reads has been deleted",
            metadata: ["topic": "\(topic)", "group": "\(membership.groupID)"])
        reassign(removing: assignment.filter { $0.topic == topic })
        membership.catalogueChanged()
    }

    private func reassign(removing partitions: [TopicPartition]) {
        let gone = Set(partitions)
        reassign(state.withLock { $0.partitions }.filter { !gone.contains($0.topicPartition) })
        // Others commit there from now on.
        for partition in partitions { membership?.moved(partition) }
    }
}

extension StoreEngine {
    /// Where a group goes on in a partition: at what it has committed, or, when retention has deleted that or
    /// there is none, where the configuration says. Kafka: auto.offset.reset.
    fileprivate func place(
        of reader: PartitionReader, committed: Int64?, start: Position
    ) throws(StreamError) -> Int64 {
        if let committed {
            do throws(StreamError) {
                return try resolve(.offset(Offset(committed)), reader.topicPartition, reader.number)
            } catch {
                guard case .offsetOutOfRange(_, _, let valid) = error else { throw error }
                logger.warning(
                    "a committed offset is not there any more",
                    metadata: [
                        "partition": "\(reader.topicPartition)", "committed": "\(committed)",
                        "valid": "\(valid)",
                    ])
                // Deleted: the oldest that is left is nearest. Beyond the end: all of it has been read.
                return committed < valid.lowerBound.rawValue
                    ? valid.lowerBound.rawValue : valid.upperBound.rawValue
            }
        }
        return try resolve(start, reader.topicPartition, reader.number)
    }
}
