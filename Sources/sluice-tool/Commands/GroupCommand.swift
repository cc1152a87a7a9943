// `sluice group …`: consumer groups, how far they have come, moved and deleted.

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct GroupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Show consumer groups, move what they have committed, delete them.",
        subcommands: [GroupList.self, GroupDescribe.self, GroupSeek.self, GroupDelete.self])
}

struct GroupList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the groups that have members or have committed something.")

    @OptionGroup var store: StoreOption

    func run() async throws {
        let groups = try await store.ask(
            "groups", [:], { $0["groups"]?.array }, { try await $0.admin.groups().map(\.summary) })
        var table = Table(["NAME", "STATE", "MEMBERS", "PARTITIONS", "LAG"])
        for group in groups {
            table.add([
                group["name"]?.string ?? "-", group["state"]?.string ?? "-",
                group["members"]?.integer.map(String.init) ?? "-",
                group["partitions"]?.integer.map(String.init) ?? "-",
                group["lag"]?.integer.map(String.init) ?? "-",
            ])
        }
        try StandardOutput.print(table.text)
    }
}

struct GroupDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a group's members and how far it has come in each partition.",
        discussion: """
            COMMITTED is the offset of the record that the group reads next, END one past the last that \
            readers see. LAG is what lies between them, in records; BYTES the same in bytes of the log.
            """)

    @Argument(help: "The group's name.")
    var name: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        let group = try await store.ask(
            "describeGroup", ["group": .string(name)], ConsumerGroupDescription.init,
            { try await $0.admin.describeGroup(name) })
        try StandardOutput.print(Self.text(group))
    }

    static func text(_ group: ConsumerGroupDescription) -> String {
        var text = "name        \(group.name)\nstate       \(group.state.rawValue)\n"
        text += "generation  \(group.generation)\nassignor    \(group.assignor ?? "-")\n"
        text += "lag         \(group.lag) records, \(group.lagBytes) bytes\n"
        if !group.members.isEmpty {
            var members = Table(["MEMBER", "INSTANCE", "HOST", "PARTITIONS"])
            for member in group.members {
                members.add([
                    member.id, member.instanceID ?? "-", member.host, "\(member.assignment.count)",
                ])
            }
            text += "\n" + members.text
        }
        var partitions = Table(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BYTES", "MEMBER"])
        for progress in group.partitions {
            func shown(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "-" }
            partitions.add([
                progress.partition.topic, "\(progress.partition.partition)", shown(progress.committed),
                shown(progress.offsets?.upperBound), shown(progress.lag), shown(progress.lagBytes),
                progress.memberID ?? "-",
            ])
        }
        return text + "\n" + partitions.text
    }
}

struct GroupSeek: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seek",
        abstract: "Move what a group has committed. The group must have no members.")

    @Argument(help: "The group's name.")
    var name: String

    @Option(
        help: ArgumentHelp(
            "Where to: start, end, an offset, or @ and ms since 1970 or such as 2013-11-24T01:00:00Z.",
            valueName: "where"))
    var to: String

    @Option(
        name: .long, help: "Only this topic, also one that the group has not read yet; may be given again.")
    var topic: [String] = []

    @OptionGroup var store: StoreOption

    func validate() throws {
        if StartPosition.parse(to) == nil {
            throw ValidationError(
                """
                --to takes start, end, an offset from 0 on, or @ and a moment (ms since 1970, or such as \
                2013-11-24T01:00:00Z), not "\(to)".
                """)
        }
    }

    func run() async throws {
        let position = StartPosition.parse(to) ?? .earliest
        let members: [String: JSONValue] = [
            "group": .string(name), "to": position.json, "topics": .array(topic.map { .string($0) }),
        ]
        let offsets = try await store.ask("seekGroup", members, Self.offsets) { store in
            try await store.admin.seekGroup(name, to: position, topics: topic)
        }
        var table = Table(["TOPIC", "PARTITION", "COMMITTED"])
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            table.add([partition.topic, "\(partition.partition)", "\(offset)"])
        }
        try StandardOutput.print(table.text)
    }

    private static func offsets(_ json: JSONValue) -> [TopicPartition: Offset]? {
        guard let list = json["offsets"]?.array else { return nil }
        var offsets: [TopicPartition: Offset] = [:]
        for entry in list {
            guard let partition = entry["partition"].flatMap(TopicPartition.init) else { return nil }
            offsets[partition] = entry["offset"]?.integer.map { Offset($0) }
        }
        return offsets
    }
}

struct GroupDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a group with all that it has committed.")

    @Argument(help: "The group's name.")
    var name: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        try await store.change("deleteGroup", ["group": .string(name)]) {
            try await $0.admin.deleteGroup(name)
        }
        try StandardOutput.print("deleted group \(name)")
    }
}
#endif
