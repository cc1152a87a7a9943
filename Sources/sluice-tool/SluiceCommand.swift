// `sluice`, the command line of Sluice: the root of its commands, and how the process begins and ends.
//
// (1) Built with the trait Tool; without it the program only says how to build it. (2) A command is a task.
// Ctrl-C and SIGTERM cancel it, and it ends as if its input, or what it reads, had ended there: the store is
// closed, exit 0. (3) Exit codes: 0 ok, 1 failed, 2 usage. (4) What a command gives goes to standard output,
// all else to standard error.

#if Tool
import ArgumentParser
import Foundation

@main
enum Main {
    static func main() {
        System.reserveStandardDescriptors()
        Interruption.prepare()
        let arguments = StoreOption.movedToTheEnd(CommandLine.arguments.dropFirst())
        let command = Task.detached { Foundation.exit(await SluiceCommand.run(arguments)) }
        Interruption.serve { command.cancel() }
    }
}

struct SluiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "A log-structured stream store in one directory: topics, appends, replays.",
        discussion: """
            The store is --store DIR, else the environment's SLUICE_STORE, else ./sluice-data.
            Exit codes: 0 ok, 1 failed, 2 usage.
            """,
        version: "sluice 0.1.0",
        subcommands: [
            TopicCommand.self, GroupCommand.self, TaskCommand.self, QueueCommand.self, CronCommand.self,
            ServeCommand.self, UserCommand.self, WhyCommand.self,
            SegmentCommand.self, VerifyCommand.self, BackupCommand.self, SalvageCommand.self,
            BenchCommand.self, DemoCommand.self,
        ])

    /// Runs the command that the arguments ask for, says what went wrong, and returns the exit code.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return Exit.ok
        } catch {
            return Exit.report(error)
        }
    }
}

#else
import Foundation

/// Stands in for the command line where its dependencies are not built.
@main
enum WithoutTool {
    static func main() {
        print("The command line is built with: swift build -c release --traits Tool")
        Foundation.exit(2)
    }
}
#endif
