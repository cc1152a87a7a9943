// What a group commits that has no members, and whose owner in this process lets nobody come in between: a
// queue of messages.
//
// (1) It is written only where the group says what its owner thinks that it says: who has moved the group
// meanwhile is not overwritten. (2) It goes into the log as an atomic write, with whatever else is in that.
// (3) The owner is told when something of the group becomes durable, by whomever, and of the catalogue.

package import SluiceCore
import SluiceLog

/// Positions that are committed together.
package struct LoneCommit: Sendable {
    /// One partition's.
    package struct Part: Sendable {
        /// Which.
        package var place: TopicPartition
        /// The volume's number of it.
        package var number: Int
        /// What the group must have committed; nil: nothing.
        package var expected: StoredPosition?
        /// What is committed.
        package var position: StoredPosition

        /// A position to be committed.
        package init(
            _ place: TopicPartition, number: Int, expected: StoredPosition?, position: StoredPosition
        ) {
            self.place = place
            self.number = number
            self.expected = expected
            self.position = position
        }
    }
    /// The group.
    package var group: String
    /// The positions, of different partitions.
    package var parts: [Part]

    /// A commit.
    package init(group: String, parts: [Part]) {
        self.group = group
        self.parts = parts
    }

    var request: CommitRequest {
        CommitRequest(
            groupID: group,
            offsets: parts.map {
                OffsetToCommit(
                    GroupPartition($0.place), offset: $0.position.offset, metadata: $0.position.metadata)
            })
    }
}

/// Why a lone commit was not written.
package enum LoneCommitError: Error, Sendable {
    /// Somebody else has moved the group in some partitions: what it has committed of those.
    case moved([TopicPartition: StoredPosition?])
    /// A commit of somebody else is on its way: to be tried again in a moment.
    case unstable
    /// The group has members, which commit for it.
    case hasMembers
    /// It could not be written, or nobody knows whether it was.
    case stream(StreamError)
}

/// Whoever commits for a group without members.
package protocol GroupOwner: AnyObject, Sendable {
    /// Something that the group has committed became durable, or was taken back. Short: on an I/O thread.
    func groupChanged()
    /// Topics were made, changed or deleted.
    func catalogueChanged()
    /// The store is being closed, and still takes commits.
    nonisolated(nonsending) func storeCloses() async
}

struct WeakGroupOwner: Sendable {
    let group: String
    weak var owner: (any GroupOwner)?
}

extension GroupEngine {
    func attach(_ owner: any GroupOwner, to group: String) {
        owners.withLock { owners in
            owners.removeAll { $0.owner == nil }
            owners.append(WeakGroupOwner(group: group, owner: owner))
        }
    }

    /// Those of a group; of all groups without one.
    func currentOwners(of group: String? = nil) -> [any GroupOwner] {
        owners.withLock { owners in
            owners.compactMap { group == nil || $0.group == group ? $0.owner : nil }
        }
    }

    /// What a group has committed of some partitions, once nothing of them is on its way. nil: not now.
    func settled(_ group: String, _ places: [TopicPartition]) -> [TopicPartition: StoredPosition]? {
        read { coordinator in Self.settled(group, places, coordinator) }
    }

    private static func settled(
        _ group: String, _ places: [TopicPartition], _ coordinator: borrowing GroupCoordinator
    ) -> [TopicPartition: StoredPosition]? {
        let found = try? coordinator.committed(
            groupID: group, partitions: places.map(GroupPartition.init), requireStable: true)
        guard let found else { return nil }
        var positions: [TopicPartition: StoredPosition] = [:]
        for (partition, committed) in found {
            positions[TopicPartition(partition)] = committed.map {
                StoredPosition(offset: $0.offset, metadata: $0.metadata)
            }
        }
        return positions
    }

    /// Why a commit cannot be made now; nil when it can. With the coordinator's lock.
    func obstacle(to commit: LoneCommit, _ coordinator: borrowing GroupCoordinator) -> LoneCommitError? {
        for part in commit.parts where (try? engine.number(of: part.place)) != part.number {
            return .stream(.unknownTopic(part.place.topic))
        }
        let places = commit.parts.map(\.place)
        guard let found = Self.settled(commit.group, places, coordinator) else { return .unstable }
        var moved: [TopicPartition: StoredPosition?] = [:]
        for part in commit.parts where found[part.place] != part.expected {
            moved.updateValue(found[part.place], forKey: part.place)
        }
        return moved.isEmpty ? nil : .moved(moved)
    }
}

extension ServedStore {
    /// Is told of what concerns the group, as long as it lives.
    package func attach(_ owner: any GroupOwner, to group: String) { groups.attach(owner, to: group) }

    /// What a group has committed of some partitions, once nothing of them is on its way. nil: not now.
    package func settled(
        _ group: String, _ places: [TopicPartition]
    ) -> [TopicPartition: StoredPosition]? { groups.settled(group, places) }

    /// For how long a group without members is remembered that commits nothing.
    package var offsetsRetentionMilliseconds: Int64 {
        groups.configuration.offsetsRetentionMilliseconds
    }

    /// An atomic write that a full store must take too, so that it can be drained.
    package func exemptWrite() -> AtomicWrite {
        var write = AtomicWrite(engine)
        write.isExempt = true
        return write
    }

    /// Makes an atomic write, and commits with it, as one; durable on return. Not to be cancelled.
    package nonisolated(nonsending) func write(
        _ write: consuming AtomicWrite, committing commit: LoneCommit
    ) async throws(LoneCommitError) {
        let began = Instant.monotonicNow
        let prepared: GroupStore
        switch groups.prepare(commit) {
        case .success(let store): prepared = store
        case .failure(let error): throw error
        }
        write.mentioned = commit.parts.map { ($0.place, $0.number) }
        do throws(StreamError) {
            guard let waiter = try write.submit(store.atomicSink, groups, [prepared]) else { return }
            groups.noteAppended(prepared.records.reduce(80) { $0 + $1.byteCount + 16 })
            try await waiter.value().get()
        } catch {
            throw .stream(error)
        }
        let offsets = commit.parts.map {
            ($0.place, Progress(offset: $0.position.offset, number: $0.number))
        }
        groups.committed(Dictionary(uniqueKeysWithValues: offsets), in: commit.group, since: began)
    }
}
