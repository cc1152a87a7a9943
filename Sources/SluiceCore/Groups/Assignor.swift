// How partitions are given to members, by Kafka's names and rules.
//
// (1) Pure and deterministic: members are taken in the order of their instance ids, then of their ids, topics
// by name. (2) Every partition of a topic that anyone subscribes to goes to one member that does; only the
// cooperative assignor withholds some, until their owners have given them up.

/// A member as an assignor sees it.
package struct AssignorMember: Hashable, Sendable {
    /// The member's id.
    package var id: String
    /// Its name, when it is static: it sorts by that, so that a restart does not move anything.
    package var instanceID: String?
    /// The topics that it subscribes to.
    package var topics: [String]
    /// What it owned when it joined.
    package var owned: [GroupPartition]
    /// The generation in which it got that; -1 when it does not say.
    package var generation: Int32

    /// A member.
    package init(
        id: String, instanceID: String? = nil, topics: [String], owned: [GroupPartition] = [],
        generation: Int32 = -1
    ) {
        self.id = id
        self.instanceID = instanceID
        self.topics = topics
        self.owned = owned
        self.generation = generation
    }

    /// Static members first, by name; then the others, by id.
    ///
    /// - Source: Kafka's `MemberInfo.compareTo`.
    static func isBefore(_ a: AssignorMember, _ b: AssignorMember) -> Bool {
        switch (a.instanceID, b.instanceID) {
        case (let a?, let b?): a < b
        case (_?, nil): true
        case (nil, _?): false
        case (nil, nil): a.id < b.id
        }
    }
}

/// The ways of assigning, in the order in which members in this process offer them.
package enum Assignor: String, CaseIterable, Sendable {
    /// Balanced within one, and moves only what balance demands; a member keeps what it keeps throughout.
    case cooperativeSticky = "cooperative-sticky"
    /// Of each topic a run of partitions to each member.
    case range
    /// Partition after partition to member after member.
    case roundRobin = "roundrobin"

    /// Whether a member keeps what it owns while it rejoins.
    package var isCooperative: Bool { self == .cooperativeSticky }

    /// The partitions of each member, by its id.
    ///
    /// Whatever a member still owns, by its own word, goes to nobody else: not under an eager protocol
    /// either, for a member may have joined before it knew which would be chosen. Its owner gives it up and
    /// rejoins.
    /// - Parameter counts: how many partitions a topic has; a topic that is not in it has none.
    /// - Complexity: O(p + m·log m) for p partitions and m members with equal subscriptions.
    package func assign(_ members: [AssignorMember], counts: [String: Int32]) -> [String: [GroupPartition]] {
        let sorted = members.sorted(by: AssignorMember.isBefore)
        let claims = Claims(sorted)
        var lists =
            switch self {
            case .cooperativeSticky: StickyAssignment(sorted, counts: counts, claims).lists()
            case .range: Self.range(sorted, counts)
            case .roundRobin: Self.roundRobin(sorted, counts)
            }
        claims.withhold(from: &lists)
        var assignments: [String: [GroupPartition]] = [:]
        for (index, member) in sorted.enumerated() { assignments[member.id] = lists[index].sorted() }
        return assignments
    }

    /// - Source: Kafka's `RangeAssignor`, without racks.
    private static func range(
        _ members: [AssignorMember], _ counts: [String: Int32]
    ) -> [[GroupPartition]] {
        var lists = [[GroupPartition]](repeating: [], count: members.count)
        for (topic, subscribers) in subscribers(members).sorted(by: { $0.key < $1.key }) {
            let count = Int(counts[topic] ?? 0)
            let (share, extra) = count.quotientAndRemainder(dividingBy: subscribers.count)
            var next: Int32 = 0
            for (place, member) in subscribers.enumerated() {
                for _ in 0..<(share + (place < extra ? 1 : 0)) {
                    lists[member].append(GroupPartition(topic: topic, partition: next))
                    next += 1
                }
            }
        }
        return lists
    }

    /// - Source: Kafka's `RoundRobinAssignor`.
    private static func roundRobin(
        _ members: [AssignorMember], _ counts: [String: Int32]
    ) -> [[GroupPartition]] {
        var lists = [[GroupPartition]](repeating: [], count: members.count)
        var next = 0
        for (topic, subscribers) in subscribers(members).sorted(by: { $0.key < $1.key }) {
            for partition in 0..<max(counts[topic] ?? 0, 0) {
                // The first subscriber at or behind the place, around the circle.
                let member = subscribers.first { $0 >= next } ?? subscribers[0]
                lists[member].append(GroupPartition(topic: topic, partition: partition))
                next = (member + 1) % members.count
            }
        }
        return lists
    }

    /// The members that subscribe to each topic, by their places, ascending.
    static func subscribers(_ members: [AssignorMember]) -> [String: [Int]] {
        var result: [String: [Int]] = [:]
        for (place, member) in members.enumerated() {
            for topic in Set(member.topics) { result[topic, default: []].append(place) }
        }
        return result
    }
}

/// Who owns what, by the members' own word.
///
/// (1) A claim is stale when another member claims the same partition with a higher generation: it was given
/// away since. (2) Two claims of one generation cannot both be true: neither counts for keeping, and nobody
/// is given the partition until one of them has let go.
struct Claims {
    /// By partition, the places of the members that claim it in the highest generation.
    private(set) var owners: [GroupPartition: [Int]] = [:]

    init(_ members: [AssignorMember]) {
        var generations: [GroupPartition: Int32] = [:]
        for (place, member) in members.enumerated() {
            for partition in member.owned {
                let known = generations[partition]
                if let known, known > member.generation { continue }
                if known == member.generation {
                    if owners[partition]?.last != place { owners[partition]?.append(place) }
                } else {
                    generations[partition] = member.generation
                    owners[partition] = [place]
                }
            }
        }
    }

    /// The one member that surely owns the partition.
    func owner(of partition: GroupPartition) -> Int? {
        guard let places = owners[partition], places.count == 1 else { return nil }
        return places[0]
    }

    /// Takes out of the lists what another member has not given up yet.
    func withhold(from lists: inout [[GroupPartition]]) {
        for place in lists.indices {
            lists[place].removeAll { partition in
                owners[partition]?.contains { $0 != place } ?? false
            }
        }
    }
}
