// The sticky part of `cooperative-sticky`: balance first, then the fewest moves.
//
// (1) With equal subscriptions the loads differ by one at most, and a partition moves only when its owner is
// over its share. (2) With differing ones no chain of moves makes the loads more even: a member gives to
// another over any number of third ones. (3) Partitions of one topic are alike: chains are searched over
// members and topics, not over partitions.

/// An assignment in the making.
struct StickyAssignment {
    private let members: [AssignorMember]
    private let counts: [String: Int32]
    private let claims: Claims
    private let subscribers: [(topic: String, places: [Int])]
    /// By member: its partitions, by topic's place in `subscribers`.
    private var held: [[Int: [Int32]]]
    private var loads: [Int]

    init(_ members: [AssignorMember], counts: [String: Int32], _ claims: Claims) {
        self.members = members
        self.counts = counts
        self.claims = claims
        subscribers = Assignor.subscribers(members).filter { (counts[$0.key] ?? 0) > 0 }
            .sorted { $0.key < $1.key }.map { (topic: $0.key, places: $0.value) }
        held = Array(repeating: [:], count: members.count)
        loads = Array(repeating: 0, count: members.count)
    }

    /// The partitions of each member, by its place.
    consuming func lists() -> [[GroupPartition]] {
        guard !members.isEmpty else { return [] }
        if subscribers.allSatisfy({ $0.places.count == members.count }) {
            fillEqually()
        } else {
            fillAnyhow()
            while spread() {}
        }
        return held.map { topics in
            topics.flatMap { topic, partitions in
                partitions.map { GroupPartition(topic: subscribers[topic].topic, partition: $0) }
            }
        }
    }

    private mutating func give(_ partition: Int32, of topic: Int, to place: Int) {
        held[place][topic, default: []].append(partition)
        loads[place] += 1
    }

    /// Each partition's sure owner if that still subscribes, else nil; in order.
    private func forEachPartition(_ body: (_ topic: Int, _ partition: Int32, _ owner: Int?) -> Void) {
        for (index, (topic, places)) in subscribers.enumerated() {
            for partition in 0..<(counts[topic] ?? 0) {
                let owner = claims.owner(of: GroupPartition(topic: topic, partition: partition))
                body(index, partition, owner.flatMap { places.contains($0) ? $0 : nil })
            }
        }
    }

    // MARK: Equal subscriptions

    private mutating func fillEqually() {
        var total = 0
        var owned = Array(repeating: 0, count: members.count)
        forEachPartition { _, _, owner in
            total += 1
            if let owner { owned[owner] += 1 }
        }
        let (share, extra) = total.quotientAndRemainder(dividingBy: members.count)
        // Who has most keeps the odd ones.
        var quota = Array(repeating: share, count: members.count)
        let byLoad = members.indices.sorted { (owned[$1], $0) < (owned[$0], $1) }
        for place in byLoad.prefix(extra) { quota[place] += 1 }

        var homeless: [(topic: Int, partition: Int32)] = []
        var kept: [(topic: Int, partition: Int32, place: Int)] = []
        var keptCounts = Array(repeating: 0, count: members.count)
        forEachPartition { topic, partition, owner in
            if let owner, keptCounts[owner] < quota[owner] {
                keptCounts[owner] += 1
                kept.append((topic, partition, owner))
            } else {
                homeless.append((topic, partition))
            }
        }
        for (topic, partition, place) in kept { give(partition, of: topic, to: place) }
        // Round and round, so that a topic's partitions do not all go to one member.
        var place = 0
        for (topic, partition) in homeless {
            while loads[place] >= quota[place] { place = (place + 1) % members.count }
            give(partition, of: topic, to: place)
            place = (place + 1) % members.count
        }
    }

    // MARK: Differing subscriptions

    private mutating func fillAnyhow() {
        var homeless: [(topic: Int, partition: Int32)] = []
        var kept: [(topic: Int, partition: Int32, place: Int)] = []
        forEachPartition { topic, partition, owner in
            if let owner {
                kept.append((topic, partition, owner))
            } else {
                homeless.append((topic, partition))
            }
        }
        for (topic, partition, place) in kept { give(partition, of: topic, to: place) }
        // Those with the least choice first.
        let order = homeless.indices.sorted {
            let choices = (
                subscribers[homeless[$0].topic].places.count, subscribers[homeless[$1].topic].places.count
            )
            return (choices.0, $0) < (choices.1, $1)
        }
        for index in order {
            let (topic, partition) = homeless[index]
            guard let place = subscribers[topic].places.min(by: { (loads[$0], $0) < (loads[$1], $1) }) else {
                continue
            }
            give(partition, of: topic, to: place)
        }
    }

    /// Moves along chains from loaded members to idle ones while there are any; whether there were.
    private mutating func spread() -> Bool {
        var hasMoved = false
        for source in members.indices.sorted(by: { (loads[$1], $0) < (loads[$0], $1) }) {
            while let chain = chain(from: source) {
                hasMoved = true
                for (giver, topic, taker) in chain { move(topic, from: giver, to: taker) }
            }
        }
        return hasMoved
    }

    /// The shortest chain from `source` to the least loaded member that has at least two less.
    private func chain(from source: Int) -> [(giver: Int, topic: Int, taker: Int)]? {
        guard loads[source] > 1, let least = loads.min(), least + 1 < loads[source] else { return nil }
        var cameFrom: [Int: (giver: Int, topic: Int)] = [:]
        var seenTopics: Set<Int> = []
        var queue = [source]
        var next = 0
        var best: Int?
        while next < queue.count {
            let giver = queue[next]
            next += 1
            for topic in held[giver].keys.sorted()
            where !(held[giver][topic] ?? []).isEmpty && !seenTopics.contains(topic) {
                seenTopics.insert(topic)
                for taker in subscribers[topic].places where taker != source && cameFrom[taker] == nil {
                    cameFrom[taker] = (giver, topic)
                    queue.append(taker)
                    if loads[taker] + 1 < loads[source], best.map({ loads[taker] < loads[$0] }) ?? true {
                        best = taker
                    }
                }
            }
            // A direct taker saves moves, even if another further off is idler.
            if best != nil { break }
        }
        guard var taker = best else { return nil }
        var chain: [(giver: Int, topic: Int, taker: Int)] = []
        while taker != source, let (giver, topic) = cameFrom[taker] {
            chain.append((giver, topic, taker))
            taker = giver
        }
        return chain
    }

    /// Moves one partition of a topic: one that was the taker's, else one that was not the giver's.
    private mutating func move(_ topic: Int, from giver: Int, to taker: Int) {
        guard var partitions = held[giver][topic], !partitions.isEmpty else { return }
        let owner = { [claims, subscribers] (partition: Int32) in
            claims.owner(of: GroupPartition(topic: subscribers[topic].topic, partition: partition))
        }
        let index =
            partitions.lastIndex { owner($0) == taker } ?? partitions.lastIndex { owner($0) != giver }
            ?? partitions.count - 1
        let partition = partitions.remove(at: index)
        held[giver][topic] = partitions
        loads[giver] -= 1
        give(partition, of: topic, to: taker)
    }
}
