// `sluice verify`

#if Tool
import ArgumentParser
import Sluice

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a store, also beside the program that writes it. Changes nothing.",
        discussion: """
            Prints what an opening would find, a line each, and a summary. Exit code 1 when acknowledged \
            data is damaged or missing; 0 with notes on what an opening puts right, such as a torn tail.
            """)

    @Flag(help: "Read every byte: each batch against its checksum, each closed segment against its seal.")
    var deep = false

    @OptionGroup var store: StoreOption

    func run() async throws {
        try store.checkExists()
        let begun = System.monotonicNanoseconds
        let report = try await StreamStore.verify(at: store.path, deep: deep)
        let seconds = Double(System.monotonicNanoseconds - begun) / 1e9
        var lines = report.findings.map { "\($0.isDamage ? "damage: " : "note: ")\($0)\n" }.joined()
        lines += """
            \(store.path): \(report.topics) topics, \(report.partitions) partitions, \(report.segments) \
            segments, \(report.wasClosed ? "closed properly" : "not closed, or open in another program")
            \(Amounts.megabytes(report.bytesRead)) read in \(Amounts.decimal(seconds)) s\
            \(deep ? "" : "; --deep reads all")

            """
        let damage = report.findings.count(where: \.isDamage)
        lines += damage == 0 ? "ok: nothing acknowledged is damaged\n" : "DAMAGED: \(damage) findings\n"
        try StandardOutput.print(lines)
        if damage > 0 { throw ToolError.damaged }
    }
}
#endif
