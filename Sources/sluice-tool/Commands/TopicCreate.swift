// `sluice topic create`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TopicCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a topic, and the store when there is none.")

    @Argument(help: "The topic's name: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'.")
    var name: String

    @Option(name: [.customShort("p", allowingJoined: true), .long], help: "How many partitions it has.")
    var partitions = 1

    @Option(
        name: [.short, .customLong("topic-config")],
        help: ArgumentHelp(
            "A setting, such as retention.ms=3600000; may be given again.", valueName: "key=value"))
    var config: [ConfigurationArgument] = []

    @OptionGroup var store: StoreOption

    func run() async throws {
        let settings = Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        let configuration = try TopicConfiguration(properties: settings)
        let members: [String: JSONValue] = [
            "topic": .string(name), "partitions": .integer(Int64(partitions)),
            "configuration": .object(settings.mapValues { .string($0) }),
        ]
        try await store.change(mayMake: true, "createTopic", members) { store in
            try await store.admin.createTopic(name, partitions: partitions, configuration: configuration)
        }
        try StandardOutput.print(
            "created topic \(name) with \(partitions) partition\(partitions == 1 ? "" : "s")")
    }
}
#endif
