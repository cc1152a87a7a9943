// The bytes of groups: what consumers say to their leader, and the records of the offsets topic.
//
// The golden bytes were written by kafka-python 3.0.12: subscriptions and assignments by its own classes, the
// records by its codec from Kafka's published schemas.

import SluiceCore
import SluiceLog
import SluiceTesting
import Testing

@Suite struct GroupBytesTests {
    private let owned = [GroupPartition(topic: "a", partition: 0), GroupPartition(topic: "a", partition: 3)]

    private var subscription: ConsumerSubscription {
        ConsumerSubscription(
            topics: ["a", "bc"], userData: [1, 2], owned: owned, generation: 7, rackID: "r")
    }

    /// version | topics | user data | owned | generation | rack
    private static let subscriptions = [
        "0000 00000002 0001 61 0002 6263 00000002 0102",
        "0001 00000002 0001 61 0002 6263 00000002 0102 00000001 0001 61 00000002 00000000 00000003",
        "0002 00000002 0001 61 0002 6263 00000002 0102 00000001 0001 61 00000002 00000000 00000003 00000007",
        "0003 00000002 0001 61 0002 6263 00000002 0102 00000001 0001 61 00000002 00000000 00000003 00000007 0001 72",
    ]

    @Test(arguments: 0...3)
    func `a subscription has Kafka's bytes`(version: Int) throws {
        let golden = bytes(Self.subscriptions[version])
        #expect(subscription.bytes(version: Int16(version)) == golden)
        var expected = subscription
        if version < 3 { expected.rackID = nil }
        if version < 2 { expected.generation = -1 }
        if version < 1 { expected.owned = [] }
        #expect(try ConsumerSubscription(golden[...]) == expected)
    }

    @Test(arguments: 0...3)
    func `an assignment has Kafka's bytes`(version: Int16) throws {
        // version | topics, each with partitions | user data (null)
        let golden = bytes(
            "000\(version) 00000002 0001 61 00000002 00000000 00000003 0002 6263 00000001 00000001 ffffffff")
        let assignment = ConsumerAssignment(partitions: owned + [GroupPartition(topic: "bc", partition: 1)])
        #expect(assignment.bytes(version: version) == golden)
        #expect(try ConsumerAssignment(golden[...]) == assignment)
    }

    @Test func `a subscription of a later version is read as far as it is known`() throws {
        var later = bytes(Self.subscriptions[3]) + [9, 9, 9]
        later[1] = 7
        #expect(try ConsumerSubscription(later[...]) == subscription)
    }

    @Test func `no bytes at all assign nothing`() throws {
        #expect(try ConsumerAssignment([]).partitions.isEmpty)
    }

    @Test func `keys have Kafka's bytes`() throws {
        let offset = GroupRecordKey.offset(groupID: "g", GroupPartition(topic: "t", partition: 3))
        #expect(offset.bytes == bytes("0001 0001 67 0001 74 00000003"))
        #expect(try GroupRecordKey(bytes("0000 0001 67 0001 74 00000003")[...]) == offset)
        #expect(try GroupRecordKey(offset.bytes[...]) == offset)
        let group = GroupRecordKey.group(groupID: "g")
        #expect(group.bytes == bytes("0002 0001 67"))
        #expect(try GroupRecordKey(group.bytes[...]) == group)
        #expect(try GroupRecordKey(bytes("0009 ff")[...]) == .other(version: 9))
    }

    /// version | offset | leader epoch | metadata | commit time | expiry
    private static let offsets = [
        "0000 0000000000000102 0001 6d 00000000000003e8",
        "0001 0000000000000102 0001 6d 00000000000003e8 00000000000007d0",
        "0002 0000000000000102 0001 6d 00000000000003e8",
        "0003 0000000000000102 00000005 0001 6d 00000000000003e8",
    ]

    @Test(arguments: 0...3)
    func `a committed offset of any version is read`(version: Int) throws {
        let offset = CommittedOffset(
            offset: 258, leaderEpoch: version == 3 ? 5 : -1, metadata: "m", commitTimestamp: 1000)
        #expect(try CommittedOffset(bytes(Self.offsets[version])[...]) == offset)
        if version == 3 { #expect(offset.bytes == bytes(Self.offsets[3])) }
    }

    /// version | type | generation | protocol | leader | state time | members: id, instance, client, host,
    /// rebalance time-out, session time-out, subscription, assignment
    private static let groups = [
        "0000 0008 636f6e73756d6572 00000009 0005 72616e6765 0002 6d31"
            + "00000001 0002 6d31 0001 63 0002 2f68 0000000a 00000001 01 00000002 0203",
        "0001 0008 636f6e73756d6572 00000009 0005 72616e6765 0002 6d31"
            + "00000001 0002 6d31 0001 63 0002 2f68 0000012c 0000000a 00000001 01 00000002 0203",
        "0002 0008 636f6e73756d6572 00000009 0005 72616e6765 0002 6d31 00000000000003e8"
            + "00000001 0002 6d31 0001 63 0002 2f68 0000012c 0000000a 00000001 01 00000002 0203",
        "0003 0008 636f6e73756d6572 00000009 0005 72616e6765 0002 6d31 00000000000003e8"
            + "00000001 0002 6d31 0001 69 0001 63 0002 2f68 0000012c 0000000a 00000001 01 00000002 0203",
    ]

    @Test(arguments: 0...3)
    func `a group's metadata of any version are read`(version: Int) throws {
        let metadata = GroupMetadata(
            protocolType: "consumer", generation: 9, protocolName: "range", leaderID: "m1",
            stateTimestamp: version >= 2 ? 1000 : -1,
            members: [
                .init(
                    memberID: "m1", instanceID: version == 3 ? "i" : nil, clientID: "c", clientHost: "/h",
                    rebalanceTimeout: version == 0 ? 10 : 300, sessionTimeout: 10, subscription: [1],
                    assignment: [2, 3])
            ])
        #expect(try GroupMetadata(bytes(Self.groups[version])[...]) == metadata)
        if version == 3 { #expect(metadata.bytes == bytes(Self.groups[3])) }
    }

    @Test func `other versions of values are refused`() {
        #expect(throws: MalformedRecord.self) { try CommittedOffset(bytes("0004 00")[...]) }
        #expect(throws: MalformedRecord.self) { try GroupMetadata(bytes("0004 00")[...]) }
    }

    @Test func `bytes that are cut short or changed never trap`() {
        var random = SeededRandom(seed: 1)
        let whole = (Self.subscriptions + Self.offsets + Self.groups).map(bytes)
        for sample in whole {
            for count in 0..<sample.count { decode(Array(sample.prefix(count))) }
            for _ in 0..<2_000 {
                var changed = sample
                for _ in 0..<random.within(1...4) {
                    changed[random.below(changed.count)] = UInt8(random.below(256))
                }
                decode(changed)
            }
        }
    }

    @Test func `a string too long for its length is cut`() throws {
        let long = GroupRecordKey.group(groupID: String(repeating: "x", count: 40_000))
        guard case .group(let groupID) = try GroupRecordKey(long.bytes[...]) else { return }
        #expect(groupID.utf8.count == GroupLimits.stringBytes)
    }

    private func decode(_ bytes: [UInt8]) {
        _ = try? ConsumerSubscription(bytes[...])
        _ = try? ConsumerAssignment(bytes[...])
        _ = try? GroupRecordKey(bytes[...])
        _ = try? CommittedOffset(bytes[...])
        _ = try? GroupMetadata(bytes[...])
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter { $0 != " " }.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
    }
}
