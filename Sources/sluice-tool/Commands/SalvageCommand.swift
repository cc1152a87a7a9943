// `sluice salvage`

#if Tool
import ArgumentParser
import Sluice

struct SalvageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "salvage",
        abstract: "Copy whatever is good of a damaged store into a new one.",
        discussion: """
            The source is not changed; its manifest, journal and meta.properties may be missing or damaged. \
            Records keep their offsets; what is lost in between is stepped over. What is copied is printed \
            to standard output, what is not to standard error. Exit code 1 when anything was lost.
            """)

    @Argument(help: "The damaged store's directory.")
    var source: String

    @Argument(help: "Where to; must not exist or be empty.")
    var target: String

    func run() async throws {
        let isWhole = try await StreamStore.salvage(source, to: target) { note in
            switch note {
            case .copied: try? StandardOutput.print("\(note)\n")
            case .lost, .gap, .replaced: StandardError.print("\(note)")
            }
        }
        if !isWhole { throw ToolError.damaged }
    }
}
#endif
