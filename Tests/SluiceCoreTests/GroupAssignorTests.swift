// Assignors: Kafka's examples, and what holds for any members.

import SluiceCore
import SluiceTesting
import Testing

@Suite struct GroupAssignorTests {
    private func list(_ topic: String, _ partitions: Int32...) -> [GroupPartition] {
        partitions.map { GroupPartition(topic: topic, partition: $0) }
    }

    private func members(_ count: Int, topics: [String]) -> [AssignorMember] {
        (0..<count).map { AssignorMember(id: "m\($0 + 10)", topics: topics) }
    }

    @Test func `range gives runs of each topic, the first members one more`() {
        let result = Assignor.range.assign(members(2, topics: ["a", "b"]), counts: ["a": 3, "b": 3])
        #expect(result == ["m10": list("a", 0, 1) + list("b", 0, 1), "m11": list("a", 2) + list("b", 2)])
    }

    @Test func `round robin goes on from topic to topic, past those that do not subscribe`() {
        let even = Assignor.roundRobin.assign(members(2, topics: ["a", "b"]), counts: ["a": 3, "b": 3])
        #expect(even == ["m10": list("a", 0, 2) + list("b", 1), "m11": list("a", 1) + list("b", 0, 2)])
        let differing = Assignor.roundRobin.assign(
            [
                AssignorMember(id: "x", topics: ["a"]), AssignorMember(id: "y", topics: ["a", "b"]),
                AssignorMember(id: "z", topics: ["a", "b", "c"]),
            ], counts: ["a": 1, "b": 2, "c": 3])
        #expect(
            differing == [
                "x": list("a", 0), "y": list("b", 0), "z": list("b", 1) + list("c", 0, 1, 2),
            ])
    }

    @Test func `static members sort by their names`() {
        let result = Assignor.range.assign(
            [
                AssignorMember(id: "a", topics: ["t"]),
                AssignorMember(id: "z", instanceID: "1", topics: ["t"]),
                AssignorMember(id: "y", instanceID: "2", topics: ["t"]),
            ], counts: ["t": 3])
        #expect(result == ["z": list("t", 0), "y": list("t", 1), "a": list("t", 2)])
    }

    @Test(arguments: Assignor.allCases)
    func `without members, topics or partitions nothing is given`(assignor: Assignor) {
        #expect(assignor.assign([], counts: ["a": 3]).isEmpty)
        #expect(assignor.assign([AssignorMember(id: "m", topics: [])], counts: ["a": 3]) == ["m": []])
        #expect(assignor.assign([AssignorMember(id: "m", topics: ["a"])], counts: [:]) == ["m": []])
    }

    @Test func `one more member moves only what balance demands`() {
        var group = members(9, topics: ["t"])
        group = settle(group, ["t": 100])
        let before = group
        group.append(AssignorMember(id: "new", topics: ["t"]))
        group = settle(group, ["t": 100])
        let moved = group.last?.owned.count ?? 0
        #expect(moved == 10)
        for (old, new) in zip(before, group) {
            #expect(Set(new.owned).isSubset(of: old.owned))
            #expect(new.owned.count == 10)
        }
    }

    @Test func `what another still owns is given to nobody`() {
        let first = AssignorMember(id: "a", topics: ["t"], owned: list("t", 0, 1, 2, 3), generation: 1)
        let second = AssignorMember(id: "b", topics: ["t"])
        let result = Assignor.cooperativeSticky.assign([first, second], counts: ["t": 4])
        #expect(result == ["a": list("t", 0, 1), "b": []])
    }

    @Test func `a claim of an earlier generation does not count against a later one`() {
        let stale = AssignorMember(id: "a", topics: ["t"], owned: list("t", 0, 1), generation: 1)
        let current = AssignorMember(id: "b", topics: ["t"], owned: list("t", 0), generation: 2)
        let result = Assignor.cooperativeSticky.assign([stale, current], counts: ["t": 2])
        #expect(result == ["a": list("t", 1), "b": list("t", 0)])
    }

    @Test func `two claims of one generation count for neither`() {
        let claims = ["a", "b"].map {
            AssignorMember(id: $0, topics: ["t"], owned: list("t", 0), generation: 1)
        }
        #expect(Assignor.cooperativeSticky.assign(claims, counts: ["t": 1]) == ["a": [], "b": []])
    }

    @Test func `loads even out along chains of members`() {
        // a reads only x; b x and y; c only y: what c is to have less must pass through b.
        let group = [
            AssignorMember(id: "a", topics: ["x"]), AssignorMember(id: "b", topics: ["x", "y"]),
            AssignorMember(id: "c", topics: ["y"], owned: list("y", 0, 1, 2, 3, 4), generation: 1),
        ]
        let loads = settle(group, ["x": 1, "y": 5]).map(\.owned.count)
        #expect(loads.sorted() == [1, 2, 3])
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `any members: each partition once, loads even, nothing moves without need`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var counts: [String: Int32] = [:]
        for index in 0..<random.within(1...5) { counts["t\(index)"] = Int32(random.below(12)) }
        let isEqual = random.chance(0.5)
        var group: [AssignorMember] = []
        for round in 0..<5 {
            if round == 0 || random.chance(0.6) {
                for _ in 0..<random.within(1...4) {
                    let topics = counts.keys.sorted().filter { _ in isEqual || random.chance(0.6) }
                    group.append(AssignorMember(id: "m\(random.below(1 << 30))", topics: topics))
                }
            } else if group.count > 1 {
                group.remove(at: random.below(group.count))
            }
            group = settle(group, counts)
            var owners: [GroupPartition: Int] = [:]
            for (place, member) in group.enumerated() {
                for partition in member.owned {
                    #expect(member.topics.contains(partition.topic))
                    #expect(owners.updateValue(place, forKey: partition) == nil)
                }
            }
            for topic in Set(group.flatMap(\.topics)) {
                for partition in 0..<(counts[topic] ?? 0) {
                    #expect(owners[GroupPartition(topic: topic, partition: partition)] != nil)
                }
            }
            let loads = group.map(\.owned.count)
            if isEqual { #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1) }
            // No single partition could move to one with two less.
            for (partition, owner) in owners {
                for other in group.indices where group[other].topics.contains(partition.topic) {
                    #expect(loads[owner] - loads[other] <= 1)
                }
            }
            #expect(settle(group, counts) == group)
        }
    }

    @Test func `ten thousand partitions and a hundred members`() {
        var group = members(99, topics: (0..<100).map { "t\($0)" })
        let counts = Dictionary(uniqueKeysWithValues: (0..<100).map { ("t\($0)", Int32(100)) })
        group = settle(group, counts)
        group.append(AssignorMember(id: "new", topics: Array(counts.keys.sorted().prefix(50))))
        group = settle(group, counts)
        #expect(group.map(\.owned.count).max() == 101 || group.map(\.owned.count).max() == 100)
        #expect(group.map(\.owned.count).reduce(0, +) == 10_000)
    }

    /// Assigns until nothing is withheld any more, as members give up and rejoin.
    private func settle(_ members: [AssignorMember], _ counts: [String: Int32]) -> [AssignorMember] {
        var members = members
        for round in 1...3 {
            let result = Assignor.cooperativeSticky.assign(members, counts: counts)
            for index in members.indices {
                members[index].owned = result[members[index].id] ?? []
                members[index].generation = Int32(round)
            }
        }
        return members
    }
}
