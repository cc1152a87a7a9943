// A group's description as control.sock carries it. Package: the command line reads what the store has
// written.

package import SluiceCore

extension ConsumerGroupDescription {
    /// What `init(_:)` reads.
    package var json: JSONValue {
        func offset(_ offset: Offset?) -> JSONValue { offset.map { .integer($0.rawValue) } ?? .null }
        func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "name": .string(name), "state": .string(state.rawValue),
            "generation": .integer(Int64(generation)),
            "assignor": text(assignor),
            "members": .array(
                members.map { member in
                    [
                        "id": .string(member.id), "instanceID": text(member.instanceID),
                        "clientID": .string(member.clientID), "host": .string(member.host),
                        "assignment": .array(member.assignment.map(\.json)),
                    ]
                }),
            "partitions": .array(
                partitions.map { progress in
                    [
                        "partition": progress.partition.json, "committed": offset(progress.committed),
                        "start": offset(progress.offsets?.lowerBound),
                        "end": offset(progress.offsets?.upperBound),
                        "lag": progress.lag.map { .integer($0) } ?? .null,
                        "lagBytes": progress.lagBytes.map { .integer($0) } ?? .null,
                        "member": text(progress.memberID),
                    ]
                }),
        ]
    }

    /// Name, state and numbers, for a list.
    package var summary: JSONValue {
        [
            "name": .string(name), "state": .string(state.rawValue),
            "members": .integer(Int64(members.count)),
            "partitions": .integer(Int64(partitions.count)), "lag": .integer(lag),
        ]
    }

    /// nil when it is not such a description.
    package init?(_ json: JSONValue) {
        guard let name = json["name"]?.string,
            let state = json["state"]?.string.flatMap(State.init(rawValue:)),
            let generation = json["generation"]?.integer, let members = json["members"]?.array,
            let partitions = json["partitions"]?.array
        else { return nil }
        self.init(
            name: name, state: state, generation: Int(clamping: generation),
            assignor: json["assignor"]?.string,
            members: members.compactMap(Member.init), partitions: partitions.compactMap(Progress.init))
    }
}

extension ConsumerGroupDescription.Member {
    init?(_ json: JSONValue) {
        guard let id = json["id"]?.string, let clientID = json["clientID"]?.string,
            let host = json["host"]?.string, let assignment = json["assignment"]?.array
        else { return nil }
        self.init(
            id: id, instanceID: json["instanceID"]?.string, clientID: clientID, host: host,
            assignment: assignment.compactMap(TopicPartition.init))
    }
}

extension ConsumerGroupDescription.Progress {
    init?(_ json: JSONValue) {
        guard let partition = json["partition"].flatMap(TopicPartition.init) else { return nil }
        func offset(_ name: String) -> Offset? { json[name]?.integer.map { Offset($0) } }
        self.init(partition: partition, committed: offset("committed"))
        if let start = offset("start"), let end = offset("end"), start <= end { offsets = start..<end }
        lag = json["lag"]?.integer
        lagBytes = json["lagBytes"]?.integer
        memberID = json["member"]?.string
    }
}

extension TopicPartition {
    package var json: JSONValue { ["topic": .string(topic), "partition": .integer(Int64(partition))] }

    package init?(_ json: JSONValue) {
        guard let topic = json["topic"]?.string, let partition = json["partition"]?.integer else {
            return nil
        }
        self.init(topic: topic, partition: Int(clamping: partition))
    }
}

extension Position {
    /// `earliest`, `latest`, an offset, or an object with a timestamp.
    package var json: JSONValue {
        switch self {
        case .earliest: "earliest"
        case .latest: "latest"
        case .offset(let offset): .integer(offset.rawValue)
        case .timestamp(let time): ["timestamp": .integer(time.millisecondsSince1970)]
        }
    }

    package init?(_ json: JSONValue) {
        switch json {
        case "earliest": self = .earliest
        case "latest": self = .latest
        case .integer(let offset): self = .offset(Offset(offset))
        default:
            guard let time = json["timestamp"]?.integer else { return nil }
            self = .timestamp(Timestamp(millisecondsSince1970: time))
        }
    }
}
