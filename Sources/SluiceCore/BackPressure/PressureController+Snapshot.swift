// What of the controller outlives the process: averages, silence, and who has caught up.
//
//   version u8 = 1 · disk: plant, admitted, fastest, X*, relief seconds, held · count u32 · topics
//   a topic: name · admitted, fastest · count u32 · groups
//   a group: name · estimate, plant · caught up u8 · silent seconds · X*
//
// Numbers are the bits of IEEE 754 doubles, big-endian. Valid if and only if all of it can be read and
// nothing is left; else it is as if there were none. (1) Rebuildable: without it the controller learns anew.
// (2) A controller that was made from the snapshot of another says at the same look what the other says.

package import SluiceLog

extension PressureController {
    private static let snapshotVersion: UInt8 = 1
    /// Of one kind at most so many are kept: it is a small record of the manifest.
    private static let snapshotLimit = 1_000

    /// The state, as bytes.
    package var snapshot: [UInt8] {
        var writer = BinaryWriter()
        writer.put(Self.snapshotVersion)
        disk.plant.encode(into: &writer)
        disk.admitted.encode(into: &writer)
        writer.put(disk.fastest.bitPattern)
        writer.put(disk.target.bytes.bitPattern)
        writer.put(disk.reliefSeconds.bitPattern)
        writer.put(disk.heldBytes.bitPattern)
        let kept = topics.filter { !$0.value.groups.isEmpty }.sorted { $0.key < $1.key }
        writer.put(kept.prefix(Self.snapshotLimit)) { writer, entry in
            writer.put(entry.key)
            entry.value.admitted.encode(into: &writer)
            writer.put(entry.value.fastest.bitPattern)
            let groups = entry.value.groups.sorted { $0.key < $1.key }
            writer.put(groups.prefix(Self.snapshotLimit)) { writer, group in
                writer.put(group.key)
                group.value.estimate.encode(into: &writer)
                group.value.plant.encode(into: &writer)
                writer.put(group.value.hasCaughtUp)
                writer.put(group.value.silentSeconds.bitPattern)
                writer.put(group.value.target.bytes.bitPattern)
            }
        }
        return writer.bytes
    }

    /// A controller that goes on where another was. Throws when the bytes are not a snapshot.
    package init(snapshot: [UInt8]) throws(MalformedRecord) {
        self.init()
        var reader = BinaryReader(snapshot[...])
        let version = try reader.integer(UInt8.self)
        guard version == Self.snapshotVersion else {
            throw MalformedRecord(reason: "a snapshot of version \(version)")
        }
        try disk.plant.decode(from: &reader)
        try disk.admitted.decode(from: &reader)
        disk.fastest = max(0, try reader.finite())
        disk.target.bytes = max(0, try reader.finite())
        disk.reliefSeconds = max(0, try reader.finite())
        disk.heldBytes = max(0, try reader.finite())
        let read = try reader.array(minimumBytes: 32) { reader throws(MalformedRecord) in
            let name = try reader.string()
            var topic = TopicState()
            try topic.admitted.decode(from: &reader)
            topic.fastest = max(0, try reader.finite())
            let groups = try reader.array(minimumBytes: 32) { reader throws(MalformedRecord) in
                let name = try reader.string()
                var group = GroupState()
                try group.estimate.decode(from: &reader)
                try group.plant.decode(from: &reader)
                group.hasCaughtUp = try reader.flag()
                group.silentSeconds = max(0, try reader.finite())
                group.target.bytes = max(0, try reader.finite())
                return (name, group)
            }
            topic.groups = Dictionary(groups, uniquingKeysWith: { first, _ in first })
            return (name, topic)
        }
        guard reader.left == 0 else { throw MalformedRecord(reason: "bytes behind a snapshot") }
        topics = Dictionary(read, uniquingKeysWith: { first, _ in first })
    }
}
