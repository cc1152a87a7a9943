// `sluice topic list`

#if Tool
import ArgumentParser
import Sluice

struct TopicList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the topics.")

    @OptionGroup var store: StoreOption

    func run() async throws {
        let topics = try await store.withReader { try await $0.topics() }
        var table = Table(["NAME", "PARTITIONS", "RECORDS"])
        for topic in topics.sorted(by: { $0.name < $1.name }) {
            let records = topic.partitions.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
            table.add([topic.name, "\(topic.partitions.count)", "\(records)"])
        }
        try StandardOutput.print(table.text)
    }
}
#endif
