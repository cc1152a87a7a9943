// How much of the disk a store may use, for commands that write to it.

#if Tool
import ArgumentParser
import Sluice

struct DiskBudgetOption: ParsableArguments {
    @Option(
        name: .customLong("disk-budget"),
        help: ArgumentHelp(
            "What all files of the store may use, such as 512MB or 2GiB; else 80 % of the file system.",
            valueName: "size"))
    var budget: ByteCount?

    /// How the store is to be opened.
    var configuration: StoreConfiguration { StoreConfiguration { $0.diskBytes = budget?.bytes } }
}

/// `1500000`, `512MB`, `2GiB`: a number of bytes.
struct ByteCount: ExpressibleByArgument, Hashable {
    var bytes: Int64

    init?(argument: String) {
        let units: [(String, Int64)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1_000),
            ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
            ("", 1),
        ]
        for (unit, factor) in units where argument.hasSuffix(unit) {
            guard let number = Int64(argument.dropLast(unit.count)), number >= 0 else { continue }
            let (bytes, isOver) = number.multipliedReportingOverflow(by: factor)
            guard !isOver else { return nil }
            self.bytes = bytes
            return
        }
        return nil
    }
}
#endif
