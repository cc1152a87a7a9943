// Kafka's group coordinator, all groups of a store in one struct.
//
// (1) Pure: time comes in as an argument, randomness as a seed, and what is to be done goes out as effects.
// (2) Write-ahead: an assignment or a committed offset is visible once its records are durable, which the
// caller reports with `stored`. (3) Of two values of a key the one further on in the log is true, in
// whatever order the caller reports them. (4) Members in this process have no session: they are told of
// rebalances by notices, and are removed when they exceed the deadline that `processing` sets.
//
// Not synchronised: one owner. After every call take the effects and look at `nextDeadline` again.

package import SluiceLog

/// The coordinator of all groups.
///
/// - Source: Kafka's `GroupCoordinator` and `GroupMetadata`, the classic protocol.
package struct GroupCoordinator: Sendable {
    /// How it behaves.
    package let configuration: GroupConfiguration
    /// Whether `finishLoading` has been called; before it requests are refused with `coordinatorLoading`.
    package internal(set) var isLoaded = false
    /// Generations begun since the start.
    package internal(set) var rebalanceCount = 0
    /// Commits that became durable since the start.
    package internal(set) var commitCount = 0
    /// Members removed since the start because they were silent or slow.
    package internal(set) var expiredMemberCount = 0

    var groups: [String: Group] = [:]
    var loading: [String: LoadedGroup] = [:]
    var foreignRecords: [[UInt8]: [UInt8]] = [:]
    var deadlines = Deadlines()
    var effects: [GroupEffect] = []
    var stores: [UInt64: PendingStore] = [:]
    /// Deletions of topics that are being made known, by ticket.
    var topicDeletions: [UInt64: TopicDeletion] = [:]
    private var lastStoreID: UInt64 = 0
    private var lastMemberNumber: UInt64 = 0
    private var random: SplitMix64

    /// A coordinator without groups; load the offsets topic's records, then call `finishLoading`.
    ///
    /// - Parameter seed: from a real random source, since member ids must differ from those before a restart.
    package init(configuration: GroupConfiguration = .init(), seed: UInt64) {
        self.configuration = configuration
        random = SplitMix64(state: seed)
    }

    /// What is to be done since the last call, in order.
    package mutating func takeEffects() -> [GroupEffect] {
        defer { effects = [] }
        return effects
    }

    /// When `advance` is to be called, in monotonic nanoseconds; nil when nothing is to come.
    ///
    /// It may be early by a time-out, so that a heartbeat costs nothing: then `advance` does nothing.
    package var nextDeadline: Int64? { deadlines.next }

    /// Does what is due: time-outs of members and phases, expiry of offsets.
    package mutating func advance(to now: Instant) {
        while let key = deadlines.popDue(now.monotonicNanoseconds) {
            switch key {
            case .session(let groupID, let memberID): sessionEnded(groupID, memberID, now)
            case .processing(let groupID, let memberID): processingEnded(groupID, memberID, now)
            case .pending(let groupID, let memberID): forgetPending(groupID, memberID, now)
            case .phase(let groupID): phaseEnded(groupID, now)
            case .expiry: expire(now)
            }
        }
    }

    // MARK: For the extensions

    /// Takes a group out to change it; it must be `put` back. Taken out it is not copied on the first write.
    mutating func take(_ groupID: String) -> Group? { groups.removeValue(forKey: groupID) }

    mutating func put(_ group: Group) {
        if group.isVacant {
            deadlines.set(.phase(group: group.id), nil)
        } else {
            groups[group.id] = group
        }
        if groups.isEmpty { deadlines.set(.expiry, nil) }
    }

    /// A group that is there, or a new one. Offsets are looked after as soon as there is one.
    mutating func takeOrMake(_ groupID: String, _ now: Instant) -> Group {
        if groups.isEmpty { scheduleExpiry(now) }
        return take(groupID) ?? Group(id: groupID)
    }

    mutating func scheduleExpiry(_ now: Instant) {
        deadlines.set(.expiry, now.after(milliseconds: GroupLimits.expiryCheckMilliseconds))
    }

    mutating func nextMemberNumber() -> UInt64 {
        lastMemberNumber += 1
        return lastMemberNumber
    }

    /// A new id: what the client is called, and 128 bits.
    mutating func newMemberID(_ prefix: String) -> String {
        let name = String(decoding: prefix.utf8.prefix(GroupLimits.clientIDBytes), as: UTF8.self)
        return "\(name)-\(UniqueID(using: &random))"
    }

    /// Asks for records to be stored and remembers what for.
    mutating func store(
        _ records: [GroupRecord], ticket: UInt64? = nil, in group: inout Group,
        for purpose: PendingStore.Purpose
    ) -> UInt64 {
        lastStoreID += 1
        group.storesInFlight += 1
        stores[lastStoreID] = PendingStore(groupID: group.id, purpose: purpose, records: records)
        effects.append(.store(GroupStore(id: lastStoreID, ticket: ticket, records: records)))
        return lastStoreID
    }
}

/// Records whose outcome is awaited.
struct PendingStore: Sendable {
    enum Purpose: Sendable {
        case commit(ticket: UInt64, [(GroupPartition, CommittedOffset)], refused: [RefusedPartition])
        case assignment(generation: Int32)
        /// Metadata that nobody waits for: a group that has become empty.
        case metadata
        /// A static member was replaced, and its join is answered when that is durable.
        case replacement(ticket: UInt64, JoinResponse)
        case offsetDeletion(ticket: UInt64?, [GroupPartition], refused: [RefusedPartition])
        case topicDeletion(ticket: UInt64, [GroupPartition])
        /// What a commit says of a topic that was deleted before it came into the log, and where it says so.
        case takingBack([LateCommit])
        case groupDeletion(tickets: [UInt64])
    }
    var groupID: String
    var purpose: Purpose
    var records: [GroupRecord]
    /// Topics of a commit that have been deleted since it was sent.
    var deletedTopics: Set<String> = []
    /// Its outcome will not be told.
    var isInDoubt = false
}

/// What the log says of a partition whose topic had been deleted.
struct LateCommit: Sendable {
    var partition: GroupPartition
    var committed: CommittedOffset
    var logOffset: Int64
}

/// A topic's deletion, while the groups that have committed something of it write that down.
struct TopicDeletion: Sendable {
    var storesLeft: Int
    var hasFailed = false
}

extension Instant {
    /// The monotonic time that many milliseconds from here.
    func after(milliseconds: Int64) -> Int64 { monotonicNanoseconds + milliseconds * 1_000_000 }
}
