// What SluiceCore reads: group records, JSON, back pressure's memory. Whatever can be read is written and
// read again, and is the same.

@testable import SluiceCore
@testable import SluiceLog

enum CoreTargets {
    /// The first byte chooses: key, offset, group, subscription, assignment.
    static func offsets(_ bytes: [UInt8]) throws(FuzzFailure) {
        let rest = bytes.dropFirst()
        switch (bytes.first ?? 0) % 5 {
        case 0:
            guard let key = try? GroupRecordKey(rest) else { return }
            try require((try? GroupRecordKey(key.bytes[...])) == key, "the key \(key) is not read back")
        case 1:
            guard let offset = try? CommittedOffset(rest) else { return }
            try require((try? CommittedOffset(offset.bytes[...])) == offset, "\(offset) is not read back")
        case 2:
            guard let group = try? GroupMetadata(rest) else { return }
            try require((try? GroupMetadata(group.bytes[...])) == group, "\(group) is not read back")
            for member in group.members {
                _ = try? ConsumerSubscription(member.subscription[...])
                _ = try? ConsumerAssignment(member.assignment[...])
            }
        case 3:
            guard let subscription = try? ConsumerSubscription(rest) else { return }
            let again = try? ConsumerSubscription(subscription.bytes()[...])
            try require(same(again, subscription), "\(subscription) is not read back")
        default:
            guard let assignment = try? ConsumerAssignment(rest) else { return }
            let again = try? ConsumerAssignment(assignment.bytes()[...])
            try require(
                again.map { Set($0.partitions) } == Set(assignment.partitions)
                    && again?.userData == assignment.userData, "\(assignment) is not read back")
        }
    }

    /// Writing joins the partitions of a topic: their order may differ.
    private static func same(_ a: ConsumerSubscription?, _ b: ConsumerSubscription) -> Bool {
        guard var a else { return false }
        guard Set(a.owned) == Set(b.owned), a.owned.count == b.owned.count else { return false }
        a.owned = b.owned
        return a == b
    }

    static func json(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let value = try? JSONValue(parsing: bytes) else { return }
        let text = value.encoded
        try require((try? JSONValue(parsing: text)) == value, "a value is not read back")
        try require((try? JSONValue(parsing: text))?.encoded == text, "a value is written in two ways")
    }

    static func pressure(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard var first = try? PressureController(snapshot: bytes) else { return }
        // What is not kept, such as a topic without groups, is gone after one turn.
        let snapshot = first.snapshot
        guard var one = try? PressureController(snapshot: snapshot),
            var other = try? PressureController(snapshot: one.snapshot)
        else { throw FuzzFailure(description: "a snapshot is not read back") }
        try require(one.snapshot == snapshot, "a snapshot changes when it is read back")
        // Whatever was remembered, it is calculated with.
        var disk = DiskObservation(limitBytes: 1 << 30, usedBytes: 1 << 29)
        var group = GroupObservation(name: "g", uncommittedBytes: 1 << 20, unprocessedBytes: 1 << 19)
        for look in 1...4 {
            disk.appendedBytes += 1 << 20
            group.uncommittedBytes += 1 << 18
            let topic = TopicObservation(appendedBytes: disk.appendedBytes, groups: [group])
            let input = PressureInput(
                nowNanoseconds: Int64(look) * 100_000_000, disk: disk, topics: ["a": topic, "": topic])
            _ = first.step(input)
            let (said, again) = (one.step(input), other.step(input))
            try require(
                said.disk == again.disk && said.topics == again.topics && said.groups == again.groups
                    && said.drops == again.drops && said.commitSoon == again.commitSoon,
                "a controller that was read back says something else")
        }
    }
}
