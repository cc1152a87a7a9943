// A consumer's membership, for one that lives in this process: a state machine that answers the coordinator's
// effects with requests of its own.
//
//   idle ─start─► joining ─joined─► syncing ─synced─► stable ─┬ rebalanceNeeded, cooperative ► joining
//                    ▲                                        ├ rebalanceNeeded, eager ► revoking
//                    └───────── revoked ── revoking ◄─────────┴ synced without some that it owned
//
// (1) `owned` is what the consumer may read: it shrinks only after `revoked` has been called, when handler
// and loop body are done, or at once by `lost`. (2) It rejoins only without what it was to give up. (3)
// Effects are carried out in their order.
//
// Not synchronised: one owner.

/// What a member wants done.
package enum MemberEffect: Hashable, Sendable {
    /// Give this to `GroupCoordinator.join`, and the answer to `joined`.
    case join(JoinRequest)
    /// Give this to `GroupCoordinator.sync`, and the answer to `synced`.
    case sync(SyncRequest)
    /// These partitions are to be given up: finish what is in hand, commit, then call `revoked`.
    case revoke([GroupPartition])
    /// These partitions are the member's from now on.
    case assign([GroupPartition])
    /// These partitions are another's by now: drop what is in hand; commits of it are refused.
    case lost([GroupPartition])
    /// Give this to `GroupCoordinator.leave`; the member has ended. Without id and name it still waits in its
    /// first join: give that one's ticket to `cancelJoin`.
    case leave(LeavingMember)
    /// Nothing can be done for the moment: call `retry` in some tenth of a second.
    case retryLater
    /// The member has ended: `fencedInstance`, or the coordinator does not take it.
    case failed(GroupError)
}

