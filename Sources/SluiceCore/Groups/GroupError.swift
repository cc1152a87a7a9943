// Why the coordinator refuses something: one case for each of Kafka's codes, so that the wire only has to
// write `code`.

/// A refusal by the coordinator. The group goes on.
package enum GroupError: Error, Hashable, Sendable {
    /// The metadata of a commit is over `GroupLimits.metadataBytes`. Shorten it.
    case offsetMetadataTooLarge
    /// The offsets topic is being read. Try again in a moment.
    case coordinatorLoading
    /// The group is being deleted, or its records could not be stored. Try again in a moment.
    case coordinatorNotAvailable
    /// The member is of another generation than the group: a rebalance took place without it. Rejoin.
    case illegalGeneration
    /// The member offers nothing that all other members offer, or another protocol type.
    case inconsistentProtocol
    /// The group's id is empty or over `GroupLimits.groupIDBytes`.
    case invalidGroupID
    /// The group does not know the member, or no longer. Rejoin without an id.
    case unknownMember
    /// The session time-out is out of `GroupConfiguration.sessionTimeouts`.
    case invalidSessionTimeout
    /// A rebalance is under way. Rejoin.
    case rebalanceInProgress
    /// The group has members. Stop them first.
    case nonEmptyGroup
    /// There is no such group.
    case groupIDNotFound
    /// A new member is to join again with this id.
    case memberIDRequired(memberID: String)
    /// The group has as many members as it may have.
    case groupMaxSizeReached
    /// Another member has taken over this member's instance id. Stop.
    case fencedInstance
    /// The group reads the topic; its offsets stay.
    case groupSubscribedToTopic
    /// A commit of the partition is on its way. Ask again in a moment, lest the position goes back.
    case unstableOffsetCommit

    /// Kafka's number of the error.
    package var code: Int16 {
        switch self {
        case .offsetMetadataTooLarge: 12
        case .coordinatorLoading: 14
        case .coordinatorNotAvailable: 15
        case .illegalGeneration: 22
        case .inconsistentProtocol: 23
        case .invalidGroupID: 24
        case .unknownMember: 25
        case .invalidSessionTimeout: 26
        case .rebalanceInProgress: 27
        case .nonEmptyGroup: 68
        case .groupIDNotFound: 69
        case .memberIDRequired: 79
        case .groupMaxSizeReached: 81
        case .fencedInstance: 82
        case .groupSubscribedToTopic: 86
        case .unstableOffsetCommit: 88
        }
    }
}
