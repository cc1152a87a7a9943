// `sluice topic alter-config`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TopicAlterConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alter-config",
        abstract: "Change settings of a topic; the others stay as they are.")

    @Argument(help: "The topic's name.")
    var name: String

    @Option(
        name: [.short, .customLong("set")],
        help: ArgumentHelp("A setting and its new value; may be given again.", valueName: "key=value"))
    var set: [ConfigurationArgument]

    @OptionGroup var store: StoreOption

    func validate() throws {
        if set.isEmpty { throw ValidationError("Say what to set: -s key=value.") }
    }

    func run() async throws {
        let changes = Dictionary(set.map { ($0.key, JSONValue.string($0.value)) }, uniquingKeysWith: { $1 })
        try await store.change(
            "alterTopic", ["topic": .string(name), "configuration": .object(changes)]
        ) { store in
            var settings = try await store.admin.describeTopic(name).configuration.properties
            for setting in set { settings[setting.key] = setting.value }
            let configuration = try TopicConfiguration(properties: settings)
            try await store.admin.alterTopic(name) { $0 = configuration }
        }
        try StandardOutput.print("changed topic \(name)")
    }
}
#endif