/// One member of a group, in this process.
package struct GroupMember: Sendable {
    /// Where a member is.
    package enum Phase: Hashable, Sendable {
        case idle, joining, syncing, stable, revoking, waiting, ended
    }
    /// What never changes of a member.
    package struct Configuration: Hashable, Sendable {
        /// The group.
        package var groupID: String
        /// What the consumer calls itself.
        package var clientID: String
        /// Its name, when it is static. Kafka: group.instance.id.
        package var instanceID: String?
        /// How long it may hold back a rebalance. Kafka: max.poll.interval.ms.
        package var processingTimeoutMilliseconds: Int32
        /// What it offers, the dearest first.
        package var assignors: [Assignor]

        /// A configuration with the defaults.
        package init(
            groupID: String, clientID: String, instanceID: String? = nil,
            processingTimeoutMilliseconds: Int32 = 300_000, assignors: [Assignor] = Assignor.allCases
        ) {
            self.groupID = groupID
            self.clientID = clientID
            self.instanceID = instanceID
            self.processingTimeoutMilliseconds = processingTimeoutMilliseconds
            self.assignors = assignors
        }
    }

    /// What never changes of it.
    package let configuration: Configuration
    /// Where it is.
    package private(set) var phase = Phase.idle
    /// Its id; empty until it has one.
    package private(set) var memberID = ""
    /// The generation that commits are made in; -1 when it is in none.
    package private(set) var generation: Int32 = -1
    /// What it may read, in order.
    package private(set) var owned: [GroupPartition] = []
    /// The topics that it subscribes to.
    package private(set) var topics: [String]
    /// Whether it assigns, in the current generation.
    package private(set) var isLeader = false

    private var counts: [String: Int32]
    private var assignor: Assignor?
    private var revoking: [GroupPartition] = []
    /// What it said to own when it joined.
    private var claimed: [GroupPartition] = []
    /// The generation in which `owned` was given.
    private var ownedGeneration: Int32 = -1
    /// What the assignment was made of, when it was made here: topics of all members and their partitions.
    private var assignedCounts: [String: Int32] = [:]
    private var mustRejoin = false
    private var isLeaving = false
    /// It has been in the group under an id that is no more.
    private var wasPutOut = false
    private var effects: [MemberEffect] = []

    /// A member that has not joined yet.
    ///
    /// - Parameter topics: the topics that it subscribes to: named, or those that its pattern found.
    /// - Parameter counts: how many partitions each topic of the store has; of use when it is the leader.
    package init(_ configuration: Configuration, topics: [String], counts: [String: Int32]) {
        self.configuration = configuration
        self.topics = topics.sorted()
        self.counts = counts
    }

    /// What is to be done since the last call, in order.
    package mutating func takeEffects() -> [MemberEffect] {
        defer { effects = [] }
        return effects
    }

    /// Joins the group for the first time.
    package mutating func start() {
        precondition(phase == .idle, "a member starts once")
        join()
    }

    /// The subscribed topics are others, or topics have more partitions: it rejoins when that changes
    /// anything.
    package mutating func topicsChanged(topics: [String], counts: [String: Int32]) {
        let isOther = topics.sorted() != self.topics
        self.topics = topics.sorted()
        self.counts = counts
        let isLeadersBusiness = isLeader && assignedCounts.contains { counts[$0.key] ?? 0 != $0.value }
        guard isOther || isLeadersBusiness else { return }
        // The join that is on its way says what was.
        if phase == .joining { mustRejoin = true }
        rebalanceNeeded()
    }

    /// How many partitions the topics have now: for the next assignment that it makes.
    package mutating func countsChanged(_ counts: [String: Int32]) { self.counts = counts }

    /// The coordinator's notice, or the member's own wish.
    package mutating func rebalanceNeeded() {
        switch phase {
        case .stable: rejoin()
        // The answer to its sync may be on its way, and was given before the rebalance began.
        case .syncing, .revoking, .joining: mustRejoin = mustRejoin || phase != .joining
        case .idle, .waiting, .ended: break
        }
    }

    /// The answer to `.join`.
    package mutating func joined(_ result: Result<JoinResponse, GroupError>) {
        guard phase == .joining else {
            // It ended before it knew its id.
            if phase == .ended, memberID.isEmpty, case .success(let response) = result {
                memberID = response.memberID
                effects.append(.leave(LeavingMember(memberID: memberID)))
            }
            return
        }
        switch result {
        case .success(let response):
            memberID = response.memberID
            generation = response.generation
            assignor = Assignor(rawValue: response.protocolName)
            isLeader = response.isLeader
            phase = .syncing
            sync(response)
        case .failure(let error): refused(error)
        }
    }

    /// The answer to `.sync`.
    package mutating func synced(_ result: Result<SyncResponse, GroupError>) {
        guard phase == .syncing else { return }
        switch result {
        case .success(let response):
            // Bytes that make no sense come from a foreign leader: they assign nothing.
            let assignment = try? ConsumerAssignment(response.assignment[...])
            take(assignment?.partitions ?? [])
        case .failure(.rebalanceInProgress), .failure(.illegalGeneration):
            mustRejoin = false
            rejoin()
        case .failure(let error): refused(error)
        }
    }

    /// What `.revoke` named is given up: handler and loop body are done with it.
    package mutating func revoked() {
        guard phase == .revoking else { return }
        let gone = Set(revoking)
        owned.removeAll { gone.contains($0) }
        revoking = []
        if isLeaving { end() } else { join() }
    }

    /// Time has passed since `.retryLater`.
    package mutating func retry() {
        if phase == .waiting { rejoin() }
    }

    /// The coordinator has removed it, for it took too long: everything is lost, and it joins as a new
    /// member. A static one ends instead when another has its name by now.
    package mutating func removed() {
        guard phase != .ended, phase != .idle else { return }
        lose()
        if isLeaving { return phase = .ended }
        join()
    }

    /// Another member has its instance id: everything is lost, and it ends.
    package mutating func fenced() {
        guard phase != .ended else { return }
        lose()
        phase = .ended
        effects.append(.failed(.fencedInstance))
    }

    /// Leaves the group: at once, or when what it owns has been given up in order.
    package mutating func leave(immediately: Bool) {
        guard phase != .ended else { return }
        if immediately || owned.isEmpty {
            owned = []
            return end()
        }
        isLeaving = true
        // One revocation at a time; what is under way is taken into this one.
        revoking = owned
        phase = .revoking
        effects.append(.revoke(owned))
    }

    // MARK: Steps

    private mutating func end() {
        if !memberID.isEmpty || phase == .joining {
            effects.append(.leave(LeavingMember(memberID: memberID, instanceID: configuration.instanceID)))
        }
        phase = .ended
    }

    private mutating func lose() {
        wasPutOut = wasPutOut || !memberID.isEmpty
        if !owned.isEmpty { effects.append(.lost(owned)) }
        owned = []
        revoking = []
        memberID = ""
        generation = -1
        ownedGeneration = -1
        isLeader = false
        mustRejoin = false
    }

    private mutating func refused(_ error: GroupError) {
        switch error {
        case .memberIDRequired(let id):
            memberID = id
            join()
        case .unknownMember, .illegalGeneration:
            lose()
            join()
        case .fencedInstance: fenced()
        case .rebalanceInProgress, .coordinatorLoading, .coordinatorNotAvailable:
            phase = .waiting
            effects.append(.retryLater)
        default:
            lose()
            phase = .ended
            effects.append(.failed(error))
        }
    }

    /// Cooperative: joins with what it owns. Eager: gives everything up first.
    private mutating func rejoin() {
        let isCooperative = assignor?.isCooperative ?? false
        if isCooperative || owned.isEmpty { return join() }
        revoke(owned)
    }

    private mutating func revoke(_ partitions: [GroupPartition]) {
        revoking = partitions
        phase = .revoking
        effects.append(.revoke(partitions))
    }

    private mutating func join() {
        phase = .joining
        mustRejoin = false
        isLeader = false
        claimed = owned
        // Kafka before 3.4 reads the generation from its sticky assignor's user data.
        let userData = withUnsafeBytes(of: ownedGeneration.bigEndian) { [UInt8]($0) }
        let protocols = configuration.assignors.map { assignor in
            GroupProtocol(
                name: assignor.rawValue,
                metadata: ConsumerSubscription(
                    topics: topics, userData: assignor.isCooperative ? userData : nil, owned: owned,
                    generation: ownedGeneration
                ).bytes())
        }
        effects.append(
            .join(
                JoinRequest(
                    groupID: configuration.groupID, memberID: memberID, instanceID: configuration.instanceID,
                    clientID: configuration.clientID,
                    rebalanceTimeoutMilliseconds: configuration.processingTimeoutMilliseconds,
                    protocols: protocols, isLocal: true, isReturning: wasPutOut && memberID.isEmpty)))
    }

    private mutating func sync(_ response: JoinResponse) {
        var assignments: [String: [UInt8]] = [:]
        assignedCounts = [:]
        // A leader that was away goes on with what it assigned before, perhaps of fewer partitions than there
        // are now: then nobody else would have noticed.
        if response.isLeader, response.skipsAssignment { mustRejoin = true }
        if response.isLeader, let assignor {
            let members = response.members.map { AssignorMember($0) }
            for topic in members.flatMap(\.topics) { assignedCounts[topic] = counts[topic] ?? 0 }
            assignments = assignor.assign(members, counts: counts).mapValues {
                ConsumerAssignment(partitions: $0).bytes()
            }
        }
        effects.append(
            .sync(
                SyncRequest(
                    groupID: configuration.groupID, generation: response.generation, memberID: memberID,
                    instanceID: configuration.instanceID, protocolType: response.protocolType,
                    protocolName: response.protocolName, assignments: assignments)))
    }

    /// Takes the assignment: what is new at once, for nobody else owns it; what is gone when it is given up.
    private mutating func take(_ target: [GroupPartition]) {
        let mine = Set(owned)
        let wanted = Set(target)
        let added = wanted.subtracting(mine).sorted()
        let leaving = owned.filter { !wanted.contains($0) }
        let gaveUpMore = claimed.contains { !wanted.contains($0) }
        ownedGeneration = generation
        phase = .stable
        if !added.isEmpty {
            owned = (owned + added).sorted()
            effects.append(.assign(added))
        }
        if !leaving.isEmpty {
            mustRejoin = false
            revoke(leaving)
        } else if mustRejoin || gaveUpMore {
            mustRejoin = false
            rejoin()
        }
    }
}

extension AssignorMember {
    /// A member as the coordinator tells the leader of it. One that cannot be read subscribes to nothing.
    init(_ member: JoinResponse.Member) {
        let subscription = try? ConsumerSubscription(member.metadata[...])
        var generation = subscription?.generation ?? -1
        if generation < 0, let userData = subscription?.userData, userData.count == 4 {
            generation = userData.reduce(0) { $0 << 8 | Int32($1) }
        }
        self.init(
            id: member.memberID, instanceID: member.instanceID, topics: subscription?.topics ?? [],
            owned: subscription?.owned ?? [], generation: generation)
    }
}
