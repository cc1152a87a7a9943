// One group in memory: its state, its members, its durable offsets.
//
//   Empty ─join─► PreparingRebalance ─all joined─► CompletingRebalance ─leader's sync, stored─► Stable
//     ▲                   │  ▲                             │                                      │
//     └── nobody left ────┘  └──── join, leave, time-out ──┴──────────────────────────────────────┘
//
// (1) `offsets`, `metadata` and the members' assignments say only what is durable. (2) A held join or sync is
// a ticket in its member; each is answered once. (3) Members are looked at in the order in which they came.

/// A group's state, by Kafka's names.
package enum GroupState: String, Sendable {
    /// No members; perhaps offsets.
    case empty = "Empty"
    /// Members are joining.
    case preparingRebalance = "PreparingRebalance"
    /// The generation is made; the leader's assignment is awaited, or being stored.
    case completingRebalance = "CompletingRebalance"
    /// Every member can have its assignment.
    case stable = "Stable"
    /// Being deleted, or gone.
    case dead = "Dead"
}

/// A member of a group.
struct Member: Sendable {
    var id: String
    var instanceID: String?
    var clientID: String
    var clientHost: String
    var isLocal: Bool
    var sessionTimeout: Int32
    var rebalanceTimeout: Int32
    var protocols: [GroupProtocol]
    var assignment: [UInt8] = []
    var joinTicket: UInt64?
    var syncTicket: UInt64?
    /// Whether it has not been in a generation yet.
    var isNew = true
    var hasSynced = false
    /// The order of coming.
    var number: UInt64

    func metadata(_ protocolName: String?) -> [UInt8] {
        protocols.first { $0.name == protocolName }?.metadata ?? []
    }
}

/// A committed offset and where in the offsets topic it is.
struct StoredOffset: Sendable {
    var committed: CommittedOffset
    var logOffset: Int64
}

struct Group: Sendable {
    let id: String
    var state = GroupState.empty
    var generation: Int32 = 0
    var protocolType: String?
    var protocolName: String?
    var leaderID: String?
    var stateTimestamp: Int64 = -1
    var members: [String: Member] = [:]
    var staticMembers: [String: String] = [:]
    /// Ids that were given out and whose owners have not joined yet, with their session time-outs.
    var pending: [String: Int32] = [:]
    var offsets: [GroupPartition: StoredOffset] = [:]
    /// Where deletions are in the log, while stores are in flight whose outcome may be told later.
    var deletedAt: [GroupPartition: Int64] = [:]
    /// The value of the last durable metadata record, and where it is.
    var metadata: (value: [UInt8], logOffset: Int64)?
    /// Stores whose outcome is not known.
    var storesInFlight = 0
    /// The assignment that is being stored.
    var assigning: (storeID: UInt64, assignments: [String: [UInt8]])?
    /// The requests to delete the group; it is deleted once no store is in flight.
    var deletions: [UInt64] = []
    /// While the first join is held back for others: what is left of the time for that, in milliseconds.
    var delayLeft: Int64?
    var hasNewMember = false
    /// What all members together subscribe to; nil when a subscription could not be read.
    var subscribedTopics: Set<String>? = []

    init(id: String) { self.id = id }

    /// Nothing is known of it that anyone could want back.
    var isVacant: Bool {
        state == .empty && members.isEmpty && pending.isEmpty && offsets.isEmpty && metadata == nil
            && storesInFlight == 0 && deletions.isEmpty
    }

    var membersInOrder: [Member] { members.values.sorted { $0.number < $1.number } }

    var maxRebalanceTimeout: Int64 { Int64(members.values.map(\.rebalanceTimeout).max() ?? 0) }

    func supports(_ type: String, _ protocols: [GroupProtocol]) -> Bool {
        guard !type.isEmpty, !protocols.isEmpty, protocols.count <= GroupLimits.protocolsPerMember else {
            return false
        }
        if members.isEmpty { return true }
        return type == protocolType
            && protocols.contains { offered in
                members.values.allSatisfy { $0.protocols.contains { $0.name == offered.name } }
            }
    }

    /// The protocol that most members prefer among those that all offer; the first joiner decides a tie.
    func vote() -> String? {
        let voters = membersInOrder
        guard let first = voters.first else { return nil }
        let candidates = first.protocols.map(\.name).filter { name in
            voters.allSatisfy { $0.protocols.contains { $0.name == name } }
        }
        var votes: [String: Int] = [:]
        for voter in voters {
            let choice = voter.protocols.first { candidates.contains($0.name) }
            if let choice { votes[choice.name, default: 0] += 1 }
        }
        let most = votes.values.max()
        return candidates.first { votes[$0] == most }
    }

    /// What a member is told of the current generation.
    func joinResponse(for member: Member, withMembers: Bool) -> JoinResponse {
        JoinResponse(
            generation: generation, protocolType: protocolType ?? "", protocolName: protocolName ?? "",
            leaderID: leaderID ?? "", memberID: member.id,
            members: withMembers
                ? membersInOrder.map {
                    .init(
                        memberID: $0.id, instanceID: $0.instanceID, metadata: $0.metadata(protocolName))
                } : [])
    }

    func syncResponse(for member: Member) -> SyncResponse {
        SyncResponse(
            protocolType: protocolType ?? "", protocolName: protocolName ?? "", assignment: member.assignment)
    }

    /// What is to be stored of it, with these assignments.
    func record(assignments: [String: [UInt8]]) -> GroupRecord {
        let value = GroupMetadata(
            protocolType: protocolType ?? "", generation: generation, protocolName: protocolName,
            leaderID: leaderID, stateTimestamp: stateTimestamp,
            members: membersInOrder.map {
                .init(
                    memberID: $0.id, instanceID: $0.instanceID, clientID: $0.clientID,
                    clientHost: $0.isLocal ? GroupMetadata.localHost : $0.clientHost,
                    rebalanceTimeout: $0.rebalanceTimeout, sessionTimeout: $0.sessionTimeout,
                    subscription: $0.metadata(protocolName), assignment: assignments[$0.id] ?? [])
            })
        return GroupRecord(key: GroupRecordKey.group(groupID: id).bytes, value: value.bytes)
    }

    /// Reads the topics out of the members' subscriptions, for groups of consumers.
    mutating func noteSubscriptions() {
        subscribedTopics = []
        guard protocolType == "consumer", let protocolName else { return }
        for member in members.values {
            guard let subscription = try? ConsumerSubscription(member.metadata(protocolName)[...]) else {
                subscribedTopics = nil
                return
            }
            subscribedTopics?.formUnion(subscription.topics)
        }
    }
}
