// Groups whose members are on the wire: the coordinator's requests, each with its answer.
//
// (1) The same coordinator as of members in this process: both can be in one group. (2) A request goes to the
// coordinator before the function that waits for its answer suspends: requests keep their order.

package import SluiceCore
import SluiceLog

extension ServedStore {
    /// Sees that groups can be asked for: reads what is stored of them, once. Throws `corrupt`, `offline`,
    /// `io`, `noSpace`, `closed`.
    ///
    /// - Parameter isToBeMade: false when a store without groups is to stay as it is.
    package nonisolated(nonsending) func groupsReady(isToBeMade: Bool) async throws(StreamError) {
        try await groups.ready(isToBeMade: isToBeMade)
    }

    /// A member joins: the answer comes when the generation is made. nil: the store has been closed.
    package func join(_ request: JoinRequest) -> PendingAnswer<Result<JoinResponse, GroupError>>? {
        let pending = PendingAnswer<Result<JoinResponse, GroupError>>()
        let ticket = groups.request(.join { pending.give($0) }) { coordinator, ticket, now in
            coordinator.join(request, ticket: ticket, now: now)
        }
        return ticket == nil ? nil : pending
    }

    /// A member asks for its assignment.
    package func sync(_ request: SyncRequest) -> PendingAnswer<Result<SyncResponse, GroupError>>? {
        let pending = PendingAnswer<Result<SyncResponse, GroupError>>()
        let ticket = groups.request(.sync { pending.give($0) }) { coordinator, ticket, now in
            coordinator.sync(request, ticket: ticket, now: now)
        }
        return ticket == nil ? nil : pending
    }

    /// A member says that it is alive; why it is to do something else, or nil.
    package func heartbeat(
        _ groupID: String, generation: Int32, memberID: String, instanceID: String?
    ) -> GroupError? {
        groups.change { coordinator, now in
            do throws(GroupError) {
                try coordinator.heartbeat(
                    groupID: groupID, generation: generation, memberID: memberID, instanceID: instanceID,
                    now: now)
                return nil
            } catch {
                return error
            }
        }
    }

    /// Members leave: the error of each, nil for those that left.
    package func leave(_ groupID: String, _ members: [LeavingMember]) -> [GroupError?] {
        groups.change { coordinator, now in coordinator.leave(groupID: groupID, members: members, now: now) }
    }

    /// Commits positions: the answer, with the partitions that were refused, comes when they are durable.
    ///
    /// - Parameter numbers: the volume's, of the partitions that are meant: what is of a topic that has been
    ///   deleted meanwhile is left out.
    package func commit(
        _ request: CommitRequest, of numbers: [TopicPartition: Int]
    ) -> PendingAnswer<Result<[RefusedPartition], GroupError>>? {
        let pending = PendingAnswer<Result<[RefusedPartition], GroupError>>()
        let ticket = groups.commit(request, of: numbers, .commit { pending.give($0) })
        return ticket == nil ? nil : pending
    }

    /// What a group has committed; nil for partitions without.
    package func committed(
        _ groupID: String, _ partitions: [GroupPartition]?, requireStable: Bool
    ) -> Result<[(partition: GroupPartition, offset: CommittedOffset?)], GroupError> {
        groups.read { coordinator in
            do throws(GroupError) {
                return .success(
                    try coordinator.committed(
                        groupID: groupID, partitions: partitions, requireStable: requireStable))
            } catch {
                return .failure(error)
            }
        }
    }

    /// Takes back what a group has committed.
    package func deleteOffsets(
        _ groupID: String, _ partitions: [GroupPartition]
    ) -> PendingAnswer<Result<[RefusedPartition], GroupError>>? {
        let pending = PendingAnswer<Result<[RefusedPartition], GroupError>>()
        let ticket = groups.request(.commit { pending.give($0) }) { coordinator, ticket, now in
            coordinator.deleteOffsets(groupID: groupID, partitions: partitions, ticket: ticket, now: now)
        }
        return ticket == nil ? nil : pending
    }

    /// Deletes a group without members: why not, or nil when it is gone.
    package func deleteGroup(_ groupID: String) -> PendingAnswer<GroupError?>? {
        let pending = PendingAnswer<GroupError?>()
        let ticket = groups.request(.deletion { pending.give($0) }) { coordinator, ticket, now in
            coordinator.deleteGroup(groupID, ticket: ticket, now: now)
        }
        return ticket == nil ? nil : pending
    }

    /// All groups, by name.
    package var groupList: [GroupListing] { groups.read { $0.list() } }

    /// A group in detail; nil when there is none.
    package func groupDescription(_ groupID: String) -> GroupDescription? {
        groups.read { $0.describe(groupID) }
    }
}

/// An answer that comes once, awaited by one task.
package struct PendingAnswer<Value: Sendable>: Sendable {
    private let waiter = Waiter<Value>()

    /// No answer yet.
    package init() {}

    /// Gives the answer; later ones are dropped.
    package func give(_ value: Value) { waiter.resume(.success(value)) }

    /// The answer; nil when the task is cancelled before it comes.
    package nonisolated(nonsending) func value() async -> Value? {
        try? await waiter.value(cancelled: .cancelled(accepted: true)).get()
    }
}
