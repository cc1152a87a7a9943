// `sluice segment …`: one file of a store at a time.

#if Tool
import ArgumentParser

struct SegmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "segment",
        abstract: "Look into the files of a store.",
        subcommands: [SegmentDump.self])
}

struct SegmentDump: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print what a file holds. Changes nothing.",
        discussion: """
            A .log a line for each batch, an .index or .timeindex a line for each entry, the manifest and \
            the journal a line for each frame. Exit code 1 when something in it is damaged; 0, with a note, \
            when only its end is torn.
            """)

    @Argument(help: "A .log, .index or .timeindex of a partition, or a file of manifest/ or journal/.")
    var file: String

    @Flag(help: "Also print each record of a .log.")
    var records = false

    func run() async throws {
        var output = StandardOutput()
        let isSound = try FileDump.print(file, records: records, to: &output)
        try output.flush()
        if !isSound { throw ToolError.damaged }
    }
}
#endif
