// What is seen of groups from outside.

/// A group in a list.
package struct GroupListing: Hashable, Sendable {
    /// The group.
    package var groupID: String
    /// `consumer` for consumers; empty when it never had members.
    package var protocolType: String
    /// Its state.
    package var state: GroupState
}

/// A group in detail.
package struct GroupDescription: Hashable, Sendable {
    /// A member.
    package struct Member: Hashable, Sendable {
        /// The member's id.
        package var memberID: String
        /// Its name, when it is static.
        package var instanceID: String?
        /// What the client calls itself.
        package var clientID: String
        /// Where it is; `GroupMetadata.localHost` in this process.
        package var clientHost: String
        /// Whether it lives in this process.
        package var isLocal: Bool
        /// Its subscription under the chosen protocol; empty unless the group is stable.
        package var metadata: [UInt8]
        /// Its assignment; empty unless the group is stable.
        package var assignment: [UInt8]
    }
    /// The group.
    package var groupID: String
    /// Its state.
    package var state: GroupState
    /// The generation.
    package var generation: Int32
    /// `consumer` for consumers; empty when it never had members.
    package var protocolType: String
    /// The chosen protocol; empty unless the group is stable.
    package var protocolName: String
    /// The leader's id, if there is one.
    package var leaderID: String?
    /// The members, in the order in which they came.
    package var members: [Member]
}

extension GroupCoordinator {
    /// All groups, by id.
    package func list() -> [GroupListing] {
        groups.values.sorted { $0.id < $1.id }.map {
            GroupListing(groupID: $0.id, protocolType: $0.protocolType ?? "", state: $0.state)
        }
    }

    /// A group in detail; nil when it is not there.
    package func describe(_ groupID: String) -> GroupDescription? {
        guard let group = groups[groupID], group.state != .dead else { return nil }
        let isStable = group.state == .stable
        return GroupDescription(
            groupID: groupID, state: group.state, generation: group.generation,
            protocolType: group.protocolType ?? "", protocolName: isStable ? group.protocolName ?? "" : "",
            leaderID: group.leaderID,
            members: group.membersInOrder.map {
                .init(
                    memberID: $0.id, instanceID: $0.instanceID, clientID: $0.clientID,
                    clientHost: $0.isLocal ? GroupMetadata.localHost : $0.clientHost, isLocal: $0.isLocal,
                    metadata: isStable ? $0.metadata(group.protocolName) : [],
                    assignment: isStable ? $0.assignment : [])
            })
    }
}
