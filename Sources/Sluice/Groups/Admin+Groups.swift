// Groups, from the outside: who is in them, how far they have come, moved and deleted.

import SluiceCore
import SluiceLog

extension Admin {
    /// Every group that has members or has committed something, by name.
    public nonisolated(nonsending) func groups() async throws(StreamError) -> [ConsumerGroupDescription] {
        try await lease.groups.ready(isToBeMade: false)
        let names = lease.groups.read { $0.list().map(\.groupID) }
        var descriptions: [ConsumerGroupDescription] = []
        for name in names {
            do throws(StreamError) {
                descriptions.append(try await describeGroup(name))
            } catch {
                // It has ended since.
                guard case .unknownGroup = error else { throw error }
            }
        }
        return descriptions
    }

    /// One group. Throws `unknownGroup`.
    public nonisolated(nonsending) func describeGroup(
        _ name: String
    ) async throws(StreamError) -> ConsumerGroupDescription {
        try await lease.groups.ready(isToBeMade: false)
        guard let (group, offsets) = lease.groups.look(at: name) else { throw .unknownGroup(name) }
        let engine = engine
        return try await engine.onReader { () throws(StreamError) in
            engine.description(of: group, offsets)
        }
    }

    /// Moves what a group has committed: in all partitions of these topics, or of those that it has committed
    /// something of. Durable on return.
    ///
    /// - Throws: `groupNotEmpty`: its members would commit over it; `unknownGroup` when no topics are given
    ///   and there is no such group; `unknownTopic`, `offsetOutOfRange`, `noSpace`, `closed`; `indeterminate`
    ///   when it could not be stored, and after ten seconds in which a commit of the group got no outcome.
    @discardableResult
    public nonisolated(nonsending) func seekGroup(
        _ name: String, to position: Position, topics: [String] = []
    ) async throws(StreamError) -> [TopicPartition: Offset] {
        try await lease.groups.ready(isToBeMade: true)
        var places: [TopicPartition] = []
        if topics.isEmpty {
            guard let (_, offsets) = lease.groups.look(at: name) else { throw .unknownGroup(name) }
            places = offsets.keys.sorted()
        } else {
            for topic in topics {
                let (_, numbers) = try engine.topic(topic)
                places += numbers.indices.map { TopicPartition(topic: topic, partition: $0) }
            }
        }
        let engine = engine
        let targets = try await engine.onReader {
            [places] () throws(StreamError) -> [TopicPartition: Progress] in
            var targets: [TopicPartition: Progress] = [:]
            for place in places {
                do throws(StreamError) {
                    let number = try engine.number(of: place)
                    targets[place] = Progress(
                        offset: try engine.resolve(position, place, number), number: number)
                } catch {
                    // Something that was committed once of a topic that is deleted now.
                    switch error {
                    case .unknownTopic, .unknownPartition: continue
                    default: throw error
                    }
                }
            }
            return targets
        }
        let offsets = targets.map { OffsetToCommit(GroupPartition($0.key), offset: $0.value.offset) }
        try await seekGroup(name, to: offsets, of: targets.mapValues(\.number))
        return targets.mapValues { Offset($0.offset) }
    }

    /// Waits for the commits of members that have left: one of those may be appended after this.
    private nonisolated(nonsending) func seekGroup(
        _ name: String, to offsets: [OffsetToCommit], of numbers: [TopicPartition: Int]
    ) async throws(StreamError) {
        let groups = lease.groups
        for _ in 0..<Membership.looks {
            let waiter = Waiter<Bool>()
            let answer = GroupEngine.Answer.commit { result in
                let isUnstable = if case .failure(.unstableOffsetCommit) = result { true } else { false }
                waiter.resume(
                    isUnstable ? .success(false) : Self.outcome(result, name).map { true })
            }
            let ticket = groups.request(answer) { coordinator, ticket, now in
                coordinator.seek(
                    groupID: name, to: groups.present(offsets, of: numbers), ticket: ticket, now: now)
            }
            if ticket == nil { throw .closed }
            if try await waiter.value().get() { return }
            try await groups.pause()
        }
        throw .indeterminate(
            OffsetsTopic.place, reason: "a commit of group \(quoted(name)) has no outcome, nothing was moved")
    }

    /// Deletes a group with all that it has committed. Throws `unknownGroup`, `groupNotEmpty`, `noSpace`,
    /// `closed`; `indeterminate` when a commit has no outcome before the store is opened again.
    public nonisolated(nonsending) func deleteGroup(_ name: String) async throws(StreamError) {
        try await lease.groups.ready(isToBeMade: false)
        let waiter = Waiter<Void>()
        let answer = GroupEngine.Answer.deletion { error in
            waiter.resume(error.map { .failure(StreamError($0, group: name)) } ?? .success(()))
        }
        let ticket = lease.groups.request(answer) { coordinator, ticket, now in
            coordinator.deleteGroup(name, ticket: ticket, now: now)
        }
        if ticket == nil { throw .closed }
        try await waiter.value().get()
    }

