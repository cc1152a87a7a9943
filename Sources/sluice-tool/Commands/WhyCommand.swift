// `sluice why`

#if Tool
import ArgumentParser
import Sluice
import SluiceCore

struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Say what holds producers up: the rule in force, its numbers, the forecast, what to do.",
        discussion: """
            Of a store that a program has open the program is asked, through its control socket; else the \
            store is opened for it. Sizes are decimal and as stored: 1 MB is 1,000,000 bytes.
            """)

    @Argument(help: "The topic's name; without it all topics.")
    var topic: String?

    @Flag(help: "Print JSON, one object a topic.")
    var json = false

    @OptionGroup var store: StoreOption

    func run() async throws {
        let members = topic.map { ["topic": JSONValue.string($0)] } ?? [:]
        let reports = try await store.ask("pressure", members, { $0["reports"]?.array }) { store in
            var reports: [JSONValue] = []
            let named = topic.map { [$0] }
            let topics = if let named { named } else { try await store.admin.topics().map(\.name) }
            for name in topics { reports.append(try await store.pressure(on: name).json) }
            return reports
        }
        if reports.isEmpty, !json { return try StandardOutput.print("The store has no topics.") }
        for report in reports {
            try StandardOutput.print(json ? Self.line(report) : report["text"]?.string ?? "")
        }
    }

    /// The report without its words, on one line.
    private static func line(_ report: JSONValue) -> String {
        var members = report.object ?? [:]
        members["text"] = nil
        return String(decoding: JSONValue.object(members).encoded, as: UTF8.self)
    }
}
#endif
