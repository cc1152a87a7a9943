// `sluice backup`

#if Tool
import ArgumentParser
import Sluice

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store to a directory, also while a program writes it.",
        discussion: """
            One durable point of all partitions. Closed segments are linked where the file system is the same; \
            the rest is copied. The directory is a store when the command ends well, and none before.
            """)

    @Argument(help: "Where to; must not exist or be empty.")
    var target: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        try await store.withReader { try await $0.backup(to: target) }
        try StandardOutput.print("copied \(store.path) to \(target)")
    }
}
#endif
