// `sluice backup`

#if Tool
import ArgumentParser
import Foundation
import Sluice
import SluiceCore

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store to a directory, also while a program writes it.",
        discussion: """
            One durable point of all partitions. Closed segments are linked where the file system is the \
            same; the rest is copied. The directory is a store when the command ends well, and none before.
            """)

    @Argument(help: "Where to; must not exist or be empty.")
    var target: String

    @OptionGroup var store: StoreOption

    func run() async throws {
        // Who writes knows best what is acknowledged; without him the files tell all of it.
        let path = URL(filePath: target).path
        switch store.isOpenElsewhere
            ? ControlClient.ask(store.path, "backup", ["path": .string(path)]) : .silent
        {
        case .result: break
        case .refused(_, let message): throw ToolError.failed(message)
        case .silent: try await store.withReader { try await $0.backup(to: target) }
        }
        try StandardOutput.print("copied \(store.path) to \(target)")
    }
}
#endif
