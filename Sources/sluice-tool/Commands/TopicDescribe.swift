// `sluice topic describe`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TopicDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show a topic's partitions and its whole configuration.",
        discussion: "START is the first offset that is there, END one past the last that readers see.")

    @Argument(help: "The topic's name.")
    var name: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        let topic = try await store.withReader { try await $0.describeTopic(name) }
        var partitions = Table(["PARTITION", "START", "END", "RECORDS"])
        for (number, offsets) in topic.partitions.enumerated() {
            partitions.add([
                "\(number)", "\(offsets.lowerBound)", "\(offsets.upperBound)",
                "\(offsets.upperBound - offsets.lowerBound)",
            ])
        }
        var configuration = Table(["KEY", "VALUE", "SOURCE"])
        let settings = topic.configuration.settings
        for key in TopicSettings.Keys.all {
            let isDefault = key.isDefault(in: settings)
            configuration.add([key.name, key.text(in: settings), isDefault ? "default" : "topic"])
        }
        try StandardOutput.print(
            "name        \(topic.name)\nid          \(topic.id)\npartitions  \(topic.partitions.count)\n\n"
                + partitions.text + "\n" + configuration.text)
    }
}
#endif
