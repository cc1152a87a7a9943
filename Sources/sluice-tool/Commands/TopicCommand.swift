// `sluice topic …`: what there is to do with topics.

#if Tool
import ArgumentParser

struct TopicCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topic",
        abstract: "Make, describe, change and delete topics; append to them and read them.",
        subcommands: [
            TopicCreate.self, TopicList.self, TopicDescribe.self, TopicDelete.self, TopicAlterConfig.self,
            TopicProduce.self, TopicConsume.self,
        ])
}

/// `key=value` on the command line.
struct ConfigurationArgument: ExpressibleByArgument {
    var key: String
    var value: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else { return nil }
        key = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}
#endif
