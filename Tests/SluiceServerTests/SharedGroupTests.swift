// One group with a consumer of this process and a member on the wire.

#if Server
import KafkaWire
import Sluice
import SluiceCore
import SluiceServer
import Testing

struct SharedGroupTests {
    private let group = "shared"

    @Test func `a consumer in this process and one on the wire share a topic's partitions`() async throws {
        try await withServer { store, address in
            try await store.admin.createTopic("t", partitions: 4)
            let consumer = try await store.consumer(group: group, topics: ["t"])
            let loop = Task { for try await _ in consumer {} }
            try await WireClient.connected(to: address) { client in
                let assigned = try await join(client)
                #expect(assigned.count == 2)
                #expect(Set(assigned.map(\.topic)) == ["t"])
                // The other two are the consumer's.
                let described = try await store.admin.describeGroup(group)
                #expect(described.members.count == 2)
                let all = described.members.flatMap(\.assignment)
                #expect(Set(all).count == 4 && all.count == 4)
            }
            try await consumer.close()
            _ = await loop.result
        }
    }

    /// Joins until the assignment is one of two members.
    private func join(_ client: WireClient) async throws -> [GroupPartition] {
        let subscription = ConsumerSubscription(topics: ["t"]).bytes()
        var memberID = ""
        while true {
            let joined = try await client.ask(
                .joinGroup(
                    .with {
                        $0.groupID = group
                        $0.sessionTimeoutMs = 30_000
                        $0.rebalanceTimeoutMs = 30_000
                        $0.memberID = memberID
                        $0.protocolType = "consumer"
                        $0.protocols = [
                            .with {
                                $0.name = "range"
                                $0.metadata = subscription
                            }
                        ]
                    }), version: 5)
            guard case .joinGroup(let generation) = joined else { return [] }
            memberID = generation.memberID
            if generation.errorCode == .memberIdRequired { continue }
            try #require(generation.errorCode == .none)
            // Alone it would have to assign: the consumer has not come yet, and is waited for.
            let isLeader = generation.leader == memberID
            let own = isLeader ? try assignments(generation) : []
            let synced = try await client.ask(
                .syncGroup(
                    .with {
                        $0.groupID = group
                        $0.generationID = generation.generationID
                        $0.memberID = memberID
                        $0.assignments = own
                    }), version: 3)
            guard case .syncGroup(let answer) = synced else { return [] }
            if answer.errorCode == .rebalanceInProgress { continue }
            try #require(answer.errorCode == .none)
            let partitions = try ConsumerAssignment(answer.assignment[...]).partitions
            if partitions.count == 2 { return partitions }
            try await waitForRebalance(client, generation.generationID, memberID)
        }
    }

    /// Heartbeats until the group is being made anew.
    private func waitForRebalance(
        _ client: WireClient, _ generation: Int32, _ memberID: String
    ) async throws {
        while true {
            let answer = try await client.ask(
                .heartbeat(
                    .with {
                        $0.groupID = group
                        $0.generationID = generation
                        $0.memberID = memberID
                    }), version: 3)
            guard case .heartbeat(let heartbeat) = answer, heartbeat.errorCode == .none else { return }
            await Task.yield()
        }
    }

    /// As the leader: partitions in turn to the members.
    private func assignments(
        _ generation: JoinGroupResponse
    ) throws -> [SyncGroupRequest.Assignment] {
        let members = generation.members.map(\.memberID).sorted()
        return members.enumerated().map { index, member in
            let partitions = (0..<4 as Range<Int32>).filter { Int($0) % members.count == index }
                .map { GroupPartition(topic: "t", partition: $0) }
            return .with {
                $0.memberID = member
                $0.assignment = ConsumerAssignment(partitions: partitions).bytes()
            }
        }
    }
}
#endif