    static func outcome(
        _ result: Result<[RefusedPartition], GroupError>, _ group: String
    ) -> Result<Void, StreamError> {
        switch result {
        case .success(let refused):
            refused.first.map { .failure(StreamError($0.error, group: group)) } ?? .success(())
        case .failure(let error): .failure(StreamError(error, group: group))
        }
    }
}

extension GroupEngine {
    /// A group, and what it has committed; nil when there is none.
    func look(at name: String) -> (GroupDescription, [TopicPartition: Int64])? {
        read { coordinator in
            guard let group = coordinator.describe(name) else { return nil }
            var offsets: [TopicPartition: Int64] = [:]
            for (partition, committed) in (try? coordinator.committed(groupID: name)) ?? [] {
                offsets[TopicPartition(partition)] = committed?.offset
            }
            return (group, offsets)
        }
    }
}

extension StoreEngine {
    /// A group, with how far it is behind. Reads indexes: not for the cooperative pool.
    fileprivate func description(
        of group: GroupDescription, _ committed: [TopicPartition: Int64]
    ) -> ConsumerGroupDescription {
        var owners: [TopicPartition: String] = [:]
        var members: [ConsumerGroupDescription.Member] = []
        for member in group.members {
            let given = try? ConsumerAssignment(member.assignment[...])
            let assignment = (given?.partitions ?? []).map(TopicPartition.init).sorted()
            for partition in assignment { owners[partition] = member.memberID }
            members.append(
                .init(
                    id: member.memberID, instanceID: member.instanceID, clientID: member.clientID,
                    host: member.clientHost, assignment: assignment))
        }
        let partitions = Set(committed.keys).union(owners.keys).sorted().map { partition in
            progress(partition, committed[partition], owners[partition])
        }
        return ConsumerGroupDescription(
            name: group.groupID, state: .init(rawValue: group.state.rawValue) ?? .empty,
            generation: Int(group.generation),
            assignor: group.protocolName.isEmpty ? nil : group.protocolName,
            members: members, partitions: partitions)
    }

    private func progress(
        _ partition: TopicPartition, _ committed: Int64?, _ owner: String?
    ) -> ConsumerGroupDescription.Progress {
        var progress = ConsumerGroupDescription.Progress(
            partition: partition, committed: committed.map { Offset($0) }, memberID: owner)
        guard let number = try? self.number(of: partition),
            let valid = try? read({ volume throws(LogError) in try volume.offsets(number) })
        else { return progress }
        progress.offsets = Offset(valid.lowerBound)..<Offset(valid.upperBound)
        let place = min(max(committed ?? valid.lowerBound, valid.lowerBound), valid.upperBound)
        progress.lag = valid.upperBound - place
        progress.lagBytes = try? bytes(number, from: place)
        return progress
    }

    /// Bytes of the log from the batch with the offset on.
    func bytes(_ number: Int, from offset: Int64) throws(LogError) -> Int64 {
        guard let view = try read({ volume throws(LogError) in try volume.segment(number, at: offset) })
        else {
            return 0
        }
        let position = try reader.position(of: offset, in: view)
        return view.limit - position
            + (try read { volume throws(LogError) in try volume.bytes(number, behind: view) })
    }
}

extension TopicPartition {
    init(_ partition: GroupPartition) {
        self.init(topic: partition.topic, partition: Int(partition.partition))
    }
}

extension GroupPartition {
    init(_ partition: TopicPartition) {
        self.init(topic: partition.topic, partition: Int32(clamping: partition.partition))
    }
}

extension StreamError {
    /// What the coordinator says, to the program.
    init(_ error: GroupError, group: String) {
        switch error {
        case .unknownMember: self = .unknownMember(group: group)
        case .illegalGeneration, .rebalanceInProgress:
            self = .fenced(group: group, reason: "its partitions have been given out anew without it")
        case .fencedInstance:
            self = .fenced(group: group, reason: "a newer consumer has the same group.instance.id")
        case .groupIDNotFound: self = .unknownGroup(group)
        case .nonEmptyGroup, .groupSubscribedToTopic: self = .groupNotEmpty(group)
        case .invalidGroupID:
            self = .illegalConfiguration(
                key: "group.id", value: group,
                reason: "accepted: a name of 1 to \(GroupLimits.groupIDBytes) bytes")
        case .inconsistentProtocol:
            self = .fenced(
                group: group, reason: "the other members offer no way of assigning that it knows as well")
        case .groupMaxSizeReached:
            self = .unsupported("Group \(quoted(group)) has as many members as a group may have")
        case .offsetMetadataTooLarge, .coordinatorLoading, .coordinatorNotAvailable, .memberIDRequired,
            .invalidSessionTimeout:
            self = .indeterminate(
                OffsetsTopic.place, reason: "the records of group \(quoted(group)) could not be stored")
        case .unstableOffsetCommit:
            self = .indeterminate(
                OffsetsTopic.place,
                reason: "a commit of group \(quoted(group)) has no outcome before the store is opened again")
        }
    }
}
