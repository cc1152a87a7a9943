// x
#if Tool
import ArgumentParser

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Stream real input through a store and check what comes back.")
    @Argument var directory: String
    func run() async throws {}
}
#endif
