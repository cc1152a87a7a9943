// How a command ends other than well, and what that is as an exit code.

#if Tool
import ArgumentParser
import Sluice

/// Why a command ended.
enum ToolError: Error, Hashable {
    /// It could not do what it was asked to: exit 1. A sentence that says what happened, where, and what to
    /// do.
    case failed(String)
    /// It was asked for something that makes no sense: exit 2.
    case usage(String)
    /// What it had to say has been said, and it is bad news: exit 1.
    case damaged
    /// Nobody reads what it prints: it ends quietly, exit 0, as `head` expects.
    case outputClosed

    static func failed(_ error: StreamError) -> ToolError { .failed(error.description) }
}

/// The exit codes, all of them.
enum Exit {
    static let ok: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2

    /// Prints what there is to say about the error, and returns the code.
    ///
    /// ArgumentParser's own requests (`--help`, `--version`) arrive as errors too, and end with 0.
    static func report(_ error: any Error) -> Int32 {
        switch error {
        case ToolError.outputClosed: return ok
        case ToolError.damaged: return failed
        case ToolError.failed(let message): return report(message, failed)
        case ToolError.usage(let message): return report(message, usage)
        case let error as StreamError: return report(advised(error), failed)
        case let error as ControlFailure: return report(error.message, failed)
        case is CancellationError: return report("Interrupted before it was done.", failed)
        default: break
        }
        let text = SluiceCommand.fullMessage(for: error)
        if SluiceCommand.exitCode(for: error) == .success {
            _ = try? StandardOutput.print(text)
            return ok
        }
        guard SluiceCommand.exitCode(for: error) == .validationFailure else {
            return report("\(error)", failed)
        }
        return report(SluiceCommand.message(for: error) + "\n" + usageLines(of: text), usage)
    }

    private static func report(_ message: String, _ code: Int32) -> Int32 {
        StandardError.print("sluice: " + message)
        return code
    }

    /// ArgumentParser's lines about usage and help, without its way to say "error".
    private static func usageLines(of text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasPrefix("Usage:") }.joined(separator: "\n")
    }

    /// The library's message, with what to do at a shell where that is not what to do in Swift.
    static func advised(_ error: StreamError) -> String {
        switch error {
        case .unknownTopic(let topic):
            """
            There is no topic "\(topic)" in this store. `sluice topic list` says which there are, \
            `sluice topic create \(topic)` makes it.
            """
        case .unknownPartition(let place):
            """
            Topic "\(place.topic)" has no partition \(place.partition). Partitions count from 0; \
            `sluice topic describe \(place.topic)` says how many there are.
            """
        case .topicExists(let topic):
            """
            A topic "\(topic)" exists already. Names that differ only in case, or only in '.' against '_', \
            count as the same. Use it, or take another name.
            """
        case .unknownUser(let name):
            "There is no user \"\(name)\" in this store. `sluice user list` says which there are."
        case .userExists(let name):
            """
            A user "\(name)" exists already. `sluice user create \(name) --replace` gives him another \
            password.
            """
        case .offsetOutOfRange(let place, let requested, let valid):
            """
            \(place): there is no offset \(requested); \
            \(valid.isEmpty ? "the partition is empty and its end is \(valid.upperBound)"
                : "it has \(valid.lowerBound) to \(valid.upperBound + -1)"). \
            Give one of these, or start, or end.
            """
        case .locked(let path, let process):
            """
            The store \(path) is open in another process (\(process.map(String.init) ?? "unknown")), and one \
            process writes at a time. Have that program do it, or end it\
            \(process.map { " (kill \($0))" } ?? "") and try again. Reading works beside it: topic list, \
            topic describe, topic consume, verify, backup.
            """
        case .recordTooLarge:
            error.description + " `sluice topic alter-config NAME -s max.message.bytes=…` raises it."
        case .tooManyOpenFiles(let limit):
            "The process may have \(limit) files open, and has. Raise the limit: ulimit -n."
        default: error.description
        }
    }
}
#endif
