// `sluice topic delete`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct TopicDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a topic with all its records.")

    @Argument(help: "The topic's name.")
    var name: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        try await store.change("deleteTopic", ["topic": .string(name)]) {
            try await $0.admin.deleteTopic(name)
        }
        try StandardOutput.print("deleted topic \(name)")
    }
}
#endif
