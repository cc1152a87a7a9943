// A run under pressure, drawn in the terminal as it goes.

#if Tool
import Sluice

/// Three rows of columns, one a second or so, and the numbers of now. In a pipe a line a second.
struct PressureChart {
    private let isDrawn = System.isTerminal(1)
    private let seconds: Double
    private var linesDrawn = 0
    private var nextLine = 1.0

    private static let columns = 60
    private static let blocks: [Character] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    init(seconds: Double) { self.seconds = seconds }

    mutating func show(_ samples: [PressureSample]) throws {
        guard let sample = samples.last else { return }
        guard isDrawn else {
            guard sample.seconds >= nextLine else { return }
            nextLine = sample.seconds.rounded(.down) + 1
            return try StandardOutput.print(Self.line(sample))
        }
        let report = sample.report
        var lines = [
            row("sent", samples.map(\.sentRate), "\(Self.size(sample.sentRate))/s"),
            row("read", samples.map(\.readRate), "\(Self.size(sample.readRate))/s"),
            row(
                "unread", samples.map { Double($0.report.lag?.waitingBytes ?? 0) },
                Self.size(Double(report.lag?.waitingBytes ?? 0))
                    + (report.lag.map { ", at rest at \(Self.size(Double($0.targetBytes)))" } ?? "")),
            row(
                "disk", samples.map { Double($0.report.disk.usedBytes) },
                "\(Self.size(Double(report.disk.usedBytes))) of \(Self.size(Double(report.disk.limitBytes)))",
                highest: Double(report.disk.limitBytes)),
        ]
        lines.append(report.description.split(separator: "\n").first.map(String.init) ?? "")
        let back = linesDrawn > 0 ? "\u{1B}[\(linesDrawn)A" : ""
        linesDrawn = lines.count
        try StandardOutput.print(back + lines.map { "\u{1B}[K" + $0 }.joined(separator: "\n"))
    }

    /// The last words.
    mutating func finish(_ samples: [PressureSample]) throws {
        guard let last = samples.last else { return }
        let stalls = Self.longestStall(samples)
        try StandardOutput.print(
            """

            \(last.report.description)

            longest time without a record accepted: \(Amounts.decimal(stalls)) s, of \
            \(Amounts.decimal(last.seconds)) s
            """)
    }

    private static func longestStall(_ samples: [PressureSample]) -> Double {
        var longest = 0.0
        var since = 0.0
        for sample in samples {
            if sample.sentRate > 0 {
                since = sample.seconds
            } else {
                longest = max(longest, sample.seconds - since)
            }
        }
        return longest
    }

    private func row(_ name: String, _ values: [Double], _ now: String, highest: Double? = nil) -> String {
        let top = max(highest ?? values.max() ?? 1, 1)
        var text = name + String(repeating: " ", count: 8 - name.count)
        for column in 0..<Self.columns {
            let from = values.count * column / Self.columns
            let to = values.count * (column + 1) / Self.columns
            let some = values[from..<max(to, min(from + 1, values.count))]
            let mean = some.isEmpty ? 0 : some.reduce(0, +) / Double(some.count)
            text.append(Self.blocks[min(8, max(0, Int((mean / top * 8).rounded())))])
        }
        return text + "  " + now
    }

    private static func line(_ sample: PressureSample) -> String {
        let report = sample.report
        return
            "\(Int(sample.seconds)) s  sent \(size(sample.sentRate))/s  read \(size(sample.readRate))/s  unread "
            + "\(size(Double(report.lag?.waitingBytes ?? 0)))  disk \(size(Double(report.disk.usedBytes)))  "
            + (report.description.split(separator: "\n").first.map(String.init) ?? "")
    }

    private static func size(_ bytes: Double) -> String { PressureReport.size(Int64(bytes)) }
}
#endif
